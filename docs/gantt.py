"""Makes gantt.png: the reference shop's optimal schedule, as gantt.html shows it.

    uv run docs/gantt.py [--seconds 60] [--out docs/gantt.png]

Needs Chromium (on the path, or named in CHROMIUM). The search ends when its schedule is proven optimal.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from jaxshop.search.solver import solve
from jaxshop.shop import TICKS_PER_HOUR, split_lots
from jaxshop.sources import load_shop
from jaxshop.views.gantt import write_gantt

LOT_HOURS, TARGET_HOURS = 60, 130


@contextmanager
def browser_page(size: tuple[int, int]) -> Iterator[Page]:
    """A page of headless Chromium, at twice the density."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        viewport = ViewportSize(width=size[0], height=size[1])
        yield browser.new_page(viewport=viewport, device_scale_factor=2, color_scheme="light")
        browser.close()


def write_picture(page: Path, picture: Path, size: tuple[int, int] = (1366, 768)) -> None:
    """Photograph a page, as a laptop shows it where no size is said."""
    with browser_page(size) as tab:
        tab.goto(page.resolve().as_uri())
        # Two frames: the first draws what the second shows.
        tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        tab.screenshot(path=picture)


def main() -> None:
    """Solve, draw, photograph."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("gantt.png"))
    options = parser.parse_args()
    plan = split_lots(load_shop("reference"), LOT_HOURS)
    solution = solve(plan, time_limit=options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "gantt.html"
        write_gantt(page, plan, solution.schedule, solution.bound, TARGET_HOURS * TICKS_PER_HOUR)
        write_picture(page, options.out)
    proven = "proven optimal" if solution.proven_optimal else "not proven optimal"
    print(f"{options.out}: {solution.makespan / TICKS_PER_HOUR:.2f} h by {solution.source}, {proven}")


if __name__ == "__main__":
    main()
