"""A week in a shop, simulated: what happens by chance, and the plan made anew at every event by a policy of replanning.

Every plan is made by what `jaxshop reschedule` is made of, so none contradicts what has happened, and the verifier has
accepted each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from jaxshop.schedule import Row, Schedule, tardiness
from jaxshop.schedule.events import Down, Events, Told
from jaxshop.schedule.happened import happened
from jaxshop.search.replan import SECONDS, Replanned, replan
from jaxshop.shop import TICKS_PER_HOUR, Job, LotPlan, Shop, fingerprint
from jaxshop.shop.timing import Timing

LOST_HOURS = (1.0, 8.0)
"""What a breakdown or late work takes, at least and at most."""

DUE_AFTER = 3.0
"""Times of its own hours after which an urgent order is due."""


class Happening(NamedTuple):
    """Something that happens at a tick; what `lost` means depends on its kind, and `seed` says whom it strikes."""

    at: int
    kind: str  # of `Chances`
    lost: int  # ticks
    seed: int


@dataclass(frozen=True)
class Chances:
    """How often something of each kind happens in a week."""

    breakdowns: int = 4
    late: int = 4
    urgent: int = 4

    def happenings(self, until: int, seed: int) -> list[Happening]:
        """What happens before a tick, in order; the same for every policy."""
        rng = np.random.default_rng(seed)
        kinds = [kind for kind, count in vars(self).items() for _ in range(count)]
        times = np.sort(rng.integers(1, max(until, 2), len(kinds))).tolist()
        lost = (rng.uniform(*LOST_HOURS, len(kinds)) * TICKS_PER_HOUR).astype(int).tolist()
        seeds = rng.integers(0, 2**31, len(kinds)).tolist()
        kinds = [kinds[i] for i in rng.permutation(len(kinds))]
        return [Happening(*each) for each in zip(times, kinds, lost, seeds, strict=True)]


@dataclass(frozen=True)
class Manner:
    """How plans are made anew: arguments of `replan`, and the frozen ticks."""

    policy: str
    time_limit: float | None = SECONDS
    work: int | None = None
    stability: float = 0.0
    freeze: int = 0
    threads: int | None = None


@dataclass(frozen=True)
class Week:
    """How a week ended. Times in ticks; moves are summed over all events, an operation counts each time it moves."""

    policy: str
    seed: int
    events: int
    makespan: int
    objective: int  # its cost
    tardiness: float  # weighted
    late_jobs: int
    moved: int
    machine_changed: int
    later: int
    earlier: int
    mean_seconds: float
    slowest_seconds: float


def promised(shop: Shop, schedule: Schedule, slack: int) -> tuple[Shop, Schedule]:
    """Shop and schedule with each job that has no due date promised for so many ticks after its planned end."""
    ends = schedule.job_ends
    jobs = (job if job.due is not None else replace(job, due=ends[job.id] + slack) for job in shop.jobs)
    shop = replace(shop, jobs=tuple(jobs))
    return shop, replace(schedule, fingerprint=fingerprint(shop))


def live(
    plan: LotPlan,
    schedule: Schedule,
    events: list[Happening],
    manner: Manner,
    seed: int = 0,
    cancelled: Callable[[], bool] = lambda: False,
    watch: Callable[[int, Replanned], None] = lambda number, found: None,
) -> Week | None:
    """Live through a week: at each event the plan is followed up to then, and the rest is planned anew.

    Args:
        plan: the shop and its lots.
        schedule: the plan that the week begins with.
        events: of `Chances.happenings`, before the end of every plan.
        manner: how plans are made.
        seed: of all chance in searches; it is told in the week.
        cancelled: looked at now and then; True ends the week.
        watch: called with each event's number and its new plan.

    Returns:
        The week; None if it was cancelled.
    """
    shop, models, urgent = plan.shop, _models(plan.shop), _unused(plan.shop)
    found: list[Replanned] = []
    seconds = []
    for number, event in enumerate(events):
        told = told_of(plan, schedule, event, models, f"{urgent}-{number}")
        if told is None:
            continue
        begun = time.monotonic()
        past = happened(shop, schedule, replace(told, freeze=manner.freeze))
        found.append(
            replan(
                past,
                manner.time_limit,
                manner.stability,
                seed,
                manner.policy,
                manner.threads,
                begun,
                cancelled,
                work=manner.work,
            )
        )
        seconds.append(time.monotonic() - begun)
        if cancelled():
            return None
        watch(number, found[-1])
        plan, schedule = past.plan, found[-1].best.schedule
        shop = plan.shop
    changes = [change for each in found for change in each.best.changes]
    late = tardiness(plan, schedule)
    return Week(
        manner.policy,
        seed,
        len(found),
        schedule.makespan,
        shop.objective.cost(schedule.job_ends, shop.jobs),
        late["tardiness_hours"] * TICKS_PER_HOUR,
        late["late_jobs"],
        len(changes),
        sum(change.elsewhere for change in changes),
        sum(max(0, change.later) for change in changes),
        sum(max(0, -change.later) for change in changes),
        sum(seconds) / max(len(seconds), 1),
        max(seconds, default=0.0),
    )


def told_of(plan: LotPlan, schedule: Schedule, event: Happening, models: list[Job], name: str) -> Events | None:
    """The event as it is told; None where it strikes nothing.

    Breakdowns and late work strike the first machine at work in an order by chance, so that policies whose plans are
    alike suffer alike. What breaks down is known for how long at once, and late work when it is to be done.
    """
    rng = np.random.default_rng(event.seed)
    order = {plan.shop.machines[m].id: place for place, m in enumerate(rng.permutation(len(plan.shop.machines)))}
    if event.kind == "urgent":
        return Events(event.at, add=(_urgent(models[int(rng.integers(len(models)))], event.at, name),))
    running = sorted(
        (row for row in schedule.rows if row.start < event.at < row.end), key=lambda row: (order[row.machine], row)
    )
    if event.kind == "breakdowns":
        machine = running[0].machine if running else min(order, key=lambda name: order[name])
        return Events(event.at, down=(Down(machine, event.at, event.at + event.lost),))
    for row in running:
        if _may_be_late(plan, row):
            number = next(m for m, machine in enumerate(plan.shop.machines) if machine.id == row.machine)
            end = Timing(plan.shop).end_of(number, row.end, event.lost, True).end
            return Events(event.at, late=(Told(row.operation, row.lot, end),))
    return None


def _unused(shop: Shop) -> str:
    """What no job or operation of the shop is named after, for urgent orders."""
    taken = [name for job in shop.jobs for name in (job.id, *(op.id for op in job.operations))]
    names = ("URGENT" + "_" * n for n in count())
    return next(name for name in names if not any(each.startswith(name) for each in taken))


def _may_be_late(plan: LotPlan, row: Row) -> bool:
    """Whether lateness can be told of a row: not where it must not stop and is one of several lots."""
    lots = [lot for lot in plan.lots if lot.job == row.job]
    op = next(op for op in lots[0].operations if op.id == row.operation)
    return row.end - row.start > 1 and (op.interruptible or len(lots) == 1)


def _models(shop: Shop) -> list[Job]:
    """Jobs that urgent orders are like: the shorter half."""
    middle = median(_least(job) for job in shop.jobs)
    return [job for job in shop.jobs if _least(job) <= middle]


def _least(job: Job) -> int:
    return sum(op.setup + min(op.alternatives.values()) + op.lag for op in job.operations)


def _urgent(model: Job, at: int, name: str) -> Job:
    route = tuple(replace(op, id=f"{name}/{k}", fixed=None) for k, op in enumerate(model.operations, 1))
    return replace(model, id=name, operations=route, release=at, due=at + round(DUE_AFTER * _least(model)))


def week_to_json(week: Week) -> dict[str, Any]:
    """A week as people read it, in hours."""
    ticks = {"makespan", "objective", "tardiness", "later", "earlier"}
    return {
        f"{name}_hours" if name in ticks else name: value / TICKS_PER_HOUR if name in ticks else value
        for name, value in vars(week).items()
    } | {"moved_hours": (week.later + week.earlier) / TICKS_PER_HOUR}
