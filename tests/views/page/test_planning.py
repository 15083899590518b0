"""The planner changes the plan on the page, in headless Chromium: drags, locks, stops, orders, undo, kept plans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jaxshop.schedule import from_json, to_json, verify
from jaxshop.shop import parse_shop, split_lots
from tests.views.page.drive import OpenPage, eventually, figure, status
from tests.views.page.stub import StubServer
from tests.views.page.test_lists import planned, presses, show

HOUR = 3600


@pytest.fixture
def page(server: StubServer, open_page: OpenPage) -> Iterator[Any]:
    """The page with the presses and their plan."""
    shop = presses()
    page = open_page(server.url)
    show(page, shop, to_json(planned(shop)[1]))
    status(page, "is valid")
    return page


def row_of(page: Any, operation: str) -> dict[str, Any]:
    """The row of an operation as the page has it now."""
    return page.evaluate(f"page.planning.state.rows.find((row) => row.operation === '{operation}')")


def drag(page: Any, operation: str, hours: float, machine: str | None = None) -> None:
    """Drag a bar by so many hours, and to another machine."""
    x, y, right, below = page.evaluate(
        """([operation, hours, machine]) => {
          const { gantt, stage } = page.viewer;
          const bar = gantt.plan.bars.find((each) => each.operation === operation);
          const { x, y } = stage.getBoundingClientRect();
          const to = machine ? gantt.plan.machines.find(({ id }) => id === machine) : bar.machine;
          const down = (each) => y + gantt.y(gantt.rowOf.get(each.index)) + gantt.rowHeight / 2;
          const at = x + gantt.x(bar.start) + 5;
          return [at, down(bar.machine), at + 3600 * hours * gantt.scale, down(to)];
        }""",
        [operation, hours, machine],
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 6, y)
    page.mouse.move(right, below)
    page.mouse.up()


def select(page: Any, operation: str) -> None:
    """Click on a bar."""
    drag(page, operation, 0)
    page.evaluate(
        """(operation) => {
          const bar = page.viewer.gantt.plan.bars.find((each) => each.operation === operation);
          page.viewer.gantt.select(bar.job, bar);
        }""",
        operation,
    )


def is_valid(page: Any) -> bool:
    """Whether the verifier accepts the shop and the schedule that the page has."""
    shop, schedule = page.evaluate("[page.planning.state.shop, scheduleOf(page.planning.state)]")
    read = from_json(schedule, "schedule")
    return verify(split_lots(parse_shop(shop, "shop"), read.max_lot_hours), read) == []


def test_a_bar_is_dragged_and_its_cost_is_seen_before_it_is_accepted(page: Any, server: StubServer) -> None:
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
    assert "No change waits." in page.inner_text("#draft-text")


@pytest.mark.parametrize(
    ("operation", "hours", "machine", "now", "why"),
    [
        ("2/press", 0, "Pack", 0, "2/press cannot run on Pack, only on P1, P2."),
        ("1/pack", -3, None, 0, "1/pack cannot start before 1/press is over at Mon 23 Nov 11:15."),
        ("3/press", -1.5, None, 5, "3/press cannot start in the past: it is Mon 23 Nov 11:00."),
    ],
)
def test_a_drag_that_cannot_be_goes_back(
    page: Any, operation: str, hours: float, machine: str | None, now: float, why: str
) -> None:
    """Onto an ineligible machine, before the route, into the past: the bar is where it was, one sentence says why."""
    if now:
        page.fill("#now", "2026-11-23T11:00")
        page.dispatch_event("#now", "change")
    before = page.evaluate("page.planning.state.rows")
    drag(page, operation, hours, machine)
    assert page.inner_text("#status") == why
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
    (asked,) = server.asked
    assert asked["down"] == [{"machine": "P1", "from": 1, "to": 6}]
    assert [job["id"] for job in asked["add"]] == ["Order 9"]
    assert asked["keep"] == [{"operation": "4/press", "lot": 0}]
    kept = row_of(page, "4/press")  # what it is set up for before may have changed, and with it its end
    assert [kept[key] for key in ("machine", "start")] == [locked[key] for key in ("machine", "start")]
    assert is_valid(page)
    assert page.locator("#costs").is_visible()
    page.click("#accept")
    status(page, "Accepted")
    page.click("text=Orders")
    assert "Order 9" in page.inner_text(".sheet")
    assert page.is_visible("#save-shop")


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
