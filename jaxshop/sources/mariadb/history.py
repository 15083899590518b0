"""Plans as history: which of them the database holds, so that a new plan can say which one it follows."""

from __future__ import annotations

from datetime import datetime

from jaxshop.schedule import Schedule
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
