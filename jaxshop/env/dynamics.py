"""Transitions, pure integer functions of state and params; the decision is Giffler and Thompson's (1960)."""

from __future__ import annotations

import jax.numpy as jnp
from chex import Array

from jaxshop.env.types import NEVER, EnvParams, EnvState


def earliest_start(ready: Array, free: Array) -> Array:
    """Earliest start of an operation ready at `ready` on a machine free from `free`; the only rule of timing."""
    return jnp.maximum(ready, free)


def least(values: Array) -> Array:
    """The minimum of int32 [n], by halves that overlap where n is odd: vectors all the way down to the last few.

    XLA reduces a row on CPU element by element, and one of more than 32 elements in several passes over memory.
    """
    while values.shape[0] > 16:
        half = (values.shape[0] + 1) // 2
        values = jnp.minimum(values[:half], values[-half:])
    return values.min()


def open_decision(state: EnvState, params: EnvParams, non_delay: bool = False) -> EnvState:
    """Choose the next machine and the lots that compete for it: the conflict set.

    Active: the machine that can complete an operation first; the lots that could start there before that completion.
    Non-delay: the machine where an operation can start first; the lots that can start there then.

    Ties: the lowest lot comes first; of its machines, the one that became free last, then the lowest. The first lot
    always competes, even with an operation of no duration.
    """
    times = jnp.zeros_like(state.lot_time) if non_delay else state.lot_time
    event = (earliest_start(state.lot_ready, state.lot_free) + times).min(axis=0)
    soonest = least(event)
    lots = jnp.arange(state.lot_op.shape[0], dtype=jnp.int32)
    first = least(jnp.where(event == soonest, lots, lots.shape[0] - 1))

    reach = earliest_start(state.lot_ready[first], state.machine_free) + times[:, first, None] == soonest
    free = jnp.where((reach & params.member[state.lot_set[:, first]]).any(axis=0), state.machine_free, -1)
    machines = jnp.arange(free.shape[0], dtype=jnp.int32)
    machine = least(jnp.where(free == -least(-free), machines, free.shape[0] - 1))

    start = earliest_start(state.lot_ready, state.machine_free[machine])
    competes = start <= soonest if non_delay else start < soonest
    eligible = runs_on(state.lot_set, params, machine).any(axis=0)
    return state._replace(machine=machine, event=soonest, first=first, mask=(eligible & competes) | (lots == first))


def free_sets(member: Array, machine_free: Array) -> Array:
    """Tick from which a machine of each set, bool [..., M], is free, int32 [...]; NEVER for an empty set."""
    return jnp.where(member, machine_free, NEVER).min(axis=-1)


def runs_on(sets: Array, params: EnvParams, machine: Array) -> Array:
    """Which of the sets, int32 [...], hold the machine, bool [...].

    Comparing with the few sets around a machine runs in vectors; a gather per lot does not.
    """
    around = params.machine_sets[machine]
    if around.size == 0:
        return params.member[:, machine][sets]
    return (sets[..., None] == around).any(axis=-1)


def refresh(state: EnvState, params: EnvParams, machine: Array) -> EnvState:
    """`set_free` and `lot_free` brought up to date with one machine: only the sets around it are looked at."""
    around = params.machine_sets[machine]
    if around.size == 0:
        set_free = free_sets(params.member, state.machine_free)
        return state._replace(set_free=set_free, lot_free=set_free[state.lot_set])
    fresh = free_sets(params.member[around], state.machine_free)
    lot_free = state.lot_free
    for k in range(around.shape[0]):
        lot_free = jnp.where(state.lot_set == around[k], fresh[k], lot_free)
    # Padding, -1, is the last set, which has no machine: it stays at NEVER.
    return state._replace(set_free=state.set_free.at[around].set(fresh), lot_free=lot_free)


def time_on(state: EnvState, params: EnvParams, lot: Array, machine: Array) -> Array:
    """Ticks that the lot's next operation takes on the machine; 0 if it cannot run there."""
    on = params.member[state.lot_set[:, lot], machine]
    return jnp.where(on, state.lot_time[:, lot], 0).sum(dtype=jnp.int32)


def dispatch(state: EnvState, params: EnvParams, lot: Array, non_delay: bool = False) -> EnvState:
    """Put the lot's next operation on the open decision's machine, then open the next decision."""
    machine = state.machine
    active = state.step < params.operations
    op = state.lot_op[lot]
    start = earliest_start(state.lot_ready[lot], state.machine_free[machine])
    end = start + time_on(state, params, lot, machine)
    left = state.lot_left[lot] - 1
    more = left > 0
    following = op + more.astype(jnp.int32)
    tail = jnp.where(more, params.op_tail[following], 0)

    # Past the end all of this is written nowhere. A scatter changes one element in place; a `where` copies them all.
    lot_slot = jnp.where(active, lot, state.lot_op.shape[0])
    machine_slot = jnp.where(active, machine, state.machine_free.shape[0])
    pools = jnp.arange(state.pool_work.shape[0])
    here = (pools == params.op_pools[op, 0]) & active
    there = (pools == params.op_pools[op, 1]) & active
    grown = (end - state.machine_free[machine]).astype(jnp.float32) / params.bound.astype(jnp.float32)
    done = jnp.where(active & params.set_within[params.op_home[op]], params.op_work[op], 0.0)
    comes = active & more & params.set_within[params.op_home[following]]
    op_slot = jnp.where(active, op, state.op_start.shape[0])

    def put(old: Array, slot: Array, new: Array) -> Array:
        return old.at[..., slot].set(new, mode="drop")

    following_set = params.op_set[:, following]
    state = state._replace(
        step=state.step + active.astype(jnp.int32),
        lot_op=put(state.lot_op, lot_slot, following),
        lot_left=put(state.lot_left, lot_slot, left),
        lot_ready=put(state.lot_ready, lot_slot, jnp.where(more, end, NEVER)),
        lot_tail=put(state.lot_tail, lot_slot, tail),
        lot_time=put(state.lot_time, lot_slot, jnp.where(more, params.op_time[:, following], 0)),
        lot_set=put(state.lot_set, lot_slot, following_set),
        lot_free=put(state.lot_free, lot_slot, state.set_free[following_set]),
        machine_free=put(state.machine_free, machine_slot, end),
        set_work=state.set_work - done,
        set_queue=state.set_queue - done + jnp.where(comes, params.op_work[following], 0.0),
        set_busy=state.set_busy + jnp.where(active & params.member[:, machine], grown, 0.0),
        pool_work=state.pool_work - jnp.where(here, params.op_work[op], 0.0),
        pool_queue=state.pool_queue
        - jnp.where(here, params.op_work[op], 0.0)
        + jnp.where(there & more, params.op_work[following], 0.0),
        pool_busy=state.pool_busy + jnp.where(here, grown, 0.0),
        op_start=put(state.op_start, op_slot, start),
        op_end=put(state.op_end, op_slot, end),
        op_machine=put(state.op_machine, op_slot, machine),
        estimate=jnp.where(active, jnp.maximum(state.estimate, end + tail), state.estimate),
    )
    return open_decision(refresh(state, params, machine), params, non_delay)


def first_state(params: EnvParams, non_delay: bool = False) -> EnvState:
    """The empty schedule with its first decision open."""
    real = params.lot_count > 0
    op = params.lot_first
    n = params.op_tail.shape[0]
    tail = jnp.where(real, params.op_tail[op], 0)
    pools = params.pool_work.shape[0]
    first_work = jnp.where(real, params.op_work[op], 0.0)
    waiting = jnp.zeros(pools, jnp.float32).at[params.op_pools[op, 0]].add(first_work)
    free = jnp.where(params.machine_free < NEVER, params.machine_free, 0).astype(jnp.float32)
    free = free / params.bound.astype(jnp.float32)
    undone = jnp.full(n, -1, jnp.int32)
    lot_set = params.op_set[:, op]
    set_free = free_sets(params.member, params.machine_free)
    zero = jnp.int32(0)
    state = EnvState(
        step=zero,
        lot_op=op,
        lot_left=params.lot_count,
        lot_ready=jnp.where(real, params.lot_release, NEVER),
        lot_tail=tail,
        lot_time=jnp.where(real, params.op_time[:, op], 0),
        lot_set=lot_set,
        lot_free=set_free[lot_set],
        machine_free=params.machine_free,
        set_free=set_free,
        set_work=params.set_work,
        set_queue=jnp.where(params.set_within[params.op_home[op]], first_work[:, None], 0.0).sum(axis=0),
        set_busy=jnp.where(params.member, free, 0.0).sum(axis=1),
        pool_work=params.pool_work,
        pool_queue=waiting,
        pool_busy=jnp.zeros(pools, jnp.float32).at[params.machine_pool].add(free),
        op_start=undone,
        op_end=undone,
        op_machine=undone,
        estimate=jnp.where(real, params.lot_release + tail, 0).max(),
        machine=zero,
        event=zero,
        first=zero,
        mask=real,
    )
    return open_decision(state, params, non_delay)
