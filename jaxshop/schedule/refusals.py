"""What a planner tells that cannot be, by shop and schedule alone; each fault says where it stands and what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from jaxshop.schedule.events import Events
from jaxshop.schedule.records import Schedule
from jaxshop.shop import TICKS_PER_HOUR, Shop


def hours(ticks: int) -> str:
    """A time as messages tell it."""
    return f"{ticks / TICKS_PER_HOUR:g} h"


def refusals(shop: Shop, schedule: Schedule, events: Events) -> Iterator[str]:
    """What of the events contradicts shop and schedule, whatever has happened, each as `path: message`.

    Places in lists count from 0, as in the request.
    """
    yield from _of_time(schedule, events)
    machines, jobs = {machine.id for machine in shop.machines}, {job.id for job in shop.jobs}
    for i, down in enumerate(events.down):
        if down.machine not in machines:
            yield f"down[{i}].machine: {_unknown('machine', down.machine, machines)}"
        if down.end <= down.start:
            when = f"from {hours(down.start)} to {hours(down.end)}"
            yield f"down[{i}].to: machine {down.machine!r} is down {when}: must end after it begins"
    for i, name in enumerate(events.drop):
        if name not in jobs:
            yield f"drop[{i}]: {_unknown('job', name, jobs)}"
        if (first := events.drop.index(name)) < i:
            yield f"drop[{i}]: job {name!r} stands at drop[{first}] already; leave one of them out"
    for i, job in enumerate(events.add):
        if job.id in jobs:
            yield f"add[{i}].id: job {job.id!r} is in the shop already; leave it out, or give it another id"
        for k, op in enumerate(job.operations):
            if op.fixed:
                where = f"add[{i}].operations[{k}].fixed"
                yield f"{where}: job {job.id!r} has fixed work; leave it out, as what comes is planned from now on"
    yield from _of_operations(shop, schedule, events)


def _of_time(schedule: Schedule, events: Events) -> Iterator[str]:
    if not 0 <= events.now < schedule.makespan:
        until = f"before the end of the plan at {hours(schedule.makespan)}"
        yield f"now: {hours(events.now)}: must be from 0 on and {until}; behind it nothing is left to plan anew"
    if events.freeze < 0:
        yield f"freeze_hours: {hours(events.freeze)}: must be >= 0"


def _of_operations(shop: Shop, schedule: Schedule, events: Events) -> Iterator[str]:
    operations = {op.id: job.id for job in shop.jobs for op in job.operations}
    named = {what: [each.operation for each in getattr(events, what)] for what in ("late", "worked", "keep")}
    for what, names in named.items():
        for i, name in enumerate(names):
            if name not in operations:
                yield f"{what}[{i}].operation: {_unknown('operation', name, operations)}"
    for i, told in enumerate(events.worked):
        if told.ticks < 0:
            yield f"worked[{i}].hours: operation {told.operation!r}: {hours(told.ticks)}: must be >= 0"
    lots: dict[str, set[int]] = {}
    for row in schedule.rows:
        lots.setdefault(row.operation, set()).add(row.lot)
    for i, kept in enumerate(events.keep):
        own = lots.get(kept.operation, set())
        if own and kept.lot is not None and kept.lot not in own:
            known = f"it has {len(own)}; leave the lot out to keep all"
            yield f"keep[{i}].lot: operation {kept.operation!r} has no lot {kept.lot + 1}: {known}"
        if (job := operations.get(kept.operation)) in events.drop:
            where = f"drop[{events.drop.index(job)}]"
            yield f"keep[{i}]: operation {kept.operation!r} is of job {job!r}, which {where} drops; leave one out"


def _unknown(kind: str, name: str, known: Collection[str]) -> str:
    """A name that the shop lacks, with the one that was perhaps meant."""
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"must be one of the shop's {kind}s"
    return f"unknown {kind} {name!r}, {hint}"
