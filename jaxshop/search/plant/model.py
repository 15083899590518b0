"""A plan with the plant's own rules as the search sees it: arrays, and back to a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jaxshop.schedule import Row, Schedule
from jaxshop.schedule.dispatch import NEVER
from jaxshop.shop import Job, LotPlan, Operation
from jaxshop.shop.calendars import FOREVER
from jaxshop.shop.objective import PARTS
from jaxshop.shop.pieces import in_pieces
from jaxshop.shop.progress import Opening, opening, timing_of
from jaxshop.shop.timing import Timing

REACH = 8
"""Closed time is known for so many times the longest that a plan is known to take; whatever ends later is given up."""

ROOM_BITS = 61
"""Weighted ticks fit so many bits; weights that would not are counted more coarsely."""


LOT, BEGIN, BEHIND, FAMILY, WHOLE, LAG, TAIL, LEAST, PREVIOUS, NEXT = range(10)
"""Columns of an operation: its lot; where its alternatives begin and end; its family, as in `Changeovers`; whether it
must not be interrupted; its lag, 0 of a lot's last; the least ticks from its end until its lot is done, lags included;
its least ticks; the operations before and after it on its route, -1 where there are none."""

WHERE, TAKES = range(2)
"""Columns of an alternative: the machine, and the ticks there, the operation's own set-up included."""

FIRST, COUNT, JOB, READY, UNTIL = range(5)
"""Columns of a lot: its first operation, how many there are, its job, from when the first may run, and by when the last
must have ended (FOREVER where no fixed work follows)."""

DUE, PARTS_LATE, DONE = range(3)
"""Columns of a job: when it is due (NEVER where it is not), what a tick costs by which it is late, and when fixed work
of it ends (-FOREVER where there is none)."""

FREE, SET_UP, KIND, PATTERN, BLOCKS = range(5)
"""Columns of a machine: from when it may work, for which family it is set up, which set-ups by sequence it has, which
closed time, and how many blocks of fixed work are ahead of it."""

BLOCK_START, BLOCK_END, BLOCK_FAMILY = range(3)
"""Columns of a block of fixed work; see `Ahead`."""


class Arrays(NamedTuple):
    """What of a plan does not change while it is searched; int64, with columns as above.

    Operations are those that are not fixed, lot by lot.
    """

    operations: np.ndarray  # [operations, columns]
    alternatives: np.ndarray  # [alternatives, columns]
    lots: np.ndarray  # [lots, columns]
    weights: np.ndarray  # float64 [lots]: of jobs
    jobs: np.ndarray  # [jobs, columns]
    machines: np.ndarray  # [machines, columns]
    blocks: np.ndarray  # [machines, blocks + 1, columns]
    before: np.ndarray  # [machines, blocks + 1, families + 1]: by when work before a block must have ended
    changeover: np.ndarray  # [kinds, families + 1, families + 1]: ticks
    windows: np.ndarray  # [patterns, 4 + levels, w + 1]: see `Windows.table`, filled up with what is never reached
    makespan: int  # what a tick of the makespan costs
    until: int  # nothing may end later


@dataclass(frozen=True)
class Model:
    """A plan and its arrays; a cost in the arrays is `PARTS` >> `shift` for a tick.

    Attributes:
        names: job, lot and operation of each operation in the arrays.
    """

    plan: LotPlan
    arrays: Arrays
    fixed: Opening
    shift: int
    names: tuple[tuple[str, int, str], ...]

    def ticks(self, cost: int) -> int:
        """A cost in the arrays in ticks, exact where nothing was counted coarsely."""
        return ((int(cost) << self.shift) + PARTS // 2) // PARTS

    def scaled(self, ticks: int) -> int:
        """The largest cost in the arrays that is so many ticks."""
        return ((ticks * PARTS + PARTS - PARTS // 2 - 1) >> self.shift) if ticks >= 0 else -1


def model_of(plan: LotPlan, known: int) -> Model:
    """Put a plan, its lots in pieces, into arrays, whose makespan is known to be at most so much."""
    plan, timing = in_pieces(plan), timing_of(plan)
    until = REACH * max(known, 1)
    timing.reach(until)
    begin = opening(plan, timing)
    number = {machine.id: m for m, machine in enumerate(plan.shop.machines)}
    jobs = {job.id: j for j, job in enumerate(plan.shop.jobs)}
    routes = [lot.operations[done:] for lot, done in zip(plan.lots, begin.done.tolist(), strict=True)]
    done = np.full(len(jobs), -FOREVER)
    for placed in begin.fixed:
        j = jobs[plan.lots[placed.lot].job]
        done[j] = max(done[j], placed.span.end)
    objective = plan.shop.objective
    weights = [round(objective.makespan * PARTS), *(objective.parts(job) for job in plan.shop.jobs)]
    most_late = until - min((0, *(job.due or 0 for job in plan.shop.jobs)))
    shift = max(0, (sum(weights) * most_late).bit_length() - ROOM_BITS)
    rows: list[tuple[int, ...]] = []
    alternatives: list[tuple[int, int]] = []
    lots: list[tuple[int, ...]] = []
    for lot, route in enumerate(routes):
        last = plan.lots[lot].until
        latest = FOREVER if last is None else last
        lots.append((len(rows), len(route), jobs[plan.lots[lot].job], begin.ready[lot], latest))
        tails = _tails(route)
        for k, op in enumerate(route):
            first, lag = len(alternatives), op.lag if k + 1 < len(route) else 0
            alternatives += [(number[m], op.setup + ticks) for m, ticks in op.alternatives.items()]
            family, least = timing.changeovers.number(op.family), op.setup + min(op.alternatives.values())
            i = len(rows)
            before, after = i - 1 if k else -1, i + 1 if k + 1 < len(route) else -1
            whole = not op.interruptible
            rows.append((lot, first, len(alternatives), family, whole, lag, tails[k], least, before, after))
    arrays = Arrays(
        np.array(rows, np.int64).reshape(-1, 10),
        np.array(alternatives, np.int64).reshape(-1, 2),
        np.array(lots, np.int64),
        np.array([lot.weight for lot in plan.lots], np.float64),
        np.stack([[_due(job) for job in plan.shop.jobs], [w >> shift for w in weights[1:]], done], axis=1),
        np.stack([begin.free, begin.family, timing.changeovers.kind, timing.pattern, begin.ahead.blocks], axis=1),
        np.stack([begin.ahead.start, begin.ahead.end, begin.ahead.family], axis=2),
        begin.ahead.until,
        timing.changeovers.ticks,
        _closed_time(timing),
        weights[0] >> shift,
        until,
    )
    steps = ((lot, op) for lot, route in zip(plan.lots, routes, strict=True) for op in route)
    names = tuple((lot.job, lot.index, op.id) for lot, op in steps)
    return Model(plan, arrays, begin, shift, names)


def sequences(model: Model, schedule: Schedule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a valid schedule comes down to, int64 [operations] each.

    Returns:
        Operations in the order of their starts; of each its alternative; behind how many blocks of fixed work it is.
    """
    number = {name: i for i, name in enumerate(model.names)}
    machines = {machine.id: m for m, machine in enumerate(model.plan.shop.machines)}
    begins, where = model.arrays.operations[:, BEGIN], model.arrays.alternatives[:, WHERE]
    behind = model.arrays.operations[:, BEHIND]
    rows = sorted((row.start, row.end, number[row[:3]], row.machine) for row in schedule.rows if row[:3] in number)
    order = np.array([i for *_, i, _ in rows], np.int64)
    choice, past = np.full(len(order), -1, np.int64), np.zeros(len(order), np.int64)
    for start, _, i, machine in rows:
        m = machines[machine]
        choice[i] = begins[i] + int(np.flatnonzero(where[begins[i] : behind[i]] == m)[0])
        past[i] = np.count_nonzero(model.arrays.blocks[m, :, BLOCK_START] < start)
    return order, choice, past


def to_schedule(
    model: Model, start: np.ndarray, end: np.ndarray, alternative: np.ndarray, fingerprint: str
) -> Schedule:
    """The fixed work, and the operations as they are placed, int64 [operations] each."""
    names = [machine.id for machine in model.plan.shop.machines]
    rows = []
    for placed in model.fixed.fixed:
        lot = model.plan.lots[placed.lot]
        rows.append(Row(lot.job, lot.index, lot.operations[placed.place].id, names[placed.machine], *placed.span))
    on = model.arrays.alternatives[alternative, WHERE].tolist()
    for name, m, begin, until in zip(model.names, on, start.tolist(), end.tolist(), strict=True):
        rows.append(Row(*name, names[m], begin, until))
    return Schedule(fingerprint, model.plan.max_lot_hours, tuple(rows))


def _due(job: Job) -> int:
    return NEVER if job.due is None else job.due


def _tails(route: tuple[Operation, ...]) -> list[int]:
    """Of each operation the least ticks from its end until its lot is done."""
    tails, tail = [], 0
    for k in range(len(route) - 1, -1, -1):
        tail += route[k].lag if k + 1 < len(route) else 0
        tails.append(tail)
        tail += route[k].setup + min(route[k].alternatives.values())
    return tails[::-1]


def _closed_time(timing: Timing) -> np.ndarray:
    """The windows of all patterns in one array, int64 [patterns, 4 + levels, w + 1]."""
    tables = [timing.windows(int(np.flatnonzero(timing.pattern == p)[0])).table for p in np.unique(timing.pattern)]
    shape = np.max([table.shape for table in tables], axis=0)
    found = np.full((len(tables), *shape), 2 * FOREVER, np.int64)
    for filled, table in zip(found, tables, strict=True):
        filled[: table.shape[0], : table.shape[1]] = table
    return found
