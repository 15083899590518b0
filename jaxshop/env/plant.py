"""Lots and machines under the plant's own rules: where and when the lots' next operations would run.

Ticks here are of open time, the clock of a machine's calendar, unless it says otherwise. Takes one environment, or E of
them: then every array of state and params has one more axis, at its end.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.env.backends import at, each, free_sets, least, members, numbered, put, put_each, runs_on
from jaxshop.env.placing import Run, Spot, Waiting, around, in_one_stretch, plant_of, spots
from jaxshop.env.timing import closing, completion, earliest_start, open_time, opening
from jaxshop.env.types import NEVER, EnvParams, EnvState, LotState, MachineState, Plant, PlantLots


def begin(state: EnvState, params: EnvParams, non_delay: bool) -> EnvState:
    """A plain shop's first state with what the rules add, of one environment."""
    plant, sets, families = plant_of(params), state.lots.set, plant_of(params).setups.shape[1]
    clock = open_time(plant.calendars, plant.calendars.of_machine, state.machines.free)
    number = None if plant.blocks is None else jnp.zeros_like(plant.family)
    machines = state.machines._replace(clock=clock, family=plant.family, number=number)
    free = family_sets(params.sets.member, machines, families)
    start, asked = upcoming(params, state.lots.op, sets, state.lots.ready)
    state = state._replace(
        estimate=jnp.maximum(state.estimate, plant.begun),
        lots=state.lots._replace(start=start, plant=asked),
        machines=machines,
        schedule=state.schedule._replace(end=jnp.full_like(state.schedule.start, -1)),
    )
    event = events(waiting(state.lots), free_of(free, sets, families), machines, params, non_delay)
    return _with_events(state, free, event)


def waiting(lots: LotState) -> Waiting:
    """All lots' next operations."""
    plant = _of(lots)
    return Waiting(lots.start, lots.time, lots.set, plant.calendar, plant.setup, plant.whole, plant.to)


def of_lot(lots: LotState, lot: Array) -> Waiting:
    """One lot's next operation."""
    return Waiting(*(None if x is None else at(x, lot) for x in waiting(lots)))


def of_lots(lots: LotState, numbers: Array) -> Waiting:
    """The next operations of some lots, int32 [C], of one environment."""
    return Waiting(*(None if x is None else x[..., numbers] for x in waiting(lots)))


def run_on(ops: Waiting, state: EnvState, params: EnvParams, machine: Array) -> Run:
    """When operations would run on one machine if each were the next there."""
    assert state.machines.clock is not None
    assert state.machines.family is not None
    on = runs_on(ops.set, params, machine)
    blocks = plant_of(params).blocks
    if blocks is not None:
        here = jax.tree.map(lambda x: at(x, machine), (*state.machines[1:], blocks._replace(owner=None)))
        held = ops._replace(
            start=jnp.where(on, ops.start, -1).max(axis=0),
            time=jnp.where(on, ops.time, -1).max(axis=0),
            setup=jnp.where(on[None], ops.setup, -1).max(axis=1),
            calendar=at(plant_of(params).calendars.of_machine, machine),
        )
        return around(held, Spot(*here), params)._replace(on=on.any(axis=0))
    # At most one of an operation's sets holds the machine.
    setup = jnp.where(on, _after(ops, at(state.machines.family, machine)), -1).max(axis=0)
    time = jnp.where(on, ops.time, -1).max(axis=0) + setup
    start = earliest_start(jnp.where(on, ops.start, -1).max(axis=0), at(state.machines.clock, machine))
    calendar = jnp.broadcast_to(at(plant_of(params).calendars.of_machine, machine), start.shape)
    return Run(on.any(axis=0), in_one_stretch(plant_of(params), calendar, start, time, ops.whole), time, setup)


def _after(ops: Waiting, family: Array) -> Array:
    """Ticks to set up for operations after one family, int32 [], in each of their sets, int32 [G, ...]."""
    families = ops.setup.shape[0]
    there = numbered(families, family).reshape(families, *(1,) * (ops.setup.ndim - 1)) == family
    return jnp.where(there, ops.setup, 0).sum(axis=0, dtype=jnp.int32)


def events(ops: Waiting, free: Sequence[Array], machines: MachineState, params: EnvParams, non_delay: bool) -> Array:
    """When operations can end (non-delay: start) first in each of their sets, int32 [G, ...]; NEVER where they cannot.

    Args:
        ops: the operations.
        free: from when each set has a machine of each family free, F of int32 [G, ...]: machines of a set differ in
            their families alone, and of one family the one that is free first is the best.
        machines: of the state; a machine that has fixed work ahead is a set of its own.
        params: of the environment.
        non_delay: whether a start counts.
    """
    best = _anywhere(ops, free, params, non_delay)
    blocks = plant_of(params).blocks
    if blocks is None:
        return best
    owner = each(blocks.owner, ops.set)
    spot = spots(machines, blocks, jnp.maximum(owner, 0))
    run = around(ops, spot, params)
    event = jnp.where(run.on, run.start if non_delay else completion(run.start, run.time), NEVER)
    return jnp.where(owner < 0, best, event)


def _anywhere(ops: Waiting, free: Sequence[Array], params: EnvParams, non_delay: bool) -> Array:
    """`events` where no machine has fixed work ahead of it."""
    if plant_of(params).calendars.longest is not None:
        found = []
        for of_family, setup in zip(free, ops.setup, strict=True):
            start, time = earliest_start(ops.start, of_family), ops.time + setup
            reached, whole = start < NEVER, jnp.broadcast_to(ops.whole, start.shape)
            start = in_one_stretch(plant_of(params), ops.calendar, start, time, whole)
            found.append(jnp.where(reached, start if non_delay else completion(start, time), NEVER))
        return functools.reduce(jnp.minimum, found)
    if non_delay:
        return earliest_start(ops.start, functools.reduce(jnp.minimum, free))
    # As uint32 the end of what never starts is after NEVER, and no family has to be asked whether it is that.
    ready, time = ops.start.astype(jnp.uint32), ops.time.astype(jnp.uint32)
    ends = (
        completion(earliest_start(ready, of_family.astype(jnp.uint32)), setup.astype(jnp.uint32))
        for of_family, setup in zip(free, ops.setup, strict=True)
    )
    return jnp.minimum(completion(functools.reduce(jnp.minimum, ends), time), jnp.uint32(NEVER)).astype(jnp.int32)


def soonest(lots: LotState, params: EnvParams, non_delay: bool) -> tuple[Array, Array]:
    """The tick, not of open time, int32 [], of the first event, and its open time by calendar, int32 [A], -1 elsewhere.

    Of lots that wait for one calendar the first by its clock is the first of all: only one of each has to be compared.
    """
    plant, asked = plant_of(params), _of(lots)
    count = plant.calendars.starts.shape[0]
    if count == 1:
        clocks = least(asked.event.min(axis=0))[None]
    else:
        waits = (jnp.where(asked.calendar == number, asked.event, NEVER) for number in range(count))
        clocks = jnp.stack([least(x.min(axis=0)) for x in waits])
    numbers = jnp.broadcast_to(numbered(count, clocks[0]), clocks.shape)
    ticks = (opening if non_delay else closing)(plant.calendars, numbers, clocks)
    tick = ticks.min(axis=0)
    return tick, jnp.where(ticks == tick[None], clocks, -1)


def happening(ops: Waiting, event: Array, clocks: Array) -> Array:
    """Which events, int32 [G, ...], are at the open time of their calendars, int32 [A], bool [G, ...]."""
    if clocks.shape[0] == 1:
        return event == clocks[0]
    return jnp.stack([(ops.calendar == number) & (event == clock) for number, clock in enumerate(clocks)]).any(axis=0)


def reaching(ops: Waiting, clocks: Array, state: EnvState, params: EnvParams, non_delay: bool) -> Array:
    """The machines on which one lot's next operation can end (non-delay: start) at the first event, bool [M].

    `clocks` is the event's open time by calendar, int32 [A].
    """
    assert state.machines.clock is not None
    assert state.machines.family is not None
    by_machine, blocks = plant_of(params).calendars.of_machine[None], plant_of(params).blocks
    start, time, setup = ops.start[:, None], ops.time[:, None], ops.setup[:, :, None]
    wide = ops._replace(start=start, time=time, setup=setup, calendar=by_machine)
    if blocks is not None:
        axes = ops.start.ndim
        every = (*state.machines[1:], blocks._replace(owner=None))
        spot = Spot(*jax.tree.map(lambda x: jnp.expand_dims(x, x.ndim - axes), every))
        _, start, time, *_ = around(wide, spot, params)
    else:
        families = numbered(ops.setup.shape[0], ops.setup[0, 0])[:, None] == state.machines.family[None]
        time = wide.time + jnp.where(families[:, None], wide.setup, 0).sum(axis=0, dtype=jnp.int32)
        start = earliest_start(wide.start, state.machines.clock[None])
        by_machine = jnp.broadcast_to(by_machine, start.shape)
        start = in_one_stretch(plant_of(params), by_machine, start, time, jnp.broadcast_to(ops.whole, start.shape))
    event = start if non_delay else completion(start, time)
    there = each(clocks, ops.calendar)[:, None]
    return (members(ops.set, params) & (event == there)).any(axis=0)


def competing(run: Run, state: EnvState, params: EnvParams, non_delay: bool) -> Array:
    """Which operations compete for the open decision's machine, whose first event is `state.event`, bool [...].

    Those that could start before that (non-delay: then). Open time tells: of all ticks that have the same, the last is
    the one at which work can start.
    """
    calendars = plant_of(params).calendars
    limit = open_time(calendars, at(calendars.of_machine, state.machine), state.event)
    return run.on & (run.start <= limit[None] if non_delay else run.start < limit[None])


def in_ticks(run: Run, params: EnvParams, machine: Array) -> tuple[Array, Array]:
    """Start and end of a run in ticks, int32 [...] each."""
    plant = plant_of(params)
    calendar = jnp.broadcast_to(at(plant.calendars.of_machine, machine), run.start.shape)
    start = opening(plant.calendars, calendar, run.start)
    return start, jnp.maximum(start, closing(plant.calendars, calendar, completion(run.start, run.time)))


def upcoming(params: EnvParams, op: Array, sets: Array, ready: Array) -> tuple[Array, PlantLots]:
    """What an operation, ready at a tick, asks of its sets, int32 [G, ...]: `LotState.start`, and `LotState.plant`.

    Its event is still to be found.
    """
    plant = plant_of(params)
    calendar, setup, whole, to = _asked(plant, op, sets)
    start = open_time(plant.calendars, calendar, jnp.broadcast_to(ready[None], calendar.shape))
    return start, PlantLots(calendar, setup, whole, start, to)


def _asked(plant: Plant, op: Array, sets: Array) -> tuple[Array, Array, Array, Array | None]:
    """Of an operation, calendar and set-ups in its sets, int32 [G, ...], whether it has to be whole, and its family."""
    families, to = plant.setups.shape[1], each(plant.to, op)
    row = each(plant.table, sets) * families
    flat = plant.setups.reshape(-1, *plant.setups.shape[3:])
    setup = jnp.stack([each(flat, (row + family) * families + to[None]) for family in range(families)])
    calendar = each(plant.calendars.of_set, sets)
    return calendar, setup, each(plant.whole, op), None if plant.blocks is None else to


def chosen(state: EnvState, params: EnvParams, lot: Array, op: Array) -> Waiting:
    """A lot's next operation, `op`, as the shop has it: XLA copies an array of lots that is read and then written."""
    sets = at(params.ops.set, op)
    return Waiting(at(state.lots.start, lot), at(params.ops.time, op), sets, *_asked(plant_of(params), op, sets))


def advance(lots: LotState, lot: Array, start: Array, new: PlantLots) -> LotState:
    """The lot asks for something else."""
    old = _of(lots)
    return lots._replace(start=put(lots.start, lot, start), plant=jax.tree.map(lambda x, y: put(x, lot, y), old, new))


def free_of(sets_free: Array, sets: Array, families: int) -> Array:
    """From when sets, int32 [...], have a machine of each family free, int32 [F, ...]."""
    count = sets_free.shape[0] // families
    return jnp.stack([each(sets_free, sets + family * count) for family in range(families)])


def family_sets(member: Array, machines: MachineState, families: int) -> Array:
    """Open time from which a machine of each family is free in each set, int32 [F * S]; NEVER where there is none."""
    assert machines.clock is not None
    ticks = [jnp.where(machines.family == family, machines.clock, NEVER) for family in range(families)]
    return jnp.concatenate([free_sets(member, of_family) for of_family in ticks])


def follow_machine(
    state: EnvState, params: EnvParams, machine: Array, before: Array, lot: Array, non_delay: bool
) -> EnvState:
    """Sets and events brought up to date with the machine, set up for family `before` until now, and with the lot."""
    assert state.machines.family is not None
    families = plant_of(params).setups.shape[1]
    changed = [before] if families == 1 else [before, at(state.machines.family, machine)]
    state = _look_around(state, params, machine, changed, non_delay)
    if params.machines.sets.shape[0] == 0:
        return state
    own = of_lot(state.lots, lot)
    of_own = events(own, free_of(state.sets.free, own.set, families), state.machines, params, non_delay)
    return _with_events(state, state.sets.free, put(_of(state.lots).event, lot, of_own))


def without(state: EnvState, params: EnvParams, machine: Array, non_delay: bool) -> EnvState:
    """The same as if a machine, int32 [], M for none, had no time left; unchanged where no other machine has work."""
    assert state.machines.clock is not None
    assert state.machines.family is not None
    clock, number, blocks = state.machines.clock, state.machines.number, plant_of(params).blocks
    gone = state.machines._replace(clock=put(clock, machine, jnp.full_like(machine, NEVER)))
    if number is not None and blocks is not None:
        gone = gone._replace(number=put(number, machine, jnp.full_like(machine, blocks.end.shape[0])))
    changed = [at(state.machines.family, machine)]
    other = _look_around(state._replace(machines=gone), params, machine, changed, non_delay)
    some = least(_of(other.lots).event.min(axis=0)) < NEVER

    def chosen(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda x, y: jnp.where(some, x, y), new, old)

    machines, free = chosen(other.machines, state.machines), chosen(other.sets.free, state.sets.free)
    event = chosen(_of(other.lots).event, _of(state.lots).event)
    return _with_events(state._replace(machines=machines), free, event)


def only(state: EnvState, lots: Array) -> EnvState:
    """The same as if other lots, bool [J], had nothing to do."""
    event = _of(state.lots).event
    return _with_events(state, state.sets.free, jnp.where(lots[None], event, NEVER))


def spoiling(state: EnvState, params: EnvParams, lot: Array, machine: Array) -> tuple[Array, Array]:
    """Whether a lot's next operation leaves a machine set up for something else, bool [], and whom that delays.

    Those are the lots, bool [J], that the machine has to be set up for longer afterwards than now.
    """
    assert state.machines.family is not None
    to = at(plant_of(params).to, at(state.lots.op, lot))
    held = run_on(of_lot(state.lots, lot), state, params, machine).family
    held = at(state.machines.family, machine) if held is None else held
    changes = (to < plant_of(params).setups.shape[1] - 1) & (to != held)
    ops = waiting(state.lots)
    afterwards = jnp.where(runs_on(ops.set, params, machine), _after(ops, jnp.where(changes, to, held)), -1).max(axis=0)
    run = run_on(ops, state, params, machine)
    return changes, run.on & (afterwards > run.setup)


def _look_around(state: EnvState, params: EnvParams, machine: Array, changed: list[Array], non_delay: bool) -> EnvState:
    """Sets and events brought up to date with a machine; of what it is and was set up for, int32 [], all else is."""
    lots, families = state.lots, plant_of(params).setups.shape[1]
    around = at(params.machines.sets, machine)
    if around.size == 0:
        free = family_sets(params.sets.member, state.machines, families)
        event = events(waiting(lots), free_of(free, lots.set, families), state.machines, params, non_delay)
        return _with_events(state, free, event)
    free = _follow_families(state, params, changed, around)
    rows = free.reshape(families, -1, *free.shape[1:])
    here = [lots.set == number for number in around]
    by_lot = list(jnp.broadcast_to(at(rows, around[0])[:, None, None], (families, *lots.set.shape)))
    for held, number in zip(here[1:], around[1:], strict=True):
        by_lot = [jnp.where(held, tick, best) for tick, best in zip(at(rows, number), by_lot, strict=True)]
    waits = functools.reduce(jnp.logical_or, here)
    event = jnp.where(waits, events(waiting(lots), by_lot, state.machines, params, non_delay), _of(lots).event)
    return _with_events(state, free, event)


def _with_events(state: EnvState, free: Array, event: Array) -> EnvState:
    plant = _of(state.lots)._replace(event=event)
    return state._replace(sets=state.sets._replace(free=free), lots=state.lots._replace(plant=plant))


def _follow_families(state: EnvState, params: EnvParams, changed: list[Array], around: Array) -> Array:
    """`sets.free` of some families, int32 [], in the sets `around` a machine."""
    assert state.machines.clock is not None
    assert state.machines.family is not None
    sets, held = params.sets.member.shape[0], members(around, params)
    ticks = [
        free_sets(held, jnp.where(state.machines.family == family, state.machines.clock, NEVER)) for family in changed
    ]
    # Padding, -1, is the last set of the family before, or none: it has no machine and stays at NEVER.
    numbers = [family * sets + around for family in changed]
    return put_each(state.sets.free, jnp.concatenate(numbers), jnp.concatenate(ticks))


def first_free(state: EnvState, params: EnvParams, sets: Array) -> Array:
    """The tick from which sets, int32 [...], have a machine free of whatever family; of one environment."""
    plant = plant_of(params)
    by_family = state.sets.free.reshape(plant.setups.shape[1], -1)
    return opening(plant.calendars, plant.calendars.of_set[sets], by_family.min(axis=0)[sets])


def _of(lots: LotState) -> PlantLots:
    assert lots.plant is not None
    return lots.plant
