"""What the columns of an observation are made of, computed once: times in bounds, sums over pools and over sets."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.env import plant
from jaxshop.env.timing import completion, earliest_start, lot_completion, open_time
from jaxshop.env.types import EnvParams, EnvState

AHEAD = 6
"""Operations of a route, the next one included, that a policy is warned about."""


class PoolView(NamedTuple):
    """A pool of each candidate, float32 [C] each: sums per machine, in bounds."""

    horizon: Array  # when the pool's machines would end if all work left were spread evenly
    queue: Array
    busy: Array
    work: Array


class SetView(NamedTuple):
    """What the sets of machines that bind a lot have to say, float32 [C] each.

    A set's horizon is when it would end if the work that cannot leave it were spread evenly over its machines. An
    operation of time p that went last to a set of m machines would start about p / m before that horizon: with the tail
    from there on, this says which lots cannot wait, here or further along their routes.
    """

    bound: Array  # 1 where the operation cannot leave a set, else 0
    next_bound: Array  # the same of the operation after it
    later_bound: Array  # of any of the operations further on
    horizon: Array
    longest: Array  # [1 or C] the longest horizon of the sets around the machine
    queue: Array
    threat: Array  # over the bound, of the sets around the machine that are narrower than the lot's own, with the lot
    next_horizon: Array
    next_queue: Array  # with the busy time
    last: Array  # when the lot would be done if its operation went last there
    next_last: Array
    later_last: Array  # the latest of those further on


class PlantView(NamedTuple):
    """What set-ups, closed time and due dates say of each candidate, float32 [C] each; times in bounds."""

    setup: Array  # by sequence, on the open machine
    closed: Array  # between start and end
    family: Array  # the candidates' share that is of the lot's family, itself included
    due: Array  # 1 where lateness has a cost, else 0
    weight: Array  # over the mean of the jobs that have one
    slack: Array  # until the due date when the lot is done without waiting, closed time ahead included


class View(NamedTuple):
    """The open decision as columns see it: of the candidates, float32 [C] each, and of the shop, float32 []."""

    mask: Array  # bool [C]
    first: Array  # 1 for the lot that the machine was chosen for
    traits: Array  # [C, T]
    has_next: Array
    has_second: Array
    time: Array
    tail: Array
    rest: Array  # what remains after this operation
    machine_waits: Array
    lot_waits: Array
    start: Array
    end: Array
    after_event: Array
    done: Array  # when the lot would be done without waiting
    next_gap: Array  # between the arrival at the next machines and their being free
    here: PoolView
    next_pool: PoolView
    second_pool: PoolView
    sets: SetView
    progress: Array
    estimate: Array
    machine_free: Array
    latest_machine: Array
    longest_pool: Array
    machine_pool: Array  # the horizon of the open machine's pool
    competing: Array
    make: Array  # [D]
    plant: PlantView | None = None  # None where operations run as in a plain shop and the makespan alone counts


def look(state: EnvState, params: EnvParams, lots: Array, mask: Array) -> View:
    """The view of the candidates `lots`, int32 [C], of which `mask`, bool [C], are real."""
    scale = 1.0 / params.bound.astype(jnp.float32)

    def bounds(ticks: Array) -> Array:
        return ticks.astype(jnp.float32) * scale

    ops = state.lots.op[lots]
    traits = params.ops.traits[ops]
    has_next = traits[:, 3]
    ready = state.lots.ready[lots]
    machines = state.machine
    if state.second is not None:
        machines = jnp.where(state.second.mask[lots], state.second.machine, state.machine)
    free = state.machines.free[machines]
    tail = state.lots.tail[lots]
    next_sets = params.ops.next_set[:, ops]
    if params.plant is None:
        start = earliest_start(ready, free)
        on = params.sets.member[state.lots.set[:, lots], state.machine]
        ticks = jnp.where(on, state.lots.time[:, lots], 0).sum(axis=0, dtype=jnp.int32)
        end, setup = completion(start, ticks), jnp.zeros_like(ticks)
        rest = tail - ticks
        next_free = bounds(state.sets.free[next_sets].min(axis=0))
    else:
        run, start, end = _run(state, params, lots, machines)
        ticks, rest, setup = run.time, tail - (run.time - run.setup), run.setup
        next_free = bounds(plant.first_free(state, params, next_sets).min(axis=0))
    time, arrival = bounds(ticks), bounds(end)

    busy, work, queue = (x / params.pools.size for x in (state.pools.busy, state.pools.work, state.pools.queue))
    horizon = busy + work
    pools = jnp.stack([horizon, queue, busy, work], axis=1)
    here, following, second = (_columns(pools[params.ops.pools[i, ops]]) for i in range(3))
    # A machine that comes only after the bound is as good as none.
    latest = jnp.where(params.machines.free < params.bound, state.machines.free, 0).max()
    return View(
        mask=mask,
        first=(lots == state.first).astype(jnp.float32),
        traits=traits,
        has_next=has_next,
        has_second=(traits[:, 5] > 0).astype(jnp.float32),
        time=time,
        tail=bounds(tail),
        rest=bounds(rest),
        machine_waits=bounds(jnp.maximum(ready - free, 0)),
        lot_waits=bounds(jnp.maximum(free - ready, 0)),
        start=bounds(start),
        end=arrival,
        after_event=bounds(end - state.event),
        done=bounds(lot_completion(end, rest)),
        next_gap=jnp.clip((next_free - arrival) * has_next, -0.3, 0.3),
        here=here,
        # Gathered apart from its row: XLA moves fewer bytes.
        next_pool=following._replace(horizon=horizon[params.ops.pools[1, ops]]),
        second_pool=second,
        sets=_look_at_sets(state, params, lots, ops, machines, time, scale),
        progress=state.step.astype(jnp.float32) / params.operations.astype(jnp.float32),
        estimate=bounds(state.estimate),
        machine_free=bounds(free if state.second is None else state.machines.free[state.machine]),
        latest_machine=bounds(latest),
        longest_pool=horizon.max(),
        machine_pool=horizon[params.machines.pool[state.machine]],
        competing=mask.sum(dtype=jnp.int32).astype(jnp.float32),
        make=params.make,
        plant=_look_at_plant(
            state, params, lots, mask, (bounds(setup), bounds(end - start - ticks), arrival, bounds(rest))
        )
        if params.plant is not None or params.lateness is not None
        else None,
    )


def _columns(rows: Array) -> PoolView:
    return PoolView(*(rows[:, i] for i in range(rows.shape[1])))


def _run(state: EnvState, params: EnvParams, lots: Array, machines: Array) -> tuple[plant.Run, Array, Array]:
    """The candidates' next operations where they go, and their starts and ends in ticks."""

    def on(machine: Array) -> tuple[plant.Run, Array, Array]:
        run = plant.run_on(plant.of_lots(state.lots, lots), state, params, machine)
        return run, *plant.in_ticks(run, params, machine)

    first = on(state.machine)
    if state.second is None:
        return first
    there = machines == state.second.machine
    return jax.tree.map(lambda x, y: jnp.where(there, x, y), on(state.second.machine), first)


def _look_at_sets(
    state: EnvState, params: EnvParams, lots: Array, ops: Array, machines: Array, time: Array, scale: Array
) -> SetView:
    sets = params.sets
    busy, work, queue = (x / sets.size for x in (state.sets.busy, state.sets.work, state.sets.queue))
    horizon = busy + work
    ahead = jnp.arange(AHEAD)[None]
    route = jnp.minimum(ops[:, None] + ahead, params.ops.home.shape[0] - 1)
    home = params.ops.home[route]
    bound_to = (ahead < state.lots.left[lots][:, None]) & (home < sets.size.shape[0] - 1)
    tails = params.ops.tail[route].astype(jnp.float32) * scale
    last = jnp.where(bound_to, horizon[home] - params.ops.share[route] + tails, 0.0)

    # Sets around the machine that are narrower than the lot's: their work cannot evade it, and the lot's can.
    around, holds = _sets_around(params, machines)
    holds &= state.sets.work[around] > 1e-6
    evades = holds & ~sets.within[home[:, :1], around]
    threat = jnp.where(evades, horizon[around] + time[:, None] / sets.size[around], 0.0).max(axis=1) - 1.0
    return SetView(
        bound=bound_to[:, 0].astype(jnp.float32),
        next_bound=bound_to[:, 1].astype(jnp.float32),
        later_bound=bound_to[:, 2:].any(axis=1).astype(jnp.float32),
        horizon=horizon[home[:, 0]],
        longest=jnp.where(holds, horizon[around], 0.0).max(axis=1),
        queue=queue[home[:, 0]],
        threat=threat,
        next_horizon=horizon[home[:, 1]],
        next_queue=(queue + busy)[home[:, 1]],
        last=last[:, 0],
        next_last=last[:, 1],
        later_last=last[:, 2:].max(axis=1),
    )


def _sets_around(params: EnvParams, machines: Array) -> tuple[Array, Array]:
    """Sets that may hold the machine, or each of machines [C], int32 [1 or C, K]; and whether they do, bool alike."""
    machines = jnp.atleast_1d(machines)
    if params.machines.sets.shape[0] == 0:
        return jnp.arange(params.sets.size.shape[0])[None], params.sets.member[:, machines].T
    around = params.machines.sets[:, machines].T
    return around, around >= 0


def _look_at_plant(
    state: EnvState, params: EnvParams, lots: Array, mask: Array, run: tuple[Array, Array, Array, Array]
) -> PlantView:
    """`run`: set-up, closed time, end and what remains afterwards, in bounds."""
    setup, closed, end, rest = run
    none = jnp.zeros_like(setup)
    family, stretch, due, weight, left = none, 1.0, none, none, none
    if params.plant is not None:
        to = params.plant.to[state.lots.op[lots]]
        alike = (to[:, None] == to[None]) & mask[None]
        family = alike.sum(axis=1).astype(jnp.float32) / jnp.maximum(mask.sum(), 1).astype(jnp.float32)
        passed = open_time(params.plant.calendars, params.plant.calendars.of_machine[state.machine], params.bound)
        stretch = params.bound.astype(jnp.float32) / jnp.maximum(passed, 1).astype(jnp.float32)
    if params.lateness is not None:
        jobs = params.lots.job[lots]
        weighs = params.lateness.weight > 0
        mean = params.lateness.weight.sum() / jnp.maximum(weighs.sum(), 1).astype(jnp.float32)
        weight = params.lateness.weight[jobs] / jnp.maximum(mean, 1e-9)
        due = weighs[jobs].astype(jnp.float32)
        left = params.lateness.due[jobs].astype(jnp.float32) / params.bound.astype(jnp.float32)
    slack = jnp.where(due > 0, left - end - rest * stretch, 0.0)
    return PlantView(setup, closed, family, due, weight, slack)
