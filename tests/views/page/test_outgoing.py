"""What leaves the planner's page: dispatch lists on paper, files for other programs; and how it looks."""

from __future__ import annotations

import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from icalendar import Calendar
from openpyxl import load_workbook

from tests.views.page.drive import status
from tests.views.page.presses import SCHEDULE, drag

MANY = """async () => {
  const machineOf = (_, i) => ({ id: `M${i}`, work_centre: `centre ${Math.floor(i / 11)}` });
  const machines = Array.from({ length: 149 }, machineOf);
  const jobs = [{ id: "A", operations: [{ id: "A/1", alternatives: { M0: 1 } }] }];
  const rows = [{ job: "A", lot: 0, operation: "A/1", machine: "M0", start: 0, end: 3600 }];
  page.planning.begin(firstState({ name: "many", machines, jobs }, { operations: rows, max_lot_hours: null }));
  page.viewer.gantt.fit();
  const written = new Set();
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
    written.add(text);
    return fillText.call(this, text, ...where);
  };
  page.viewer.gantt.restyle();
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  CanvasRenderingContext2D.prototype.fillText = fillText;
  return [...written];
}"""


def test_few_machines_fill_the_chart_and_of_many_names_stay(page: Any) -> None:
    """Three rows take the chart's height, under a legend; of 149 machines every centre and some in each are named."""
    height, rows = page.evaluate(
        "(({ gantt }) => [gantt.box.plot.height, gantt.rows.length * gantt.rowHeight])(page.viewer)"
    )
    assert abs(rows - height) < 2
    legend = page.inner_text(".legend")
    assert all(text in legend for text in ("a colour a job", "set-up", "closed", "due date", "busy share of open time"))
    written = set(page.evaluate(MANY))
    assert {f"centre {i}" for i in range(14)} <= written
    assert all(any(f"M{i}" in written for i in range(11 * c, min(149, 11 * c + 11))) for c in range(14))


def test_dispatch_lists_are_printed_and_light(page: Any) -> None:
    """In a dark window: a list for each machine and for each order has every operation, black on white."""
    page.emulate_media(color_scheme="dark")
    page.evaluate("window.print = () => { window.printed = (window.printed ?? 0) + 1; }")
    for name, titles in (("machines", ["Pack", "P1", "P2"]), ("orders", [f"Order {i}" for i in range(1, 5)])):
        page.select_option("#print", name)
        assert page.evaluate("window.printed")
        page.emulate_media(media="print", color_scheme="dark")
        seen = page.evaluate("[...document.querySelectorAll('.sheets h2')].map((head) => head.firstChild.textContent)")
        assert seen == titles
        assert page.locator(".sheets tbody tr").count() == len(SCHEDULE.rows)
        printed = page.inner_text(".sheets")  # by Berlin's clock; the browser is in New York
        assert "start, Europe/Berlin" in printed
        assert "2026-11-23 06:00" in printed
        assert page.is_hidden(".stage")
        colours = page.evaluate(
            """(({ color, backgroundColor }) => [color, backgroundColor])(
              getComputedStyle(document.querySelector('.sheets')))"""
        )
        assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("page.viewer.gantt.theme.panel") == "#ffffff"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.is_visible(".stage")
    assert page.is_hidden("#panel")
    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("page.viewer.gantt.theme.panel") != "#ffffff"
    page.emulate_media(color_scheme="light")
    printed = page.evaluate("window.printed")
    page.focus("#print")
    for key in ("ArrowDown", "Escape"):  # opens the list of what can be printed, and closes it
        page.keyboard.press(key)
    assert page.evaluate("window.printed") == printed
    assert page.input_value("#print") == ""


def test_the_plan_is_saved_for_excel_and_for_calendars(page: Any, tmp_path: Path) -> None:
    """A workbook of the dispatch lists and a calendar for each machine, in Berlin's time; not of what breaks a rule."""
    for kind, ending in (("xlsx", "xlsx"), ("ical", "zip")):
        with page.expect_download() as download:
            page.select_option("#export", kind)
        download.value.save_as(tmp_path / f"plan.{ending}")
        status(page, f"Saved presses.{ending}")
        assert page.input_value("#export") == ""
    head, first, *rest = load_workbook(tmp_path / "plan.xlsx")["by machine"].iter_rows(values_only=True)
    assert len(rest) == 7
    row = dict(zip(head, first, strict=False))
    assert (row["machine"], row["start, Europe/Berlin"]) == ("P1", datetime(2026, 11, 23, 6))
    with zipfile.ZipFile(tmp_path / "plan.zip") as archive:
        assert archive.namelist() == ["P1.ics", "P2.ics", "Pack.ics"]
        calendar = Calendar.from_ical(archive.read("Pack.ics"))
    assert len(calendar.walk("VEVENT")) == 4
    assert str(calendar["X-WR-TIMEZONE"]) == "Europe/Berlin"
    drag(page, "1/press", 3)
    page.select_option("#export", "xlsx")
    page.wait_for_selector("#problem:visible")
    assert "The server found a fault in it" in page.inner_text("#problem")
    page.click("#discard")
