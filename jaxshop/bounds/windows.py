"""A plan as arrays for the compiled loops: operations in order, and the sets of machines that some cannot leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np

from jaxshop.bounds.assignment import balance
from jaxshop.bounds.groups import Group, group_operations, smallest_makespan
from jaxshop.bounds.head_tail import blocked_ticks
from jaxshop.bounds.kernels import DONE, EMPTY, FAR, narrow
from jaxshop.bounds.sets import candidate_sets
from jaxshop.shop import LotPlan
from jaxshop.shop.timing import placed

MAX_POOL = 100
"""Operations of a set: all are looked at in every interval, and more would take longer than a call may."""

_QUOTA = 1_000_000
_CALLS = 200
"""Calls of so many intervals times operations for one trial makespan; then the windows are taken as they are."""


@dataclass(frozen=True)
class Pool:
    """A set of machines and the operations that cannot leave it."""

    machines: np.ndarray  # int64 [m], indices
    operations: np.ndarray  # int64 [n], indices into the arrays of `Model`
    times: np.ndarray  # int64 [n, m], FAR where a machine cannot run the operation
    available: np.ndarray  # int64 [m]

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights of the machines by which an interval is seen to be overfull, int64 [m], at most 1024."""
        able = self.times < FAR
        if (self.times == np.where(able, self.times.min(axis=1, keepdims=True), FAR)).all():
            return np.ones(len(self.machines), dtype=np.int64)
        groups = []
        for pattern in np.unique(able, axis=0):
            rows = self.times[(able == pattern).all(axis=1)][:, pattern]
            nothing = np.zeros(len(rows), dtype=np.int64)
            groups.append(Group(np.flatnonzero(pattern), rows, nothing, nothing, rows.min(axis=1)))
        weights = balance(groups, np.zeros(len(self.machines), dtype=np.int64))
        return np.maximum(weights * 1024 // max(int(weights.max()), 1), 1)


@dataclass(frozen=True)
class Model:
    """The operations of all lots, one after another, and the pools, those with the most work per machine first."""

    heads: np.ndarray  # int64 [operations]
    tails: np.ndarray
    least: np.ndarray  # ticks on the fastest machine
    last: np.ndarray  # bool, whether an operation is the last of its lot
    alternatives: Alternatives
    available: np.ndarray  # int64 [machines]
    pools: tuple[Pool, ...]
    sets: tuple[np.ndarray, ...]  # what `narrow` takes after `last`, but for `dirty`
    unit: int  # ticks; all times of a model, and its makespans, are counted in it


@dataclass(frozen=True)
class Alternatives:
    """Of all operations, one after another."""

    begins: np.ndarray  # int64 [operations + 1]
    where: np.ndarray  # int64, machine of each alternative
    takes: np.ndarray  # int64

    def matrix(self, operations: np.ndarray, machines: np.ndarray) -> np.ndarray:
        """Ticks of operations on the machines of a set that they cannot leave; FAR where one cannot run them."""
        counts = np.diff(self.begins)[operations]
        row = np.repeat(np.arange(len(operations)), counts)
        own = np.concatenate([np.arange(self.begins[o], self.begins[o + 1]) for o in operations])
        found = np.full((len(operations), len(machines)), FAR, dtype=np.int64)
        found[row, np.searchsorted(machines, self.where[own])] = self.takes[own]
        return found


def model_of(plan: LotPlan) -> Model:
    """Collect the arrays, in the largest unit of which all times are whole multiples, and so the shortest makespan of a
    plan without rules of the plant; times that these add are rounded down."""
    index = {machine.id: i for i, machine in enumerate(plan.shop.machines)}
    available = np.array([machine.available_from for machine in plan.shop.machines], dtype=np.int64)
    begins, all_there = available.tolist(), int(available.max(initial=0))
    groups, _, _ = group_operations(plan)
    kinds: dict[frozenset[str], int] = {}
    heads: list[int] = []
    tails: list[int] = []
    least: list[int] = []
    last: list[bool] = []
    kind: list[int] = []
    where: list[int] = []
    takes: list[int] = []
    counts: list[int] = []
    for lot in plan.lots:
        end, first = lot.release, len(heads)
        for operation in lot.operations:
            ids = [index[m] for m in operation.alternatives]
            row = [operation.setup + ticks for ticks in operation.alternatives.values()]
            kind.append(kinds.setdefault(frozenset(operation.alternatives), len(kinds)))
            where += ids
            takes += row
            counts.append(len(ids))
            least.append(min(row))
            if end >= all_there:
                heads.append(end)
                end = placed(end, all_there, least[-1]).end
            else:
                heads.append(placed(end, min(begins[m] for m in ids), 0).start)
                end = min(placed(end, begins[m], ticks).end for m, ticks in zip(ids, row, strict=True))
        last += [False] * (len(lot.operations) - 1) + [True] * bool(lot.operations)
        tails += np.append(np.cumsum(least[:first:-1])[::-1], 0).tolist() if len(heads) > first else []
    unit = max(1, gcd(*takes, *begins, *(lot.release for lot in plan.lots)))
    alternatives = Alternatives(
        np.append(0, np.cumsum(counts, dtype=np.int64)), np.array(where), np.array(takes, dtype=np.int64) // unit
    )
    available //= unit
    times = np.array(least, dtype=np.int64) // unit
    candidates, inside = candidate_sets(plan, groups)
    kind_of = np.array(kind)
    pools = []
    for candidate, members in zip(candidates, inside, strict=True):
        machines = np.flatnonzero(candidate)
        own = np.flatnonzero(members[kind_of] & (times > 0))
        if 0 < len(own) <= MAX_POOL:
            pools.append(Pool(machines, own, alternatives.matrix(own, machines), available[machines]))
    pools.sort(key=lambda pool: -int(times[pool.operations].sum()) / len(pool.machines))
    late = [pool.available[pool.available > 0] for pool in pools]
    sets = (
        *_joined([pool.operations for pool in pools]),
        *_joined(late),
        np.array([len(pool.machines) for pool in pools], dtype=np.int64),
    )
    earliest, after = np.array(heads, dtype=np.int64) // unit, np.array(tails, dtype=np.int64) // unit
    ends = np.array(last, dtype=bool)
    return Model(earliest, after, times, ends, alternatives, available, tuple(pools), sets, unit)


def _joined(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Where each part begins, with the end at the end, and all parts behind one another."""
    begins = np.append(0, np.cumsum([len(part) for part in parts])).astype(np.int64)
    return begins, np.concatenate([np.zeros(0, dtype=np.int64), *parts])


@dataclass(frozen=True)
class Windows:
    """Earliest start and latest end of every operation in schedules of a trial makespan, int64 [operations]."""

    r: np.ndarray
    d: np.ndarray


def windows(model: Model, makespan: int) -> Iterator[Windows | bool | None]:
    """Narrow the windows; True after each call that leaves more to do, at last the windows, None if one is empty."""
    r, d = model.heads.copy(), makespan - model.tails
    dirty = np.ones(len(model.sets[-1]), dtype=bool)
    for _ in range(_CALLS):
        answer = narrow(r, d, model.least, model.last, *model.sets, dirty, _QUOTA)
        if answer == EMPTY:
            yield None
            return
        if answer == DONE:
            break
        yield True
    yield Windows(r, d)


def pool_bound(model: Model, pool: Pool) -> int:
    """The bound of all operations of a pool by its smallest heads and tails."""
    own = pool.operations
    blocked = blocked_ticks(model.heads[own], model.tails[own], pool.available)
    return smallest_makespan(int(model.least[own].sum()), np.ones_like(blocked), blocked)
