"""Whether work with an end to keep finds time beside fixed work: a search of its orders, machines and gaps.

Each machine takes operations one behind the other, each as early as it can, in a gap between fixed work or in a later
one. Of schedules that keep all ends there is one of this kind, where there is any; so there is none where the search
has seen everything, as it does in shops that leave little open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import takewhile
from operator import le
from typing import NamedTuple

import numpy as np

from jaxshop.shop.lots import Lot, LotPlan
from jaxshop.shop.progress import Opening
from jaxshop.shop.timing import Timing


class Place(NamedTuple):
    """Where the next operation of a lot runs, by numbers; `held` ticks of it set its machine up."""

    lot: int
    machine: int
    start: int
    held: int


class Found(NamedTuple):
    """Places in the order of each route, None where there are none; and whether everything was seen."""

    places: tuple[Place, ...] | None
    seen: bool


class _Step(NamedTuple):
    """An operation with an end to keep."""

    gap: np.ndarray  # int64 [ways], on the machines that it may run on
    ticks: np.ndarray  # int64 [ways]
    to: int  # its family
    interruptible: bool
    latest: int  # by when it has to end, so that what follows can be in time
    lag: int


class _State(NamedTuple):
    """What lots and machines stand at."""

    done: tuple[int, ...]  # steps of each lot
    ready: tuple[int, ...]
    number: tuple[int, ...]  # of the gap that each machine has come to
    free: tuple[int, ...]  # from when, there
    family: tuple[int, ...]


Way = tuple[Place, _State]


class Fitting:
    """The gaps of a plan's machines, and the steps of its lots that have an end to keep."""

    def __init__(self, plan: LotPlan, begin: Opening, timing: Timing):
        ahead, self.timing, self.none = begin.ahead, timing, timing.changeovers.none
        counts = ahead.blocks + 1
        self.machine = np.repeat(np.arange(len(counts)), counts)
        self.place = np.arange(len(self.machine)) - (np.cumsum(counts) - counts)[self.machine]
        before = np.maximum(self.place - 1, 0)
        self.until, self.free = ahead.until[self.machine, self.place], ahead.end[self.machine, before]
        # What a gap's machine is set up for by fixed work, and by which; -1: by none, so what ran before it decides.
        self.named, self.by = ahead.family[self.machine, before], before
        for gap in range(len(before)):
            if self.place[gap] == 0:
                self.by[gap] = -1
            elif self.named[gap] == self.none:
                self.named[gap], self.by[gap] = self.named[gap - 1], self.by[gap - 1]
        number = {machine.id: m for m, machine in enumerate(plan.shop.machines)}
        self.end = max(lot.until for lot in plan.lots if lot.until is not None)
        self.steps = [self._steps(lot, number) for lot in plan.lots]
        self.kept = np.array([lot.until is not None for lot in plan.lots])
        free, family, ready = (tuple(x.tolist()) for x in (begin.free, begin.family, begin.ready))
        self.begin = _State((0,) * len(plan.lots), ready, (0,) * len(free), free, family)

    def search(self, most: int) -> Found:
        """Search, looking at so many states at the most."""
        path: list[Place] = []
        looked: list[tuple[_State, Iterator[Way]]] = []
        dead: dict[tuple, list[tuple[int, ...]]] = defaultdict(list)
        state = self.begin
        for _ in range(most):
            looked.append((state, self._ways(state)))
            while (way := next((way for way in looked[-1][1] if not _is_dead(way[1], dead)), None)) is None:
                key, times = _told(looked.pop()[0])
                dead[key].append(times)
                if not looked:
                    return Found(None, True)
                path.pop()
            place, state = way
            path.append(place)
            if all(state.done[i] == len(self.steps[i]) for i in np.flatnonzero(self.kept)):
                return Found(tuple(path), True)
        return Found(None, False)

    def _steps(self, lot: Lot, number: dict[str, int]) -> list[_Step]:
        """What is free of a lot; without an end to keep it is of no use behind all that has one."""
        steps: list[_Step] = []
        latest = self.end if lot.until is None else lot.until
        for op in takewhile(lambda op: op.fixed is None, reversed(lot.operations)):
            takes = np.full(len(number), -1)
            takes[[number[name] for name in op.alternatives]] = [op.setup + t for t in op.alternatives.values()]
            latest -= op.lag if steps and lot.until is not None else 0
            gap = np.flatnonzero((takes[self.machine] >= 0) & ((self.place == 0) | (self.free <= latest)))
            to = self.timing.changeovers.number(op.family)
            steps.append(_Step(gap, takes[self.machine[gap]], to, op.interruptible, latest, op.lag))
            latest -= 0 if lot.until is None else op.setup + min(op.alternatives.values())
        return steps[::-1]

    def _ways(self, at: _State) -> Iterator[Way]:
        """The ways to go on, those of the lot with the least time to spare first; none where some lot would be late."""
        lots = [i for i, steps in enumerate(self.steps) if at.done[i] < len(steps)]
        steps = [self.steps[i][at.done[i]] for i in lots]
        sizes = [len(step.gap) for step in steps]
        gap, ticks = (np.concatenate([step[column] for step in steps]) for column in range(2))
        to, interruptible, latest, lag = (np.repeat([step[c] for step in steps], sizes) for c in range(2, 6))
        whose, ready = np.repeat(np.arange(len(lots)), sizes), np.repeat([at.ready[i] for i in lots], sizes)
        m = self.machine[gap]
        number, free, family = (np.array(x)[m] for x in at[2:])
        free = np.where(self.place[gap] == number, free, self.free[gap])
        family = np.where(self.by[gap] >= number, self.named[gap], family)
        start, end = self.timing.placed(m, ready, free, ticks, family, to, interruptible)
        after = np.where(to == self.none, family, to)
        spare = np.where((self.place[gap] >= number) & (end <= self.until[gap, after]), latest - end, -1)
        most = np.full(len(lots), -1)
        np.maximum.at(most, whose, spare)
        kept = self.kept[lots]
        if (most[kept] < 0).any():
            # Something else may set the machine up for it first, so only what is late without a set-up is late.
            _, least = self.timing.placed(m, ready, free, ticks, to, to, interruptible)
            some = (self.place[gap] >= number) & (least <= self.until[gap].max(axis=1)) & (least <= latest)
            if not np.isin(np.flatnonzero(kept), whose[some]).all():
                return
        table = self.timing.changeovers
        for w in np.lexsort((-spare, whose, most[whose], ~kept[whose])).tolist():
            if spare[w] >= 0:
                i, machine = lots[whose[w]], int(m[w])
                last = at.done[i] + 1 == len(self.steps[i])
                held = int(table.ticks[table.kind[machine], family[w], to[w]])
                yield (
                    Place(i, machine, int(start[w]), held),
                    _State(
                        _put(at.done, i, at.done[i] + 1),
                        _put(at.ready, i, 0 if last else int(end[w] + lag[w])),
                        _put(at.number, machine, int(self.place[gap[w]])),
                        _put(at.free, machine, int(end[w])),
                        _put(at.family, machine, int(after[w])),
                    ),
                )


def _told(state: _State) -> tuple[tuple, tuple[int, ...]]:
    """What two states must have in common to be compared, and the times by which the later one is no better."""
    return (state.done, state.number, state.family), state.ready + state.free


def _is_dead(state: _State, dead: dict[tuple, list[tuple[int, ...]]]) -> bool:
    """Whether one that is no worse has led nowhere."""
    key, times = _told(state)
    return any(all(map(le, other, times)) for other in dead[key])


def _put(values: tuple[int, ...], at: int, value: int) -> tuple[int, ...]:
    return (*values[:at], value, *values[at + 1 :])
