"""What is decided next, after Giffler and Thompson (1960): the machine, and the lots that compete for it.

Takes one environment, or E of them: then every array of state, params and action has one more axis, at its end.
"""

from __future__ import annotations

import jax.numpy as jnp
from chex import Array

from jaxshop.env import plant
from jaxshop.env.backends import at, greatest, least, members, numbered, runs_on
from jaxshop.env.timing import completion, earliest_start, started
from jaxshop.env.types import NEVER, Decision, EnvParams, EnvState


def open_decision(state: EnvState, params: EnvParams, decision: Decision) -> EnvState:
    """Choose the next machine and the lots that compete for it: the conflict set.

    Active: the machine that can complete an operation first; the lots that could start there before that completion.
    Non-delay: the machine where an operation can start first; the lots that can start there then.

    Ties: the lowest lot comes first; of its machines, the one that became free last, then the lowest. The first lot
    always competes, even with an operation of no duration.
    """
    if params.plant is not None:
        return _open_in_plant(state, params, decision)
    times = jnp.zeros_like(state.lots.time) if decision.non_delay else state.lots.time
    soonest = least(completion(state.lots.start, times).min(axis=0))
    lots = numbered(state.lots.op.shape[0], soonest)
    # Not `completion == soonest`: XLA would store that sum, the same as above, for two to read it.
    on_time = (state.lots.start == started(soonest, times)).any(axis=0)
    first = least(jnp.where(on_time, lots, lots.shape[0] - 1))
    if decision.flexible:
        machine, latest = best_fit(state, params, first, at(times, first), soonest)
        on = runs_on(state.lots.set, params, machine) & _in_time(latest, soonest, decision)
    else:
        # Finished lots are in the set S - 1, which is no machine: once all are, the machine is 0 and nobody's.
        machine = at(jnp.where(state.lots.start[0] < NEVER, state.lots.set[0], 0), first)
        on = state.lots.set == machine
    competes = (on & _in_time(state.lots.start, soonest, decision)).any(axis=0)
    return state._replace(machine=machine, event=soonest, first=first, mask=competes | (lots == first))


def _open_in_plant(state: EnvState, params: EnvParams, decision: Decision) -> EnvState:
    """The same where completions and starts are those of calendars and set-ups."""
    assert state.lots.plant is not None
    ops = plant.waiting(state.lots)
    soonest, clocks = plant.soonest(state.lots, params, decision.non_delay)
    on_time = plant.happening(ops, state.lots.plant.event, clocks).any(axis=0)
    lots = numbered(on_time.shape[0], soonest)
    first = least(jnp.where(on_time, lots, lots.shape[0] - 1))
    reach = plant.reaching(plant.of_lot(state.lots, first), clocks, state, params, decision.non_delay)
    machine, _ = _freed_last(state, reach)
    state = state._replace(machine=machine, event=soonest, first=first)
    competes = plant.competing(plant.run_on(ops, state, params, machine), state, params, decision.non_delay)
    return state._replace(mask=competes | (lots == first))


def _in_time(start: Array, soonest: Array, decision: Decision) -> Array:
    return start <= soonest if decision.non_delay else start < soonest


def best_fit(state: EnvState, params: EnvParams, lot: Array, times: Array, soonest: Array) -> tuple[Array, Array]:
    """Of the machines on which the lot would complete at `soonest`, the one that became free last, and that tick."""
    start = earliest_start(at(state.lots.start, lot)[:, None], state.machines.free[None])
    reach = (completion(start, times[:, None]) == soonest) & members(at(state.lots.set, lot), params)
    return _freed_last(state, reach.any(axis=0))


def _freed_last(state: EnvState, reach: Array) -> tuple[Array, Array]:
    """Of some machines, bool [M], the one that became free last, then the lowest, and the tick at which it did."""
    free = jnp.where(reach, state.machines.free, -1)
    latest = greatest(free)
    machines = numbered(free.shape[0], latest)
    return least(jnp.where(free == latest, machines, free.shape[0] - 1)), latest


def resolve_action(state: EnvState, params: EnvParams, action: Array) -> tuple[Array, Array]:
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
