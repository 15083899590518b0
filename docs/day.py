"""Makes the pictures of day.md: what its commands write, and the planner's page at 10:30.

    uv run docs/day.py [--out docs/assets]

Needs Chromium (on the path, or named in CHROMIUM).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from gantt import browser_page, write_picture

from jaxshop.cli.main import main as jaxshop

ROOT = Path(__file__).parents[1]
SHOP, URGENT = ROOT / "examples/day/shop.json", ROOT / "examples/day/urgent.json"
WORK = ("--work", "300", "--threads", "2")
PORT = 8017
SIZE = (1200, 520)


@contextmanager
def served() -> Iterator[str]:
    """A server of the page, by its address."""
    address = f"http://127.0.0.1:{PORT}"
    with subprocess.Popen([sys.executable, ROOT / "serve.py", "--no-auth", "--port", str(PORT)]) as server:
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{address}/livez").close()
                    break
                except URLError:
                    time.sleep(0.1)
            yield address
        finally:
            server.terminate()


def photograph_page(plan: Path, picture: Path) -> None:
    """Drop shop and plan onto the page, set it to 10:30, stop the press, and photograph what making room would cost."""
    with served() as address, browser_page((1366, 700)) as page:
        page.goto(address)
        page.set_input_files("#file", SHOP)
        page.wait_for_selector("#status:has-text('Ready')")
        page.set_input_files("#file", plan)
        page.wait_for_selector("#planning:not([hidden])")
        page.click("#panel")
        page.fill("#now", "2026-11-23T10:30")
        page.press("#now", "Tab")
        page.click("#stop-open")
        page.select_option("#stop-machine", "PP09")
        page.fill("#stop-to", "2026-11-23T15:00")
        page.click("#stop-dialog .primary")
        page.wait_for_selector("#costs:has-text('Late jobs')")
        page.screenshot(path=picture)


def main() -> None:
    """Run the day's commands, and photograph what comes of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("assets"))
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        monday, afternoon = Path(folder) / "monday", Path(folder) / "afternoon"
        told = ("--now", "4.5", "--down", "PP09:4.5-9", "--add", str(URGENT))
        plan = f"{monday}.json"
        jaxshop(["solve", str(SHOP), *WORK, "--out", plan, "--gantt", f"{monday}.html"])
        drawn = ("--out", f"{afternoon}.json", "--gantt", f"{afternoon}.html")
        jaxshop(["reschedule", str(SHOP), plan, *told, *WORK, *drawn])
        for each in (monday, afternoon):
            write_picture(Path(f"{each}.html"), out / f"day_{each.name}.png", SIZE)
        photograph_page(Path(plan), out / "day_page.png")


if __name__ == "__main__":
    main()
