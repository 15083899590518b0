"""Fixed work: what runs or is frozen, and what it leaves of machines and lots for the work that is not.

Fixed work comes first: on its machine, whatever is not fixed runs after all that is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.shop.lots import Lot, LotPlan
from jaxshop.shop.records import Job
from jaxshop.shop.timing import Span, Timing


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
    free: np.ndarray  # int64 [machines]
    family: np.ndarray  # int64 [machines], numbers as in `Changeovers`


def earliest_fixed(routes: tuple[Lot, ...] | tuple[Job, ...]) -> int:
    """The first tick of fixed work, 0 where none lies in the past."""
    return min((op.fixed.start for route in routes for op in route.operations if op.fixed), default=0)


def timing_of(plan: LotPlan) -> Timing:
    """The timing of a plan, its closed time known from its earliest fixed work on."""
    return Timing(plan.shop, min(0, earliest_fixed(plan.lots)))


def opening(plan: LotPlan, timing: Timing) -> Opening:
    """Place the fixed work."""
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
            free[m] = max(free[m], span.end)
    found.sort(key=lambda placed: (placed.span, placed.machine))
    for placed in found:
        if (name := plan.lots[placed.lot].operations[placed.place].family) is not None:
            family[placed.machine] = timing.changeovers.number(name)
    return Opening(tuple(found), done, ready, free, family)
