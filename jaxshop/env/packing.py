"""From lots on the host to padded arrays on the device."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from jaxshop.bounds import certify
from jaxshop.env.layout import nesting
from jaxshop.env.makes import describe_make
from jaxshop.env.objective import lateness_of
from jaxshop.env.plant_packing import Opened, open_plan, open_share, pack_plant, plant_shape
from jaxshop.env.types import (
    NEVER,
    EnvParams,
    LotParams,
    MachineParams,
    OperationParams,
    PoolParams,
    SetParams,
    Shape,
)
from jaxshop.shop import MAKESPAN, LotPlan
from jaxshop.support.errors import ShopError

OVERLAP = 16
"""Up to so many sets around a machine, following those is cheaper than looking at every set."""

TRAITS = 8
"""Columns of `OperationParams.traits`; see `_traits`."""


def shape_of(plans: Sequence[LotPlan], candidates: int | None = None) -> Shape:
    """The least shape that holds every plan; `candidates` None shows a policy every lot."""
    opened = [open_plan(p) for p in plans]
    layouts = [x.layout for x in opened]
    plant = plant_shape(opened)
    lots = max(len(p.lots) for p in plans)
    overlap = max(max(len(sets) for sets in x.sets_of_machine) for x in layouts)
    return Shape(
        lots=lots,
        operations=max(1, *(len(x.choices) for x in layouts)),
        choices=max(1, *(len(c) for x in layouts for c in x.choices)),
        sets=max(len(x.sets) for x in layouts) + 1,
        machines=max(len(p.shop.machines) for p in plans),
        pools=max(int(x.pool_of_machine.max()) + 1 for x in layouts) + 1,
        candidates=lots if candidates is None else min(candidates, lots),
        overlap=overlap if overlap <= OVERLAP else 0,
        flexible=plant is not None or any(x.flexible for x in layouts),
        plant=plant,
        tardiness=any(p.shop.objective != MAKESPAN for p in plans),
    )


def pack(plan: LotPlan, shape: Shape, bound: int | None = None) -> EnvParams:
    """The plan as NumPy arrays of the given shape; `bound` in ticks saves computing the certificate again."""
    opened = open_plan(plan)
    layout = opened.layout
    if layout.flexible and not shape.flexible:
        raise ValueError("the shape is that of a job shop, and an operation of the plan may run on several machines")
    if opened.timing is not None and shape.plant is None:
        raise ValueError("the shape is that of a plain shop, and the plan has calendars, set-ups, lags or fixed work")
    if plan.shop.objective != MAKESPAN and not shape.tardiness:
        raise ValueError("the shape is that of a shop whose makespan alone counts")
    _refuse_overflow(opened)
    bound = max(certify(plan).value if bound is None else bound, 1)
    lots = _lots(opened, shape)
    member = np.zeros((shape.sets, shape.machines), bool)
    for machines, index in layout.sets.items():
        member[index, list(machines)] = True
    homes, within = nesting(layout.choices, member)
    pool_size = np.bincount(layout.pool_of_machine, minlength=shape.pools).astype(np.float32)
    ops = _operations(opened, shape, lots.count[: len(plan.lots)], homes, member, pool_size, bound)
    n = len(layout.choices)
    work = ops.work[:n]
    set_work = np.bincount(homes, weights=work, minlength=shape.sets) @ within
    pool_work = np.bincount(ops.pools[0, :n], weights=work, minlength=shape.pools)
    return EnvParams(
        operations=np.int32(n),
        bound=np.int32(bound),
        lots=lots,
        ops=ops,
        machines=_machines(opened, shape),
        sets=SetParams(
            member=member,
            within=within,
            size=np.maximum(member.sum(axis=1), 1).astype(np.float32),
            work=set_work.astype(np.float32),
        ),
        pools=PoolParams(size=np.maximum(pool_size, 1), work=pool_work.astype(np.float32)),
        make=describe_make(plan, bound),
        plant=None if shape.plant is None else pack_plant(opened, shape),
        lateness=lateness_of(plan, shape.lots, bound) if shape.tardiness else None,
    )


def pack_stacked(plans: Sequence[LotPlan], shape: Shape) -> EnvParams:
    """Every plan packed, with a leading axis of plans."""
    return jax.tree.map(lambda *x: np.stack(x), *(pack(plan, shape) for plan in plans))


def _refuse_overflow(opened: Opened) -> None:
    """No tick may come to NEVER, whatever is decided: not even with one operation after the other, on the slowest, with
    the longest of set-ups before each that has a family."""
    ops = [op for lot in opened.plan.lots for op in lot.operations]
    begun = max(int(opened.ready.max(initial=0)), int(opened.free.max(initial=0)))
    longest = max((entry.ticks for entry in opened.plan.shop.changeovers), default=0)
    last = begun + sum(op.setup + max(op.alternatives.values()) + op.lag for op in ops)
    last += longest * sum(op.family is not None for op in ops)
    if last >= NEVER:
        raise ShopError(
            f"{opened.plan.shop.name}: with all work on its slowest machines, one operation after the other, the plan "
            f"lasts {last} ticks, past what the environment can count (2^31): leave out alternatives and set-ups that "
            "are as slow"
        )


def _lots(opened: Opened, shape: Shape) -> LotParams:
    plan = opened.plan
    j = len(plan.lots)
    job_number = {job.id: i for i, job in enumerate(plan.shop.jobs)}
    count, release = np.zeros((2, shape.lots), np.int32)
    due = np.full(shape.lots, NEVER, np.int32)
    weight = np.zeros(shape.lots, np.float32)
    job = np.arange(shape.lots, dtype=np.int32)
    count[:j] = [len(lot.operations) for lot in plan.lots]
    release[:j] = opened.ready
    due[:j] = [NEVER if lot.due is None else lot.due for lot in plan.lots]
    weight[:j] = [lot.weight for lot in plan.lots]
    job[:j] = [job_number[lot.job] for lot in plan.lots]
    first = np.minimum(np.cumsum(count) - count, shape.operations - 1).astype(np.int32)
    return LotParams(first, count, release, due, weight, job)


def _machines(opened: Opened, shape: Shape) -> MachineParams:
    layout, m = opened.layout, len(opened.free)
    free = np.full(shape.machines, NEVER, np.int32)
    free[:m] = opened.free
    sets = np.full((shape.overlap, shape.machines), -1, np.int32)
    if shape.overlap:
        for machine, numbers in enumerate(layout.sets_of_machine):
            sets[: len(numbers), machine] = numbers
    pool = np.full(shape.machines, shape.pools - 1, np.int32)
    pool[:m] = layout.pool_of_machine
    return MachineParams(free, sets, pool)


def _operations(
    opened: Opened,
    shape: Shape,
    count: np.ndarray,
    homes: np.ndarray,
    member: np.ndarray,
    pool_size: np.ndarray,
    bound: int,
) -> OperationParams:
    layout, n, g = opened.layout, len(opened.layout.choices), shape.choices
    p_none, s_none = shape.pools - 1, shape.sets - 1
    time = np.zeros((g, shape.operations), np.int32)
    sets = np.full((g, shape.operations), s_none, np.int32)
    for i, choices in enumerate(layout.choices):
        for k, (index, ticks) in enumerate(choices):
            sets[k, i], time[k, i] = index, ticks
    home = np.full(shape.operations, s_none, np.int32)
    home[:n] = homes

    is_last = np.zeros(shape.operations, bool)
    is_last[np.cumsum(count[count > 0]) - 1] = True
    is_last[n:] = True
    least = time[0]
    tail = least.copy()
    lags = [op.lag for lot in opened.plan.lots for op in lot.operations]
    for i in range(n - 2, -1, -1):
        if not is_last[i]:
            tail[i] += lags[i] + tail[i + 1]

    place, lot_at = _places(count, tail)
    pool_of_set = np.full(shape.sets, p_none, np.int32)
    for machines, index in layout.sets.items():
        pool_of_set[index] = layout.pool_of_machine[machines[0]]
    pool = pool_of_set[sets[0]]
    ahead = _next_index(is_last)
    further = np.where(ahead >= 0, ahead[ahead], -1)
    pools = np.stack([pool, np.where(ahead >= 0, pool[ahead], p_none), np.where(further >= 0, pool[further], p_none)])
    work = least.astype(np.float32) / bound
    shares = open_share(opened, bound)
    open_of_set = np.ones(shape.sets)
    for machines, index in layout.sets.items():
        open_of_set[index] = shares[list(machines)].mean()
    # What closes on the way takes its time as well: a set without work left ends at the bound, whatever is closed.
    stretched = (work / open_of_set[sets[0]]).astype(np.float32)
    return OperationParams(
        time=time,
        set=sets,
        tail=tail,
        work=stretched,
        share=stretched / np.maximum(member.sum(axis=1), 1).astype(np.float32)[home],
        traits=_traits(work, tail / bound, ahead, further, sets, member, pool, pool_size),
        pools=pools.astype(np.int32),
        next_set=np.where(ahead >= 0, sets[:, ahead], s_none).astype(np.int32),
        next_time=np.where(ahead >= 0, time[:, ahead], 0),
        place=place,
        lot_at=lot_at,
        home=home,
    )


def _places(count: np.ndarray, tail: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`OperationParams.place` and `.lot_at`, int32 [N] each; padding has the last places, and lot 0."""
    lot = np.zeros(tail.size, np.int32)
    lot[: count.sum()] = np.repeat(np.arange(count.size, dtype=np.int32), count)
    longest = np.where(np.arange(tail.size) < count.sum(), tail.astype(np.float32) + 1, 0)  # as features round it
    order = np.lexsort((lot, np.negative(longest)))
    return np.argsort(order).astype(np.int32), lot[order]


def _next_index(is_last: np.ndarray) -> np.ndarray:
    """Index of the operation that follows in the same lot, -1 where there is none."""
    return np.where(is_last, -1, np.arange(is_last.size) + 1)


def _traits(work, tail, ahead, further, op_set, member, pool, size) -> np.ndarray:
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
