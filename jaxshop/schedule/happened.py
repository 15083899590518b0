"""What has happened of a plan and what is left of it: the shop as it is now, rows that stand, and a plan of the rest.

A plan is taken to have been kept as far as it could be: a row that was to begin before now has begun there and then,
unless its machine was down or at work, or what goes before it was not done. What began stands, also where it ends later
than planned; so does what starts within the frozen time or shall be kept, if it can. All else is open; nothing open
runs before now.

What is told goes into the shop: a machine that is down is `unavailable`, and so is one whose operation loses time, for
as long as it loses. So the verifier accepts the new schedule of the whole shop, and it may be told of anew.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from jaxshop.schedule.events import Events, Told
from jaxshop.schedule.records import Row, Schedule
from jaxshop.schedule.refusals import hours, refusals
from jaxshop.schedule.remaining import Key, remaining
from jaxshop.schedule.verify import verify
from jaxshop.shop import (
    MAKESPAN,
    Downtime,
    LotPlan,
    Operation,
    Shop,
    split_lots,
)
from jaxshop.shop.pieces import NoTimeError, reserved
from jaxshop.shop.timing import Timing
from jaxshop.shop.validation import check
from jaxshop.support.errors import Faults, ShopError


@dataclass(frozen=True)
class Past:
    """A plan under way.

    Attributes:
        events: what was told.
        plan: the shop as it is now, whole, and its lots; new schedules are of it.
        kept: rows that stand: what has happened and what is frozen, by start.
        rest: what is to be planned: lots without what is kept, from when they are ready; machines from when they are
            free, set up for what they are set up for then. Kept work with time before it that something could use is
            fixed there, with the set-up that it has. It may have no lots.
        planned: the rows as planned before, of all that is in `plan`.
        stopped: kept rows that end later than planned, as their machine is down.
        restarted: rows that had begun on a machine that goes down, could not be stopped, and are open again.
        ended: such rows of jobs that are dropped, which nobody begins again.
        loosened: rows that should be frozen and cannot stay, or began by the plan and cannot have.
    """

    events: Events
    plan: LotPlan
    kept: tuple[Row, ...]
    rest: LotPlan
    planned: dict[Key, Row]
    stopped: tuple[Row, ...]
    restarted: tuple[Row, ...]
    ended: tuple[Row, ...]
    loosened: tuple[Row, ...]

    def whole(self, rest: Schedule | None) -> Schedule:
        """The schedule of the whole shop, from one of the rest."""
        kept = {row[:3] for row in self.kept}
        rows = (*self.kept, *(row for row in (() if rest is None else rest.rows) if row[:3] not in kept))
        return Schedule(self.fingerprint, self.plan.max_lot_hours, tuple(sorted(rows, key=by_start)))

    @property
    def fingerprint(self) -> str:
        """Of the shop as it is now."""
        return self.plan.shop.fingerprint


def by_start(row: Row) -> tuple[int, int]:
    """The order in which rows of a machine follow each other, those without duration first."""
    return row.start, row.end


def happened(shop: Shop, schedule: Schedule, events: Events, where: str = "schedule") -> Past:
    """Find out what has happened.

    Args:
        shop: the shop that the schedule is of.
        schedule: the plan before.
        events: what is told.
        where: what to call the schedule.

    Raises:
        ShopError: the schedule is none of the shop, or what is told cannot be; holds every such fault found.
    """
    plan = split_lots(shop, schedule.max_lot_hours)
    if violations := verify(plan, schedule):
        raise ShopError([f"{where}: {violation}" for violation in violations])
    if faults := list(refusals(shop, schedule, events)):
        raise ShopError(faults)
    course, present, rest = _followed(plan, schedule, events)
    _check_present(present.shop, len(events.add))
    names = {(lot.job, lot.index, op.id) for lot in present.lots for op in lot.operations}
    return Past(
        events,
        present,
        tuple(course.kept.values()),
        rest,
        {row[:3]: row for row in schedule.rows if row[:3] in names},
        tuple(course.stopped),
        tuple(row for row in course.restarted if row[:3] in names),
        tuple(row for row in course.restarted if row[:3] not in names),
        tuple(row for row in course.loosened if row[:3] in names),
    )


def _followed(plan: LotPlan, schedule: Schedule, events: Events) -> tuple[Course, LotPlan, LotPlan]:
    """The plan's course, the shop after it and what is left to plan; fixed work stays where what it waits for can."""
    lost: frozenset[Key] = frozenset()
    while True:
        course = Course(plan, schedule, events, lost)
        course.follow()
        present = split_lots(course.shop_now(), plan.max_lot_hours)
        rest = course.rest(present)
        try:
            reserved(rest)
        except NoTimeError as late:
            lost |= {(*late.lot, late.operation)}
        else:
            return course, present, rest


def _kept(plan: LotPlan, events: Events) -> Iterator[Key]:
    """What shall be kept, and what goes before it in its route, without which it could not stay."""
    for lot in plan.lots:
        named = [k for k, op in enumerate(lot.operations) if {(op.id, None), (op.id, lot.index)} & set(events.keep)]
        yield from ((lot.job, lot.index, op.id) for op in lot.operations[: max(named, default=-1) + 1])


def _check_present(shop: Shop, coming: int) -> None:
    """Check the shop as it is now, of which the last jobs have come: their faults stand where the request has them."""
    first, whose = len(shop.jobs) - coming, f"{shop.name} as it is now"

    def located(path: str) -> str:
        match = re.match(r"jobs\[(\d+)\]", path)
        if match is None or int(match[1]) < first:
            return f"{whose}: {path}".removesuffix(": ")
        return f"add[{int(match[1]) - first}]{path[match.end() :]}"

    faults = Faults("", located)
    check(shop, faults)
    faults.raise_if_any()


class Course:
    """Goes through the rows of a plan in order, and keeps what can have been and what can stay.

    `lost` is fixed work that cannot stay, as there is no time for what goes before it.
    """

    def __init__(self, plan: LotPlan, schedule: Schedule, events: Events, lost: frozenset[Key] = frozenset()):
        self.plan, self.events, self.lost = plan, events, lost
        self.machines = {machine.id: machine for machine in plan.shop.machines}
        for down in events.down:
            self._close(down.machine, Downtime(down.start, down.end, down.reason))
        closed = replace(plan.shop, machines=tuple(self.machines.values()))
        self.timing = Timing(closed, min((row.start for row in schedule.rows), default=0))
        self.number = {name: m for m, name in enumerate(self.machines)}
        self.operations = {(lot.job, lot.index, op.id): op for lot in plan.lots for op in lot.operations}
        self.before = {
            (lot.job, lot.index, after.id): (lot.job, lot.index, op.id)
            for lot in plan.lots
            for op, after in pairwise(lot.operations)
        }
        self.rows = sorted(schedule.rows, key=by_start)
        self.told: dict[Key, int] = {}
        self.worked: dict[Key, int] = {}
        self.paths: dict[Key, str] = {}  # where in the request they are told of
        self._resolve("late", events.late, self.told)
        self._resolve("worked", events.worked, self.worked)
        self.keep = set(_kept(plan, events))
        self.free: dict[str, int] = {}
        self.family = {name: machine.family for name, machine in self.machines.items()}
        self.kept: dict[Key, Row] = {}
        self.held: dict[Key, int] = {}  # set-ups by sequence of kept rows
        self.stopped: list[Row] = []
        self.restarted: list[Row] = []
        self.loosened: list[Row] = []
        self.loose: set[str] = set()  # operations that lost time though they must not stop; they are planned no more

    def follow(self) -> None:
        """Keep rows, in order, since what is kept decides on what comes after it."""
        now, until = self.events.now, self.events.now + self.events.freeze
        for row in self.rows:
            op, begun = self.operations[row[:3]], row.start < now
            stands = row.start < until or op.fixed or row[:3] in self.keep
            if not begun and (row.job in self.events.drop or not stands):
                continue
            if (end := self._end(row, op)) is None:
                (self.restarted if begun and self._aborted(row, op) else self.loosened).append(row)
                continue
            if end != row.end and self._goes_down(row.machine, row.start, end):
                self.stopped.append(row._replace(end=end))
            if row[:3] in self.told or row[:3] in self.worked:
                end = self._told_end(row, op, end)
            self.kept[row[:3]], self.held[row[:3]] = row._replace(end=end), self._changeover(row, op)
            self.free[row.machine] = end
            if op.family is not None:
                self.family[row.machine] = op.family
        for key, path in self.paths.items():
            if key not in self.kept:
                why = "its machine was down or at work, or what goes before it was not done"
                raise ShopError(f"{path}: operation {key[2]!r} cannot have begun before now: {why}; leave it out")

    def shop_now(self) -> Shop:
        """The shop with what was told."""
        shop, lots = self.plan.shop, Counter(lot.job for lot in self.plan.lots)
        jobs = []
        for job in shop.jobs:
            done = sum(row.job == job.id for row in self.kept.values()) if job.id in self.events.drop else None
            if done and lots[job.id] > 1:
                where = f"drop[{self.events.drop.index(job.id)}]"
                cut = f"job {job.id!r} is cut into lots, of which some have begun"
                raise ShopError(f"{where}: {cut}; only whole jobs may go, so leave it out")
            route = job.operations if done is None else job.operations[:done]
            if route:
                job = replace(job, operations=tuple(self._operation(job.id, op) for op in route))
                jobs.append(job if done is None else replace(job, due=None))
        jobs += [replace(job, release=max(job.release, self.events.now)) for job in self.events.add]
        coming = {op.family for job in jobs for op in job.operations}
        known = coming | {machine.family for machine in shop.machines}
        changeovers = (e for e in shop.changeovers if e.to_family in coming and e.from_family in known | {None})
        machines = tuple(self.machines.values())
        # Where the last order with a date is dropped, nothing is left but to be done soon.
        dated = shop.objective.makespan or any(job.due is not None for job in jobs)
        shop = replace(shop, objective=shop.objective if dated else MAKESPAN)
        return replace(shop, machines=machines, jobs=tuple(jobs), changeovers=tuple(changeovers))

    def rest(self, present: LotPlan) -> LotPlan:
        """What is left to plan of the shop as it is now."""
        return remaining(present, self.events.now, self.kept, self.held)

    def _close(self, name: str, window: Downtime) -> None:
        machine = self.machines[name]
        self.machines[name] = replace(machine, unavailable=(*machine.unavailable, window))

    def _goes_down(self, machine: str, start: int, end: int) -> bool:
        """Whether it does in a span of time."""
        return any(down.machine == machine and down.start < end and start < down.end for down in self.events.down)

    def _changeover(self, row: Row, op: Operation) -> int:
        """The set-up by sequence of a row, by what was kept before it."""
        table, m = self.timing.changeovers, self.number[row.machine]
        before, to = table.number(self.family[row.machine]), table.number(op.family)
        return 0 if op.fixed else int(table.ticks[table.kind[m], before, to])

    def _ticks(self, row: Row, op: Operation) -> int:
        """What a row takes of open time."""
        return op.setup + op.alternatives[row.machine] + self._changeover(row, op)

    def _end(self, row: Row, op: Operation) -> int | None:
        """When a row ends that begins as planned; None where it cannot."""
        if (before := self.before.get(row[:3])) is not None:
            done = self.kept.get(before)
            if done is None and not self._waits(row, op):
                return None
            if done is not None and done.end + self.operations[before].lag > row.start:
                return None
        if self.free.get(row.machine, row.start) > row.start:
            return None
        span = self.timing.end_of(self.number[row.machine], row.start, self._ticks(row, op), op.interruptible)
        return span.end if span.start == row.start else None

    def _waits(self, row: Row, op: Operation) -> bool:
        """Whether a row stays where it is, whatever is to be done before it."""
        return op.fixed is not None and row.start >= self.events.now and row[:3] not in self.lost

    def _aborted(self, row: Row, op: Operation) -> bool:
        """Whether a row that must not stop has begun, and its machine goes down in its midst."""
        return not op.interruptible and self._end(row, replace(op, interruptible=True)) is not None

    def _resolve(self, what: str, told: tuple[Told, ...], found: dict[Key, int]) -> None:
        """Find the rows that are told of, by what is planned."""
        for i, each in enumerate(told):
            path = f"{what}[{i}]"
            rows = [row for row in self.rows if row.operation == each.operation and row.start < self.events.now]
            rows = [row for row in rows if each.lot in (None, row.lot)]
            if len(rows) > 1:
                rows = [row for row in rows if row.end > self.events.now] or rows
            if not rows:
                lot = "" if each.lot is None else f", lot {each.lot + 1},"
                message = f"operation {each.operation!r}{lot} has not begun before now by the plan"
                raise ShopError(f"{path}: {message}; leave it out")
            if len(rows) > 1:
                numbers = ", ".join(str(row.lot + 1) for row in rows)
                message = f"{len(rows)} lots of operation {each.operation!r} have begun ({numbers}): say which lot"
                raise ShopError(f"{path}.lot: {message}")
            if (key := rows[0][:3]) in self.paths:
                message = f"operation {each.operation!r} is told of at {self.paths[key]} already"
                raise ShopError(f"{path}: {message}; leave one of them out")
            found[key], self.paths[key] = each.ticks, path

    def _told_end(self, row: Row, op: Operation, end: int) -> int:
        """When a row ends by what was told; the time that it loses closes its machine, but for its last tick."""
        m, now = self.number[row.machine], self.events.now
        named, later = f"{self.paths[row[:3]]}: operation {op.id!r}", self.told.get(row[:3], 0)
        if row[:3] in self.worked:
            left = self._ticks(row, op) - self.worked[row[:3]]
            if left < 0:
                raise ShopError(f"{named} takes {hours(self._ticks(row, op))}, set-ups included; say no more than that")
            if end <= now:
                raise ShopError(f"{named} was done at {hours(end)} by the plan; say under late when it ends")
            later = self.timing.end_of(m, now, left, True).end if left else now
        if later == end:
            return end
        if later < end:
            early = f"would end at {hours(later)}, before its planned end at {hours(end)}, which stands"
            raise ShopError(f"{named} {early}; leave it out")
        self.timing.reach(later + 1)
        windows = self.timing.windows(m)
        if int(windows.open_before(later) - windows.open_before(later - 1)) != 1:
            closed = f"would end on machine {row.machine!r} at {hours(later)}, when that is closed"
            raise ShopError(f"{named} {closed}; say a time when it is open")
        if end - 1 <= row.start:
            raise ShopError(f"{named} takes no time that it could lose; leave it out")
        if not op.interruptible:
            if sum(lot.job == row.job for lot in self.plan.lots) > 1:
                message = f"must not stop, and its job {row.job!r} is cut into lots, of which the shop says the same"
                raise ShopError(f"{named} {message}; leave it out, or make it interruptible in the shop")
            self.loose.add(op.id)
        self._close(row.machine, Downtime(end - 1, later - 1, f"late: {op.id}"))
        return later

    def _operation(self, job: str, op: Operation) -> Operation:
        """An operation as it is now: what could not stay is not fixed any more."""
        fixed = op.fixed if (job, 0, op.id) in self.kept else None
        return replace(op, fixed=fixed, interruptible=op.interruptible or op.id in self.loose)
