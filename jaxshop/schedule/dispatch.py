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
from jaxshop.shop import LotPlan, Objective, Operation
from jaxshop.shop.plant import FIXED, SETUPS, needs_timing, rules_of
from jaxshop.shop.progress import Opening, opening, timing_of
from jaxshop.shop.timing import Runs, Span, Timing, placed, placed_everywhere

NEVER = 1 << 40
"""A tick beyond every schedule: the time of an operation on a machine that cannot run it."""


class Rivals(NamedTuple):
    """What rules look at of the lots that compete for a machine, int64 [lots] each, in the order of the lots."""

    time: np.ndarray  # ticks of the next operation on that machine, that to set it up for its family included
    tail: np.ndarray  # least ticks of the lot's rest, lags included
    left: np.ndarray  # operations of the rest
    ready: np.ndarray  # tick at which the next operation may start
    due: np.ndarray  # NEVER where there is none
    start: np.ndarray  # tick at which the next operation would start
    setup: np.ndarray  # ticks to set the machine up for its family
    weight: np.ndarray  # float64


Rule = Callable[[Rivals], np.ndarray]
"""The priority of each rival, int64 or float64 [lots]; the highest goes first, ties to the lowest lot."""

PATIENCE = 2.0
"""Mean times of rivals over which ATC looks ahead."""


def _slack_per_work(rivals: Rivals) -> np.ndarray:
    return (rivals.due - rivals.start - rivals.tail) / np.maximum(rivals.tail, 1)


def _apparent_tardiness_cost(rivals: Rivals) -> np.ndarray:
    """The logarithm of the cost, which does not vanish where slack is long."""
    time, slack = np.maximum(rivals.time, 1), np.maximum(rivals.due - rivals.start - rivals.tail, 0)
    return np.log(rivals.weight / time) - slack / (PATIENCE * time.mean())


RULES: dict[str, Rule] = {
    "SPT": lambda rivals: -rivals.time,
    "LPT": lambda rivals: rivals.time,
    "MWKR": lambda rivals: rivals.tail,
    "LWKR": lambda rivals: -rivals.tail,
    "MOR": lambda rivals: rivals.left,
    "FIFO": lambda rivals: -rivals.ready,
    "EDD": lambda rivals: -rivals.due,
    "CR": lambda rivals: -_slack_per_work(rivals),
    "ATC": _apparent_tardiness_cost,
    "SST": lambda rivals: rivals.tail - rivals.setup * 2**31,
}
"""Shortest and longest processing time, most and least work remaining, most operations remaining, first come first
served, earliest due date; critical ratio (the least slack per remaining work), apparent tardiness cost (Vepsalainen and
Morton 1987), shortest set-up time by sequence (then most work remaining)."""

DUE_RULES = ("EDD", "CR", "ATC")
"""Rules that mean something where there are due dates."""

BEST_FIRST = (("MWKR", False), ("MWKR", True), ("FIFO", False), ("FIFO", True))
"""(rule, active), in the order of what they reach on factory-like shops; the first is always tried."""


def applicable(plan: LotPlan) -> tuple[str, ...]:
    """The rules that mean something for a plan."""
    due = any(job.due is not None for job in plan.shop.jobs)
    setups = SETUPS in rules_of(plan)
    return tuple(name for name in RULES if (due or name not in DUE_RULES) and (setups or name != "SST"))


def best_first(plan: LotPlan, objective: Objective) -> tuple[tuple[str, bool], ...]:
    """Rules worth a try, those that serve the objective first."""
    rules = applicable(plan)
    first: list[str] = [name for name in ("ATC", "CR", "EDD") if objective.tardiness and name in rules]
    first += [name for name in ("SST",) if name in rules]
    return tuple((name, active) for name in first for active in (False, True)) + BEST_FIRST


def best_rule(plan: LotPlan, deadline: float | None = None, objective: Objective | None = None) -> tuple[str, Schedule]:
    """Return the name and the schedule of the best rule that could be tried.

    Args:
        plan: the lots to schedule.
        objective: what the best has the least cost of; None: the shop's.
        deadline: in `time.monotonic()`; no other rule is begun where it would not end by then.
    """
    objective = objective or plan.shop.objective
    best: tuple[str, Schedule] | None = None
    longest, least = 0.0, 0
    for name, active in best_first(plan, objective):
        started = time.monotonic()
        if best is not None and deadline is not None and started + longest > deadline:
            break
        schedule = dispatch_by_rule(plan, RULES[name], active)
        longest = max(longest, time.monotonic() - started)
        cost = objective.cost(schedule.job_ends, plan.shop.jobs)
        if best is None or cost < least:
            least, best = cost, (f"{name}/active" if active else name, schedule)
    assert best is not None
    return best


def dispatch_by_rule(plan: LotPlan, rule: Rule, active: bool) -> Schedule:
    """Build a schedule, operation by operation.

    Active (Giffler and Thompson 1960): the machine that can complete an operation first takes, of the lots that could
    start on it before that completion, the one the rule prefers. Non-delay: the machine where an operation can start
    first takes, of the lots that can start there then, the one the rule prefers.

    Ties: the lowest lot comes first; of its machines, the one that became free last, then the lowest. The first lot
    always competes, even with an operation of no duration.

    Fixed work is placed first, with what it has to wait for (`reserved`); what fits before it goes there, see `Ahead`.
    Starts and completions are those of `jaxshop.shop.timing`, closed time and the set-up by what the machine is set up
    for by then included.
    """
    shop = _Dispatcher(plan, active)
    rows = [*shop.fixed, *(shop.step(rule) for _ in range(int(shop.left.sum())))]
    return Schedule(plan.shop.fingerprint, plan.max_lot_hours, tuple(rows))


def fixed_rows(plan: LotPlan) -> list[Row]:
    """The fixed work of a plan, and what is placed before it, as rows of its schedule."""
    return rows_of(plan, opening(plan.reserved, timing_of(plan))) if FIXED in rules_of(plan) else []


def rows_of(plan: LotPlan, begin: Opening) -> list[Row]:
    """Fixed work that has been placed, as rows of the plan's schedule."""
    lots, machines = plan.lots, plan.shop.machines
    return [
        Row(lots[i].job, lots[i].index, lots[i].operations[place].id, machines[m].id, *span)
        for i, place, m, span in begin.fixed
    ]


class _Dispatcher:
    """The schedule so far, and what of it the next decision looks at."""

    def __init__(self, plan: LotPlan, active: bool):
        index = {machine.id: i for i, machine in enumerate(plan.shop.machines)}
        self.lots, self.names, self.active = plan.lots, list(index), active
        self.routes = [
            [
                (
                    op,
                    np.array([index[m] for m in op.alternatives]),
                    np.array([op.setup + t for t in op.alternatives.values()]),
                )
                for op in lot.operations
            ]
            for lot in plan.lots
        ]
        self.tails = [_tails(route) for route in self.routes]
        self.free = np.array([machine.available_from for machine in plan.shop.machines], np.int64)
        self.ready = np.array([lot.release for lot in plan.lots], np.int64)
        self.due = np.array([NEVER if lot.due is None else lot.due for lot in plan.lots], np.int64)
        self.weight = np.array([lot.weight for lot in plan.lots], np.float64)
        self.left = np.array([len(route) for route in self.routes], np.int64)
        self.tail = np.zeros_like(self.ready)
        self.fixed: list[Row] = []
        # What a shop with closed time, set-ups by sequence or fixed work needs besides; None in all others.
        self.timing = timing_of(plan) if needs_timing(plan) else None
        self.family, self.to = np.zeros_like(self.free), np.zeros_like(self.ready)
        self.number = np.zeros_like(self.free)  # of each machine's next block of fixed work
        self.interruptible = np.ones(len(plan.lots), bool)
        if self.timing is not None:
            self._place_fixed(plan)
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
        op, *_ = self.routes[lot][len(self.routes[lot]) - self.left[lot]]
        span = self._occupy(lot, machine)
        self.free[machine], self.ready[lot] = span.end, span.end + op.lag
        waiting = np.flatnonzero(self.takes[:, machine] != NEVER)
        self._time(waiting, machine)
        self.left[lot] -= 1
        self._open(lot)
        self.where[lot] = machine
        # Where the machine is set up for a lot's family now, that lot may end there sooner than it could before.
        self._refresh(np.flatnonzero((self.where == machine) | (self.event[:, machine] < self.soonest)))
        return Row(self.lots[lot].job, self.lots[lot].index, op.id, self.names[machine], *span)

    def _place_fixed(self, plan: LotPlan) -> None:
        assert self.timing is not None
        begin = opening(plan.reserved, self.timing)
        self.ready, self.free, self.family = begin.ready, begin.free, begin.family
        self.left -= begin.done
        self.fixed, self.ahead = rows_of(plan, begin), begin.ahead

    def _occupy(self, lot: int, machine: int) -> Span:
        """Where the lot's next operation runs on a machine, which is set up for it then."""
        if self.timing is None:
            return placed(int(self.ready[lot]), int(self.free[machine]), int(self.takes[lot, machine]))
        run, to = self._run(self.timing, lot, machine), self.to[lot]
        self.family[machine], self.number[machine] = run.family, run.number
        if to != self.timing.changeovers.none:
            self.family[machine] = to
        return Span(int(run.start), int(run.end))

    def _decide(self, rule: Rule) -> tuple[int, int]:
        first = int(self.soonest.argmin())
        soonest = self.soonest[first]
        reach = np.flatnonzero(self.event[first] == soonest)
        machine = int(reach[self.free[reach].argmax()])
        starts = self.start[:, machine]
        rivals = starts < soonest if self.active else starts == soonest
        rivals[first] = True
        lots = np.flatnonzero(rivals)
        seen = Rivals(
            time=self.takes[lots, machine] + (setup := self._setup(lots, machine)),
            tail=self.tail[lots],
            left=self.left[lots],
            ready=self.ready[lots],
            due=self.due[lots],
            start=starts[lots],
            setup=setup,
            weight=self.weight[lots],
        )
        return int(lots[rule(seen).argmax()]), machine

    def _setup(self, lots: np.ndarray, machine: int) -> np.ndarray:
        """Ticks to set the machine up for each lot's next operation."""
        if self.timing is None:
            return np.zeros_like(lots)
        table = self.timing.changeovers
        return table.ticks[table.kind[machine], self._run(self.timing, lots, machine).family, self.to[lots]]

    def _open(self, lot: int) -> None:
        """Take up the lot's next operation, if there is one."""
        self.takes[lot] = self.start[lot] = self.event[lot] = NEVER
        if self.left[lot]:
            k = len(self.routes[lot]) - self.left[lot]
            op, eligible, times = self.routes[lot][k]
            self.takes[lot, eligible] = times
            if self.timing is not None:
                self.to[lot] = self.timing.changeovers.number(op.family)
                self.interruptible[lot] = op.interruptible
            self.tail[lot] = self.tails[lot][k]
            self._time(lot, eligible)

    def _time(self, lots: np.ndarray | int, machines: np.ndarray | int) -> None:
        """Find start and event of one lot's next operation on several machines, or of several lots' on one."""
        if self.timing is None:
            start, end = placed_everywhere(self.ready[lots], self.free[machines], self.takes[lots, machines])
        else:
            start, end, *_ = self._run(self.timing, lots, machines)
        self.start[lots, machines], self.event[lots, machines] = start, end if self.active else start

    def _run(self, timing: Timing, lots: np.ndarray | int, machines: np.ndarray | int) -> Runs:
        return timing.placed_around(
            self.ahead,
            machines,
            self.ready[lots],
            self.free[machines],
            self.number[machines],
            self.takes[lots, machines],
            self.family[machines],
            self.to[lots],
            self.interruptible[lots],
        )

    def _refresh(self, lots: np.ndarray) -> None:
        events = self.event[lots]
        self.where[lots] = events.argmin(axis=1)
        self.soonest[lots] = events[np.arange(len(lots)), self.where[lots]]


def _tails(route: list[tuple[Operation, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Of each operation of a route the least ticks until its lot is done, itself included, int64 [operations]."""
    least = [int(times.min()) + (op.lag if k + 1 < len(route) else 0) for k, (op, _, times) in enumerate(route)]
    return np.cumsum(least[::-1])[::-1]
