"""How soon a plan is made anew: `jaxshop reschedule` as a process, and what `POST /v1/reschedules` does.

uv run benchmarks/replan.py [SHOP]...

Without a shop the reference, and the reference with shifts, families and due dates. Lots of 60 h; at 20 h machine DB01
stops for 4 h. Seconds of processor time, of all threads together, and in brackets of the clock: the least of three.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxshop import load_shop
from jaxshop.schedule import read, to_json
from jaxshop.search import warming
from jaxshop.serving.replanner import answer, read_request
from jaxshop.shop import LotPlan, Shop, shop_to_json, split_lots

SHOPS = ("reference", "plant-due:reference:0")
RUNS = 3
NOW, MACHINE, UNTIL = 20.0, "DB01", 24.0


def process(spec: str, schedule: Path, *more: str) -> tuple[float, float, dict[str, Any]]:
    """Processor time, time and reply of a whole `jaxshop reschedule`."""
    down = f"{MACHINE}:{NOW:g}-{UNTIL:g}"
    out = str(schedule.with_suffix(".new.json"))
    command = ["reschedule", spec, str(schedule), "--now", f"{NOW:g}", "--down", down, "--out", out, "--json", *more]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([sys.executable, "-m", "jaxshop.cli", *command], check=True, capture_output=True, text=True)
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, took, json.loads(done.stdout)


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Processor time, time and result of a call."""
    began, before = time.monotonic(), time.process_time()
    result = call()
    return time.process_time() - before, time.monotonic() - began, result


def report(name: str, run: Callable[[], tuple[float, float, Any]]) -> Any:
    """Print a line; returns the last result."""
    runs = [run() for _ in range(RUNS)]
    reply = runs[-1][-1]
    told = ""
    if isinstance(reply, dict):
        found = sorted((each[-1]["objective"], each[-1]["source"]) for each in runs)
        told = "; ".join(f"{cost:.2f} h by {source}" for cost, source in found)
    print(f"  {name:34} {min(run[0] for run in runs):5.2f} s ({min(run[1] for run in runs):.2f})  {told}", flush=True)
    return reply


def cut(shop: Shop, max_lot_hours: float | None, where: str) -> LotPlan:
    """The lots of a body's shop."""
    return split_lots(shop, max_lot_hours)


def measure(spec: str, folder: Path) -> None:
    """Print the lines of a shop."""
    schedule = folder / "plan.json"
    command = ["solve", spec, "--max-lot-hours", "60", "--work", "200", "--threads", "1", "--out", str(schedule)]
    subprocess.run([sys.executable, "-m", "jaxshop.cli", *command], check=True, capture_output=True)
    print(f"{spec}:")
    report("process, repairs and rules alone", lambda: process(spec, schedule, "--time-limit", "0"))
    report("process, as it comes", lambda: process(spec, schedule))
    shop = load_shop(spec)
    down = [{"machine": MACHINE, "from": NOW, "to": UNTIL}]
    body = {"shop": shop_to_json(shop), "schedule": to_json(read(schedule)), "now": NOW, "down": down}
    asked = report("server, reading", lambda: timed(lambda: read_request(body, "body", cut, 60)))
    warming.every()
    warming.wait(asked.past.rest, None)
    report("server, repairs and rules", lambda: timed(lambda: answer(asked, 0.0, None, lambda: False)))
    report("server, search until 1.5 s", lambda: timed(lambda: answer(asked, 1.5, None, lambda: False)))


def main() -> None:
    """Print what each shop takes."""
    with tempfile.TemporaryDirectory() as folder:
        for spec in sys.argv[1:] or SHOPS:
            measure(spec, Path(folder))


if __name__ == "__main__":
    main()
