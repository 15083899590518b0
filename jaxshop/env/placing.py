"""Where operations of a shop with the plant's own rules run on machines, fixed work ahead of them or not.

Ticks here are of open time, the clock of a machine's calendar. Takes one environment, or E of them: then every array
has one more axis, at its end.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.env.backends import each
from jaxshop.env.timing import earliest_start, fit
from jaxshop.env.types import NEVER, Blocks, EnvParams, MachineState, Plant

UNROLLED = 4
"""Blocks of fixed work that one turn of a loop looks at."""


class Waiting(NamedTuple):
    """Next operations of lots, and what they ask for: int32 [G, ...] each where nothing else is said."""

    start: Array  # from when the lot may
    time: Array
    set: Array
    calendar: Array
    setup: Array  # [F, G, ...]
    whole: Array  # [...]
    to: Array | None = None  # [...]


class Run(NamedTuple):
    """Next operations on one machine, int32 [...] each."""

    on: Array  # bool, whether the machine may run it at all
    start: Array
    time: Array  # with the set-up by sequence
    setup: Array
    family: Array | None = None  # what the machine is set up for right before, and
    number: Array | None = None  # its next block of fixed work then, where machines have some ahead


class Spot(NamedTuple):
    """Machines, one for each operation that is looked at: arrays over machines become arrays over operations."""

    clock: Array
    family: Array
    number: Array
    blocks: Blocks


def around(ops: Waiting, spot: Spot, params: EnvParams) -> Run:
    """The first runs of operations that fit between fixed work; all are taken to be on.

    `ops` has start, time and whole of one shape with the machines of `spot`, or of one that leads to it.
    """
    assert ops.to is not None
    plant, families, blocks = plant_of(params), ops.setup.shape[0], spot.blocks.end.shape[0]
    shape = jnp.broadcast_shapes(ops.start.shape, spot.clock.shape)
    ready, clock, family, first = (
        jnp.broadcast_to(x, shape) for x in (ops.start, spot.clock, spot.family, spot.number)
    )
    calendar, whole, to = (jnp.broadcast_to(x, shape) for x in (ops.calendar, ops.whole, ops.to))

    def by_family(values: Array, family: Array) -> Array:
        """Of values for each family, [F, ...], that of one."""
        rows = [jnp.where(family == number, values[number], 0) for number in range(families)]
        return jnp.stack(rows).sum(axis=0, dtype=jnp.int32)

    def behind(number: Array, clock: Array, family: Array) -> Run:
        """The runs behind so many blocks, whatever comes then."""
        setup = by_family(ops.setup, family)
        start, time = earliest_start(ready, clock), ops.time + setup
        start = in_one_stretch(plant, calendar, start, time, whole)
        return Run(start < NEVER, start, time, setup, family, jnp.maximum(first, number))

    def look(carry: tuple, block: tuple) -> tuple:
        clock, family, found, best = carry
        number, until, end, after = block
        run = behind(number, clock, family)
        best = Run(*(jnp.where(found, old, new) for old, new in zip(best, run, strict=True)))
        ahead = first <= number
        until = by_family(until, jnp.where(to < families - 1, to, family))
        found = found | (ahead & (run.start <= until - run.time))  # the end of what never starts would wrap around
        clock, named = jnp.where(ahead, end, clock), ahead & (after < families - 1)
        return (clock, jnp.where(named, after, family), found, best), None

    last = jnp.int32(blocks)
    carry = clock, family, jnp.zeros(shape, bool), behind(last, clock, family)
    rows = jnp.arange(blocks, dtype=jnp.int32), spot.blocks.until, spot.blocks.end, spot.blocks.family
    (clock, family, found, best), _ = jax.lax.scan(look, carry, rows, unroll=min(blocks, UNROLLED))
    return Run(*(jnp.where(found, old, new) for old, new in zip(best, behind(last, clock, family), strict=True)))


def spots(machines: MachineState, blocks: Blocks, numbers: Array) -> Spot:
    """The machines with these numbers, int32 [...]."""
    assert machines.clock is not None
    assert machines.family is not None
    assert machines.number is not None

    def picked(values: Array) -> Array:
        return each(values, numbers)

    until = jnp.stack([jnp.stack([picked(x) for x in of_block]) for of_block in blocks.until])
    end, family = (jnp.stack([picked(x) for x in values]) for values in (blocks.end, blocks.family))
    there = blocks._replace(until=until, end=end, family=family)
    return Spot(picked(machines.clock), picked(machines.family), picked(machines.number), there)


def in_one_stretch(plant: Plant, calendar: Array, start: Array, time: Array, whole: Array) -> Array:
    """Later starts for what has to run in one open stretch."""
    if plant.calendars.longest is None:
        return start
    reached = start < NEVER
    moved = fit(plant.calendars, calendar, jnp.where(reached, start, 0), time)
    return jnp.where(reached & (whole > 0), moved, start)


def plant_of(params: EnvParams) -> Plant:
    """The rules of a shop that has some."""
    assert params.plant is not None
    return params.plant
