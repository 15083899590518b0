"""Fixed work: what runs or is frozen, and what it leaves of machines and lots for the work that is not.

What lies ahead of a machine splits its time: see `Ahead`. What runs already, or has no open time before it, is where
the machine begins.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import numpy as np

from jaxshop.shop.calendars import FOREVER
from jaxshop.shop.lots import Lot, LotPlan
from jaxshop.shop.records import Job, Operation
from jaxshop.shop.timing import Ahead, Span, Timing


class Placed(NamedTuple):
    """A fixed operation: the number of its lot and its place in the route, its machine's number, and when it runs."""

    lot: int
    place: int
    machine: int
    span: Span


class Opening(NamedTuple):
    """The state that dispatching begins with."""

    fixed: tuple[Placed, ...]  # by start
    done: np.ndarray  # int64 [lots], operations that are fixed: the first ones of the route
    ready: np.ndarray  # int64 [lots], from when the first operation that is not fixed may run
    free: np.ndarray  # int64 [machines], behind the fixed work that no open time comes before
    family: np.ndarray  # int64 [machines], then; numbers as in `Changeovers`
    ahead: Ahead  # all other fixed work


class _Block(NamedTuple):
    start: int
    until: np.ndarray
    end: int
    family: int


def earliest_fixed(routes: tuple[Lot, ...] | tuple[Job, ...]) -> int:
    """The first tick of fixed work, 0 where none lies in the past."""
    return min((op.fixed.start for route in routes for op in route.operations if op.fixed), default=0)


def timing_of(plan: LotPlan) -> Timing:
    """The timing of a plan, its closed time known from its earliest fixed work on."""
    return Timing(plan.shop, min(0, earliest_fixed(plan.lots)))


def opening(plan: LotPlan, timing: Timing) -> Opening:
    """Place the fixed work, which comes first in every lot: see `jaxshop.shop.pieces` for plans that have other."""
    number = {machine.id: m for m, machine in enumerate(plan.shop.machines)}
    free = np.array([machine.available_from for machine in plan.shop.machines], np.int64)
    ready = np.array([lot.release for lot in plan.lots], np.int64)
    done = np.zeros(len(plan.lots), np.int64)
    family = timing.changeovers.first.copy()
    found = []
    for i, lot in enumerate(plan.lots):
        for k, op in enumerate(lot.operations):
            if op.fixed is None:
                break
            m = number[op.fixed.machine]
            span = timing.end_of(m, op.fixed.start, op.setup + op.alternatives[op.fixed.machine], op.interruptible)
            found.append(Placed(i, k, m, span))
            done[i], ready[i] = k + 1, max(ready[i], span.end + op.lag)
    found.sort(key=lambda placed: (placed.machine, placed.span))
    ahead: list[list[_Block]] = [[] for _ in number]
    for m, on_machine in groupby(found, key=lambda placed: placed.machine):
        runs = [(plan.lots[placed.lot].operations[placed.place], placed.span) for placed in on_machine]
        free[m], family[m] = _begin(timing, m, runs, int(free[m]), int(family[m]), ahead[m])
    found.sort(key=lambda placed: (placed.span, placed.machine))
    return Opening(tuple(found), done, ready, free, family, _ahead(ahead, timing.changeovers.none))


def _begin(
    timing: Timing, machine: int, runs: list[tuple[Operation, Span]], free: int, family: int, blocks: list[_Block]
) -> tuple[int, int]:
    """From when a machine is free for the first time, and its family then; what lies further ahead goes to `blocks`."""
    table, windows = timing.changeovers, timing.windows(machine)
    for op, span in runs:
        own = table.number(op.family)
        last = blocks[-1].end if blocks else free
        if windows.open_before(span.start) > windows.open_before(last):
            blocks.append(_Block(span.start, _until(timing, machine, op, span.start), span.end, own))
        elif blocks:
            old = blocks[-1]
            until = _through(old, _until(timing, machine, op, span.start), table.none)
            own = old.family if own == table.none else own
            blocks[-1] = old._replace(until=until, end=max(old.end, span.end), family=own)
        else:
            free, family = max(free, span.end), family if own == table.none else own
    for b in range(len(blocks) - 2, -1, -1):
        blocks[b] = blocks[b]._replace(until=_through(blocks[b], blocks[b + 1].until, table.none))
    return free, family


def _through(block: _Block, following: np.ndarray, none: int) -> np.ndarray:
    """`until` of a block, whose family decides on what follows it unless it has none: then what runs before it does."""
    return block.until if block.family != none else np.where(following == -FOREVER, -FOREVER, block.until)


def _until(timing: Timing, machine: int, op: Operation, start: int) -> np.ndarray:
    """By when work must have ended before a fixed operation, by family, int64 [families + 1]."""
    table = timing.changeovers
    asks = table.ticks[table.kind[machine], :, table.number(op.family)]
    if op.fixed is None or op.fixed.held is None:
        return np.full_like(asks, start)
    return np.where(asks == op.fixed.held, start, -FOREVER)


def _ahead(blocks: list[list[_Block]], none: int) -> Ahead:
    count = max(map(len, blocks), default=0)
    start, end = np.full((2, len(blocks), count + 1), FOREVER)
    until, family = np.full((len(blocks), count + 1, none + 1), FOREVER), np.full((len(blocks), count + 1), none)
    for m, of_machine in enumerate(blocks):
        for b, block in enumerate(of_machine):
            start[m, b], until[m, b], end[m, b], family[m, b] = block
    return Ahead(start, until, end, family, np.array([len(of_machine) for of_machine in blocks], np.int64))
