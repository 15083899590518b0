"""A plan repaired: the rest of it in the order in which it was planned."""

from __future__ import annotations

from enum import Enum

import numpy as np

from jaxshop.schedule.gaps import gaps_of
from jaxshop.schedule.happened import Past
from jaxshop.schedule.records import Row, Schedule
from jaxshop.shop import Operation, fingerprint
from jaxshop.shop.progress import timing_of

LAST = 1 << 40


class Repair(Enum):
    """What stays of the plan besides its order."""

    RIGHT_SHIFT = "right-shift"
    """Machines, and nothing begins before its planned start."""
    LEFT_SHIFT = "left-shift"
    """Machines; everything begins as soon as it can."""
    REASSIGN = "reassign"
    """Only the order: each operation takes the machine that completes it first, the planned one in a tie."""


def repaired(past: Past, repair: Repair, urgent: bool = False, fill: bool = False) -> Schedule:
    """Schedule the rest of a plan, one operation after the other, in the order of their planned starts.

    Operations that were not planned, or were begun in vain, take the machine that completes them first.

    Args:
        past: what has happened.
        repair: what stays.
        urgent: whether work that was not planned comes before all other, or after it.
        fill: whether work may run before work that stands ahead, where it ends in time and needs no set-up by sequence;
            else the schedule is one of the rest alone.
    """
    gaps = _Gaps(past) if fill else None
    plan, again = past.rest, {row[:3] for row in past.restarted}
    timing = timing_of(plan)
    table = timing.changeovers
    number = {machine.id: m for m, machine in enumerate(plan.shop.machines)}
    names = list(number)
    free = np.array([machine.available_from for machine in plan.shop.machines], np.int64)
    family = table.first.copy()
    ready = [lot.release for lot in plan.lots]
    rows = []
    for _, _, i, k in _in_order(past, urgent):
        lot = plan.lots[i]
        op = lot.operations[k]
        before = past.planned.get(key := (lot.job, lot.index, op.id))
        able, earliest = list(op.alternatives), ready[i]
        if before is not None and key not in again and repair is not Repair.REASSIGN:
            able = [before.machine]
            earliest = max(earliest, before.start) if repair is Repair.RIGHT_SHIFT else earliest
        elif before is not None and before.machine in able:
            able = [before.machine, *(name for name in able if name != before.machine)]
        machines = np.array([number[name] for name in able])
        ticks = op.setup + np.array([op.alternatives[name] for name in able])
        to = table.number(op.family)
        starts, ends = timing.placed(machines, earliest, free[machines], ticks, family[machines], to, op.interruptible)
        first = int(ends.argmin())
        m, end = int(machines[first]), int(ends[first])
        if gaps is not None and (sooner := gaps.fill(op, machines, ticks, earliest, end)) is not None:
            m, start, end = sooner
            ready[i] = end + op.lag
            rows.append(Row(*key, names[m], start, end))
            continue
        free[m], ready[i] = end, end + op.lag
        if op.family is not None:
            family[m] = to
        rows.append(Row(*key, names[m], int(starts[first]), end))
    return Schedule(fingerprint(plan.shop), plan.max_lot_hours, tuple(rows))


class _Gaps:
    """The gaps before what stands ahead, as far as they are not filled yet."""

    def __init__(self, past: Past):
        self.timing = timing_of(past.plan)
        self.left = {
            m: gaps
            for name, gaps in gaps_of(past).items()
            for m, machine in enumerate(past.plan.shop.machines)
            if machine.id == name
        }

    def fill(
        self, op: Operation, machines: np.ndarray, ticks: np.ndarray, ready: int, before: int
    ) -> tuple[int, int, int] | None:
        """Machine, start and end of an operation that ends before a tick in a gap, which it takes; None: it cannot."""
        table, best = self.timing.changeovers, None
        for m, takes in zip(machines.tolist(), ticks.tolist(), strict=True):
            if op.family is not None and table.ticks[table.kind[m]].any():
                continue  # what stands ahead was set up for after what ran before it
            for begin, until in self.left.get(m, ()):
                start, end = self.timing.end_of(m, max(ready, begin), takes, op.interruptible)
                if end <= until and end < before:
                    best, before = (m, start, end, (begin, until)), end
        if best is None:
            return None
        m, start, end, gap = best
        self.left[m].remove(gap)
        self.left[m] += [part for part in ((gap[0], start), (end, gap[1])) if part[0] < part[1]]
        return m, start, end


def _in_order(past: Past, urgent: bool) -> list[tuple[int, int, int, int]]:
    """Planned start and end, lot and place of each operation of the rest; what follows never comes before."""
    unplanned = (past.events.now, 0) if urgent else (LAST, 0)
    found = []
    for i, lot in enumerate(past.rest.lots):
        at = (0, 0)
        for k, op in enumerate(lot.operations):
            row = past.planned.get((lot.job, lot.index, op.id))
            at = max(at, unplanned if row is None else (row.start, row.end))
            found.append((*at, i, k))
    return sorted(found)
