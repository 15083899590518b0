"""Time before work that stands ahead, frozen or kept: repairs may fill it, and bounds have to allow for it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from jaxshop.schedule.happened import Past, by_start
from jaxshop.schedule.records import Row
from jaxshop.shop import Downtime, LotPlan, Machine

Gap = tuple[int, int]
"""From one tick to another, closed time included."""


def gaps_of(past: Past) -> dict[str, list[Gap]]:
    """By machine the gaps from now on that are followed by work that stands; machines without any are left out."""
    now = past.events.now
    free = {machine.id: max(now, machine.available_from) for machine in past.plan.shop.machines}
    found: dict[str, list[Gap]] = defaultdict(list)
    for row in sorted(past.kept, key=by_start):
        if row.start >= now and row.start > free[row.machine]:
            found[row.machine].append((free[row.machine], row.start))
        free[row.machine] = max(free[row.machine], row.end)
    return dict(found)


def relaxed(past: Past, gaps: dict[str, list[Gap]]) -> LotPlan:
    """The rest of a plan with the gaps open, and what stands behind them as closed time, in which work may stop.

    A bound of it holds for every schedule that keeps what stands, whatever it fills the gaps with.
    """
    machines = {machine.id: machine for machine in past.plan.shop.machines}
    ahead: dict[str, list[Row]] = defaultdict(list)
    for row in past.kept:
        ahead[row.machine].append(row)

    def opened(machine: Machine) -> Machine:
        if machine.id not in gaps:
            return machine
        free = gaps[machine.id][0][0]
        taken = (Downtime(row.start, row.end, "stands") for row in ahead[machine.id] if row.end > max(free, row.start))
        closed = (window for window in machines[machine.id].unavailable if window.end > free)
        return replace(machine, available_from=free, unavailable=(*closed, *taken))

    shop = past.rest.shop
    return replace(past.rest, shop=replace(shop, machines=tuple(opened(machine) for machine in shop.machines)))
