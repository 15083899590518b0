"""Drags bars of the planner's page in headless Chromium and prints what a frame and a change take.

    uv run benchmarks/page_changes.py [SHOP] [--lot-hours 60] [--rounds 5] [--json]

The page is served from the package's files, without a server: nothing that is measured asks one. `drag` is of the
frames while a bar follows the pointer (60 a second at best, as the screen is taken to have 60 Hz); `pan` of those
while nearly the whole plan is in view and moves; `reaction` the time from a drop until the checked plan is drawn,
with what it breaks, its cost, and the cost with room made. Chromium is on the path, or named in CHROMIUM; headless it
paints without a GPU. Numbers are medians; `cpu` is the processor time of the page's main thread, in which other
programs do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
from pathlib import Path
from typing import Any

from playwright.sync_api import Route, sync_playwright

import jaxshop.serving
import jaxshop.views
from jaxshop.schedule import to_json
from jaxshop.schedule.dispatch import best_rule
from jaxshop.shop import shop_to_json, split_lots
from jaxshop.sources import load_shop

ROOT = "http://page.test"
FOLDERS = [Path(room.__file__).parent / "static" for room in (jaxshop.serving, jaxshop.views)]
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

BEGIN = """([shop, schedule]) => {
  page.shop = shop;
  page.planning.begin(firstState(shop, schedule));
  const { gantt, stage } = page.viewer;
  const bars = gantt.plan.bars.filter((bar) => bar.step > 0).sort((a, b) => b.end - b.start - a.end + a.start);
  const bar = bars[Math.floor(bars.length / 3)];
  gantt.select(bar.job, bar);
  gantt.reveal(bar);
  const box = stage.getBoundingClientRect();
  return [box.x + gantt.x((bar.start + bar.end) / 2), box.y + gantt.laneOf(bar).y + gantt.laneOf(bar).height / 2];
}"""

DRAG = """async ([x, y, moves]) => {
  const { gantt } = page.viewer;
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const move = (dx, dy) =>
    gantt.canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x + dx, clientY: y + dy, buttons: 1 }));
  const [frames, scripts] = [[], []];
  await frame();
  let before = await frame();
  for (let i = 0; i < moves; i++) {
    const began = performance.now();
    move(8 + 3 * i, 20 * Math.sin(i / 6));
    scripts.push(performance.now() - began);
    const now = await frame();
    frames.push(now - before);
    before = now;
  }
  return { frames, scripts, dragging: Boolean(gantt.ghost) };
}"""

PAN = """async (moves) => {
  const { gantt } = page.viewer;
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const frames = [];
  gantt.select(null);
  gantt.moveTo({ left: 0, top: 0, zoom: 1.2 });
  await frame();
  let before = await frame();
  for (let i = 0; i < moves; i++) {
    gantt.pan(i % 20 < 10 ? 15 : -15, 0);
    const now = await frame();
    frames.push(now - before);
    before = now;
  }
  return frames;
}"""

DROP = """async (hours) => {
  const { planning } = page;
  const bar = page.viewer.gantt.focused;
  const free = { ...planning.board.byKey.get(keyOf(bar)) };
  const row = { ...free, start: free.start + 3600 * hours, end: free.end + 3600 * hours };
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  await frame();
  const began = performance.now();
  planning.move(row);
  await frame();
  await new Promise((resolve) => setTimeout(resolve));
  return { reaction: performance.now() - began, broken: planning.plan.violations.length };
}"""


def serve(route: Route) -> None:
    """Answer with a file of the package."""
    name = route.request.url.removeprefix(ROOT).removeprefix("/static/").strip("/") or "index.html"
    file = next((folder / name for folder in FOLDERS if (folder / name).is_file()), None)
    if file is None:
        return route.fulfill(status=404)
    return route.fulfill(body=file.read_bytes(), content_type=TYPES[file.suffix])


def measure(shop: dict[str, Any], schedule: dict[str, Any], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of frames, of the script in them, and of reactions to drops."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    names = ("frames", "scripts", "reaction", "drag_cpu", "drop_cpu", "pan", "pan_cpu")
    taken: dict[str, list[float]] = {name: [] for name in names}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.route(f"{ROOT}/**", serve)
        tab.goto(ROOT)
        x, y = tab.evaluate(BEGIN, [shop, schedule])
        session = tab.context.new_cdp_session(tab)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def spent() -> float:
            """Milliseconds of processor time of the page's main thread so far."""
            metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
            return 1000 * metrics["TaskDuration"]

        for number in range(rounds):
            tab.mouse.move(x, y)
            tab.mouse.down()
            began = spent()
            found = tab.evaluate(DRAG, [x, y, 90])
            taken["drag_cpu"].append((spent() - began) / 92)
            assert found["dragging"], "the bar did not follow the pointer"
            tab.keyboard.press("Escape")
            tab.mouse.up()
            taken["frames"] += found["frames"]
            taken["scripts"] += found["scripts"]
            began = spent()
            dropped = tab.evaluate(DROP, 1 + number)
            taken["drop_cpu"].append(spent() - began)
            taken["reaction"].append(dropped["reaction"])
            tab.evaluate("page.planning.set(page.planning.history.undo())")
            began = spent()
            taken["pan"] += tab.evaluate(PAN, 40)
            taken["pan_cpu"].append((spent() - began) / 42)
            tab.evaluate(BEGIN, [shop, schedule])
        browser.close()
    return taken


def main() -> None:
    """Draw, drag, drop, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shop", nargs="?", default="reference")
    parser.add_argument("--lot-hours", type=float)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    hours = 60 if options.shop == "reference" and options.lot_hours is None else options.lot_hours
    plan = split_lots(load_shop(options.shop), hours)
    _, schedule = best_rule(plan)
    taken = measure(shop_to_json(plan.shop), to_json(schedule), options.rounds)
    middle = {name: statistics.median(values) for name, values in taken.items()}
    figures = {
        "machines": len(plan.shop.machines),
        "bars": len(schedule.rows),
        "drag_frames_per_second": round(1000 / middle["frames"], 1),
        "drag_p95_frame_ms": round(statistics.quantiles(taken["frames"], n=20)[-1], 1),
        "drag_cpu_ms_a_frame": round(middle["drag_cpu"], 1),
        "pan_frames_per_second": round(1000 / middle["pan"], 1),
        "pan_cpu_ms_a_frame": round(middle["pan_cpu"], 1),
        "reaction_ms": round(middle["reaction"], 1),
        "reaction_cpu_ms": round(middle["drop_cpu"], 1),
    }
    if options.json:
        print(json.dumps(figures))
    else:
        print(*(f"{name.replace('_', ' '):26} {value}" for name, value in figures.items()), sep="\n")


if __name__ == "__main__":
    main()
