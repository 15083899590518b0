"""The planner looks up and changes a plan on the page, in headless Chromium; one page, told to begin anew each time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from icalendar import Calendar
from openpyxl import load_workbook

from jaxshop.schedule import to_json
from tests.views.page.drive import drop, eventually, figure, status
from tests.views.page.presses import drag, is_valid, planned, presses, row_of, select
from tests.views.page.stub import KEY, StubServer, stub_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOUR = 3600
PLAN, SCHEDULE = planned(presses())


@pytest.fixture(scope="module")
def server() -> Iterator[StubServer]:
    """One server for the module."""
    with stub_server() as running:
        yield running


@pytest.fixture(scope="module")
def opened(browser: Browser, server: StubServer) -> Iterator[Any]:
    """The page in New York with the key given and the presses dropped; it may not complain of anything."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, timezone_id="America/New_York")
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(server.url)
    page.fill("#key", KEY)
    page.dispatch_event("#key", "change")
    drop(page, presses())
    status(page, "Ready")
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def page(opened: Any) -> Any:
    """The page with the presses' plan as it was made."""
    opened.evaluate(
        """(schedule) => {
          page.other = null;
          page.viewer.view("chart");
          page.viewer.clock.value = "plant";
          page.viewer.gantt.select(null);
          page.planning.begin(firstState(page.shop, schedule));
          page.viewer.gantt.fit();
        }""",
        to_json(SCHEDULE),
    )
    return opened


def test_a_plan_is_read_in_the_plants_time(page: Any) -> None:
    """A browser in New York: closed time and dates are Berlin's everywhere; UTC and hours are a choice."""
    closed = page.evaluate("page.viewer.gantt.plan.machines[0].closed.filter(([a]) => a >= 0).slice(0, 2)")
    assert closed == [[8 * 3600, 24 * 3600], [32 * 3600, 48 * 3600]]
    assert page.evaluate("page.viewer.gantt.plan.bars.some((bar) => bar.setup === 1.25 * 3600)")
    page.click(".group >> text=Table")
    first = "tbody tr:nth-child(2) td:nth-child(7)"
    assert "start, Europe/Berlin" in page.inner_text("thead")
    assert page.inner_text(first) == "2026-11-23 06:00"
    page.select_option("#clock", "utc")
    assert page.inner_text(first) == "2026-11-23 05:00"
    page.select_option("#clock", "hours")
    assert page.inner_text(first) == "0.00"
    assert "ends" not in page.inner_text("#kpis")
    page.select_option("#clock", "plant")
    assert page.evaluate("page.viewer.gantt.marks()[0].name").startswith("ends ")
    assert "ends Tue 24 Nov" in page.inner_text("#kpis")


def test_late_orders_are_found_and_shown(page: Any) -> None:
    """The tiles list the late orders, worst first; a click on one shows its bars; machines tell when they are free."""
    ends = SCHEDULE.job_ends
    late = {job.id: job.weight * (ends[job.id] - job.due) / 3600 for job in PLAN.shop.jobs if ends[job.id] > job.due}
    assert figure(page, "late") == len(late) > 1
    assert figure(page, "tardiness") == round(sum(late.values()), 1)
    page.click("#late button")
    listed = page.evaluate("[...document.querySelectorAll('tbody tr.late button')].map((cell) => cell.textContent)")
    assert listed == sorted(late, key=lambda job: -late[job])
    assert "Late orders only" in page.inner_text(".filter")
    page.click(f"tbody button:has-text('{listed[0]}')")
    assert page.inner_text(".summary").startswith(f"{listed[0]} · ")
    lit = "page.viewer.gantt.plan.bars.filter((bar) => page.viewer.gantt.lit(bar)).map((bar) => bar.job.id)"
    assert set(page.evaluate(lit)) == {listed[0]}
    page.click(".group >> text=Machines")
    assert page.locator("tbody tr[aria-rowindex]").count() == 3
    assert "next free, Europe/Berlin" in page.inner_text("thead")


def test_a_broken_schedule_is_marked_in_the_chart(page: Any) -> None:
    """Two slips: the bars are marked, a key leads from one to the next, the tooltip says what is wrong."""
    schedule = to_json(SCHEDULE)
    rows = {row["operation"]: row for row in schedule["operations"]}
    rows["1/pack"]["start"], rows["1/pack"]["end"] = 0, 3600
    rows["2/press"]["machine"] = "Pack"
    drop(page, presses())  # begins without a plan, so that what is dropped is the plan
    drop(page, schedule, "plan.json")
    page.wait_for_selector("#problem li")
    broken = page.evaluate("[...page.viewer.gantt.plan.broken.keys()].map((bar) => bar.operation)")
    assert set(broken) >= {"1/pack", "2/press"}
    assert "in red" in page.inner_text(".summary")
    page.focus(".stage canvas[tabindex]")
    page.keyboard.press("v")
    focused = page.evaluate("page.viewer.gantt.focused.operation")
    assert focused in broken
    x, y = page.evaluate(
        """() => {
          const { gantt, stage } = page.viewer;
          const bar = gantt.plan.bars.find((each) => each.operation === "1/pack");
          const box = stage.getBoundingClientRect();
          return [box.x + gantt.x((bar.start + bar.end) / 2), box.y + gantt.laneOf(bar).y + 5];
        }"""
    )
    page.mouse.move(x, y)
    eventually(page, "document.querySelector('.tip').textContent.includes('1/pack starts before 1/press is over')")


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


def test_a_bar_is_dragged_and_its_cost_is_seen_before_it_is_accepted(page: Any) -> None:
    """A press job put off: what it breaks is red, room is made, the cost is shown, accepted by the server, undone."""
    before = row_of(page, "1/press")
    drag(page, "1/press", 3)
    assert row_of(page, "1/press")["start"] == before["start"] + 3 * HOUR
    assert page.evaluate("page.viewer.gantt.plan.broken.size") > 0
    assert "1/press starts" in page.inner_text("#draft-text")
    assert page.is_disabled("#accept")
    assert "With room made: Makespan" in page.inner_text("#costs").replace("\n", " ")
    assert page.locator("#costs .bad").count() > 0
    page.click("#push")
    assert page.evaluate("page.viewer.gantt.plan.broken.size") == 0
    assert row_of(page, "1/press")["start"] == before["start"] + 3 * HOUR
    page.click("#accept")
    status(page, "Accepted")
    assert is_valid(page)
    assert page.is_hidden("#accept")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert row_of(page, "1/press") == before
    page.click("#redo")
    assert row_of(page, "1/press")["start"] == before["start"] + 3 * HOUR
    page.click("#discard")
    assert "Drag a bar" in page.inner_text("#draft-text")


def test_a_drag_that_cannot_be_goes_back(page: Any) -> None:
    """Onto an ineligible machine, before the route, into the past: the bar is where it was, one sentence says why."""
    before = page.evaluate("page.planning.state.rows")
    drag(page, "2/press", 0, "Pack")
    assert page.inner_text("#status") == "2/press cannot run on Pack, only on P1, P2."
    drag(page, "1/pack", -3)
    assert page.inner_text("#status") == "1/pack cannot start before 1/press is over at Mon 23 Nov 11:15."
    page.fill("#now", "2026-11-23T11:00")
    page.dispatch_event("#now", "change")
    drag(page, "3/press", -1.5)
    assert page.inner_text("#status") == "3/press cannot start in the past: it is Mon 23 Nov 11:00."
    assert page.evaluate("page.planning.state.rows") == before
    assert page.is_disabled("#undo")
    assert page.evaluate("page.viewer.gantt.ghost ?? null") is None


def test_a_stop_an_order_and_a_lock_are_planned_around(page: Any, server: StubServer) -> None:
    """Stop a press, add an order, lock a bar, plan the rest: the server is told of all, and its plan is valid."""
    select(page, "4/press")
    page.keyboard.press("l")
    locked = row_of(page, "4/press")
    page.click("#stop-open")
    page.select_option("#stop-machine", "P1")
    page.fill("#stop-from", "2026-11-23T07:00")
    page.fill("#stop-to", "2026-11-23T12:00")
    page.click("#stop-dialog .primary")
    assert "P1 stops Mon 23 Nov 07:00 to 12:00" in page.inner_text("#draft-text")
    assert page.evaluate("page.viewer.gantt.plan.broken.size") > 0
    page.click("#add-open")
    page.fill("#add-id", "Order 9")
    page.select_option("#add-like", "Order 2")
    page.fill("#add-due", "2026-11-24T14:00")
    page.click("#add-dialog .primary")
    assert row_of(page, "Order 9/1")
    page.click("#rest-open")
    page.click("#rest-dialog .primary")
    status(page, "The rest is planned")
    asked = server.asked[-1]
    assert asked["down"] == [{"machine": "P1", "from": 1, "to": 6}]
    assert [job["id"] for job in asked["add"]] == ["Order 9"]
    assert asked["keep"] == [{"operation": "4/press", "lot": 0}]
    kept = row_of(page, "4/press")  # what it is set up for before may have changed, and with it its end
    assert [kept[key] for key in ("machine", "start")] == [locked[key] for key in ("machine", "start")]
    assert is_valid(page)
    assert page.locator("#costs").is_visible()
    page.click("#accept")
    status(page, "Accepted")
    page.click(".group >> text=Orders")
    assert "Order 9" in page.inner_text(".sheet")
    assert page.is_visible("#save-shop")


def test_planning_the_rest_is_watched_stopped_and_cancelled(page: Any, server: StubServer) -> None:
    """Curve, best so far and time left as with the first plan, where the form is hidden too; Cancel changes nothing."""
    server.go.clear()
    server.samples = None
    try:
        bars = page.evaluate("page.viewer.gantt.plan.bars.map((bar) => [bar.operation, bar.machine.id, bar.start])")
        for button in ("#cancel", "#stop-too"):
            page.click("#rest-open")
            page.click("#rest-dialog .primary")
            eventually(page, "document.querySelector('#curve .best').getAttribute('d').includes('V')")
            eventually(page, "document.getElementById('so-far').innerText.includes('found after 0.2 s')")
            assert all(text in page.inner_text("#search") for text in ("18.00 h", "12.50 %", "Time left"))
            assert page.is_disabled("#rest-open")
            assert page.is_hidden("#stop-too")
            if button == "#cancel":
                page.click(button)
                status(page, "Cancelled")
                assert bars == page.evaluate(
                    "page.viewer.gantt.plan.bars.map((bar) => [bar.operation, bar.machine.id, bar.start])"
                )
                continue
            page.click("#panel")
            assert "Best 18.00 h · Lower bound 16.00 h · Gap 12.50 % · Time left" in page.inner_text("#so-far")
            page.click(button)
            status(page, "The rest is planned")
            page.click("#panel")
        assert is_valid(page)
        assert page.is_hidden("#so-far")
        assert page.is_enabled("#accept")
    finally:
        server.go.set()
        server.samples = 4


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


def test_an_order_goes_first_by_keys_and_buttons(page: Any) -> None:
    """The order that is late is put first and ends earlier; bars are moved and locked without a mouse."""
    ends = "page.planning.plan.jobs.find(({ id }) => id === 'Order 3').end"
    before = page.evaluate(ends)
    select(page, "3/press")
    page.click("#first")
    assert page.evaluate(ends) < before
    assert page.evaluate("page.planning.plan.violations.length") == 0
    assert is_valid(page)
    page.click("#discard")
    page.focus(".stage canvas[tabindex]")
    select(page, "4/pack")
    start = row_of(page, "4/pack")["start"]
    page.keyboard.press("Alt+ArrowRight")
    assert row_of(page, "4/pack")["start"] == start + 900
    page.keyboard.press("l")
    assert page.inner_text("#lock") == "Unlock"
    page.keyboard.press("Alt+ArrowRight")
    assert "is locked" in page.inner_text("#status")


def test_plans_are_kept_compared_and_survive_a_reload(page: Any, server: StubServer) -> None:
    """A plan kept under a name is compared with a later one: what moved, which orders lose; a reload loses nothing."""
    page.click("#keep-open")
    page.fill("#keep-name", "Monday")
    page.click("#keep-dialog .primary")
    status(page, "Kept as Monday")
    drag(page, "2/pack", 4)
    moved = row_of(page, "2/pack")["start"]
    page.select_option("#kept", "Monday")
    page.click("#kept-compare")
    page.wait_for_selector("#compare:visible")
    text = page.text_content("#compare")
    assert "0 operations run on another machine, 1 at another time" in text
    assert "Order 2: 4.0 h later" in text
    eventually(page, "!page.shelf.writing")
    page.reload()
    eventually(page, "page.planning.history !== null")
    assert row_of(page, "2/pack")["start"] == moved
    assert "waits to be accepted" in page.inner_text("#status")
    assert figure(page, "makespan") > 0
    page.select_option("#kept", "Monday")
    page.click("#kept-open")
    status(page, "Monday is open")
    assert row_of(page, "2/pack")["start"] == moved - 4 * HOUR
    page.select_option("#kept", "Monday")
    page.click("#kept-forget")
    eventually(page, "document.getElementById('kept').disabled")
