"""Transitions, pure integer functions of state and params; the decision is Giffler and Thompson's (1960).

`open_decision` and `dispatch` take one environment, or E of them: then every array of state, params and action has one
more axis, at its end. Only `first_state`, `least`, `greatest` and the functions that index (`at`, `put`, `row`, `each`,
`members`) tell the two apart.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.env.types import NEVER, Decision, EnvParams, EnvState


def earliest_start(ready: Array, free: Array) -> Array:
    """Earliest start of an operation ready at `ready` on a machine free from `free`; the only rule of timing."""
    return jnp.maximum(ready, free)


def least(values: Array) -> Array:
    """The minimum over the first axis of int32 [n, ...]."""
    return _halved(values, jnp.minimum).min(axis=0)


def greatest(values: Array) -> Array:
    """The maximum over the first axis of int32 [n, ...]; not `-least(-values)`, of which GPU compilers lose a sign."""
    return _halved(values, jnp.maximum).max(axis=0)


def _halved(values: Array, combine: Callable[[Array, Array], Array]) -> Array:
    """Of one environment, the few values that its halves, which overlap where n is odd, were combined to.

    Vectors all the way down: XLA reduces a row on CPU element by element, and one of more than 32 elements in several
    passes over memory.
    """
    while values.ndim == 1 and values.shape[0] > 16:
        half = (values.shape[0] + 1) // 2
        values = combine(values[:half], values[-half:])
    return values


def numbered(count: int, index: Array) -> Array:
    """0 ... count - 1 along an axis before those of `index`, int32 [count, *1]."""
    return jnp.arange(count, dtype=jnp.int32).reshape(count, *(1,) * index.ndim)


def at(values: Array, index: Array) -> Array:
    """`values[..., index]`, index int32 []; of [..., n, E] each environment's own, index int32 [E]."""
    if _few(values, index):
        here = numbered(values.shape[-2], index) == index
        if values.dtype == bool:
            return (values & here).any(axis=-2)
        return jnp.where(here, values, 0).sum(axis=-2, dtype=values.dtype)
    return values[..., *_slot(index)]


def put(values: Array, index: Array, new: Array) -> Array:
    """`values`, int32 of at least -1, with `new` at `[..., index]`, as `at` reads it; past the end nothing is written.

    A scatter changes one element in place; a `where` would copy them all.
    """
    if _few(values, index):
        # In place a `where` becomes a conditional store, which no vector makes: 7 times as long on CPU.
        here = numbered(values.shape[-2], index) == index
        new = jnp.expand_dims(new, -2)
        return jnp.minimum(jnp.maximum(values, jnp.where(here, new, -1)), jnp.where(here, new, NEVER))
    return values.at[..., *_slot(index)].set(new, mode="drop")


FEW = 32
"""Up to so many rows, a look at each in vectors of environments is faster than an indexed one in each environment."""


def _few(values: Array, index: Array) -> bool:
    return index.ndim == 1 and values.shape[-2] <= FEW


def _slot(index: Array) -> tuple[Array, ...]:
    return (index,) if index.ndim == 0 else (index, jnp.arange(index.size, dtype=jnp.int32))


def row(values: Array, index: Array) -> Array:
    """`values[index]` of [n, m], index int32 []; of [n, m, E] with int32 [E]."""
    return values[index] if index.ndim == 0 else at(values.swapaxes(0, 1), index)


def each(values: Array, indices: Array) -> Array:
    """`values[indices]` of [n], indices int32 [...]; of [n, E] with int32 [..., E]."""
    if values.ndim == 1:
        return values[indices]
    if indices.ndim == 2 and _few(values, indices[0]):
        return jnp.stack([at(values, index) for index in indices])
    return jax.vmap(lambda v, i: v[i], -1, -1)(values, indices)


def choose(state: EnvState, params: EnvParams, action: Array) -> tuple[Array, Array]:
    """The lot to dispatch, int32 [], and whether the action was legal, bool [].

    `first` stands in for an illegal action; once the episode is over the lot is J, which is none.
    """
    count = state.mask.shape[0]
    active = state.step < params.operations
    if action.ndim == 0:
        legal = at(state.mask, action) & (action >= 0) & (action < count)  # JAX clamps and wraps indices
        return jnp.where(active, jnp.where(legal, action, state.first), count), legal
    lots = numbered(count, action)
    legal = ((lots == action) & state.mask).any(axis=0)
    lot = jnp.where(active, jnp.where(legal, action, state.first), count)
    # XLA stores what a reduction gives; the lot itself would be computed again for every element that reads it.
    return jnp.where(lots == lot, lots, count).min(axis=0), legal


def open_decision(state: EnvState, params: EnvParams, decision: Decision) -> EnvState:
    """Choose the next machine and the lots that compete for it: the conflict set.

    Active: the machine that can complete an operation first; the lots that could start there before that completion.
    Non-delay: the machine where an operation can start first; the lots that can start there then.

    Ties: the lowest lot comes first; of its machines, the one that became free last, then the lowest. The first lot
    always competes, even with an operation of no duration.
    """
    times = jnp.zeros_like(state.lot_time) if decision.non_delay else state.lot_time
    soonest = least((state.lot_start + times).min(axis=0))
    lots = numbered(state.lot_op.shape[0], soonest)
    # Not `start + time == soonest`: XLA would store that sum, the same as above, for two to read it.
    first = least(jnp.where((state.lot_start == soonest - times).any(axis=0), lots, lots.shape[0] - 1))
    if decision.flexible:
        machine, latest = best_fit(state, params, first, at(times, first), soonest)
        on = runs_on(state.lot_set, params, machine) & _before(latest, soonest, decision)
    else:
        # Finished lots are in the set S - 1, which is no machine: once all are, the machine is 0 and nobody's.
        machine = at(jnp.where(state.lot_start[0] < NEVER, state.lot_set[0], 0), first)
        on = state.lot_set == machine
    competes = (on & _before(state.lot_start, soonest, decision)).any(axis=0)
    return state._replace(machine=machine, event=soonest, first=first, mask=competes | (lots == first))


def _before(start: Array, soonest: Array, decision: Decision) -> Array:
    return start <= soonest if decision.non_delay else start < soonest


def best_fit(state: EnvState, params: EnvParams, lot: Array, times: Array, soonest: Array) -> tuple[Array, Array]:
    """Of the machines on which the lot would complete at `soonest`, the one that became free last, and that tick."""
    start = earliest_start(at(state.lot_start, lot)[:, None], state.machine_free)
    reach = (start + times[:, None] == soonest) & members(at(state.lot_set, lot), params)
    free = jnp.where(reach.any(axis=0), state.machine_free, -1)
    latest = greatest(free)
    machines = numbered(free.shape[0], lot)
    return least(jnp.where(free == latest, machines, free.shape[0] - 1)), latest


def free_sets(member: Array, machine_free: Array) -> Array:
    """Tick from which a machine of each set, bool [S, M], is free, int32 [S]; NEVER for an empty set."""
    ticks = jnp.where(member, machine_free, NEVER)
    return jax.vmap(least)(ticks) if ticks.ndim == 2 else ticks.min(axis=1)


def members(sets: Array, params: EnvParams) -> Array:
    """The machines of each of the sets, int32 [k], as bool [k, M]; none for the set -1."""
    if sets.ndim == 1:
        return params.member[sets]
    if params.machine_sets.shape[0] == 0:
        return jax.vmap(lambda member, held: member[held], -1, -1)(params.member, sets)
    return (params.machine_sets == sets[:, None, None]).any(axis=1) & (sets >= 0)[:, None]


def runs_on(sets: Array, params: EnvParams, machine: Array) -> Array:
    """Which of the sets, int32 [...], hold the machine, bool [...].

    Comparing with the few sets around a machine runs in vectors; a gather per lot does not.
    """
    around = at(params.machine_sets, machine)
    if around.size == 0:
        return each(at(params.member, machine), sets)
    on = sets == around[0]
    for other in around[1:]:
        on |= sets == other
    return on


def refresh(state: EnvState, params: EnvParams, machine: Array) -> EnvState:
    """`set_free` and `lot_start` brought up to date with a machine, of which only the sets around it are looked at.

    Machines never become free earlier: what a lot waited for already, it still waits for.
    """
    around = at(params.machine_sets, machine)
    if around.size == 0:
        set_free = free_sets(params.member, state.machine_free)
        start = earliest_start(state.lot_start, each(set_free, state.lot_set))
        return state._replace(set_free=set_free, lot_start=start)
    fresh = free_sets(members(around, params), state.machine_free)
    lot_start, set_free = state.lot_start, state.set_free
    for changed, tick in zip(around, fresh, strict=True):
        lot_start = earliest_start(lot_start, jnp.where(state.lot_set == changed, tick, -1))
        # Padding, -1, is the last set or none: the last has no machine and stays at NEVER.
        set_free = put(set_free, changed, tick)
    return state._replace(set_free=set_free, lot_start=lot_start)


def dispatch(state: EnvState, params: EnvParams, lot: Array, decision: Decision) -> EnvState:
    """Put the lot's next operation on the open decision's machine, then open the next decision.

    Lot J, which is none, changes nothing.
    """
    machine = state.machine
    active = state.step < params.operations
    op = at(state.lot_op, lot)
    free = at(state.machine_free, machine)
    start, times = at(state.lot_start, lot), at(params.op_time, op)
    tail = at(state.lot_tail, lot) - times[0]
    if decision.flexible:
        on = runs_on(at(params.op_set, op), params, machine)
        start = earliest_start(jnp.where(on, start, -1), free)
        times = jnp.where(on, times, -1)
    start = start.max(axis=0)
    end = start + times.max(axis=0)

    following_sets = at(params.op_next_sets, op)
    more = following_sets[0] < params.member.shape[0] - 1
    following = op + more.astype(jnp.int32)

    # Past the end all of this is written nowhere.
    machine_slot = jnp.where(active, machine, state.machine_free.shape[0])
    op_slot = jnp.where(active, op, state.op_start.shape[0])
    pools = numbered(state.pool_work.shape[0], op)
    visited = at(params.op_pools, op)
    here = (pools == visited[0]) & active
    there = (pools == visited[1]) & active
    grown = (end - free).astype(jnp.float32) / params.bound.astype(jnp.float32)
    work, next_work = at(params.op_work, op), at(params.op_work, following)
    done = jnp.where(active & row(params.set_within, at(params.op_home, op)), work, 0.0)
    comes = active & more & row(params.set_within, at(params.op_home, following))
    state = state._replace(
        step=state.step + active.astype(jnp.int32),
        lot_op=put(state.lot_op, lot, following),
        lot_left=put(state.lot_left, lot, at(state.lot_left, lot) - 1),
        lot_ready=put(state.lot_ready, lot, jnp.where(more, end, NEVER)),
        lot_tail=put(state.lot_tail, lot, tail),
        lot_time=put(state.lot_time, lot, at(params.op_next_time, op)),
        lot_set=put(state.lot_set, lot, following_sets),
        machine_free=put(state.machine_free, machine_slot, end),
        set_work=state.set_work - done,
        set_queue=state.set_queue - done + jnp.where(comes, next_work, 0.0),
        set_busy=state.set_busy + jnp.where(active & at(params.member, machine), grown, 0.0),
        pool_work=state.pool_work - jnp.where(here, work, 0.0),
        pool_queue=state.pool_queue - jnp.where(here, work, 0.0) + jnp.where(there & more, next_work, 0.0),
        pool_busy=state.pool_busy + jnp.where(here, grown, 0.0),
        op_start=put(state.op_start, op_slot, start),
        op_machine=put(state.op_machine, op_slot, machine) if decision.flexible else state.op_machine,
        estimate=jnp.where(active, jnp.maximum(state.estimate, end + tail), state.estimate),
    )
    # Nothing above reads the old `lot_set`, and what follows the new: XLA copies an array that is read after a write.
    if decision.flexible:
        state = refresh(state, params, machine)
    else:
        waits = jnp.where(state.lot_set == machine, end, -1)
        state = state._replace(
            set_free=put(state.set_free, jnp.where(active, machine, state.set_free.shape[0]), end),
            lot_start=earliest_start(state.lot_start, waits),
        )
    starts = earliest_start(end, each(state.set_free, following_sets))  # NEVER, as no machine is, where none follows
    return open_decision(state._replace(lot_start=put(state.lot_start, lot, starts)), params, decision)


def op_ends(state: EnvState, params: EnvParams) -> Array:
    """Tick at which each operation ends, int32 [N], -1 until dispatched; of one environment."""
    done = state.op_start >= 0
    on = params.member[params.op_set, jnp.where(done, state.op_machine, 0)]
    times = jnp.where(on, params.op_time, 0).sum(axis=0, dtype=jnp.int32)
    return jnp.where(done, state.op_start + times, -1)


def first_state(params: EnvParams, decision: Decision) -> EnvState:
    """The empty schedule with its first decision open."""
    if params.operations.ndim:
        return jax.vmap(lambda p: first_state(p, decision), -1, -1)(params)
    real = params.lot_count > 0
    op = params.lot_first
    n = params.op_tail.shape[0]
    tail = jnp.where(real, params.op_tail[op], 0)
    pools = params.pool_work.shape[0]
    first_work = jnp.where(real, params.op_work[op], 0.0)
    waiting = jnp.zeros(pools, jnp.float32).at[params.op_pools[0, op]].add(first_work)
    # Until the bound a machine can be busy no longer than that, however late it comes.
    free = jnp.where(params.machine_free < NEVER, jnp.minimum(params.machine_free, params.bound), 0)
    free = free.astype(jnp.float32) / params.bound.astype(jnp.float32)
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
        lot_start=jnp.where(real, earliest_start(params.lot_release, set_free[lot_set]), NEVER),
        machine_free=params.machine_free,
        set_free=set_free,
        set_work=params.set_work,
        set_queue=jnp.where(params.set_within[params.op_home[op]], first_work[:, None], 0.0).sum(axis=0),
        set_busy=jnp.where(params.member, free, 0.0).sum(axis=1),
        pool_work=params.pool_work,
        pool_queue=waiting,
        pool_busy=jnp.zeros(pools, jnp.float32).at[params.machine_pool].add(free),
        op_start=undone,
        op_machine=undone if decision.flexible else params.op_set[0],
        estimate=jnp.where(real, params.lot_release + tail, 0).max(),
        machine=zero,
        event=zero,
        first=zero,
        mask=real,
    )
    return open_decision(state, params, decision)
