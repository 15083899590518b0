"""What is left of a plan under way: a plan of its own, with what stands ahead of machines as fixed work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile

from jaxshop.schedule.records import Row
from jaxshop.shop import Fixed, Lot, LotPlan, Machine, Operation

Key = tuple[str, int, str]
"""Job, lot and operation."""


def remaining(present: LotPlan, now: int, kept: Mapping[Key, Row], held: Mapping[Key, int]) -> LotPlan:
    """What is left to plan of a shop as it is now.

    Args:
        present: the shop, and its lots.
        now: before which nothing runs.
        kept: rows that stand, by start.
        held: ticks of the set-ups by sequence that they include.
    """
    left = [_open(lot, now, kept) for lot in present.lots]
    ahead = _ahead({machine.id: max(now, machine.available_from) for machine in present.shop.machines}, left, kept)
    operations = {(lot.job, lot.index, op.id): op for lot in present.lots for op in lot.operations}
    lots = []
    for lot in left:
        waiting = {(lot.job, lot.index, op.id): op for op in lot.operations}
        stands = (key for key in ahead if key[:2] == (lot.job, lot.index) and key not in waiting)
        route = (*stands, *waiting)
        if route:
            ops = (_standing(operations[key], kept[key], held[key]) if key in kept else waiting[key] for key in route)
            lots.append(replace(lot, operations=tuple(ops)))
    names = {lot.job for lot in lots}
    families = any(op.family is not None for lot in lots for op in lot.operations)
    behind: dict[str, list[tuple[Row, Operation]]] = defaultdict(list)
    for key, row in kept.items():
        if key not in ahead:
            behind[row.machine].append((row, operations[key]))
    shop = replace(
        present.shop,
        machines=tuple(_from_now(machine, now, behind[machine.id]) for machine in present.shop.machines),
        jobs=tuple(job for job in present.shop.jobs if job.id in names),
        changeovers=present.shop.changeovers if families else (),
    )
    return LotPlan(shop, tuple(lots), present.max_lot_hours)


def _open(lot: Lot, now: int, kept: Mapping[Key, Row]) -> Lot:
    """The lot without what is kept, from when it is ready; what is kept behind work that is left stays in it."""
    keys = [(lot.job, lot.index, op.id) for op in lot.operations]
    rows = [kept[key] for key in takewhile(kept.__contains__, keys)]
    ready = rows[-1].end + lot.operations[len(rows) - 1].lag if rows else 0
    return replace(lot, operations=lot.operations[len(rows) :], release=max(now, lot.release, ready))


def _ahead(begin: dict[str, int], left: list[Lot], kept: Mapping[Key, Row]) -> dict[Key, Row]:
    """Rows behind work that is left, and rows with time before them or others that something left could use."""
    asks: dict[str, list[tuple[int, int]]] = defaultdict(list)
    waiting = set()
    for lot in left:
        for op in lot.operations:
            waiting.add(key := (lot.job, lot.index, op.id))
            for name, ticks in op.alternatives.items() if key not in kept else ():
                asks[name].append((lot.release, op.setup + ticks))
    free, found, parted = dict(begin), {}, set()
    for key, row in kept.items():
        if key in waiting or any(max(free[row.machine], at) + ticks <= row.start for at, ticks in asks[row.machine]):
            parted.add(row.machine)
        if row.machine in parted:
            found[key] = row
        free[row.machine] = max(free[row.machine], row.end)
    return found


def _standing(op: Operation, row: Row, held: int) -> Operation:
    """A kept operation as fixed work; its set-up by sequence is part of it."""
    if op.fixed is not None:
        return op
    return replace(op, setup=op.setup + held, fixed=Fixed(row.machine, row.start, held))


def _from_now(machine: Machine, now: int, behind: list[tuple[Row, Operation]]) -> Machine:
    """The machine as it is when it is free of some rows; closings that are over by then are left out."""
    free = max(now, machine.available_from, *(row.end for row, _ in behind))
    families = [op.family for _, op in behind if op.family is not None]
    closed = []
    for window in sorted(machine.unavailable, key=lambda window: window.start):
        if window.start <= free:
            free = max(free, window.end)
        else:
            closed.append(window)
    family = families[-1] if families else machine.family
    return replace(machine, available_from=free, unavailable=tuple(closed), family=family)
