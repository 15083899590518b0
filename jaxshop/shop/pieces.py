"""Fixed work in the midst of a route: the lot in pieces, and time reserved for what goes before it.

What goes before fixed work has to be done by then. Cut there, a lot falls into pieces that know nothing of each other
but this: see `in_pieces`, for what heeds such an end. What decides operation by operation, and could not go back, has
that work placed beforehand: see `reserved`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from jaxshop.shop.fitting import Fitting, Place
from jaxshop.shop.lots import Lot, LotPlan
from jaxshop.shop.progress import opening, timing_of
from jaxshop.shop.records import Fixed, Operation
from jaxshop.shop.timing import Timing
from jaxshop.support.errors import ShopError


class NoTimeError(ShopError):
    """There is no time for what goes before fixed work, or none was found.

    Attributes:
        lot: that of the fixed work.
        operation: the fixed work.
        proven: whether there is none.
    """

    def __init__(self, lot: tuple[str, int], operation: str, proven: bool):
        self.lot, self.operation, self.proven = lot, operation, proven
        super().__init__(f"{self.said} for what goes before operation {operation!r}, which is fixed")

    @property
    def said(self) -> str:
        """Which of both it is."""
        return "there is no time" if self.proven else "no time was found"


def in_pieces(plan: LotPlan) -> LotPlan:
    """The plan with its lots cut before fixed work that follows free work: what is fixed of a piece comes first.

    A piece that another follows has to be done by `Lot.until`; the plan itself where there is none.
    """
    if all(_whole(lot) for lot in plan.lots):
        return plan
    return replace(plan, lots=tuple(piece for lot in plan.lots for piece in _pieces(lot)))


Key = tuple[str, int, str]
"""Job, lot and operation."""

Wanted = Mapping[Key, tuple[str, int]]
"""Machines and starts."""


MOST = 300
"""States that are looked at in search of time: it is found among the first or not at all, and reschedule has 2 s."""


def reserved(plan: LotPlan, wanted: Wanted = MappingProxyType({}), most: int = MOST) -> LotPlan:
    """The plan with time reserved for free work that goes before fixed work: it is fixed, too, with the set-up it has.

    Work is placed where it ends first, that with the earliest end to keep before other; what comes too late so is
    placed before all other in a further try. Where that fails, time is searched for: see `jaxshop.shop.fitting`. The
    plan itself where there is no such work.

    Args:
        plan: any.
        wanted: machines that operations rather have, and starts that they are not before, if that is in time.
        most: states that the search looks at.

    Raises:
        NoTimeError: there is no time for all of it, or none was found among so many states.
    """
    pieces = in_pieces(plan)
    if pieces is plan:
        return plan
    timing, lots = timing_of(plan), [lot for lot in pieces.lots if lot.until is not None or lot.operations[0].fixed]
    order = sorted((i for i, lot in enumerate(lots) if lot.until is not None), key=lambda i: lots[i].until or 0)
    held = replace(plan, lots=tuple(lots))
    for places in (wanted,) * bool(wanted) + ({},) * (len(order) + 1):
        placed, late = _reserved(held, order, timing, places)
        if late is None:
            return _with(plan, placed)
        order = [late, *(i for i in order if i != late)]
    for each in (held, pieces) if timing.changeovers.ticks.any() else (held,):
        found = Fitting(each, opening(each, timing), timing).search(most)
        if found.places is not None:
            return _with(plan, _at(each, found.places))
    first = lots[order[0]]
    raise NoTimeError((first.job, first.index), _follower(plan, first), found.seen)


def _with(plan: LotPlan, lots: list[Lot]) -> LotPlan:
    """The plan with what is fixed in some lots in place of operations of the same name."""
    placed = {(lot.job, lot.index, op.id): op for lot in lots for op in lot.operations if op.fixed}
    routes = (tuple(placed.get((lot.job, lot.index, op.id), op) for op in lot.operations) for lot in plan.lots)
    return replace(plan, lots=tuple(replace(lot, operations=r) for lot, r in zip(plan.lots, routes, strict=True)))


def _at(plan: LotPlan, places: tuple[Place, ...]) -> list[Lot]:
    """The lots with their free operations fixed at places."""
    lots = list(plan.lots)
    for i, machine, start, held in places:
        route = lots[i].operations
        k = next(k for k, op in enumerate(route) if op.fixed is None)
        name = plan.shop.machines[machine].id
        op = replace(route[k], setup=route[k].setup + held, fixed=Fixed(name, start, held))
        lots[i] = replace(lots[i], operations=(*route[:k], op, *route[k + 1 :]))
    return lots


def _whole(lot: Lot) -> bool:
    """Whether all that is fixed of a lot comes first."""
    fixed = [op.fixed is not None for op in lot.operations]
    return fixed == sorted(fixed, reverse=True)


def _pieces(lot: Lot) -> Iterator[Lot]:
    begin = 0
    for k, op in enumerate(lot.operations):
        before = lot.operations[k - 1] if k else op
        if op.fixed is not None and before.fixed is None:
            yield replace(lot, operations=lot.operations[begin:k], until=op.fixed.start - before.lag)
            begin = k
    yield replace(lot, operations=lot.operations[begin:])


def _reserved(plan: LotPlan, order: list[int], timing: Timing, wanted: Wanted) -> tuple[list[Lot], int | None]:
    """The lots with those of `order` placed one after the other, and the first that comes too late."""
    number = {machine.id: m for m, machine in enumerate(plan.shop.machines)}
    lots = list(plan.lots)
    for i in order:
        for k, op in enumerate(lots[i].operations):
            if op.fixed is None:
                at = wanted.get((lots[i].job, lots[i].index, op.id))
                held, end = _placed(replace(plan, lots=tuple(lots)), i, op, timing, number, at)
                route = lots[i].operations
                lots[i] = replace(lots[i], operations=(*route[:k], held, *route[k + 1 :]))
                if end > (lots[i].until or 0):
                    return lots, i
    return lots, None


def _placed(
    plan: LotPlan, lot: int, op: Operation, timing: Timing, number: dict[str, int], wanted: tuple[str, int] | None
) -> tuple[Operation, int]:
    """A lot's next operation fixed where it ends first, or where it is wanted, and its end there."""
    begin, table = opening(plan, timing), timing.changeovers
    names, ready = list(op.alternatives), begin.ready[lot]
    if wanted is not None and wanted[0] in names:
        names, ready = [wanted[0]], max(ready, wanted[1])
    able, to = np.array([number[name] for name in names]), table.number(op.family)
    takes = op.setup + np.array([op.alternatives[name] for name in names])
    state = begin.free[able], np.zeros_like(able), takes, begin.family[able]
    runs = timing.placed_around(begin.ahead, able, ready, *state, to, op.interruptible)
    first = int(runs.end.argmin())
    held = int(table.ticks[table.kind[able[first]], runs.family[first], to])
    fixed = Fixed(names[first], int(runs.start[first]), held)
    return replace(op, setup=op.setup + held, fixed=fixed), int(runs.end[first])


def _follower(plan: LotPlan, piece: Lot) -> str:
    """The operation that follows a piece."""
    route = next(lot.operations for lot in plan.lots if (lot.job, lot.index) == (piece.job, piece.index))
    names = [op.id for op in route]
    return names[names.index(piece.operations[-1].id) + 1]
