"""Plans as history: which of them the database holds, so that a new plan can say which one it follows, and which one
the floor works by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from jaxshop.schedule import Row, Schedule
from jaxshop.shop import LotPlan
from jaxshop.sources.mariadb.connection import connect
from jaxshop.sources.mariadb.results import About, write_back
from jaxshop.sources.mariadb.settings import DbSettings, load_settings
from jaxshop.sources.mariadb.values import at, to_hours

CANDIDATES = """
SELECT `schedule_id` FROM `schedules`
WHERE `shop_fingerprint` = ? AND `plan_start` = ? AND `max_lot_hours` <=> ? AND `makespan_h` = ?
ORDER BY `only_released` DESC, `created_at` DESC, `schedule_id`
"""

ROWS = """
SELECT `job_id`, `lot`, `operation_id`, `machine_id`, `start_at`, `end_at` FROM `scheduled_operations`
WHERE `schedule_id` = ?
"""


def keep(plan: LotPlan, schedule: Schedule, settings: DbSettings | None = None) -> str:
    """See to it that a plan is in the database, whoever made it, and return its id.

    Args:
        plan: the lots that the schedule is of; its shop must be real data and have a plan start.
        schedule: it must be valid.
        settings: None reads them from the environment.

    Raises:
        ShopError: the schedule is not there and cannot be stored.
    """
    settings = settings or load_settings()
    if (found := find(plan, schedule, settings)) is not None:
        return found
    return write_back(plan, schedule, None, settings, About(options={"kept": "the plan before another"})).schedule_id


@dataclass(frozen=True)
class Released:
    """The plan that the floor works by; its shop may have changed since."""

    schedule_id: str
    max_lot_hours: float | None
    operations: tuple[tuple[str, int, str, str, datetime, datetime], ...]
    """Job, lot, operation, machine, start and end, in UTC."""

    def rows(self, plan_start: str) -> tuple[Row, ...]:
        """The plan in ticks from a shop's plan start on."""
        origin = datetime.fromisoformat(plan_start)

        def ticks(moment: datetime) -> int:
            return round((moment.replace(tzinfo=UTC) - origin).total_seconds())

        return tuple(Row(*each[:4], ticks(each[4]), ticks(each[5])) for each in self.operations)


def released(settings: DbSettings | None = None) -> Released | None:
    """The plan that is released, read with the writer's account; None where none is.

    Raises:
        ConnectionLostError: the database went away.
        ShopError: it cannot be read.
    """
    with connect(settings or load_settings(), writer=True) as database:
        head = database.query(
            "schedules", "SELECT `schedule_id`, `max_lot_hours` FROM `schedules` WHERE `only_released` = 1"
        )
        if not head:
            return None
        return Released(head[0][0], head[0][1], tuple(database.query("scheduled_operations", ROWS, (head[0][0],))))


def find(plan: LotPlan, schedule: Schedule, settings: DbSettings) -> str | None:
    """The plan that is this schedule, row by row: the released one, else the last that was stored; None: none is."""
    if not plan.shop.plan_start:
        return None
    start = datetime.fromisoformat(plan.shop.plan_start)
    wanted = {(*row[:4], at(start, row.start), at(start, row.end)) for row in schedule.rows}
    like = (schedule.fingerprint, at(start), schedule.max_lot_hours, to_hours(schedule.makespan))
    with connect(settings, writer=True) as database:
        for (id,) in database.query("schedules", CANDIDATES, like):
            if set(database.query("scheduled_operations", ROWS, (id,))) == wanted:
                return str(id)
    return None
