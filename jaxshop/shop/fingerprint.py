"""The fingerprint of a shop: what it is, whatever it is called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime

from jaxshop.shop.objective import MAKESPAN
from jaxshop.shop.records import Calendar, Shop


def fingerprint(shop: Shop) -> str:
    """Return the sha256 (hex) of what the shop is, whatever the order in which it was written down.

    Everything that a schedule or its key figures depend on counts, in ticks: machines with work centre and
    availability; jobs with quantity, release, due and weight; operations in route order with set-up and
    alternatives; the plant's own rules where there are any. Name, provenance and unit do not, nor does the plan start
    unless calendars count from it.
    """
    machines = sorted((machine.id, machine.work_centre, machine.available_from) for machine in shop.machines)
    jobs = [
        (
            *(job.id, job.quantity, job.release, job.due, float(job.weight)),
            [(op.id, op.setup, sorted(op.alternatives.items())) for op in job.operations],
        )
        for job in sorted(shop.jobs, key=lambda job: job.id)
    ]
    rules = [rule for rule in _rules(shop) if rule[1:] != ([],)]
    content = [machines, jobs, rules] if rules else [machines, jobs]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def _rules(shop: Shop) -> Iterator[tuple]:
    """The rules that are in use, named; what a rule is called and why a machine is closed are no matter."""
    calendars = {calendar.id: _calendar(calendar) for calendar in shop.calendars}
    used = [machine for machine in shop.machines if machine.calendar is not None]
    if used and shop.plan_start is not None:
        start = int(datetime.fromisoformat(shop.plan_start).timestamp())
        yield "calendars", start, sorted((machine.id, calendars[machine.calendar or ""]) for machine in used)
    yield (
        "unavailable",
        sorted(
            (m.id, sorted((down.start, down.end) for down in m.unavailable)) for m in shop.machines if m.unavailable
        ),
    )
    yield "families", sorted((m.id, m.family) for m in shop.machines if m.family is not None)
    yield (
        "operations",
        sorted(
            (op.id, op.interruptible, op.family or "", op.lag, op.fixed and list(op.fixed[:2]))
            for job in shop.jobs
            for op in job.operations
            if op.lag or op.fixed or op.family or not op.interruptible
        ),
    )
    yield (
        "setups",
        sorted(
            (e.machine or "", e.work_centre or "", e.from_family or "", e.to_family, e.ticks) for e in shop.changeovers
        ),
    )
    weights = (float(shop.objective.makespan), float(shop.objective.tardiness))
    yield "objective", [] if shop.objective == MAKESPAN else list(weights)


def _calendar(calendar: Calendar) -> list:
    weekly = [[list(shift) for shift in shifts] for shifts in calendar.weekly]
    special = sorted((day.isoformat(), [list(shift) for shift in shifts]) for day, shifts in calendar.open if shifts)
    closed = [*calendar.closed, *(day for day, shifts in calendar.open if not shifts)]
    return [calendar.timezone, weekly, sorted(day.isoformat() for day in closed), special]
