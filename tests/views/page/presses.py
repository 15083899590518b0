"""A small plan of two presses, and what a planner does to it on the page."""

from __future__ import annotations

from typing import Any

from jaxshop.schedule import Schedule, from_json, verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import LotPlan, parse_shop, split_lots

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


PLAN, SCHEDULE = planned(presses())


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
          const down = (each) => y + gantt.y(gantt.rowOf.get(each.id)) + gantt.rowHeight / 2;
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


def stop(page: Any, machine: str, begin: str, end: str, reason: str = "") -> None:
    """Enter a stop of a machine on 23 November, by the clock of the plant."""
    page.click("#stop-open")
    page.select_option("#stop-machine", machine)
    page.fill("#stop-from", f"2026-11-23T{begin}")
    page.fill("#stop-to", f"2026-11-23T{end}")
    page.fill("#stop-reason", reason)
    page.click("#stop-dialog .primary")


def is_valid(page: Any) -> bool:
    """Whether the verifier accepts the shop and the schedule that the page has."""
    shop, schedule = page.evaluate("[page.planning.state.shop, scheduleOf(page.planning.state)]")
    read = from_json(schedule, "schedule")
    return verify(split_lots(parse_shop(shop, "shop"), read.max_lot_hours), read) == []
