"""The schedule from empty to complete, one dispatched operation a step: pure integer functions of state and params.

`transition` takes one environment, or E of them: then every array of state, params and action has one more axis, at its
end. Only `first_state` and `jaxshop.env.backends` tell the two apart.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.env import plant
from jaxshop.env.backends import at, each, free_sets, members, numbered, put, put_each, put_fresh, row, runs_on
from jaxshop.env.decision import goes_to, open_decision, passed_over
from jaxshop.env.timing import completion, earliest_start, lot_completion
from jaxshop.env.types import (
    NEVER,
    Decision,
    EnvParams,
    EnvState,
    LotState,
    MachineState,
    PoolState,
    ScheduleState,
    Second,
    SetState,
)


class Placement(NamedTuple):
    """An operation on its machine, and what comes after it in its lot."""

    active: Array  # bool [] False once the episode is over: then nothing is written
    lot: Array  # int32 []
    op: Array  # int32 []
    machine: Array  # int32 []
    free: Array  # int32 [] tick from which the machine was free
    start: Array  # int32 []
    end: Array  # int32 []
    tail: Array  # int32 [] least time of the lot after this operation, its lag included
    more: Array  # bool [] whether the lot goes on
    following: Array  # int32 [] the operation that it goes on with, `op` where it does not
    following_sets: Array  # int32 [G] sets of that one, S - 1 where there is none
    # With the plant's own rules:
    clock: Array | None = None  # int32 [] the end in open time
    family: Array | None = None  # int32 [] what the machine was set up for
    held: Array | None = None  # int32 [] the same right before the operation, behind fixed work that it lets pass, and
    number: Array | None = None  # int32 [] the machine's next block then, where there is fixed work ahead


def transition(state: EnvState, params: EnvParams, lot: Array, decision: Decision) -> EnvState:
    """Put the lot's next operation on the open decision's machine, then open the next decision.

    Lot J, which is none, changes nothing.
    """
    placed = place(state, params, lot, decision)
    if params.plant is None:
        placed, state = read_before(placed, state)
    passed = passed_over(state, params, lot)
    sets, pools = count_sums(state, params, placed)
    estimate = jnp.maximum(state.estimate, lot_completion(placed.end, placed.tail))
    state = state._replace(
        jobs=None if state.jobs is None else delay_job(state.jobs, params, placed),
        step=state.step + placed.active.astype(jnp.int32),
        estimate=jnp.where(placed.active, estimate, state.estimate),
        lots=advance_lot(state.lots, params, placed),
        machines=occupy(state.machines, params, placed),
        sets=sets,
        pools=pools,
        schedule=record(state.schedule, placed, decision),
    )
    # Nothing above reads the old `lots.set`, and what follows the new: XLA copies an array that is read after a write.
    return open_decision(refresh_starts(state, params, placed, decision), params, decision, passed)


def place(state: EnvState, params: EnvParams, lot: Array, decision: Decision) -> Placement:
    """Start and end of the lot's next operation on the open decision's machine."""
    machine = goes_to(state, lot)
    active = state.step < params.operations
    op = at(state.lots.op, lot)
    free = at(state.machines.free, machine)
    times, clock, family, held, number = at(params.ops.time, op), None, None, None, None
    tail = at(state.lots.tail, lot) - times[0]
    if params.plant is not None:
        run = plant.run_on(plant.chosen(state, params, lot, op), state, params, machine)
        start, end = plant.in_ticks(run, params, machine)
        clock, family = completion(run.start, run.time), at(state.machines.family, machine)
        held, number = run.family, run.number
    else:
        start = at(state.lots.start, lot)
        if decision.flexible:
            on = runs_on(at(params.ops.set, op), params, machine)
            start = earliest_start(jnp.where(on, start, -1), free)
            times = jnp.where(on, times, -1)
        start = start.max(axis=0)
        end = completion(start, times.max(axis=0))
    following_sets = at(params.ops.next_set, op)
    more = following_sets[0] < params.sets.member.shape[0] - 1
    following = op + more.astype(jnp.int32)
    return Placement(
        active,
        lot,
        op,
        machine,
        free,
        start,
        end,
        tail,
        more,
        following,
        following_sets,
        clock,
        family,
        held,
        number,
    )


def read_before(placed: Placement, state: EnvState) -> tuple[Placement, EnvState]:
    """Both as they are, the operation's start for good: on a GPU XLA would compute it again where it is recorded, from
    the lots' old starts, and keep a copy of all of these for that."""
    start, waiting = jax.lax.platform_dependent(
        placed.start, state.lots.start, cpu=lambda *x: x, default=lambda *x: jax.lax.optimization_barrier(x)
    )
    return placed._replace(start=start), state._replace(lots=state.lots._replace(start=waiting))


def advance_lot(lots: LotState, params: EnvParams, placed: Placement) -> LotState:
    """The lot waits for its next operation, or is done; `refresh_starts` says where it may start."""
    lot, ready, tail = placed.lot, placed.end, placed.tail
    if params.plant is not None:
        lag = at(params.plant.lag, placed.op)
        ready, tail = lot_completion(ready, lag), tail - lag
    ready = jnp.where(placed.more, ready, NEVER)
    if params.plant is not None:
        lots = plant.advance(lots, lot, *plant.upcoming(params, placed.following, placed.following_sets, ready))
    return lots._replace(
        op=put(lots.op, lot, placed.following),
        left=put(lots.left, lot, at(lots.left, lot) - 1),
        ready=put(lots.ready, lot, ready),
        tail=put(lots.tail, lot, tail),
        time=put(lots.time, lot, at(params.ops.next_time, placed.op)),
        set=put(lots.set, lot, placed.following_sets),
    )


def occupy(machines: MachineState, params: EnvParams, placed: Placement) -> MachineState:
    """The machine is busy until the end, and set up for the operation's family, if it has one."""
    slot = jnp.where(placed.active, placed.machine, machines.free.shape[0])
    busy = machines._replace(free=put(machines.free, slot, placed.end))
    if params.plant is None:
        return busy
    assert machines.clock is not None
    assert machines.family is not None
    to = at(params.plant.to, placed.op)
    changes = to < params.plant.setups.shape[1] - 1
    # Written whether it changes or not: by what was read, so that XLA keeps no copy for somebody who may still read it.
    before = placed.family if placed.held is None else placed.held
    assert before is not None
    busy = busy._replace(
        clock=put(machines.clock, slot, placed.clock),
        family=put(machines.family, slot, jnp.where(changes, to, before)),
    )
    if placed.number is None:
        return busy
    assert machines.number is not None
    return busy._replace(number=put(machines.number, slot, placed.number))


def record(schedule: ScheduleState, placed: Placement, decision: Decision) -> ScheduleState:
    """The schedule says where and when the operation runs."""
    slot = jnp.where(placed.active, placed.op, schedule.start.shape[0])
    start = put(schedule.start, slot, placed.start)
    end = None if schedule.end is None else put(schedule.end, slot, placed.end)
    machine = put(schedule.machine, slot, placed.machine) if decision.flexible else schedule.machine
    return ScheduleState(start, machine, end)


def delay_job(jobs: Array, params: EnvParams, placed: Placement) -> Array:
    """The lot's job is done no earlier than the lot can be."""
    job = at(params.lots.job, placed.lot)
    until = jnp.maximum(at(jobs, job), lot_completion(placed.end, placed.tail))
    return put(jobs, jnp.where(placed.active, job, jobs.shape[0]), until)


def count_sums(state: EnvState, params: EnvParams, placed: Placement) -> tuple[SetState, PoolState]:
    """Work, queue and busy time of the sets and pools that the operation leaves, and that the lot comes to."""
    active, more, op, following = placed.active, placed.more, placed.op, placed.following
    grown = (placed.end - placed.free).astype(jnp.float32) / params.bound.astype(jnp.float32)
    work, next_work = at(params.ops.work, op), at(params.ops.work, following)

    done = jnp.where(active & row(params.sets.within, at(params.ops.home, op)), work, 0.0)
    comes = active & more & row(params.sets.within, at(params.ops.home, following))
    sets = state.sets._replace(
        work=state.sets.work - done,
        queue=state.sets.queue - done + jnp.where(comes, next_work, 0.0),
        busy=state.sets.busy + jnp.where(active & at(params.sets.member, placed.machine), grown, 0.0),
    )

    numbers = numbered(state.pools.work.shape[0], op)
    visited = at(params.ops.pools, op)
    here, there = (numbers == visited[0]) & active, (numbers == visited[1]) & active
    left = jnp.where(here, work, 0.0)
    pools = PoolState(
        work=state.pools.work - left,
        queue=state.pools.queue - left + jnp.where(there & more, next_work, 0.0),
        busy=state.pools.busy + jnp.where(here, grown, 0.0),
    )
    return sets, pools


def refresh_starts(state: EnvState, params: EnvParams, placed: Placement, decision: Decision) -> EnvState:
    """`sets.free` and `lots.start` brought up to date with the machine, and with the lot's next operation.

    Machines never become free earlier: what a lot waited for already, it still waits for.
    """
    if params.plant is not None:
        assert placed.family is not None
        return plant.follow_machine(state, params, placed.machine, placed.family, placed.lot, decision.non_delay)
    if decision.flexible:
        free, start = follow_machine(state, params, placed.machine)
    else:
        slot = jnp.where(placed.active, placed.machine, state.sets.free.shape[0])
        free = put(state.sets.free, slot, placed.end)
        start = earliest_start(state.lots.start, jnp.where(state.lots.set == placed.machine, placed.end, -1))
    own = earliest_start(placed.end, each(free, placed.following_sets))  # NEVER, as no machine is, where none follows
    return state._replace(
        sets=state.sets._replace(free=free), lots=state.lots._replace(start=put_fresh(start, placed.lot, own))
    )


def follow_machine(state: EnvState, params: EnvParams, machine: Array) -> tuple[Array, Array]:
    """`sets.free` and `lots.start` after the machine's, of which only the sets around it are looked at."""
    free, start = state.sets.free, state.lots.start
    around = at(params.machines.sets, machine)
    if around.size == 0:
        free = free_sets(params.sets.member, state.machines.free)
        return free, earliest_start(start, each(free, state.lots.set))
    fresh = free_sets(members(around, params), state.machines.free)
    for changed, tick in zip(around, fresh, strict=True):
        start = earliest_start(start, jnp.where(state.lots.set == changed, tick, -1))
    # Padding, -1, is the last set or none: the last has no machine and stays at NEVER.
    return put_each(free, around, fresh), start


def op_ends(state: EnvState, params: EnvParams) -> Array:
    """Tick at which each operation ends, int32 [N], -1 until dispatched; of one environment."""
    if state.schedule.end is not None:
        return state.schedule.end
    done = state.schedule.start >= 0
    on = params.sets.member[params.ops.set, jnp.where(done, state.schedule.machine, 0)]
    times = jnp.where(on, params.ops.time, 0).sum(axis=0, dtype=jnp.int32)
    return jnp.where(done, completion(state.schedule.start, times), -1)


def first_state(params: EnvParams, decision: Decision) -> EnvState:
    """The empty schedule with its first decision open."""
    if params.operations.ndim:
        return jax.vmap(lambda p: first_state(p, decision), -1, -1)(params)
    real = params.lots.count > 0
    op = params.lots.first
    tail = jnp.where(real, params.ops.tail[op], 0)
    lot_set = jnp.where(real, params.ops.set[:, op], params.sets.member.shape[0] - 1)
    set_free = free_sets(params.sets.member, params.machines.free)
    start = earliest_start(params.lots.release[None], set_free[lot_set])
    sets, pools = first_sums(params, set_free)
    undone = jnp.full(params.ops.tail.shape, -1, jnp.int32)
    zero = jnp.int32(0)
    state = EnvState(
        step=zero,
        estimate=jnp.where(real, lot_completion(params.lots.release, tail), 0).max(),
        lots=LotState(
            op=op,
            left=params.lots.count,
            ready=jnp.where(real, params.lots.release, NEVER),
            tail=tail,
            time=jnp.where(real, params.ops.time[:, op], 0),
            set=lot_set,
            start=start,  # NEVER where there is nothing to do, as no machine is
        ),
        machines=MachineState(params.machines.free),
        sets=sets,
        pools=pools,
        schedule=ScheduleState(undone, undone if decision.flexible else params.ops.set[0]),
        machine=zero,
        event=zero,
        first=zero,
        mask=real,
    )
    if params.lateness is not None:
        done = jnp.where(real, lot_completion(params.lots.release, tail), params.lots.release)
        state = state._replace(jobs=jnp.zeros_like(done).at[params.lots.job].max(done))
    if params.plant is not None:
        state = plant.begin(state, params, decision.non_delay)
        if decision.passing:
            state = state._replace(second=Second(zero, jnp.zeros_like(real), jnp.zeros_like(real)))
    return open_decision(state, params, decision)


def first_sums(params: EnvParams, set_free: Array) -> tuple[SetState, PoolState]:
    """The sums of one environment before anything is dispatched; `count_sums` keeps them up."""
    op = params.lots.first
    queued = jnp.where(params.lots.count > 0, params.ops.work[op], 0.0)
    # Until the bound a machine can be busy no longer than that, however late it comes.
    free = jnp.where(params.machines.free < NEVER, jnp.minimum(params.machines.free, params.bound), 0)
    busy = free.astype(jnp.float32) / params.bound.astype(jnp.float32)
    sets = SetState(
        free=set_free,
        work=params.sets.work,
        queue=jnp.where(params.sets.within[params.ops.home[op]], queued[:, None], 0.0).sum(axis=0),
        busy=jnp.where(params.sets.member, busy, 0.0).sum(axis=1),
    )
    nothing = jnp.zeros(params.pools.work.shape, jnp.float32)
    pools = PoolState(
        work=params.pools.work,
        queue=nothing.at[params.ops.pools[0, op]].add(queued),
        busy=nothing.at[params.machines.pool].add(busy),
    )
    return sets, pools
