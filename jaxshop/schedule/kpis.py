"""Key figures of a schedule."""

from __future__ import annotations

import math
from collections import Counter

from jaxshop.schedule.records import Schedule
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, gap_percent


def kpis(plan: LotPlan, schedule: Schedule, bound: int) -> dict:
    """Return the key figures of a schedule.

    Args:
        plan: the shop and its lots.
        schedule: a schedule of it; it may be incomplete.
        bound: a lower bound of the makespan, in ticks.

    Returns:
        `makespan_hours`, `lower_bound_hours`, `gap_percent` (None if the bound is 0); `completion`, the
        fraction of the jobs of which every operation is scheduled; `utilisation`, for each work centre (and
        each machine that belongs to none) the busy fraction of its machines' time until the makespan; and
        `lateness` (None where no scheduled job has a due date): how many jobs are late, and the largest, the
        total and the weighted total of the hours by which they are.
    """
    makespan = schedule.makespan
    done = {row[:3] for row in schedule.rows}
    unfinished = {lot.job for lot in plan.lots for op in lot.operations if (lot.job, lot.index, op.id) not in done}
    return {
        "makespan_hours": makespan / TICKS_PER_HOUR,
        "lower_bound_hours": bound / TICKS_PER_HOUR,
        "gap_percent": gap_percent(makespan, bound),
        "completion": 1.0 - len(unfinished) / len(plan.shop.jobs),
        "utilisation": _utilisation(plan, schedule),
        "lateness": _lateness(plan, schedule),
    }


def _utilisation(plan: LotPlan, schedule: Schedule) -> dict[str, float]:
    centre = {machine.id: machine.work_centre or machine.id for machine in plan.shop.machines}
    busy: Counter[str] = Counter()
    for row in schedule.rows:
        busy[centre.get(row.machine, "")] += row.end - row.start
    span = schedule.makespan or 1
    return {name: busy[name] / (count * span) for name, count in sorted(Counter(centre.values()).items())}


def _lateness(plan: LotPlan, schedule: Schedule) -> dict | None:
    """A job is as late as its last lot; what is early does not make up for what is late."""
    ends = schedule.job_ends
    tardiness = [
        (job.weight, max(0, ends[job.id] - job.due) / TICKS_PER_HOUR)
        for job in plan.shop.jobs
        if job.due is not None and job.id in ends
    ]
    if not tardiness:
        return None
    return {
        "jobs_with_due": len(tardiness),
        "late_jobs": sum(hours > 0 for _, hours in tardiness),
        "max_tardiness_hours": max(hours for _, hours in tardiness),
        "total_tardiness_hours": math.fsum(hours for _, hours in tardiness),
        "weighted_tardiness_hours": math.fsum(weight * hours for weight, hours in tardiness),
    }
