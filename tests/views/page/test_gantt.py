"""gantt.html and the viewer in it, driven in headless Chromium."""

from __future__ import annotations

import csv
import io
import re
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from jaxshop.schedule import to_json
from jaxshop.shop import split_lots
from jaxshop.views.gantt import write_gantt
from tests.shops import HOSTILE, hostile_shop
from tests.views.page.drive import BLOCKED, OpenPage, eventually, figure
from tests.views.page.stub import make_schedule
from tests.views.script import SCRIPTS


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A gantt.html with hostile names, and the schedule in it."""
    plan = split_lots(hostile_shop(name=HOSTILE, plan_start="2026-11-23T06:00:00Z"), 4.0)
    schedule = make_schedule(plan)
    path = tmp_path_factory.mktemp("report") / "gantt.html"
    write_gantt(path, plan, schedule, int(0.9 * schedule.makespan), 20 * 3600)
    return path, to_json(schedule)


def test_the_report_asks_for_nothing_and_runs_no_name(report: tuple[Path, dict], open_page: OpenPage) -> None:
    """Under its own policy the file draws with no request but itself, and hostile names stay text."""
    path, schedule = report
    page = open_page("about:blank")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    assert requests == [path.as_uri()]
    assert page.inner_text("h1") == HOSTILE
    assert page.locator("img").count() == 0
    assert figure(page, "makespan") == round(schedule["makespan"], 1)
    assert page.evaluate("(url) => fetch(url).then(() => 'sent', () => 'blocked')", BLOCKED) == "blocked"
    assert requests == [path.as_uri()]


def test_bars_are_drawn_where_the_schedule_says(report: tuple[Path, dict], open_page: OpenPage) -> None:
    """Every bar, also zoomed, has its set-up's tint at its start, its colour at its end, and is found at both."""
    page = open_page(report[0].as_uri())
    for factor in (1, 3):
        seen = page.evaluate(SAMPLE, factor)
        assert len(seen) > 20
        wrong = [
            p for p in seen if not p["found"] or max(abs(a - b) for a, b in zip(p["is"], p["due"], strict=True)) > 2
        ]
        assert wrong == []


SAMPLE = """async (factor) => {
  const { gantt } = viewer;
  gantt.zoomAt(factor, 500, 200);
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const context = gantt.layers[0].getContext("2d");
  const { x, y, width, height } = gantt.box.plot;
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const tint = (colour) => colour.map((value) => 0.55 * value + 0.45 * 255);
  const points = plan.bars.flatMap((bar) => {
    const down = gantt.laneOf(bar).y + 3;
    const colour = rgb(gantt.fill(bar).colour);
    return [
      { bar, down, at: gantt.x(bar.start) + 3, due: tint(colour) },
      { bar, down, at: gantt.x(bar.end) - 4, due: colour },
    ];
  });
  return points
    .filter(({ at, down }) => at > x + 2 && at < x + width - 2 && down > y && down < y + height - 4)
    .map(({ bar, at, down, due }) => {
      const is = [...context.getImageData(Math.round(at), Math.round(down), 1, 1).data].slice(0, 3);
      return { operation: bar.operation, is, due, found: gantt.barAt(at, down) === bar };
    });
}"""


def test_pointer_and_keys(report: tuple[Path, dict], open_page: OpenPage) -> None:
    """Hover tells, click selects the job, keys pan, zoom, fit, search and walk the route, Escape clears."""
    page = open_page(report[0].as_uri())
    x, y = page.evaluate(
        """() => {
          const bar = plan.jobs[0].bars[0];
          const box = viewer.stage.getBoundingClientRect();
          return [box.x + viewer.gantt.x(bar.start) + 3, box.y + viewer.gantt.laneOf(bar).y + 5];
        }"""
    )
    page.mouse.move(x, y)
    tip = page.inner_text(".tip")
    assert "J000" in tip
    assert HOSTILE in tip
    assert "Mon 23 Nov 06:00" in tip
    assert "Due Mon 23 Nov 10:00" in tip
    page.mouse.click(x, y)
    assert page.evaluate("plan.bars.filter((bar) => viewer.gantt.lit(bar)).every((bar) => bar.job.id === 'J000')")
    assert page.inner_text(".summary").startswith("J000 · ")
    page.keyboard.press("n")
    assert page.evaluate("viewer.gantt.focused === plan.jobs[0].bars[1]")
    page.keyboard.press("+")
    eventually(page, "viewer.gantt.view.zoom > 1.59")
    before = page.evaluate("viewer.gantt.view.left")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("viewer.gantt.view.left") > before
    page.keyboard.press("0")
    eventually(page, "viewer.gantt.view.zoom === 1")
    page.keyboard.press("Escape")
    assert page.evaluate("viewer.gantt.selected") is None
    page.keyboard.press("/")
    page.keyboard.type("CENTRE 2")
    assert page.evaluate("viewer.gantt.rows.map((machine) => machine.id)") == ["M004", "M005"]
    page.keyboard.press("Escape")
    assert page.evaluate("viewer.gantt.rows.length") == 6


def test_table_and_csv_hold_every_operation(report: tuple[Path, dict], open_page: OpenPage, tmp_path: Path) -> None:
    """The table sorts; the CSV has each row of the schedule, and no cell that a spreadsheet would run."""
    path, schedule = report
    page = open_page(path.as_uri())
    page.select_option("#clock", "hours")
    page.click(".group >> text=Table")
    assert page.get_attribute("table", "aria-rowcount") == str(len(schedule["operations"]) + 1)
    page.click("th:has-text('end h') button")
    page.click("th:has-text('end h') button")
    assert page.get_attribute("th:has-text('end h')", "aria-sort") == "descending"
    last = max(schedule["operations"], key=lambda row: row["end"])
    assert page.inner_text("tbody tr:nth-child(2) td:nth-child(8)") == f"{last['end'] / 3600:.2f}"
    with page.expect_download() as download:
        page.select_option("#export", "csv")
    download.value.save_as(tmp_path / "plan.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "plan.csv").read_text(encoding="utf-8"), newline="")))
    read = {(r["job"].lstrip("'"), int(r["lot"]) - 1, r["operation"], r["machine"], float(r["start h"])) for r in rows}
    assert read == {
        (r["job"], r["lot"], r["operation"], r["machine"], round(r["start"] / 3600, 4)) for r in schedule["operations"]
    }
    assert not any(cell.startswith(("=", "@", "+")) for row in rows for cell in row.values())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_scheme(report: tuple[Path, dict], open_page: OpenPage, scheme: str) -> None:
    """The canvas is painted in the panel colour of the light or the dark scheme."""
    page = open_page(report[0].as_uri(), color_scheme=scheme)
    eventually(page, "viewer.gantt.layers[0].getContext('2d').getImageData(3, 30, 1, 1).data[3] === 255")
    corner = page.evaluate("[...viewer.gantt.layers[0].getContext('2d').getImageData(3, 30, 1, 1).data].slice(0, 3)")
    assert (statistics.mean(corner) > 128) == (scheme == "light")


def test_every_line_is_named_in_a_colour_of_the_style_sheet(open_page: OpenPage, tmp_path: Path) -> None:
    """The present, too, which is drawn in a plan under way; no script names a colour that is not read."""
    plan = split_lots(hostile_shop(plan_start="2026-11-23T06:00:00Z"), 4.0)
    schedule = make_schedule(plan)
    write_gantt(tmp_path / "now.html", plan, schedule, int(0.95 * schedule.makespan), None, 3600)
    page = open_page((tmp_path / "now.html").as_uri())
    drawn = dict(page.evaluate(NAMES))
    assert set(drawn) == {"ends", "now", "bound"}
    assert len(set(drawn.values())) == 3
    theme = page.evaluate("viewer.gantt.theme")
    named = {name for path in SCRIPTS.values() for name in re.findall(r"\btheme\.(\w+)", path.read_text("utf-8"))}
    assert "good" in named
    assert [name for name in named if not theme.get(name)] == []


NAMES = """async () => {
  const { gantt } = viewer;
  const words = new Map(gantt.marks().map(({ name }) => [name, name.split(" ")[0]]));
  const brush = CanvasRenderingContext2D.prototype;
  const { fillText } = brush;
  const drawn = [];
  brush.fillText = function (text, ...place) {
    if (words.has(text)) drawn.push([words.get(text), this.fillStyle]);
    return fillText.call(this, text, ...place);
  };
  gantt.redraw();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  brush.fillText = fillText;
  return drawn;
}"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a gantt.html of 150 machines, 75 work centres and 5,000 operations, without due dates."""
    shop = hostile_shop(machines=150, jobs=1000, steps=5)
    plan = split_lots(replace(shop, jobs=tuple(replace(job, due=None) for job in shop.jobs)), None)
    path = tmp_path_factory.mktemp("large") / "large.html"
    write_gantt(path, plan, make_schedule(plan), None, None)
    return path.as_uri()


def test_pan_and_zoom_draw_only_what_is_seen(large: str, open_page: OpenPage) -> None:
    """Many moves make one drawing a frame, of no more bars than are in view; hovering draws none of them again.

    How many frames a second that gives is the matter of benchmarks/page_frames.py.
    """
    page = open_page(large)
    seen = page.evaluate(WORK)
    assert seen["bars"] == 5000
    assert seen["whole"]["drawings"] == 1
    assert seen["whole"]["bars"] <= 5000
    assert seen["aside"]["drawings"] == 1
    assert 0 < seen["aside"]["bars"] < 0.2 * seen["whole"]["bars"]
    assert seen["near"]["drawings"] == 1
    assert 0 < seen["near"]["bars"] <= seen["inView"] < 500
    assert seen["frames"] == seen["moves"]  # each move is on the screen in the next frame
    assert seen["hover"] == {"drawings": 0, "bars": 0}


WORK = """async () => {
  const { gantt } = viewer;
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const count = { drawings: 0, bars: 0 };
  const around = gantt.painters[1];
  around.base = (pen) => { // once in each drawing
    count.drawings += 1;
    Frame.prototype.base.call(around, pen);
  };
  gantt.lit = (bar) => { // asked of each bar that is drawn
    count.bars += 1;
    return Gantt.prototype.lit.call(gantt, bar);
  };
  const during = async (act) => {
    await frame();
    Object.assign(count, { drawings: 0, bars: 0 });
    act();
    await frame();
    return { ...count };
  };
  const many = (act) => () => { for (let i = 0; i < 50; i++) act(); };
  const whole = await during(many(() => gantt.redraw()));
  gantt.moveTo({ left: 0, top: 0, zoom: 1.2 });
  await frame();
  const aside = await during(many(() => gantt.pan(1, 0)));
  const near = await during(() => { gantt.zoomAt(6, 700, 300); many(() => gantt.pan(3, 1))(); });
  const [first, last] = gantt.visibleRows;
  const pixel = 1 / gantt.scale;
  const shown = (bar) => bar.end >= gantt.view.left - pixel && bar.start <= gantt.right + pixel;
  const inView = gantt.rows.slice(first, last).flatMap((machine) => machine.bars.filter(shown)).length;
  let frames = 0;
  const moves = 12;
  for (let i = 0; i < moves; i++) frames += (await during(() => gantt.pan(i % 2 ? 25 : -25, 10))).drawings;
  const bar = gantt.rows[first + 2].bars[0];
  const hover = await during(() => gantt.point({ x: 700, y: 300 }, bar, bar.machine));
  return { bars: plan.bars.length, whole, aside, near, inView, moves, frames, hover };
}"""


def test_no_two_work_centres_look_alike(open_page: OpenPage, tmp_path: Path) -> None:
    """Where there are more centres than hues, stripes tell the later ones: in the legend, and on the bars."""
    plan = split_lots(hostile_shop(machines=28, jobs=28, steps=2), None)
    write_gantt(tmp_path / "centres.html", plan, make_schedule(plan), None, None)
    page = open_page((tmp_path / "centres.html").as_uri())
    page.select_option("#colour", "centre")
    swatches = page.evaluate(
        """[...document.querySelectorAll(".legend i[class^=series]")].map((swatch) => {
          const { backgroundColor, backgroundImage } = getComputedStyle(swatch);
          return `${backgroundColor} ${backgroundImage}`;
        })"""
    )
    assert len(set(swatches)) == len(swatches) == 14
    shades = page.evaluate(SHADES)
    assert [count > 1 for count in shades] == [False] * 10 + [True] * 4


SHADES = """async () => {
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const { gantt } = viewer;
  const context = gantt.layers[0].getContext("2d");
  return plan.centres.map((centre) => {
    const bar = plan.bars.find((one) => one.machine.centre === centre);
    const to = gantt.x(bar.end) - 4;
    const { y, height } = gantt.laneOf(bar);
    const strip = context.getImageData(Math.round(to) - 16, Math.round(y + height) - 4, 14, 1).data;
    return new Set(Array.from({ length: 14 }, (_, i) => strip.slice(4 * i, 4 * i + 3).join())).size;
  });
}"""


def test_the_table_has_no_empty_columns(large: str, open_page: OpenPage) -> None:
    """Without due dates neither table nor CSV speaks of them; what only the chart can do goes with the chart."""
    page = open_page(large)
    page.click(".group >> text=Table")
    assert "due" not in page.inner_text("thead")
    assert page.is_hidden("#colour")
    page.click("text=Chart")
    assert page.is_visible("#colour")


PANNED = """async ([density, steps]) => {
  const machines = Array.from({ length: 90 }, (_, i) => ({
    id: `M${i}`, work_centre: `C${i % 7}`, available_from: 600 * (i % 3), closed: [[7000 + 90 * i, 9000 + 90 * i]],
  }));
  const jobs = Array.from({ length: 50 }, (_, j) => ({
    id: `J${j}`, due: 300 * j, operations: Array.from({ length: 90 }, (_, i) => ({ id: `${j}/${i}`, setup: 60 })),
  }));
  const rows = jobs.flatMap((job, j) => machines.map(({ id }, i) => {
    const start = 400 * j + 7 * i;
    const end = start + 100 + ((37 * i + 59 * j) % 290);
    return { job: job.id, lot: 0, operation: `${j}/${i}`, machine: id, start, end };
  }));
  const { gantt } = viewer;
  viewer.show(new Plan({ name: "large", machines, jobs }, rows, { bound: 18000 }));
  gantt.moveTo({ left: 900, top: 0, zoom: 2.5 });
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const pixels = () => {
    const { canvas } = gantt.layers[0].getContext("2d");
    return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  };
  await frame();
  const found = [];
  for (const by of steps) {
    gantt.pan(by / density, 0);
    const moved = gantt.kept.seen !== undefined && gantt.kept.seen.left !== gantt.view.left;
    await frame();
    const panned = pixels();
    gantt.redraw();
    await frame();
    const anew = pixels();
    found.push([moved, panned.reduce((count, value, i) => count + (Math.abs(value - anew[i]) > 24), 0)]);
  }
  return found;
}"""


@pytest.mark.parametrize("density", [1, 1.25])
def test_a_panned_chart_is_the_chart_that_is_drawn_anew(
    report: tuple[Path, dict], open_page: OpenPage, density: float
) -> None:
    """Only what comes into view is drawn while a large plan is panned: pixel by pixel it is what it would be anew."""
    page = open_page(report[0].as_uri(), device_scale_factor=density, viewport={"width": 1000, "height": 500})
    found = page.evaluate(PANNED, [density, [40, -13, 5, 301, -260, 1]])
    assert [moved for moved, _ in found] == [True] * 6
    assert all(differ < 40 for _, differ in found), found
