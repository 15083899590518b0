"""Shops with time turned round: a schedule from the end to the beginning is one of the shop itself, and as long.

A policy that is shown a shop that way decides about its last operations first. On most shops one of both ways is the
better, which cannot be told before; so samples take both in turn.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from jaxshop.schedule import Schedule
from jaxshop.shop import LotPlan, rules_of

TURN = 16
"""Samples that are drawn in one direction before it is the other's turn: whole batches, wherever they are drawn."""


def backward(number: int) -> bool:
    """Whether the sample of that number is of the mirror image, where the shop has one."""
    return number // TURN % 2 == 1


def mirrored(plan: LotPlan) -> LotPlan | None:
    """The plan with every route turned round.

    None where a schedule that is turned back need not be one: with releases, late machines or the plant's own rules.
    """
    late = any(lot.release for lot in plan.lots) or any(machine.available_from for machine in plan.shop.machines)
    if late or rules_of(plan):
        return None
    return replace(plan, lots=tuple(replace(lot, operations=lot.operations[::-1]) for lot in plan.lots))


def turned(schedule: Schedule) -> Schedule:
    """A schedule of a mirrored plan, its rows in that plan's order, as one of the plan."""
    end = schedule.makespan
    lots = [list(rows) for _, rows in groupby(schedule.rows, lambda row: (row.job, row.lot))]
    rows = (row._replace(start=end - row.end, end=end - row.start) for lot in lots for row in reversed(lot))
    return replace(schedule, rows=tuple(rows))
