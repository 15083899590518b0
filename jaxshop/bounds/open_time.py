"""What the bounds need to know of a plan whose machines close, whose routes have lags, or of which work is fixed.

The argument is that of `groups`, with room in the place of ticks: until T a machine works at most for as long as it is
open and not taken by fixed work. Set-ups by sequence are left out, which makes a bound weaker, not wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from jaxshop.bounds.assignment import balance, weighted_work
from jaxshop.bounds.groups import Group, smallest_makespan, total_work
from jaxshop.bounds.head_tail import blocked_ticks, intervals
from jaxshop.bounds.sets import candidate_sets
from jaxshop.shop import MAX_HORIZON, LotPlan
from jaxshop.shop.pieces import in_pieces
from jaxshop.shop.progress import Opening, opening, timing_of
from jaxshop.shop.timing import Timing


@dataclass(frozen=True)
class OpenPlan:
    """The operations of a plan that are not fixed, by their machines, and the room that those leave.

    Attributes:
        plan: its lots in pieces, so that what is fixed comes first; that some have to be done by then is left out,
            which makes a bound weaker, not wrong.
        groups: heads and tails are true in open time, lags included.
        chain: the latest end of a lot that has the shop for itself.
        job: that lot's job.
        available: int64 [machines].
        ends: int64 [lots], when each is done that has the shop for itself.
        jobs: of each operation in each group, the number of its job.
    """

    plan: LotPlan
    timing: Timing
    fixed: Opening
    groups: list[Group]
    chain: int
    job: str
    available: np.ndarray
    ends: np.ndarray
    jobs: list[np.ndarray]

    @classmethod
    def of(cls, plan: LotPlan) -> OpenPlan:
        """Place every lot as if it were alone."""
        plan, timing = in_pieces(plan), timing_of(plan)
        begin = opening(plan, timing)
        index = {machine.id: i for i, machine in enumerate(plan.shop.machines)}
        available = np.array([machine.available_from for machine in plan.shop.machines], np.int64)
        none = timing.changeovers.none
        found: dict[tuple[int, ...], list[list]] = {}
        job_number = {job.id: j for j, job in enumerate(plan.shop.jobs)}
        ends = np.full(len(plan.lots), -MAX_HORIZON)
        for placed in begin.fixed:
            ends[placed.lot] = max(ends[placed.lot], placed.span.end)
        for i, lot in enumerate(plan.lots):
            ready, tail = int(begin.ready[i]), 0
            route = []
            for op in lot.operations[begin.done[i] :]:
                takes = {index[machine]: op.setup + ticks for machine, ticks in op.alternatives.items()}
                machines = tuple(sorted(takes))
                row = np.array([takes[m] for m in machines])
                able = np.array(machines)
                start, end = timing.placed(able, ready, available[able], row, none, none, op.interruptible)
                route.append((machines, row, int(start.min()), op.lag))
                ends[i] = int(end.min())
                ready = int(end.min()) + op.lag
            for k, (machines, row, head, lag) in enumerate(reversed(route)):
                tail += lag if k else 0
                times, heads, tails, fastest, jobs = found.setdefault(machines, [[], [], [], [], []])
                jobs.append(job_number[lot.job])
                times.append(row)
                heads.append(head)
                tails.append(tail)
                fastest.append(int(row.min()))
                tail += fastest[-1]
        groups = [
            Group(np.array(machines), np.array(times), *(np.array(x, np.int64) for x in (heads, tails, fastest)))
            for machines, (times, heads, tails, fastest, _) in found.items()
        ]
        last = int(ends.argmax())
        chain, jobs_of = max(0, int(ends[last])), [np.array(jobs) for *_, jobs in found.values()]
        return cls(plan, timing, begin, groups, chain, plan.lots[last].job, available, ends, jobs_of)

    def room(self, begin: int, end: np.ndarray | int) -> np.ndarray:
        """Ticks between others that each machine is open, available and not in fixed use, int64 [..., machines].

        Args:
            begin: from when.
            end: until when, int64 [...].
        """
        begins, end = np.maximum(self.available, begin), np.asarray(end)
        room = np.empty((*end.shape, len(begins)), np.int64)
        for machines in self.alike:
            windows = self.timing.windows(int(machines[0]))
            room[..., machines] = windows.open_before(end)[..., None] - windows.open_before(begins[machines])
        room = np.where(begins < end[..., None], room, 0)
        for placed in self.fixed.fixed:
            m, opens = placed.machine, self.timing.windows(placed.machine).open_before
            start, until = max(placed.span.start, int(begins[m])), np.minimum(placed.span.end, end)
            room[..., m] -= np.where(start < until, opens(until) - opens(start), 0)
        return np.maximum(room, 0)

    @cached_property
    def sets(self) -> tuple[np.ndarray, np.ndarray]:
        """Sets of machines that some operations cannot leave: see `candidate_sets`."""
        return candidate_sets(self.plan, self.groups)

    @cached_property
    def alike(self) -> list[np.ndarray]:
        """The machines with the same closed time."""
        return [np.flatnonzero(self.timing.pattern == pattern) for pattern in np.unique(self.timing.pattern)]

    def enough(self, work: int, room: Callable[[int], int], known: int) -> tuple[int, int]:
        """Makespans from `known` on of which the later one leaves room for the work, the earlier one not, if it can."""
        if room(known) >= work:
            return known, known
        step, low = 3600, known
        while True:
            self.timing.reach(low + step)
            if room(low + step) >= work:
                return low, low + step
            low, step = low + step, step * 2

    def least(self, work: int, room: Callable[[int], int], known: int) -> int:
        """The least makespan from `known` on that leaves room for the work; `known` where that does."""
        low, high = self.enough(work, room, known)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if room(middle) >= work else (middle, high)
        return high


def bounds_in_open_time(of: OpenPlan) -> tuple[dict[str, int], str, np.ndarray, np.ndarray]:
    """The bounds of `certify`, the job of the chain, the machines of `head_tail`, and the weights of `assignment`."""
    everything = len(of.available)
    work = total_work(of.groups)
    load = of.least(work, lambda ticks: int(of.room(0, ticks).sum()), 0) if work else 0
    if not of.groups:
        nothing = np.zeros(0, np.int64)
        bounds = {"load": load, "chain": of.chain, "head_tail": 0, "assignment": 0}
        return bounds, of.job, nothing, np.zeros(everything, np.int64)
    known = max(load, of.chain)
    head_tail, blamed = _head_tail(of, known)
    known = max(known, head_tail)
    weights = balance(of.groups, known - of.room(0, known))
    weighted = weighted_work(of.groups, weights)
    assignment = of.least(weighted, lambda ticks: int((weights * of.room(0, ticks)).sum()), 0) if weights.any() else 0
    bounds = {"load": load, "chain": of.chain, "head_tail": head_tail, "assignment": assignment}
    return bounds, of.job, blamed, weights


def _head_tail(of: OpenPlan, known: int) -> tuple[int, np.ndarray]:
    """The best bound over `known` from a set of machines that some operations cannot leave, and that set; else 0.

    As in `head_tail`, by plain ticks with different machines' heads and tails; by open time with the least of them.
    """
    candidates, inside = of.sets
    best, blamed = known, np.zeros(0, np.int64)
    for s, candidate in enumerate(candidates):
        machines = np.flatnonzero(candidate)
        members = [of.groups[g] for g in np.flatnonzero(inside[s])]
        if not members:
            continue
        heads, tails, work = (
            np.concatenate([group.heads for group in members]),
            np.concatenate([group.tails for group in members]),
            np.concatenate([group.fastest for group in members]),
        )
        busy = work > 0
        if not busy.any():
            continue
        heads, tails, work = heads[busy], tails[busy], work[busy]
        for head, tail in intervals(heads, tails, work, len(machines)):
            chosen = (heads >= head) & (tails >= tail)
            total = int(work[chosen].sum())
            blocked = blocked_ticks(heads[chosen], tails[chosen], of.available[machines])
            plain = smallest_makespan(total, np.ones_like(blocked), blocked)

            def room(ticks: int, head: int = head, tail: int = tail, machines: np.ndarray = machines) -> int:
                return int(of.room(head, ticks - tail)[machines].sum())

            found = max(plain, of.least(total, room, best))
            if found > best:
                best, blamed = found, machines
    return (best, blamed) if len(blamed) else (0, blamed)


def loosened(plan: LotPlan) -> LotPlan:
    """The plan with its fixed work as lots of their own, which may begin when it does or later.

    Such a lot takes its machine for as long as the work does, closed time included, from when the machine is there;
    what follows in the route is released behind the work. Every schedule of the plan, closed time left out, is one of
    this.
    """
    plan = in_pieces(plan)
    begin = opening(plan, timing_of(plan))
    lots = [
        replace(lot, release=int(begin.ready[i]), operations=lot.operations[begin.done[i] :])
        for i, lot in enumerate(plan.lots)
        if begin.done[i] < len(lot.operations)
    ]
    for placed in begin.fixed:
        machine, lot = plan.shop.machines[placed.machine], plan.lots[placed.lot]
        start = max(placed.span.start, machine.available_from, 0)
        if start < placed.span.end:
            ticks = {machine.id: int(placed.span.end) - start}
            piece = replace(lot.operations[placed.place], setup=0, alternatives=ticks, fixed=None, lag=0)
            lots.append(replace(lot, release=start, operations=(piece,)))
    return replace(plan, lots=tuple(lots))
