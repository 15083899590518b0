"""Pans and zooms a large gantt.html in headless Chromium and prints what a frame takes.

    uv run benchmarks/page_frames.py [--lot-hours 12] [--rounds 5] [--json]

The chart is the reference shop's, in lots so short that there are about 5,000 bars; Chromium is on the path, or named
in CHROMIUM. Headless it paints without a GPU, so a planner's laptop does better. `drawing` is the script's own time,
`frame` the time from one frame to the next, which is 16.7 ms at best, as the screen is taken to have 60 Hz.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from jaxshop.schedule.dispatch import best_rule
from jaxshop.shop import split_lots
from jaxshop.sources import load_shop
from jaxshop.views.gantt import write_gantt

MOVES = """async () => {
  const { gantt } = viewer;
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const [frames, drawings] = [[], []];
  let before = await frame();
  for (let i = 0; i < 60; i++) {
    if (i % 2) gantt.pan(25, 10);
    else gantt.zoomAt(i < 30 ? 1.1 : 1 / 1.1, 700, 300);
    // Callbacks of a frame run in order: the chart has asked for its own before.
    const drawn = frame();
    const began = performance.now();
    await drawn;
    const now = performance.now();
    drawings.push(now - Math.max(began, document.timeline.currentTime));
    frames.push(document.timeline.currentTime - before);
    before = document.timeline.currentTime;
  }
  return { frames, drawings };
}"""


def measure(page: Path, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each frame, and of the drawing in it."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1366, "height": 768})
        tab.goto(page.resolve().as_uri())
        taken: dict[str, list[float]] = {"frames": [], "drawings": []}
        for _ in range(rounds):
            for name, values in tab.evaluate(MOVES).items():
                taken[name] += values
        browser.close()
    return taken


def main() -> None:
    """Draw, move, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lot-hours", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    plan = split_lots(load_shop("reference"), options.lot_hours)
    _, schedule = best_rule(plan)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "gantt.html"
        write_gantt(page, plan, schedule, None, None)
        taken = measure(page, options.rounds)
    frame = statistics.median(taken["frames"])
    figures = {
        "machines": len(plan.shop.machines),
        "bars": len(schedule.rows),
        "frames": len(taken["frames"]),
        "frames_per_second": round(1000 / frame, 1),
        "median_frame_ms": round(frame, 1),
        "p95_frame_ms": round(statistics.quantiles(taken["frames"], n=20)[-1], 1),
        "median_drawing_ms": round(statistics.median(taken["drawings"]), 1),
    }
    if options.json:
        print(json.dumps(figures))
    else:
        print(*(f"{name.replace('_', ' '):18} {value}" for name, value in figures.items()), sep="\n")


if __name__ == "__main__":
    main()
