"""A plan repaired: the rest of it in the order in which it was planned."""

from __future__ import annotations

from enum import Enum

import numpy as np

from jaxshop.schedule.dispatch import rows_of
from jaxshop.schedule.happened import Past
from jaxshop.schedule.records import Row, Schedule
from jaxshop.schedule.remaining import Key
from jaxshop.shop import Operation
from jaxshop.shop.pieces import Wanted, reserved
from jaxshop.shop.progress import Opening, opening, timing_of
from jaxshop.shop.timing import Timing

LAST = 1 << 40


class Repair(Enum):
    """What stays of the plan besides its order."""

    RIGHT_SHIFT = "right-shift"
    """Machines, and nothing begins before its planned start."""
    LEFT_SHIFT = "left-shift"
    """Machines; everything begins as soon as it can."""
    REASSIGN = "reassign"
    """Only the order: each operation takes the machine that completes it first, the planned one in a tie."""


def repaired(past: Past, repair: Repair, urgent: bool = False) -> Schedule:
    """Schedule the rest of a plan, one operation after the other, in the order of their planned starts.

    Operations that were not planned, or were begun in vain, take the machine that completes them first. Each goes into
    the gap between fixed work that completes it first.

    Args:
        past: what has happened.
        repair: what stays.
        urgent: whether work that was not planned comes before all other, or after it.
    """
    again = {row[:3] for row in past.restarted}
    plan = reserved(past.rest, _wanted(past, repair, again))
    timing = timing_of(plan)
    begin = opening(plan, timing)
    gaps = _Gaps(timing, begin)
    number = {machine.id: m for m, machine in enumerate(plan.shop.machines)}
    names = list(number)
    ready = begin.ready.tolist()
    rows = rows_of(plan, begin)
    for _, _, i, k in _in_order(past, urgent):
        lot = plan.lots[i]
        op = lot.operations[k]
        if op.fixed is not None:
            continue
        before = past.planned.get(key := (lot.job, lot.index, op.id))
        able, earliest = list(op.alternatives), ready[i]
        if before is not None and key not in again and repair is not Repair.REASSIGN:
            able = [before.machine]
            earliest = max(earliest, before.start) if repair is Repair.RIGHT_SHIFT else earliest
        elif before is not None and before.machine in able:
            able = [before.machine, *(name for name in able if name != before.machine)]
        m, start, end = gaps.take(op, [number[name] for name in able], names, earliest)
        ready[i] = end + op.lag
        rows.append(Row(*key, names[m], start, end))
    return Schedule(plan.shop.fingerprint, plan.max_lot_hours, tuple(rows))


def _wanted(past: Past, repair: Repair, again: set[Key]) -> Wanted:
    """Where work that is due before fixed work shall go if it can."""
    if repair is Repair.REASSIGN:
        return {}
    earliest = past.events.now if repair is Repair.LEFT_SHIFT else LAST
    return {key: (row.machine, min(row.start, earliest)) for key, row in past.planned.items() if key not in again}


class _Gaps:
    """The time of machines before, between and behind fixed work: gaps are filled as if each were a machine."""

    def __init__(self, timing: Timing, begin: Opening):
        ahead, self.timing = begin.ahead, timing
        counts = ahead.blocks + 1
        self.machine = np.repeat(np.arange(len(counts)), counts)
        self.first = np.cumsum(counts) - counts
        place = np.arange(len(self.machine)) - self.first[self.machine]
        self.until = ahead.until[self.machine, place]
        self.free, self.family = begin.free[self.machine], begin.family[self.machine]
        self.passes = np.zeros(len(place), bool)  # whether a gap has its family from the one before it
        for gap in np.flatnonzero(place):
            m, b = self.machine[gap], place[gap] - 1
            named = ahead.family[m, b] != timing.changeovers.none
            self.free[gap] = ahead.end[m, b]
            self.family[gap], self.passes[gap] = ahead.family[m, b] if named else self.family[gap - 1], not named
        self.settled = np.zeros(len(place), bool)  # whether what runs in the next gap hangs on the family of this one

    def take(self, op: Operation, machines: list[int], names: list[str], ready: int) -> tuple[int, int, int]:
        """Place an operation where it ends first, on the first of machines in a tie: machine, start and end."""
        gaps = np.concatenate([np.arange(self.first[m], self._behind(m)) for m in machines])
        on, family, to = self.machine[gaps], self.family[gaps], self.timing.changeovers.number(op.family)
        ticks = op.setup + np.array([op.alternatives[names[m]] for m in on.tolist()])
        after = family if to == self.timing.changeovers.none else np.full_like(family, to)
        starts, ends = self.timing.placed(on, ready, self.free[gaps], ticks, family, to, op.interruptible)
        fits = (ends <= self.until[gaps, after]) & ~(self.settled[gaps] & (after != family))
        best = int(np.where(fits, ends, LAST).argmin())
        self._fill(int(gaps[best]), int(ends[best]), int(after[best]))
        return int(on[best]), int(starts[best]), int(ends[best])

    def _behind(self, machine: int) -> int:
        return int(self.first[machine + 1]) if machine + 1 < len(self.first) else len(self.machine)

    def _fill(self, gap: int, end: int, family: int) -> None:
        self.free[gap], self.family[gap] = end, family
        behind = gap
        while not self.settled[gap] and behind + 1 < len(self.passes) and self.passes[behind + 1]:
            behind += 1
            self.family[behind] = family
        while self.passes[gap]:
            gap -= 1
            self.settled[gap] = True


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
