"""The planner looks up and changes a plan on the page, in headless Chromium; one page, told to begin anew each time."""

from __future__ import annotations

from typing import Any

from jaxshop.bounds import certify
from jaxshop.schedule import to_json
from jaxshop.shop import parse_shop, split_lots
from tests.views.page.drive import drop, eventually, figure, status
from tests.views.page.presses import PLAN, SCHEDULE, drag, is_valid, presses, row_of, select, stop
from tests.views.page.stub import StubServer

HOUR = 3600


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


def test_a_bar_is_dragged_and_its_cost_is_seen_before_it_is_accepted(page: Any) -> None:
    """A press job put off: what it breaks is red, room is made, the cost is shown, accepted by the server, undone."""
    before = row_of(page, "1/press")
    drag(page, "1/press", 3)
    assert row_of(page, "1/press")["start"] == before["start"] + 3 * HOUR
    assert page.evaluate("page.viewer.gantt.plan.broken.size") > 0
    assert "1/press starts Mon 23 Nov 09:00. It waits to be accepted." in page.inner_text("#draft-text")
    assert page.is_disabled("#accept")
    assert "With room made: Makespan" in page.inner_text("#costs").replace("\n", " ")
    assert page.locator("#costs .bad").count() > 0
    page.click("#push")
    assert page.evaluate("page.viewer.gantt.plan.broken.size") == 0
    assert row_of(page, "1/press")["start"] == before["start"] + 3 * HOUR
    page.click("#list-moved")
    moved = page.locator("#moved li").all_inner_texts()
    assert page.inner_text("#list-moved") == f"{len(moved)} moved"
    assert moved[0] == "1/press P1, Mon 23 Nov 06:00 → Mon 23 Nov 09:00 (3 h later)"
    page.click("#moved button >> nth=1")
    assert page.evaluate("page.viewer.gantt.focused.operation") == moved[1].split()[0]
    page.dblclick("#accept")
    status(page, "Accepted")
    assert page.is_hidden("#problem")
    assert is_valid(page)
    assert page.is_hidden("#accept")
    assert page.is_hidden("#moved")
    assert page.inner_text("#draft-text").startswith("Nothing waits to be accepted.")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert row_of(page, "1/press") == before
    undone = "Undone: Room made and 1 more. The plan without it waits to be accepted."
    assert page.inner_text("#draft-text") == undone
    assert page.inner_text("#discard") == "Take the undo back"
    page.click("#redo")
    assert row_of(page, "1/press")["start"] == before["start"] + 3 * HOUR
    page.click("#discard")
    assert page.inner_text("#draft-text").startswith("Nothing waits to be accepted.")


def test_a_drag_that_cannot_be_goes_back(page: Any) -> None:
    """Onto an ineligible machine, before the route, into the past: the bar is where it was, one sentence says why."""
    before = page.evaluate("page.planning.state.rows")
    drag(page, "2/press", 0, "Pack")
    assert page.inner_text("#draft-text") == "2/press cannot run on Pack, only on P1, P2."
    drag(page, "1/pack", -3)
    assert page.inner_text("#draft-text") == "1/pack cannot start before 1/press is over at Mon 23 Nov 11:15."
    page.fill("#now", "2026-11-23T11:00")
    page.dispatch_event("#now", "change")
    drag(page, "3/press", -1.5)
    assert page.inner_text("#draft-text") == "3/press cannot start in the past: it is Mon 23 Nov 11:00."
    assert page.evaluate("page.planning.state.rows") == before
    assert page.is_disabled("#undo")
    assert page.evaluate("page.viewer.gantt.ghost ?? null") is None


def test_a_stop_an_order_and_a_lock_are_planned_around(page: Any, desk_server: StubServer) -> None:
    """Stop a press, add an order, lock a bar, plan the rest: the server is told of all, and its plan is valid."""
    select(page, "4/press")
    page.keyboard.press("l")
    locked = row_of(page, "4/press")
    stop(page, "P1", "07:00", "12:00")
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
    asked = desk_server.asked[-1]
    assert asked["down"] == [{"machine": "P1", "from": 1, "to": 6, "reason": "stopped"}]
    assert [job["id"] for job in asked["add"]] == ["Order 9"]
    assert asked["keep"] == [{"operation": "4/press", "lot": 0}]
    kept = row_of(page, "4/press")  # what it is set up for before may have changed, and with it its end
    assert [kept[key] for key in ("machine", "start")] == [locked[key] for key in ("machine", "start")]
    assert is_valid(page)
    assert page.evaluate("page.planning.plan.bound") is None  # the server's is of plans with the lock
    assert page.locator("#costs").is_visible()
    page.click("#accept")
    status(page, "Accepted")
    page.click(".group >> text=Orders")
    assert "Order 9" in page.inner_text(".sheet")
    assert page.is_visible("#save-shop")
    assert page.inner_text("#shop-detail").startswith("3 machines, 5 jobs")


def test_what_was_entered_is_listed_changed_and_taken_back(page: Any, desk_server: StubServer) -> None:
    """A stop and an order that were accepted: the bound is the new shop's; changed, and removed, the plan follows."""
    stop(page, "P1", "07:00", "12:00", "oil")
    page.click("#push")
    page.click("#add-open")
    page.fill("#add-id", "Order 9")
    page.click("#add-dialog .primary")
    page.click("#accept")
    status(page, "Accepted")
    shop = parse_shop(page.evaluate("page.planning.state.shop"), "shop")
    assert figure(page, "bound") == round(certify(split_lots(shop, None)).value / HOUR, 1)
    assert page.inner_text("#entered-open") == "Entered (2)…"
    page.click("#entered-open")
    entered = page.locator("#entered li").all_inner_texts()
    assert entered == [
        "P1 stops Mon 23 Nov 07:00 to 12:00, oil Change Remove",
        "Order 9, like Order 1 Change Remove",
    ]
    page.click("#entered [aria-label='Change Order 9']")
    assert page.input_value("#add-id") == "Order 9"
    page.fill("#add-due", "2026-11-25T14:00")
    page.click("#add-dialog .primary")
    page.click("#entered-open")
    page.click("#entered [aria-label^='Change P1']")
    page.fill("#stop-to", "2026-11-23T06:30")
    page.click("#stop-dialog .primary")
    assert page.is_visible("#stop-dialog")
    assert page.evaluate("document.getElementById('stop-to').validationMessage") == "A stop has to end after it begins"
    page.fill("#stop-to", "2026-11-23T09:00")
    page.click("#stop-dialog .primary")
    page.click("#rest-open")
    page.click("#rest-dialog .primary")
    status(page, "The rest is planned")
    asked = desk_server.asked[-1]
    assert asked["down"] == [{"machine": "P1", "from": 1, "to": 3, "reason": "oil"}]
    assert [(job["id"], job["due"]) for job in asked["add"]] == [("Order 9", 56)]
    assert is_valid(page)
    page.click("#entered-open")
    page.click("#entered [aria-label^='Remove P1']")
    page.click("#entered [aria-label='Remove Order 9']")
    assert page.is_hidden("#entered-dialog")
    assert page.is_disabled("#entered-open")
    assert page.evaluate("page.planning.plan.violations.length") == 0
    page.click("#rest-open")
    page.click("#rest-dialog .primary")
    eventually(page, "page.planning.history.state.label === 'Rest planned anew' && !page.running.busy")
    asked = desk_server.asked[-1]
    assert "down" not in asked
    assert "add" not in asked
    shop = asked["shop"]
    assert [job["id"] for job in shop["jobs"]] == [job["id"] for job in presses()["jobs"]]
    assert not any(machine.get("unavailable") for machine in shop["machines"])
    assert is_valid(page)


def test_schedule_plans_what_is_on_show(page: Any, desk_server: StubServer) -> None:
    """A stop that was accepted and then undone is not planned around; that a lock is not kept is said; a plan with a
    change that waits is not called checked."""
    stop(page, "P1", "07:00", "12:00")
    page.click("#push")
    page.click("#accept")
    status(page, "Accepted")
    page.click("#undo")
    page.click("#undo")
    select(page, "4/press")
    page.click("#lock")
    desk_server.rejected = [{"reason": "warming", "detail": "the search is still warming up"}]
    page.click("#run")
    status(page, "What was locked was planned anew")
    assert "The search is still warming up" in page.inner_text("#status")
    assert "search warms up" in page.inner_text("#kpis")
    desk_server.rejected = []
    assert not any(machine.get("unavailable") for machine in desk_server.asked[-1]["machines"] if machine["id"] == "P1")
    assert page.locator("#completion").count() == 1
    drag(page, "2/press", 3)
    assert page.locator("#completion").count() == 0


def test_the_rest_serves_the_aim_that_is_chosen(page: Any, desk_server: StubServer) -> None:
    """Plan the rest asks for the aim of the form; the name of an order that is there is refused in the dialog."""
    page.select_option("[name=aim]", "dates")
    page.click("#rest-open")
    page.click("#rest-dialog .primary")
    status(page, "The rest is planned")
    assert desk_server.asked[-1]["shop"]["objective"] == {"makespan": 0.01, "tardiness": 1}
    page.select_option("[name=aim]", "")
    page.click("#add-open")
    page.fill("#add-id", "Order 2")
    page.click("#add-dialog .primary")
    assert page.is_visible("#add-dialog")
    assert page.evaluate("document.getElementById('add-id').validationMessage") == "There is an order Order 2 already"
    page.click("#add-dialog .cancel")


def test_planning_the_rest_is_watched_stopped_and_cancelled(page: Any, desk_server: StubServer) -> None:
    """Curve, best so far and time left as with the first plan, where the form is hidden too; the clock is that of what
    is on show, and Cancel changes nothing."""
    desk_server.go.clear()
    desk_server.samples = None
    try:
        bars = page.evaluate("page.viewer.gantt.plan.bars.map((bar) => [bar.operation, bar.machine.id, bar.start])")
        for button in ("#cancel", "#stop-too"):
            page.click("#rest-open")
            page.click("#rest-dialog .primary")
            for text in ("18.00 h", "12.50 %", "Time left"):  # the curve alone may be that of the search before
                eventually(page, f"document.getElementById('searching').innerText.includes('{text}')")
            eventually(page, "document.querySelector('#curve .best').getAttribute('d').includes('V')")
            eventually(page, "document.getElementById('so-far').innerText.includes('found after 0.2 s')")
            assert page.is_disabled("#rest-open")
            assert page.is_hidden("#stop-too")
            assert page.is_disabled("#now")  # a bound that comes holds from the moment that was asked with
            if button == "#cancel":
                page.select_option("#clock", "hours")
                assert "ends" not in page.inner_text("#kpis")
                page.click(button)
                status(page, "Cancelled")
                assert page.get_attribute("#now", "type") == "number"
                page.select_option("#clock", "plant")
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
        desk_server.go.set()
        desk_server.samples = 4


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
    assert "is locked" in page.inner_text("#draft-text")
