"""Key figures of a schedule."""

from __future__ import annotations

import math
from collections import Counter

from jaxshop.schedule.closed import closed_by_machine, closed_ticks
from jaxshop.schedule.records import Schedule
from jaxshop.schedule.verify import setups_by_sequence
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
        each machine that belongs to none) the busy fraction of the time that its machines are open until the
        makespan; `setups` (None where the shop has none by sequence): their count and hours; and `lateness`
        (None where no scheduled job has a due date): how many jobs are late, and the largest, the total and the
        weighted total of the hours by which they are, and `jobs`, the late ones, the latest first.
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
        "setups": _setups(plan, schedule) if plan.shop.changeovers else None,
        "lateness": _lateness(plan, schedule),
    }


def tardiness(plan: LotPlan, schedule: Schedule) -> dict:
    """`tardiness_hours`, weighted, and `late_jobs`; both 0 where no scheduled job has a due date."""
    found = _lateness(plan, schedule) or {"weighted_tardiness_hours": 0.0, "late_jobs": 0}
    return {"tardiness_hours": found["weighted_tardiness_hours"], "late_jobs": found["late_jobs"]}


def _utilisation(plan: LotPlan, schedule: Schedule) -> dict[str, float]:
    """Work and open time before the plan starts count for nothing."""
    centre = {machine.id: machine.work_centre or machine.id for machine in plan.shop.machines}
    since, until = min((row.start for row in schedule.rows), default=0), schedule.makespan
    closed = closed_by_machine(plan.shop, min(since, 0), until)
    busy: Counter[str] = Counter()
    for row in schedule.rows:
        if row.machine in centre:
            begin = max(row.start, 0)
            busy[centre[row.machine]] += max(0, row.end - begin - closed_ticks(closed[row.machine], begin, row.end))
    open_ticks: Counter[str] = Counter()
    for machine, name in centre.items():
        open_ticks[name] += until - closed_ticks(closed[machine], 0, until)
    return {name: busy[name] / (open_ticks[name] or 1) for name in sorted(open_ticks)}


def _setups(plan: LotPlan, schedule: Schedule) -> dict:
    """The set-ups by sequence of what is not fixed."""
    operations = {(lot.job, lot.index, op.id): op for lot in plan.lots for op in lot.operations}
    rows = [row for row in schedule.rows if row[:3] in operations]
    ticks = setups_by_sequence(plan.shop, operations, rows)
    taken = [ticks[row] for row in rows if ticks[row] and operations[row[:3]].fixed is None]
    return {"count": len(taken), "hours": sum(taken) / TICKS_PER_HOUR}


def _lateness(plan: LotPlan, schedule: Schedule) -> dict | None:
    """A job is as late as its last lot; what is early does not make up for what is late."""
    ends = schedule.job_ends
    tardiness = [
        (max(0, ends[job.id] - job.due) / TICKS_PER_HOUR, job)
        for job in plan.shop.jobs
        if job.due is not None and job.id in ends
    ]
    if not tardiness:
        return None
    late = sorted(((hours, job) for hours, job in tardiness if hours > 0), key=lambda entry: (-entry[0], entry[1].id))
    return {
        "jobs_with_due": len(tardiness),
        "late_jobs": len(late),
        "max_tardiness_hours": max(hours for hours, _ in tardiness),
        "total_tardiness_hours": math.fsum(hours for hours, _ in tardiness),
        "weighted_tardiness_hours": math.fsum(job.weight * hours for hours, job in tardiness),
        "jobs": [{"job": job.id, "tardiness_hours": hours} for hours, job in late],
    }
