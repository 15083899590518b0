"""The operations of a plan by the set of machines that may run them, and the argument that all bounds rest on.

Give machine m the weight w[m] >= 0. A schedule of makespan T leaves machine m at most max(0, T - blocked[m]) ticks to
work in, where `blocked` are ticks at its start or end in which it cannot. If every schedule puts at least `work`
weighted ticks on the machines, then sum(w * max(0, T - blocked)) >= work, and the smallest such T is a bound.
"""

from __future__ import annotations

from itertools import chain as joined
from typing import NamedTuple

import numpy as np

from jaxshop.shop import LotPlan
from jaxshop.shop.timing import placed


class Group(NamedTuple):
    """The n operations that share one set of k eligible machines."""

    machines: np.ndarray  # int64 [k], indices
    times: np.ndarray  # int64 [n, k], set-up included
    heads: np.ndarray  # int64 [n], earliest start
    tails: np.ndarray  # int64 [n], least time from the end of the operation to the end of its lot
    fastest: np.ndarray  # int64 [n], ticks on the fastest machine: kept, as a shop may have as many sets as operations


class Choices(NamedTuple):
    """The same of all groups in one piece, whatever sets they share: operations in the order of the groups."""

    begins: np.ndarray  # int64 [operations + 1]: where the alternatives of an operation begin
    where: np.ndarray  # int64 [alternatives]: the machine
    takes: np.ndarray  # int64 [alternatives]


def choices_of(groups: list[Group]) -> Choices:
    """The alternatives of all operations, one after another; of one group at least."""
    sizes = [group.times.shape[1] for group in groups]
    begins = np.append(0, np.repeat(sizes, [len(group.heads) for group in groups]).cumsum())
    where = [g.machines if len(g.heads) == 1 else np.tile(g.machines, len(g.heads)) for g in groups]
    return Choices(begins, np.concatenate(where), np.concatenate([group.times.ravel() for group in groups]))


def total_work(groups: list[Group]) -> int:
    """Ticks of all operations, each on its fastest machine."""
    return int(np.concatenate([group.fastest for group in groups]).sum()) if groups else 0


def smallest_makespan(work: int, weights: np.ndarray, blocked: np.ndarray) -> int:
    """The smallest integer T >= 0 with sum(weights * max(0, T - blocked)) >= work, in exact integers."""
    total = constant = makespan = 0
    order = np.argsort(blocked, kind="stable")
    for weight, start in zip(weights[order].tolist(), blocked[order].tolist(), strict=True):
        if total and makespan <= start:
            break
        total += weight
        constant += weight * start
        if total:
            makespan = -(-(work + constant) // total)
    return max(0, makespan) if work > 0 else 0


def eligible(groups: list[Group], machines: int) -> np.ndarray:
    """The sets as rows, bool [groups, machines]."""
    rows = np.zeros((len(groups), machines), dtype=bool)
    for row, group in zip(rows, groups, strict=True):
        row[group.machines] = True
    return rows


def group_operations(plan: LotPlan) -> tuple[list[Group], int, str]:
    """Collect the operations by their set of machines; also the longest chain of the plan and its job."""
    index = {machine.id: i for i, machine in enumerate(plan.shop.machines)}
    available = {machine.id: machine.available_from for machine in plan.shop.machines}
    groups: dict[frozenset[str], tuple[list, int, int, list, list, list, list]] = {}
    chain, job = -1, ""
    for lot in plan.lots:
        end, seen = lot.release, []
        for operation in lot.operations:
            key = frozenset(operation.alternatives)
            if key not in groups:
                begins = [available[m] for m in key]
                groups[key] = (sorted(key, key=index.__getitem__), min(begins), max(begins), [], [], [], [])
            ids, first, all_there, times, heads, tails, least = groups[key]
            row = [operation.setup + operation.alternatives[m] for m in ids]
            fastest = min(row)
            times += row
            least.append(fastest)
            heads.append(placed(end, first, fastest).start)
            seen.append((tails, len(tails), fastest))
            tails.append(0)
            if end >= all_there:
                end = placed(end, all_there, fastest).end
            else:
                end = min(placed(end, available[m], time).end for m, time in zip(ids, row, strict=True))
        tail = 0
        for tails, position, fastest in reversed(seen):
            tails[position] = tail
            tail += fastest
        if end > chain:
            chain, job = end, lot.job
    return _in_arrays([(list(map(index.__getitem__, ids)), *rest) for ids, _, _, *rest in groups.values()]), chain, job


def _in_arrays(groups: list[tuple[list[int], ...]]) -> list[Group]:
    """Groups of lists: views of one array for each field, as an array for each of many groups takes its time."""
    fields = zip(*groups, strict=True) if groups else [()] * 5
    machines, times, heads, tails, fastest = (
        np.fromiter(joined.from_iterable(lists), np.int64, sum(map(len, lists))) for lists in fields
    )
    found, k, n, t = [], 0, 0, 0
    for ids, rows, own, *_ in groups:
        some, more, cells = slice(k, k + len(ids)), slice(n, n + len(own)), slice(t, t + len(rows))
        shape = len(own), len(ids)
        found.append(Group(machines[some], times[cells].reshape(shape), heads[more], tails[more], fastest[more]))
        k, n, t = some.stop, more.stop, cells.stop
    return found
