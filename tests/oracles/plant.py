"""The optimum of a tiny plan with the plant's own rules, by enumerating every order of dispatches, machine and gap.

Times come from the verifier's closed spans, walked one after the other; nothing is shared with what builds schedules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from jaxshop.schedule.closed import Closed, closed_by_machine
from jaxshop.shop import LotPlan, Machine, Operation, Shop

DAY = 86_400

NEVER = 1 << 60
"""What a dead end costs."""


class Standing(NamedTuple):
    """What has been dispatched, and what lots and machines stand at by then."""

    done: tuple[int, ...]  # operations of each lot
    ready: tuple[int, ...]
    last: tuple[int, ...]  # tick at which each lot's last operation so far ends
    free: tuple[tuple[int, str | None, int], ...]  # from when each machine is free, its family, fixed work behind it

    def after(self, plan: LotPlan, lot: int, machine: int, run: Run) -> Standing:
        """The same once the lot's next operation has run on a machine."""
        op = plan.lots[lot].operations[self.done[lot]]
        return Standing(
            _put(self.done, lot, self.done[lot] + 1),
            _put(self.ready, lot, run.end + op.lag),
            _put(self.last, lot, run.end),
            _put(self.free, machine, (run.end, op.family or run.family, run.number)),
        )


class Run(NamedTuple):
    """One way to run an operation on a machine."""

    start: int
    end: int
    extra: int  # of it to set the machine up, which is set up for
    family: str | None  # right before, behind so much
    number: int  # of its fixed work


class Fixture(NamedTuple):
    """Fixed work of a machine."""

    start: int
    end: int
    operation: Operation


def _put(values: tuple, place: int, value: object) -> tuple:
    return (*values[:place], value, *values[place + 1 :])


def fixtures(plan: LotPlan, closed: Mapping[str, Closed]) -> dict[str, list[Fixture]]:
    """The fixed work of each machine, in order."""
    found: dict[str, list[Fixture]] = {machine.id: [] for machine in plan.shop.machines}
    for op in (op for lot in plan.lots for op in lot.operations):
        if op.fixed is not None:
            name, start = op.fixed[:2]
            _, end = earliest(closed[name], start, op.setup + op.alternatives[name], op.interruptible)
            found[name].append(Fixture(start, end, op))
    return {name: sorted(work, key=lambda each: each[:2]) for name, work in found.items()}


def standing(plan: LotPlan, ends: Mapping[str, int]) -> Standing:
    """What fixed work leaves of lots; all of it is still ahead of its machine."""
    free = tuple((machine.available_from, machine.family, 0) for machine in plan.shop.machines)
    count = len(plan.lots)
    at = Standing((0,) * count, tuple(lot.release for lot in plan.lots), (0,) * count, free)
    for i in range(count):
        at = passed(plan, ends, at, i, begun=False) or at
    return at


def passed(plan: LotPlan, ends: Mapping[str, int], at: Standing, lot: int, begun: bool = True) -> Standing | None:
    """The same behind the fixed operations that come next in a lot; None where one would have to wait.

    What is fixed waits for no release: it only does for work of its lot that has `begun`.
    """
    route = plan.lots[lot].operations
    while at.done[lot] < len(route) and (fixed := (op := route[at.done[lot]]).fixed) is not None:
        if begun and at.ready[lot] > fixed.start:
            return None
        at = at._replace(
            done=_put(at.done, lot, at.done[lot] + 1),
            ready=_put(at.ready, lot, max(at.ready[lot], ends[op.id] + op.lag)),
            last=_put(at.last, lot, ends[op.id]),
        )
    return at


class Runner:
    """Knows when and where the next operations of lots may run."""

    def __init__(self, plan: LotPlan, days: int = 60):
        self.plan, self.closed = plan, closed_by_machine(plan.shop, -10 * DAY, days * DAY)
        self.names = [machine.id for machine in plan.shop.machines]
        self.machines = {machine.id: machine for machine in plan.shop.machines}
        self.fixtures = fixtures(plan, self.closed)
        self.ends = {each.operation.id: each.end for work in self.fixtures.values() for each in work}
        self.begin = standing(plan, self.ends)

    def runs(self, at: Standing, lot: int, machine: int) -> Iterator[Run]:
        """The earliest run in each gap between fixed work into which the lot's next operation fits."""
        op, name = self.plan.lots[lot].operations[at.done[lot]], self.names[machine]
        work, closed = self.fixtures[name], self.closed[name]
        free, family, first = at.free[machine]
        for number in range(first, len(work) + 1):
            if number > first:
                free, family = max(free, work[number - 1].end), work[number - 1].operation.family or family
            extra = set_up(self.plan.shop, self.machines[name], family, op)
            ticks = extra + op.setup + op.alternatives[name]
            start, end = earliest(closed, max(at.ready[lot], free), ticks, op.interruptible)
            if number == len(work) or end <= work[number].start:
                yield Run(start, end, extra, family, number)

    def then(self, at: Standing, lot: int, machine: int, run: Run) -> Standing | None:
        """What a run leads to; None where fixed work would have to wait for it."""
        return passed(self.plan, self.ends, at.after(self.plan, lot, machine, run), lot)

    def able(self, at: Standing) -> Iterator[tuple[int, int]]:
        """Lots and the machines that their next operations may run on."""
        for i, lot in enumerate(self.plan.lots):
            for m, name in enumerate(self.names if at.done[i] < len(lot.operations) else ()):
                if name in lot.operations[at.done[i]].alternatives:
                    yield i, m


def optimum(plan: LotPlan, days: int = 60) -> int:
    """The least cost of all semi-active schedules."""
    runner = Runner(plan, days)

    @cache
    def best(at: Standing) -> int:
        if all(done == len(lot.operations) for done, lot in zip(at.done, plan.lots, strict=True)):
            return cost(plan, at.last)
        ways = (runner.then(at, i, m, run) for i, m in runner.able(at) for run in runner.runs(at, i, m))
        return min((best(then) for then in ways if then is not None), default=NEVER)

    return best(runner.begin)


def cost(plan: LotPlan, last: tuple[int, ...]) -> int:
    """What a schedule costs whose lots are done at these ticks."""
    ends: dict[str, int] = {}
    for lot, end in zip(plan.lots, last, strict=True):
        ends[lot.job] = max(end, ends.get(lot.job, end))
    late = sum(max(0, ends[job.id] - job.due) * job.weight for job in plan.shop.jobs if job.due is not None)
    weights = plan.shop.objective
    return round(weights.makespan * max(0, *ends.values()) + weights.tardiness * late)


def earliest(closed: Closed, ready: int, ticks: int, interruptible: bool) -> tuple[int, int]:
    """The first run of so many open ticks from `ready` on."""
    start, left, now = None, ticks, ready
    for a, b in closed:
        if b <= now:
            continue
        if a > now:
            if start is None:
                start = now
            if left <= a - now:
                return start, now + left
            left -= a - now
            if not interruptible:
                start, left = None, ticks
        now = max(now, b)
    return (now if start is None else start), now + left


def set_up(shop: Shop, machine: Machine, family: str | None, op: Operation) -> int:
    """Ticks to set the machine up, by reading the shop's entries from the weakest to the strongest."""
    ticks = 0
    if op.family is None or op.family == family:
        return 0
    for strength in range(4):
        for entry in shop.changeovers:
            own, named = entry.machine == machine.id, entry.from_family is not None
            here = own or (entry.work_centre is not None and entry.work_centre == machine.work_centre)
            fits = entry.to_family == op.family and entry.from_family in (None, family)
            if here and fits and 2 * own + named == strength:
                ticks = entry.ticks
    return ticks
