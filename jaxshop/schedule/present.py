"""A plan in a shop that has changed since it was made: orders came or went, work began otherwise, machines closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jaxshop.schedule.events import Events
from jaxshop.schedule.happened import Course, Past, happened
from jaxshop.schedule.records import Row, Schedule
from jaxshop.schedule.repair import Repair, repaired
from jaxshop.shop import LotPlan, Shop, split_lots
from jaxshop.support.errors import ShopError


def in_present(
    shop: Shop, planned: Sequence[Row], max_lot_hours: float | None, events: Events, reported: bool, where: str = "plan"
) -> Past:
    """Find out what has happened of a plan whose shop is known as it is now only.

    What runs is fixed work of the shop, what is finished is not in it. The rest begins as planned, on the machine that
    was planned, or later where it must: behind fixed work, closed time and what takes longer than it did. Orders that
    the plan has nothing of come as new ones.

    Args:
        shop: as it is now.
        planned: the plan's rows, by the shop's plan start.
        max_lot_hours: that the plan's lots were cut by.
        events: what is told beside; its orders come from the shop.
        reported: whether the shop says what has begun; else the plan was kept up to now.
        where: what to call the plan.

    Raises:
        ShopError: what is told cannot be.
    """
    known = {row.job for row in planned}
    new = [job for job in shop.jobs if job.id not in known and not any(op.fixed for op in job.operations)]
    come = {job.id for job in new}
    before = replace(shop, jobs=tuple(job for job in shop.jobs if job.id not in come))
    if not before.jobs:
        raise ShopError(f"{where}: {shop.name} has no order any more that it plans: have a new plan made")
    plan = split_lots(before, max_lot_hours)
    wanted = under_way(plan, planned, events.now if reported else 0)
    base = wanted.whole(repaired(wanted, Repair.RIGHT_SHIFT))
    past = happened(before, base, replace(events, add=(*new, *events.add)), where)
    return replace(past, planned={key: wanted.planned.get(key, row) for key, row in past.planned.items()})


def under_way(plan: LotPlan, planned: Iterable[Row], now: int) -> Past:
    """What runs, by a shop's fixed work alone, and what a plan wanted of the rest, also where it does not fit any more.

    Args:
        plan: the shop as it is now.
        planned: rows of a plan of before; what the shop lacks, or cannot run there, is left out.
        now: before which nothing but the fixed work can have begun.
    """
    able = {(lot.job, lot.index, op.id): op for lot in plan.lots for op in lot.operations}
    fixed = [
        Row(*key, op.fixed.machine, op.fixed.start, op.fixed.start) for key, op in able.items() if op.fixed is not None
    ]
    course = Course(plan, Schedule(plan.shop.fingerprint, plan.max_lot_hours, tuple(fixed)), Events(now))
    course.follow()
    wanted = {row[:3]: row for row in planned if row[:3] in able and row.machine in able[row[:3]].alternatives}
    return Past(Events(now), plan, tuple(course.kept.values()), course.rest(plan), wanted, (), (), (), ())
