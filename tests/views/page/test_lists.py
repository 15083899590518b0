"""Lists, times and prints of the planner's page, in headless Chromium: what a planner looks up."""

from __future__ import annotations

from typing import Any

from jaxshop.schedule import Schedule, to_json
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import LotPlan, parse_shop, split_lots
from tests.views.page.drive import OpenPage, drop, eventually, figure, status
from tests.views.page.stub import KEY, StubServer

SHIFTS = {day: [["06:00", "14:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def presses() -> dict[str, Any]:
    """Two presses with an early shift in Berlin, and four orders of two weights; set-ups by sequence."""

    def order(number: int, due: float, weight: float) -> dict[str, Any]:
        work = {"family": "red" if number % 2 else "blue", "alternatives": {"P1": 4.0, "P2": 4.0}}
        pack = {"alternatives": {"Pack": 1.0}}
        operations = [{"id": f"{number}/press", "setup": 0.25, **work}, {"id": f"{number}/pack", **pack}]
        return {"id": f"Order {number}", "due": due, "weight": weight, "operations": operations}

    setups = [{"work_centre": "press", "from": None, "to": colour, "hours": 1.0} for colour in ("red", "blue")]
    machines = [{"id": name, "work_centre": "press", "calendar": "early"} for name in ("P1", "P2")]
    return {
        "format": "jaxshop-shop/1",
        "name": "presses",
        "plan_start": "2026-11-23T05:00:00Z",
        "calendars": {"early": {"timezone": "Europe/Berlin", "weekly": SHIFTS}},
        "setups": setups,
        "machines": [*machines, {"id": "Pack"}],
        "jobs": [order(1, 2.0, 2.0), order(2, 100.0, 1.0), order(3, 9.0, 1.0), order(4, 100.0, 1.0)],
    }


def planned(shop: dict[str, Any]) -> tuple[LotPlan, Schedule]:
    """The shop, and its schedule by a rule."""
    plan = split_lots(parse_shop(shop, "shop"), None)
    return plan, dispatch_by_rule(plan, RULES["FIFO"], False)


def show(page: Any, shop: dict[str, Any], schedule: dict[str, Any]) -> None:
    """Give the key, drop shop and schedule."""
    page.fill("#key", KEY)
    page.dispatch_event("#key", "change")
    drop(page, shop)
    drop(page, schedule, "plan.json")


def test_a_plan_is_read_in_the_plants_time(server: StubServer, open_page: OpenPage) -> None:
    """A browser in New York: closed time and dates are Berlin's everywhere; UTC and hours are a choice."""
    shop = presses()
    _, schedule = planned(shop)
    page = open_page(server.url, timezone_id="America/New_York")
    show(page, shop, to_json(schedule))
    status(page, "is valid")
    closed = page.evaluate("page.viewer.gantt.plan.machines[0].closed.filter(([a]) => a >= 0).slice(0, 2)")
    assert closed == [[8 * 3600, 24 * 3600], [32 * 3600, 48 * 3600]]
    assert page.evaluate("page.viewer.gantt.plan.bars.some((bar) => bar.setup === 1.25 * 3600)")
    page.click("text=Table")
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


def test_late_orders_are_found_and_shown(server: StubServer, open_page: OpenPage) -> None:
    """The tiles list the late orders, worst first; a click on one shows its bars; machines tell when they are free."""
    shop = presses()
    plan, schedule = planned(shop)
    ends = schedule.job_ends
    late = {job.id: job.weight * (ends[job.id] - job.due) / 3600 for job in plan.shop.jobs if ends[job.id] > job.due}
    page = open_page(server.url)
    show(page, shop, to_json(schedule))
    status(page, "is valid")
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


def test_a_broken_schedule_is_marked_in_the_chart(server: StubServer, open_page: OpenPage) -> None:
    """Two slips: the bars are marked, a key leads from one to the next, the tooltip says what is wrong."""
    shop = presses()
    schedule = to_json(planned(shop)[1])
    rows = {row["operation"]: row for row in schedule["operations"]}
    rows["1/pack"]["start"], rows["1/pack"]["end"] = 0, 3600
    rows["2/press"]["machine"] = "Pack"
    page = open_page(server.url)
    show(page, shop, schedule)
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


def test_dispatch_lists_are_printed_and_light(server: StubServer, open_page: OpenPage) -> None:
    """In a dark window: a list for each machine and for each order has every operation, black on white."""
    shop = presses()
    _, schedule = planned(shop)
    page = open_page(server.url, color_scheme="dark")
    show(page, shop, to_json(schedule))
    status(page, "is valid")
    page.evaluate("window.print = () => { window.printed = (window.printed ?? 0) + 1; }")
    for name, titles in (("machines", ["Pack", "P1", "P2"]), ("orders", [f"Order {i}" for i in range(1, 5)])):
        page.select_option("#print", name)
        assert page.evaluate("window.printed")
        page.emulate_media(media="print")
        seen = page.evaluate("[...document.querySelectorAll('.sheets h2')].map((head) => head.firstChild.textContent)")
        assert seen == titles
        assert page.locator(".sheets tbody tr").count() == len(schedule.rows)
        assert page.is_hidden(".stage")
        colours = page.evaluate(
            """(({ color, backgroundColor }) => [color, backgroundColor])(
              getComputedStyle(document.querySelector('.sheets')))"""
        )
        assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("page.viewer.gantt.theme.panel") == "#ffffff"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("page.viewer.gantt.theme.panel") != "#ffffff"
