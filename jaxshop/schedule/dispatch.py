"""Dispatching rules on the host, in NumPy: what answers when the policy does not.

They decide as the environment's rules of the same names do, and share neither code nor runtime with it, so that a
stuck device or a broken compilation cannot take them down as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxshop.schedule.records import Row, Schedule
from jaxshop.shop import MAKESPAN, LotPlan, Objective, fingerprint
from jaxshop.shop.timing import placed, placed_everywhere

NEVER = 1 << 40
"""A tick beyond every schedule: the time of an operation on a machine that cannot run it."""


class Rivals(NamedTuple):
    """What rules look at of the lots that compete for a machine, int64 [lots] each, in the order of the lots."""

    time: np.ndarray  # ticks of the next operation on that machine
    tail: np.ndarray  # least ticks of the lot's rest
    left: np.ndarray  # operations of the rest
    ready: np.ndarray  # tick at which the next operation may start
    due: np.ndarray  # NEVER where there is none


Rule = Callable[[Rivals], np.ndarray]
"""The priority of each rival, int64 [lots]; the highest goes first, ties to the lowest lot."""

RULES: dict[str, Rule] = {
    "SPT": lambda rivals: -rivals.time,
    "LPT": lambda rivals: rivals.time,
    "MWKR": lambda rivals: rivals.tail,
    "LWKR": lambda rivals: -rivals.tail,
    "MOR": lambda rivals: rivals.left,
    "FIFO": lambda rivals: -rivals.ready,
    "EDD": lambda rivals: -rivals.due,
}
"""Shortest and longest processing time, most and least work remaining, most operations remaining, first come first
served, earliest due date."""

BEST_FIRST = (("MWKR", False), ("MWKR", True), ("FIFO", False), ("FIFO", True))
"""(rule, active), in the order of what they reach on factory-like shops; the first is always tried."""


def best_rule(plan: LotPlan, deadline: float | None = None, objective: Objective = MAKESPAN) -> tuple[str, Schedule]:
    """Return the name and the schedule of the best rule that could be tried.

    Args:
        plan: the lots to schedule.
        objective: what the best has the least cost of.
        deadline: in `time.monotonic()`; no other rule is begun where it would not end by then.
    """
    best: tuple[str, Schedule] | None = None
    longest = 0.0
    for name, active in BEST_FIRST:
        started = time.monotonic()
        if best is not None and deadline is not None and started + longest > deadline:
            break
        schedule = dispatch_by_rule(plan, RULES[name], active)
        longest = max(longest, time.monotonic() - started)
        if best is None or objective.cost(schedule.job_ends) < objective.cost(best[1].job_ends):
            best = (f"{name}/active" if active else name, schedule)
    assert best is not None
    return best


def dispatch_by_rule(plan: LotPlan, rule: Rule, active: bool) -> Schedule:
    """Build a schedule, operation by operation.

    Active (Giffler and Thompson 1960): the machine that can complete an operation first takes, of the lots that could
    start on it before that completion, the one the rule prefers. Non-delay: the machine where an operation can start
    first takes, of the lots that can start there then, the one the rule prefers.

    Ties: the lowest lot comes first; of its machines, the one that became free last, then the lowest. The first lot
    always competes, even with an operation of no duration.
    """
    shop = _Dispatcher(plan, active)
    rows = [shop.step(rule) for _ in range(sum(len(lot.operations) for lot in plan.lots))]
    return Schedule(fingerprint(plan.shop), plan.max_lot_hours, tuple(rows))


class _Dispatcher:
    """The schedule so far, and what of it the next decision looks at."""

    def __init__(self, plan: LotPlan, active: bool):
        index = {machine.id: i for i, machine in enumerate(plan.shop.machines)}
        self.lots, self.names, self.active = plan.lots, list(index), active
        self.routes = [
            [
                (
                    op.id,
                    np.array([index[m] for m in op.alternatives]),
                    np.array([op.setup + t for t in op.alternatives.values()]),
                )
                for op in lot.operations
            ]
            for lot in plan.lots
        ]
        self.tails = [np.cumsum([times.min() for *_, times in reversed(route)])[::-1] for route in self.routes]
        self.free = np.array([machine.available_from for machine in plan.shop.machines], np.int64)
        self.ready = np.array([lot.release for lot in plan.lots], np.int64)
        self.due = np.array([NEVER if lot.due is None else lot.due for lot in plan.lots], np.int64)
        self.left = np.array([len(route) for route in self.routes], np.int64)
        self.tail = np.zeros_like(self.ready)
        # Of each lot's next operation, by machine: duration, earliest start, and the event that decides (completion, or
        # start where non-delay); and the earliest event with its machine. Only what a step can change is done again.
        self.takes = np.full((len(self.routes), len(self.names)), NEVER, np.int64)
        self.start, self.event = np.full_like(self.takes, NEVER), np.full_like(self.takes, NEVER)
        self.soonest, self.where = np.empty_like(self.ready), np.zeros_like(self.ready)
        for lot in range(len(self.routes)):
            self._open(lot)
        self._refresh(np.arange(len(self.routes)))

    def step(self, rule: Rule) -> Row:
        """Dispatch one operation."""
        lot, machine = self._decide(rule)
        route = self.routes[lot]
        name, *_ = route[len(route) - self.left[lot]]
        span = placed(int(self.ready[lot]), int(self.free[machine]), int(self.takes[lot, machine]))
        self.free[machine] = self.ready[lot] = span.end
        waiting = np.flatnonzero(self.takes[:, machine] != NEVER)
        self._time(waiting, machine)
        self.left[lot] -= 1
        self._open(lot)
        self.where[lot] = machine
        self._refresh(np.flatnonzero(self.where == machine))
        return Row(self.lots[lot].job, self.lots[lot].index, name, self.names[machine], *span)

    def _decide(self, rule: Rule) -> tuple[int, int]:
        first = int(self.soonest.argmin())
        soonest = self.soonest[first]
        reach = np.flatnonzero(self.event[first] == soonest)
        machine = int(reach[self.free[reach].argmax()])
        starts = self.start[:, machine]
        rivals = starts < soonest if self.active else starts == soonest
        rivals[first] = True
        lots = np.flatnonzero(rivals)
        seen = Rivals(self.takes[lots, machine], self.tail[lots], self.left[lots], self.ready[lots], self.due[lots])
        return int(lots[rule(seen).argmax()]), machine

    def _open(self, lot: int) -> None:
        """Take up the lot's next operation, if there is one."""
        self.takes[lot] = self.start[lot] = self.event[lot] = NEVER
        if self.left[lot]:
            k = len(self.routes[lot]) - self.left[lot]
            _, eligible, times = self.routes[lot][k]
            self.takes[lot, eligible] = times
            self.tail[lot] = self.tails[lot][k]
            self._time(lot, eligible)

    def _time(self, lots: np.ndarray | int, machines: np.ndarray | int) -> None:
        """Find start and event of one lot's next operation on several machines, or of several lots' on one."""
        start, end = placed_everywhere(self.ready[lots], self.free[machines], self.takes[lots, machines])
        self.start[lots, machines], self.event[lots, machines] = start, end if self.active else start

    def _refresh(self, lots: np.ndarray) -> None:
        events = self.event[lots]
        self.where[lots] = events.argmin(axis=1)
        self.soonest[lots] = events[np.arange(len(lots)), self.where[lots]]
