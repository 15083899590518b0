"""What a policy sees of the open decision: scale-free features of the lots that compete, and of the shop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.env.timing import completion, earliest_start, lot_completion
from jaxshop.env.types import EnvParams, EnvState, Observation

FEATURES = 48
CONTEXT = 8
AHEAD = 6
"""Operations of a route, the next one included, that a policy is warned about."""
FEATURES_VERSION = 2
"""Changes whenever a feature does."""


def candidates(state: EnvState, count: int) -> tuple[Array, Array]:
    """Indices int32 [C] and mask bool [C] of the conflict set, longest remaining lot first.

    Where more than C lots compete, those with the least work left are not shown. Of equally long lots the lowest comes
    first, wherever the padding is.
    """
    key, index = jax.lax.top_k(jnp.where(state.mask, state.lots.tail.astype(jnp.float32) + 1.0, 0.0), count)
    return index, key > 0


def observe(state: EnvState, params: EnvParams, count: int) -> Observation:
    """Features of C = `count` candidates; every time is divided by the certified bound.

    Returns:
        Observation with features float32 [C, FEATURES] and context float32 [CONTEXT].
    """
    lots, mask = candidates(state, count)
    scale = 1.0 / params.bound.astype(jnp.float32)

    def bounds(ticks: Array) -> Array:
        return ticks.astype(jnp.float32) * scale

    ops = state.lots.op[lots]
    traits = params.ops.traits[ops]
    ready = state.lots.ready[lots]
    free = state.machines.free[state.machine]
    start = earliest_start(ready, free)
    sets = state.lots.set[:, lots]
    time = jnp.where(params.sets.member[sets, state.machine], state.lots.time[:, lots], 0).sum(axis=0, dtype=jnp.int32)
    end = completion(start, time)
    rest = state.lots.tail[lots] - time
    left = lot_completion(end, rest)

    # A pool's horizon: when its machines would end if all work left were spread evenly, as a share of the bound.
    busy = state.pools.busy / params.pools.size
    work = state.pools.work / params.pools.size
    queue = state.pools.queue / params.pools.size
    horizon = busy + work
    pools = jnp.stack([horizon, queue, busy, work], axis=1)
    here, there, beyond = (pools[params.ops.pools[i, ops]] for i in range(3))
    now = bounds(start)

    next_free = bounds(state.sets.free[params.ops.next_set[:, ops]].min(axis=0))
    arrival = bounds(end)
    has_next = traits[:, 3]
    gap = jnp.clip((next_free - arrival) * has_next, -0.3, 0.3)
    # What remains after this operation decides who may wait: alone on a machine, the longest tail goes first (Schrage).
    after = bounds(rest)
    # A machine that comes only after the bound is as good as none.
    latest = jnp.where(params.machines.free < params.bound, state.machines.free, 0).max()
    estimate = bounds(state.estimate)
    columns = [
        8 * bounds(time),
        8 * (bounds(time) - traits[:, 0]),
        3 * bounds(state.lots.tail[lots]),
        10 * bounds(jnp.maximum(ready - free, 0)),
        5 * bounds(jnp.maximum(free - ready, 0)),
        10 * bounds(end - state.event),
        4 * (bounds(left) - 1.0),
        4 * (bounds(left) - estimate),
        traits[:, 2],
        has_next,
        8 * traits[:, 4],
        8 * traits[:, 5],
        2 * traits[:, 6],
        2 * traits[:, 7],
        10 * gap,
        10 * jnp.minimum(gap, 0.0),
        3 * (horizon[params.ops.pools[1, ops]] - 1.0) * has_next,
        3 * there[:, 1],
        4 * (there[:, 2] - arrival) * has_next,
        3 * there[:, 3],
        3 * (beyond[:, 0] - 1.0) * (traits[:, 5] > 0),
        3 * beyond[:, 1],
        4 * (beyond[:, 2] - arrival) * (traits[:, 5] > 0),
        3 * (here[:, 0] - 1.0),
        3 * here[:, 1],
        4 * (here[:, 2] - now),
        3 * here[:, 3],
        (lots == state.first).astype(jnp.float32),
        4 * after,
        4 * jnp.maximum(here[:, 0] + after - 1.0, -0.5),
        4 * (after - jnp.where(mask, after, 0.0).max(initial=0.0)),  # negative on a slow machine
        4 * (bounds(left) - jnp.where(mask, bounds(left), 0.0).max()),
    ]
    columns += _set_columns(state, params, lots, mask, bounds(time), arrival, scale)
    features = jnp.where(mask[:, None], jnp.clip(jnp.stack(columns, axis=1), -5.0, 5.0), 0.0)
    progress = state.step.astype(jnp.float32) / params.operations.astype(jnp.float32)
    context = jnp.stack(
        [
            2 * progress - 1,
            3 * (estimate - 1.0),
            2 * bounds(free),
            2 * bounds(latest),
            3 * (horizon.max() - 1.0),
            3 * (horizon[params.machines.pool[state.machine]] - 1.0),
            mask.sum() / 16.0,
            1.0 / jnp.maximum(mask.sum(), 1),
        ]
    )
    return Observation(state.mask, lots, mask, features, context)


def _set_columns(
    state: EnvState, params: EnvParams, lots: Array, mask: Array, time: Array, arrival: Array, scale: Array
) -> list[Array]:
    """What the sets of machines that bind a lot have to say: columns float32 [C].

    A set's horizon is when it would end if the work that cannot leave it were spread evenly over its machines. An
    operation of time p that went last to a set of m machines would start about p / m before that horizon: with the tail
    from there on, this says which lots cannot wait, here or further along their routes.
    """
    busy, work, queue = (x / params.sets.size for x in (state.sets.busy, state.sets.work, state.sets.queue))
    horizon = busy + work
    ahead = jnp.arange(AHEAD)
    ops = jnp.minimum(state.lots.op[lots][:, None] + ahead, params.ops.home.shape[0] - 1)
    home = params.ops.home[ops]
    bound_to = (ahead < state.lots.left[lots][:, None]) & (home < params.sets.size.shape[0] - 1)
    tails = params.ops.tail[ops].astype(jnp.float32) * scale
    last = jnp.where(bound_to, horizon[home] - params.ops.work[ops] / params.sets.size[home] + tails, 0.0)
    here, following, later = bound_to[:, 0], bound_to[:, 1], bound_to[:, 2:].any(axis=1)

    # Sets around the machine that are narrower than the lot's: their work cannot evade it, and the lot's can.
    around = params.sets.member[:, state.machine] & (state.sets.work > 1e-6)
    evades = around & ~params.sets.within[home[:, 0]]
    threat = jnp.where(evades, horizon + time[:, None] / params.sets.size, 0.0).max(axis=1) - 1.0
    own = horizon[home[:, 0]]

    def urgency(finish: Array, counts: Array) -> list[Array]:
        over = finish - 1.0
        return [4 * jnp.maximum(over, -0.5) * counts, 8 * jnp.maximum(over, 0.0) * counts]

    def to_most_urgent(finish: Array, counts: Array) -> Array:
        return 4 * (finish - jnp.where(mask, finish, 0.0).max()) * counts

    return [
        4 * (own - 1.0) * here,
        4 * jnp.maximum(own - 1.0, -0.1) * here,
        4 * (own - jnp.where(around, horizon, 0.0).max()) * here,
        4 * queue[home[:, 0]] * here,
        4 * jnp.maximum(threat, -0.5),
        8 * jnp.maximum(threat, 0.0),
        4 * (horizon[home[:, 1]] - 1.0) * following,
        4 * ((queue + busy)[home[:, 1]] - arrival) * following,
        *urgency(last[:, 0], here),
        to_most_urgent(last[:, 0], here),
        *urgency(last[:, 1], following),
        to_most_urgent(last[:, 1], following),
        *urgency(last[:, 2:].max(axis=1), later),
    ]
