"""From lots on the host to padded arrays on the device."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from jaxshop.bounds import certify
from jaxshop.env.types import NEVER, EnvParams, Shape
from jaxshop.shop import LotPlan

OVERLAP = 16
"""Up to so many sets around a machine, following those is cheaper than looking at every set."""

TRAITS = 8
"""Columns of `EnvParams.op_traits`; see `_traits`."""


class _Layout:
    """The plan's operations in flat order, with sets, choices and pools numbered."""

    def __init__(self, plan: LotPlan):
        self.machine_index = {m.id: i for i, m in enumerate(plan.shop.machines)}
        self.flexible = any(len(o.alternatives) > 1 for lot in plan.lots for o in lot.operations)
        self.sets: dict[tuple[int, ...], int] = {}
        if not self.flexible:
            self.sets = {(i,): i for i in self.machine_index.values()}
        self.choices: list[list[tuple[int, int]]] = []
        for lot in plan.lots:
            for operation in lot.operations:
                by_time: dict[int, list[int]] = {}
                for machine, ticks in operation.alternatives.items():
                    by_time.setdefault(operation.setup + ticks, []).append(self.machine_index[machine])
                choices = [
                    (self.sets.setdefault(tuple(sorted(machines)), len(self.sets)), ticks)
                    for ticks, machines in sorted(by_time.items())
                ]
                self.choices.append(choices)
        self.pool_of_machine = self._pools(len(plan.shop.machines))
        self.sets_of_machine: list[list[int]] = [[] for _ in plan.shop.machines]
        for held, index in self.sets.items():
            for i in held:
                self.sets_of_machine[i].append(index)

    def _pools(self, machines: int) -> np.ndarray:
        """Machines linked through an operation's alternatives share a pool, int32 [machines]."""
        parent = list(range(machines))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        members = list(self.sets)
        for choices in {tuple(s for s, _ in c) for c in self.choices}:
            linked = [m for s in choices for m in members[s]]
            for machine in linked[1:]:
                parent[root(machine)] = root(linked[0])
        roots = [root(i) for i in range(machines)]
        order = {r: k for k, r in enumerate(dict.fromkeys(roots))}
        return np.array([order[r] for r in roots], np.int32)


def shape_of(plans: Sequence[LotPlan], candidates: int | None = None) -> Shape:
    """The least shape that holds every plan; `candidates` None shows a policy every lot."""
    layouts = [_Layout(p) for p in plans]
    lots = max(len(p.lots) for p in plans)
    overlap = max(max(len(sets) for sets in x.sets_of_machine) for x in layouts)
    return Shape(
        lots=lots,
        operations=max(len(x.choices) for x in layouts),
        choices=max(len(c) for x in layouts for c in x.choices),
        sets=max(len(x.sets) for x in layouts) + 1,
        machines=max(len(p.shop.machines) for p in plans),
        pools=max(int(x.pool_of_machine.max()) + 1 for x in layouts) + 1,
        candidates=lots if candidates is None else min(candidates, lots),
        overlap=overlap if overlap <= OVERLAP else 0,
        flexible=any(x.flexible for x in layouts),
    )


def pack(plan: LotPlan, shape: Shape, bound: int | None = None) -> EnvParams:
    """The plan as NumPy arrays of the given shape; `bound` in ticks saves computing the certificate again."""
    layout = _Layout(plan)
    if layout.flexible and not shape.flexible:
        raise ValueError("the shape is that of a job shop, and an operation of the plan may run on several machines")
    if bound is None:
        bound = certify(plan).value
    bound = max(bound, 1)
    j, n, g = len(plan.lots), len(layout.choices), shape.choices
    p_none, s_none = shape.pools - 1, shape.sets - 1

    count = np.zeros(shape.lots, np.int32)
    count[:j] = [len(lot.operations) for lot in plan.lots]
    first = np.minimum(np.cumsum(count) - count, shape.operations - 1).astype(np.int32)
    release = np.zeros(shape.lots, np.int32)
    release[:j] = [lot.release for lot in plan.lots]
    due = np.full(shape.lots, NEVER, np.int32)
    due[:j] = [NEVER if lot.due is None else lot.due for lot in plan.lots]

    op_time = np.zeros((g, shape.operations), np.int32)
    op_set = np.full((g, shape.operations), s_none, np.int32)
    for i, choices in enumerate(layout.choices):
        for k, (index, ticks) in enumerate(choices):
            op_set[k, i], op_time[k, i] = index, ticks
    member = np.zeros((shape.sets, shape.machines), bool)
    for machines, index in layout.sets.items():
        member[index, list(machines)] = True
    free = np.full(shape.machines, NEVER, np.int32)
    free[: len(plan.shop.machines)] = [m.available_from for m in plan.shop.machines]

    around = np.full((shape.overlap, shape.machines), -1, np.int32)
    if shape.overlap:
        for machine, sets in enumerate(layout.sets_of_machine):
            around[: len(sets), machine] = sets

    least = op_time[0].copy()
    last = (np.cumsum(count) - 1)[:j]
    is_last = np.zeros(shape.operations, bool)
    is_last[last] = True
    is_last[n:] = True
    tail = least.copy()
    for i in range(n - 2, -1, -1):
        if not is_last[i]:
            tail[i] += tail[i + 1]

    pool_of_set = np.full(shape.sets, p_none, np.int32)
    for machines, index in layout.sets.items():
        pool_of_set[index] = layout.pool_of_machine[machines[0]]
    pool = pool_of_set[op_set[0]]
    ahead = _next_index(is_last)
    further = np.where(ahead >= 0, ahead[ahead], -1)
    pools = np.stack([pool, np.where(ahead >= 0, pool[ahead], p_none), np.where(further >= 0, pool[further], p_none)])
    machine_pool = np.full(shape.machines, p_none, np.int32)
    machine_pool[: layout.pool_of_machine.size] = layout.pool_of_machine
    size = np.bincount(layout.pool_of_machine, minlength=shape.pools).astype(np.float32)
    work = least.astype(np.float32) / bound
    home, within = _nesting(layout, member, shape)
    return EnvParams(
        operations=np.int32(n),
        bound=np.int32(bound),
        lot_first=first,
        lot_count=count,
        lot_release=release,
        lot_due=due,
        op_time=op_time,
        op_set=op_set,
        op_tail=tail,
        op_work=work,
        op_traits=_traits(work, tail / bound, ahead, further, count, op_set, member, pool, size),
        op_pools=pools.astype(np.int32),
        op_next_sets=np.where(ahead >= 0, op_set[:, ahead], s_none).astype(np.int32),
        op_next_time=np.where(ahead >= 0, op_time[:, ahead], 0),
        op_home=home,
        member=member,
        machine_free=free,
        machine_sets=around,
        set_within=within,
        set_size=np.maximum(member.sum(axis=1), 1).astype(np.float32),
        set_work=(np.bincount(home[:n], weights=work[:n], minlength=shape.sets) @ within).astype(np.float32),
        machine_pool=machine_pool,
        pool_size=np.maximum(size, 1),
        pool_work=np.bincount(pool[:n], weights=work[:n], minlength=shape.pools).astype(np.float32),
    )


def pack_stacked(plans: Sequence[LotPlan], shape: Shape) -> EnvParams:
    """Every plan packed, with a leading axis of plans."""
    return jax.tree.map(lambda *x: np.stack(x), *(pack(plan, shape) for plan in plans))


def _nesting(layout: _Layout, member: np.ndarray, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """`op_home`, the smallest set that holds all machines of each operation, and `set_within`."""
    size = member.sum(axis=1)
    held = member.astype(np.float32)
    within = (held @ held.T == size[:, None]) & (size > 0)[:, None]
    home = np.full(shape.operations, shape.sets - 1, np.int32)
    known: dict[tuple[int, ...], int] = {}
    for i, choices in enumerate(layout.choices):
        sets = tuple(index for index, _ in choices)
        if sets not in known:
            holders = np.flatnonzero(within[list(sets)].all(axis=0))
            known[sets] = int(holders[size[holders].argmin()]) if holders.size else shape.sets - 1
        home[i] = known[sets]
    return home, within


def _next_index(is_last: np.ndarray) -> np.ndarray:
    """Index of the operation that follows in the same lot, -1 where there is none."""
    return np.where(is_last, -1, np.arange(is_last.size) + 1)


def _traits(work, tail, ahead, further, count, op_set, member, pool, size) -> np.ndarray:
    """What does not change while an operation waits, float32 [N, TRAITS]; times in bounds."""
    n = work.size
    left = np.zeros(n, np.float32)
    for i in range(n - 1, -1, -1):
        left[i] = 1 + (left[ahead[i]] if ahead[i] >= 0 else 0)
    breadth = member[op_set].sum(axis=2).sum(axis=0)
    share = breadth / np.maximum(size[pool], 1)
    following = np.where(ahead >= 0, work[ahead], 0)
    columns = [
        work,
        tail,
        left / 4,
        ahead >= 0,
        following,
        np.where(further >= 0, work[further], 0),
        share,
        1 / np.maximum(breadth, 1),
    ]
    return np.stack(columns, axis=1).astype(np.float32)
