"""A plan as the search sees it: a graph of operations in arrays, and back to a schedule.

Every node is a row of one table, so that a visit touches one line of memory: an operation each, then a node a lot,
which stands before the lot's first and after its last operation, then a node a machine, which closes the machine's
sequence to a ring, then the node `nowhere`, which stands before and after an operation that is on no machine.
A lot's node has its release as its head, a machine's node the tick from which it may work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jaxshop.schedule import Row, Schedule
from jaxshop.search.improve.prices import prices_of
from jaxshop.shop import LotPlan, refuse_rules

HEAD, TAIL, TIME, BEFORE, AFTER, PREVIOUS, NEXT, MACHINE = range(8)
"""Columns: earliest start; longest way from the end of the operation to the end of the schedule; ticks on its machine;
the node before and after it on its machine, and on its route; its machine. Of a machine's node, MACHINE counts the
operations on it."""
COLUMNS = 8


class Arrays(NamedTuple):
    """What of a plan does not change while it is searched; the kernels' first argument."""

    operations: int
    lots: int
    machines: int
    begins: np.ndarray  # int32 [operations + 1]: where the alternatives of an operation begin
    where: np.ndarray  # int32 [alternatives]: the node of the machine
    takes: np.ndarray  # [alternatives]: ticks there, set-up included
    wastes: np.ndarray  # int64 [alternatives], as `prices` says
    least: np.ndarray  # [operations]: ticks at the fastest
    last: np.ndarray  # int32 [lots]: the last operation of each
    blank: np.ndarray  # [nodes, COLUMNS]: the table with no operation on any machine


@dataclass(frozen=True)
class Model:
    """A plan, its arrays, and how ticks stand in them.

    An operation that takes no time would make heads and tails unable to tell what comes before what. Where there is
    one, times are shifted left and such an operation takes 1, too little to reach a tick even in sum. Arrays are int64
    where the longest way that there can be does not fit into int32.
    """

    plan: LotPlan
    arrays: Arrays
    shift: int

    @property
    def wide(self) -> bool:
        """Whether times are int64, which kernels of their own are compiled for."""
        return self.arrays.takes.dtype == np.int64

    def ticks(self, cost: int) -> int:
        """Ticks of a time in the arrays."""
        return int(cost) >> self.shift

    def scaled(self, ticks: int) -> int:
        """The largest time in the arrays that is so many ticks."""
        return ((ticks + 1) << self.shift) - 1


def model_of(plan: LotPlan) -> Model:
    """Put a plan into arrays."""
    refuse_rules(plan, "the search `improve`")
    machines = {machine.id: i for i, machine in enumerate(plan.shop.machines)}
    route = [operation for lot in plan.lots for operation in lot.operations]
    n, lots = len(route), len(plan.lots)
    first_machine = n + lots
    counts = [len(operation.alternatives) for operation in route]
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    where = np.array([first_machine + machines[m] for op in route for m in op.alternatives], np.int32)
    takes = np.array([op.setup + t for op in route for t in op.alternatives.values()], np.int64)
    shift = int(np.count_nonzero(np.minimum.reduceat(takes, begins[:-1]) == 0)).bit_length()
    begun = max(*(machine.available_from for machine in plan.shop.machines), *(lot.release for lot in plan.lots))
    longest_way = begun + int(np.maximum.reduceat(takes, begins[:-1]).sum())
    kind = np.int32 if (longest_way + 1) << shift <= np.iinfo(np.int32).max else np.int64
    takes = np.maximum(takes << shift, 1).astype(kind)

    blank = np.zeros((n + lots + len(machines) + 1, COLUMNS), kind)
    nowhere = len(blank) - 1
    nodes = np.arange(len(blank))
    blank[:, BEFORE] = blank[:, AFTER] = nowhere
    blank[first_machine:nowhere, BEFORE] = blank[first_machine:nowhere, AFTER] = nodes[first_machine:nowhere]
    blank[first_machine:nowhere, HEAD] = [machine.available_from << shift for machine in plan.shop.machines]
    blank[nowhere, HEAD] = -(2**30)
    sizes = np.array([len(lot.operations) for lot in plan.lots])
    last = np.cumsum(sizes) - 1
    blank[:n, PREVIOUS], blank[:n, NEXT] = nodes[:n] - 1, nodes[:n] + 1
    blank[last - sizes + 1, PREVIOUS] = blank[last, NEXT] = nodes[n:first_machine]
    blank[n:first_machine, HEAD] = [lot.release << shift for lot in plan.lots]
    least = np.minimum.reduceat(takes, begins[:-1])
    blank[:n, TIME] = least
    blank[:n, MACHINE] = nowhere
    wastes = prices_of(begins, where - first_machine, takes, blank[first_machine:nowhere, HEAD])
    arrays = Arrays(n, lots, len(machines), begins, where, takes, wastes, least, last.astype(np.int32), blank)
    return Model(plan, arrays, shift)


def uneven(model: Model) -> bool:
    """Whether an operation takes more time on one of its machines than on another."""
    arrays = model.arrays
    return bool((arrays.takes != np.repeat(arrays.least, np.diff(arrays.begins))).any())


def sequences(model: Model, schedule: Schedule) -> tuple[np.ndarray, np.ndarray]:
    """Operations in the order in which a schedule starts them, and the alternative each runs on, int32 [operations].

    The schedule must be one that the verifier accepts.
    """
    number: dict[tuple[str, int, str], int] = {}
    for lot in model.plan.lots:
        for operation in lot.operations:
            number[lot.job, lot.index, operation.id] = len(number)
    first_machine = model.arrays.operations + model.arrays.lots
    machines = {machine.id: first_machine + i for i, machine in enumerate(model.plan.shop.machines)}
    rows = sorted((row.start, row.end, number[row[:3]], machines[row.machine]) for row in schedule.rows)
    order = np.array([op for *_, op, _ in rows], np.int32)
    begins, where = model.arrays.begins, model.arrays.where
    choice = np.empty(len(order), np.int32)
    for *_, op, machine in rows:
        eligible = where[begins[op] : begins[op + 1]]
        choice[op] = begins[op] + int(np.flatnonzero(eligible == machine)[0])
    return order, choice


def to_schedule(model: Model, table: np.ndarray, fingerprint: str) -> Schedule:
    """Read the schedule off a table."""
    n, first_machine = model.arrays.operations, model.arrays.operations + model.arrays.lots
    starts = (table[:n, HEAD] >> model.shift).tolist()
    ends = ((table[:n, HEAD] + table[:n, TIME]) >> model.shift).tolist()
    on = (table[:n, MACHINE] - first_machine).tolist()
    names = [machine.id for machine in model.plan.shop.machines]
    steps = [(lot.job, lot.index, operation.id) for lot in model.plan.lots for operation in lot.operations]
    rows = tuple(Row(*step, names[on[i]], starts[i], ends[i]) for i, step in enumerate(steps))
    return Schedule(fingerprint, model.plan.max_lot_hours, rows)
