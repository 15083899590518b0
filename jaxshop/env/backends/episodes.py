"""Whole episodes in one kernel (Pallas): a thread an environment, from the first decision to the last.

XLA makes a kernel of each reduction and each scatter of a step, dozens of launches that wait for one another. Here a
step is two loops over the lots: one for the first completion (Giffler and Thompson 1960), one for the lot that goes
first of those that compete. Decisions and ticks are those of `jaxshop.env.transition`, bit for bit; sums that only an
observation reads are not kept. For shops without the plant's own rules.

Every array of the state has the environments last, so that the threads of a warp read side by side. Nothing is
masked: a lot that is done waits for the set of no machine, a list of machines ends with one that is never free.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple, TypeVar

import chex
import jax
import jax.numpy as jnp
from chex import Array
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxshop.env.timing import completion, earliest_start, lot_completion, started
from jaxshop.env.types import NEVER, EnvParams, EnvState

WARP = 32
"""Environments of a program: a thread each, so that nothing is exchanged between threads."""

TOGETHER = 8
"""Lots that are read before the first of them is looked at, so that one wait for memory serves them all."""


Carry = TypeVar("Carry")


class Chance(NamedTuple):
    """What chooses among the lots that compete."""

    word: Callable[[Array, Array], Array]  # (seeds uint32 [E], step int32 []) -> uint32 [E], once a step
    rank: Callable[[Array, Array], Array]  # (word, lot int32 []) -> uint32 [E], other for each lot; the highest goes


class Shared(NamedTuple):
    """What all environments read: one shop."""

    limits: Array  # int32 [2] operations, and machines of the largest set
    seeds: Array  # uint32 [E]
    next_set: Array  # int32 [G, N]
    next_time: Array  # int32 [G, N]
    tail: Array  # int32 [N]
    around: Array  # int32 [K, M] the sets that hold a machine, S for none
    machines: Array  # int32 [M, S + 1] the machines of each set, ascending, M for none


class Own(NamedTuple):
    """What each environment has for itself, written in place."""

    op: Array  # int32 [J, E]
    time: Array  # int32 [G, J, E]
    set: Array  # int32 [G, J, E] S - 1 where a lot is done
    start: Array  # int32 [G, J, E] NEVER where a lot is done
    free: Array  # int32 [M + 1, E] the last is never free
    set_free: Array  # int32 [S + 1, E] the last has no machine, and nobody waits for it
    op_start: Array  # int32 [N, E]
    op_machine: Array  # int32 [N, E]
    estimate: Array  # int32 [E]


class Warp(NamedTuple):
    """What the kernel works on: environments side by side, a thread each."""

    shared: Shared
    own: Own
    lanes: Array  # int32 [E] their numbers
    together: int

    @property
    def choices(self) -> range:
        """G."""
        return range(self.own.time.shape[0])

    def all_alike(self, value: int) -> Array:
        """The value for each, int32 [E]."""
        return jnp.full(WARP, value, jnp.int32)

    def over_lots(
        self, read: Callable[[Array], Any], look: Callable[[Array, Any, Carry], Carry], carry: Carry
    ) -> Carry:
        """`carry = look(lot, read(lot), carry)` for one lot after the other, `together` of which are read at once."""

        def body(block: Array, carry: Carry) -> Carry:
            lots = [block * self.together + i for i in range(self.together)]
            for lot, values in zip(lots, [read(lot) for lot in lots], strict=True):
                carry = look(lot, values, carry)
            return carry

        return jax.lax.fori_loop(0, self.own.op.shape[0] // self.together, body, carry)

    def over_machines(self, look: Callable[[Array, Carry], Carry], carry: Carry) -> Carry:
        """`carry = look(place, carry)` for each place in `Shared.machines` that has a machine of any set."""
        return jax.lax.fori_loop(0, self.shared.limits[1], look, carry)


class News(NamedTuple):
    """What the last operation changed for lots that wait."""

    sets: tuple[Array, ...]  # K of int32 [E], the sets around its machine
    free: tuple[Array, ...]  # K of int32 [E], tick from which each has a machine free


def play(
    state: EnvState,
    params: EnvParams,
    seeds: Array,
    steps: int,
    chance: Chance,
    interpret: bool = False,
    together: int = TOGETHER,
) -> Own:
    """E active episodes of one shop after so many steps, or at their ends, where these come first.

    Args:
        state: the first of an episode, as `JobShop.begin` makes it.
        params: of a shop without the plant's own rules, whose machines are in `Shape.overlap` sets at most.
        seeds: uint32 [E], E a multiple of `WARP`.
        steps: operations to dispatch in each.
        chance: see there.
        interpret: without a GPU's compiler.
        together: see `TOGETHER`; compiling an interpreted kernel takes as many times as long.
    """
    assert params.plant is None, "the kernel knows plain shops alone"
    assert params.machines.sets.shape[0], "machines are in more sets than the kernel follows"
    chex.assert_rank(seeds, 1)
    count = seeds.size
    assert count % WARP == 0, f"{count} environments are no multiple of {WARP}"
    shared = _shared(params, seeds)
    own = jax.tree.map(lambda x: jnp.broadcast_to(x[..., None], (*x.shape, count)), _first(state, together))
    return pl.pallas_call(
        partial(_episodes, steps, chance, together),
        out_shape=jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), own),
        grid=count // WARP,
        input_output_aliases={len(shared) + i: i for i in range(len(own))},
        interpret=interpret,
        compiler_params=triton.CompilerParams(num_warps=1),
    )(*shared, *own)


def _shared(params: EnvParams, seeds: Array) -> Shared:
    member = jnp.pad(params.sets.member, ((0, 1), (0, 0)))
    sets, machines = params.sets.member.shape
    around = params.machines.sets
    return Shared(
        limits=jnp.stack([params.operations, member.sum(axis=1, dtype=jnp.int32).max()]),
        seeds=seeds,
        next_set=params.ops.next_set,
        next_time=params.ops.next_time,
        tail=params.ops.tail,
        around=jnp.where(around < 0, sets, around),
        machines=jnp.sort(jnp.where(member, jnp.arange(machines, dtype=jnp.int32), machines), axis=1).T,
    )


def _first(state: EnvState, together: int) -> Own:
    """One environment's state, with lots that are done up to a multiple of `together`."""
    lots, more = state.lots, -state.lots.op.shape[0] % together

    def filled(values: Array, padding: int) -> Array:
        return jnp.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, more)], constant_values=padding)

    return Own(
        op=filled(lots.op, 0),
        time=filled(lots.time, 0),
        set=filled(lots.set, state.sets.free.shape[0] - 1),
        start=filled(lots.start, NEVER),
        free=jnp.append(state.machines.free, jnp.int32(NEVER)),
        set_free=jnp.append(state.sets.free, jnp.int32(NEVER)),
        op_start=state.schedule.start,
        op_machine=state.schedule.machine,
        estimate=state.estimate,
    )


def _episodes(steps: int, chance: Chance, together: int, *refs: Array) -> None:
    """The kernel: `Shared`, `Own` as it was, which is where `Own` is written, and `Own`."""
    shared, own = Shared(*refs[: len(Shared._fields)]), Own(*refs[-len(Own._fields) :])
    lanes = pl.program_id(0) * WARP + jnp.arange(WARP, dtype=jnp.int32)
    warp, seeds, sets = Warp(shared, own, lanes, together), shared.seeds[lanes], shared.around.shape[0]

    def step(t: Array, carry: tuple[News, Array]) -> tuple[News, Array]:
        news, estimate = carry
        soonest, first = _first_completion(warp, news)
        machine, latest = _best_fit(warp, first, soonest)
        around = tuple(shared.around[k, machine] for k in range(sets))
        lot = _chosen(warp, around, first, soonest, latest, partial(chance.rank, chance.word(seeds, t)))
        end, tail = _placed(warp, lot, machine, latest, around)
        news = _freed(warp, around)
        _waits_anew(warp, lot, end)
        return news, jnp.maximum(estimate, lot_completion(end, tail))

    nothing = News((warp.all_alike(-1),) * sets, (warp.all_alike(0),) * sets)
    upper = jnp.minimum(shared.limits[0], steps)
    own.estimate[lanes] = jax.lax.fori_loop(0, upper, step, (nothing, own.estimate[lanes]))[1]


def _first_completion(warp: Warp, news: News) -> tuple[Array, Array]:
    """The first completion, and the lowest lot that has it; starts follow the news on the way."""
    own, lanes = warp.own, warp.lanes

    def read(lot: Array) -> list[tuple[Array, ...]]:
        return [(own.start[g, lot, lanes], own.set[g, lot, lanes], own.time[g, lot, lanes]) for g in warp.choices]

    def look(lot: Array, values: list[tuple[Array, ...]], found: tuple[Array, Array]) -> tuple[Array, Array]:
        soonest, first = found
        for g, (start, waits, time) in enumerate(values):
            for changed, tick in zip(news.sets, news.free, strict=True):
                start = earliest_start(start, jnp.where(waits == changed, tick, -1))
            own.start[g, lot, lanes] = start
            end = completion(start, time)
            first = jnp.where(end < soonest, lot, first)
            soonest = jnp.minimum(soonest, end)
        return soonest, first

    return warp.over_lots(read, look, (warp.all_alike(NEVER), warp.all_alike(0)))


def _best_fit(warp: Warp, lot: Array, soonest: Array) -> tuple[Array, Array]:
    """Of the machines on which the lot would complete at `soonest`, the one that became free last, and that tick."""
    shared, own, lanes = warp.shared, warp.own, warp.lanes
    found = warp.all_alike(0), warp.all_alike(-1)
    for g in warp.choices:
        waits, start = own.set[g, lot, lanes], own.start[g, lot, lanes]
        begins = started(soonest, own.time[g, lot, lanes])

        def look(place: Array, found: Any, waits=waits, start=start, begins=begins) -> tuple[Array, Array]:
            best, latest = found
            machine = shared.machines[place, waits]
            free = own.free[machine, lanes]
            better = (free > latest) | ((free == latest) & (machine < best))
            take = better & (earliest_start(start, free) == begins)
            return jnp.where(take, machine, best), jnp.where(take, free, latest)

        found = warp.over_machines(look, found)
    return found


def _chosen(
    warp: Warp, around: tuple[Array, ...], first: Array, soonest: Array, latest: Array, rank: Callable[[Array], Array]
) -> Array:
    """The lot that ranks highest of those that could start on the machine before the first completion there."""
    own, lanes = warp.own, warp.lanes

    def read(lot: Array) -> list[tuple[Array, Array]]:
        return [(own.start[g, lot, lanes], own.set[g, lot, lanes]) for g in warp.choices]

    def look(lot: Array, values: list[tuple[Array, Array]], found: tuple[Array, Array]) -> tuple[Array, Array]:
        highest, chosen = found
        competes, its = first == lot, rank(lot)
        for start, waits in values:
            competes |= _among(waits, around) & (earliest_start(start, latest) < soonest)
        higher = competes & (its >= highest)
        return jnp.where(higher, its, highest), jnp.where(higher, lot, chosen)

    return warp.over_lots(read, look, (jnp.zeros(WARP, jnp.uint32), first))[1]


def _among(set_: Array, around: tuple[Array, ...]) -> Array:
    return reduce(jnp.logical_or, [set_ == one for one in around])


def _placed(warp: Warp, lot: Array, machine: Array, free: Array, around: tuple[Array, ...]) -> tuple[Array, Array]:
    """The lot's operation is on the machine; its end, and the least time of what follows it in the lot."""
    shared, own, lanes = warp.shared, warp.own, warp.lanes
    op, start, time = own.op[lot, lanes], warp.all_alike(-1), warp.all_alike(-1)
    for g in warp.choices:
        on = _among(own.set[g, lot, lanes], around)
        start = jnp.where(on, earliest_start(own.start[g, lot, lanes], free), start)
        time = jnp.where(on, own.time[g, lot, lanes], time)
    end = completion(start, time)
    own.op_start[op, lanes] = start
    own.op_machine[op, lanes] = machine
    own.free[machine, lanes] = end
    more = shared.next_set[0, op] < own.set_free.shape[0] - 2
    following = op + more.astype(jnp.int32)
    own.op[lot, lanes] = following
    for g in warp.choices:
        own.set[g, lot, lanes] = shared.next_set[g, op]
        own.time[g, lot, lanes] = shared.next_time[g, op]
    return end, jnp.where(more, shared.tail[following], 0)


def _freed(warp: Warp, around: tuple[Array, ...]) -> News:
    """The ticks from which the sets around the machine have one free."""
    shared, own, lanes = warp.shared, warp.own, warp.lanes

    def look(place: Array, ticks: tuple[Array, ...]) -> tuple[Array, ...]:
        frees = [own.free[shared.machines[place, one], lanes] for one in around]
        return tuple(jnp.minimum(tick, free) for tick, free in zip(ticks, frees, strict=True))

    ticks = warp.over_machines(look, (warp.all_alike(NEVER),) * len(around))
    for one, tick in zip(around, ticks, strict=True):
        own.set_free[one, lanes] = tick
    return News(around, ticks)


def _waits_anew(warp: Warp, lot: Array, ready: Array) -> None:
    """The lot may start its next operation once it is ready and a set has a machine free: never where it is done."""
    own, lanes = warp.own, warp.lanes
    for g in warp.choices:
        own.start[g, lot, lanes] = earliest_start(ready, own.set_free[own.set[g, lot, lanes], lanes])
