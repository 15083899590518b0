"""What is decided next, after Giffler and Thompson (1960): the machine, and the lots that compete for it.

Takes one environment, or E of them: then every array of state, params and action has one more axis, at its end.
"""

from __future__ import annotations

import jax.numpy as jnp
from chex import Array

from jaxshop.env import plant
from jaxshop.env.backends import at, greatest, least, members, numbered, runs_on
from jaxshop.env.timing import completion, earliest_start, started
from jaxshop.env.types import NEVER, Decision, EnvParams, EnvState, Second


def open_decision(state: EnvState, params: EnvParams, decision: Decision, passed: Array | None = None) -> EnvState:
    """Choose the next machine and the lots that compete for it: the conflict set.

    Active: the machine that can complete an operation first; the lots that could start there before that completion.
    Non-delay: the machine where an operation can start first; the lots that can start there then.

    Ties: the lowest lot comes first; of its machines, the one that became free last, then the lowest. The first lot
    always competes, even with an operation of no duration.

    With set-ups by sequence and `decision.passing` there may be a second machine in question, see `_passing`; `passed`
    is the machine, int32 [], that the last decision passed over, M for none.
    """
    if params.plant is not None:
        if decision.passing:
            return _passing(state, params, decision, passed)
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


def _passing(state: EnvState, params: EnvParams, decision: Decision, passed: Array | None) -> EnvState:
    """Two machines in question where the first would be set up for something else.

    The second is, of the other machines, the one that completes an operation first of a lot that does not compete for
    the first machine; its lots are those that could start there before that. Whoever goes there passes the first
    machine over: it is not in question in the next decision, unless no other machine has work. So a machine can be
    kept as it is set up for what only comes later, which no conflict set of one machine allows. On both machines the
    lots compete as well, however late they start, that would need a longer set-up behind the first completion there.
    """
    seen = state if passed is None else plant.without(state, params, passed, decision.non_delay)
    opened = _open_in_plant(seen, params, decision)
    changes, delayed = plant.spoiling(seen, params, opened.first, opened.machine)
    delayed = delayed & ~opened.mask
    waits = changes & ~(opened.mask | delayed)
    rest = plant.without(opened, params, opened.machine, decision.non_delay)
    other = _open_in_plant(plant.only(rest, waits), params, decision)
    there = waits & (other.event < NEVER) & (other.machine != opened.machine)
    _, delayed_there = plant.spoiling(seen, params, other.first, other.machine)
    second = Second(other.machine, (other.mask | delayed_there) & there, delayed)
    return state._replace(
        machine=opened.machine, event=opened.event, first=opened.first, mask=opened.mask, second=second
    )


def passed_over(state: EnvState, params: EnvParams, lot: Array) -> Array | None:
    """The machine that is passed over when a lot is chosen, int32 [], M for none; None where none ever is."""
    if state.second is None:
        return None
    chosen = at(state.second.mask, lot) & (state.step < params.operations)
    return jnp.where(chosen, state.machine, state.machines.free.shape[0])


def goes_to(state: EnvState, lot: Array) -> Array:
    """The machine that a lot, int32 [], goes to if it is chosen, int32 []."""
    if state.second is None:
        return state.machine
    return jnp.where(at(state.second.mask, lot), state.second.machine, state.machine)


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
        legal = at(state.legal, action) & (action >= 0) & (action < count)  # JAX clamps and wraps indices
        return jnp.where(active, jnp.where(legal, action, state.first), count), legal
    lots = numbered(count, action)
    legal = ((lots == action) & state.legal).any(axis=0)
    lot = jnp.where(active, jnp.where(legal, action, state.first), count)
    # XLA stores what a reduction gives; the lot itself would be computed again for every element that reads it.
    return jnp.where(lots == lot, lots, count).min(axis=0), legal
