"""Which of the plant's own rules a shop uses, and the line that refuses those that something cannot do yet."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace

from jaxshop.shop.lots import LotPlan
from jaxshop.shop.objective import MAKESPAN
from jaxshop.support.errors import ShopError

CALENDARS, SETUPS, LAGS, FIXED = "calendars", "set-ups by sequence", "lags", "fixed work"
TARDINESS = "an objective beside the makespan"
"""The rules: closed time of machines, changeovers between families, lags, fixed work, other objectives."""


def rules_of(plan: LotPlan) -> tuple[str, ...]:
    """The rules that the plan uses, in the order above; what a shop only names counts for nothing."""
    return tuple(_rules(plan))


def needs_timing(plan: LotPlan) -> bool:
    """Whether operations of the plan run otherwise than in a plain shop; an objective does not change that."""
    return any(rule != TARDINESS for rule in rules_of(plan))


def without_rules(plan: LotPlan) -> LotPlan:
    """A plain plan of the same size, for what asks for no more than that; a plain plan itself."""
    if not rules_of(plan):
        return plan
    lots = tuple(
        replace(
            lot,
            operations=tuple(replace(op, interruptible=True, family=None, lag=0, fixed=None) for op in lot.operations),
        )
        for lot in plan.lots
    )
    machines = tuple(replace(m, calendar=None, unavailable=(), family=None) for m in plan.shop.machines)
    shop = replace(plan.shop, machines=machines, calendars=(), changeovers=(), objective=MAKESPAN)
    return replace(plan, shop=shop, lots=lots)


def refuse_rules(plan: LotPlan, who: str, able: Container[str] = ()) -> None:
    """Refuse a plan whose shop has rules beyond those that `who` is able to keep.

    Raises:
        ShopError: names them.
    """
    if missing := [rule for rule in rules_of(plan) if rule not in able]:
        way_out = "solve it by --method rules, improve or cpsat"
        raise ShopError(f"{plan.shop.name}: {who} cannot keep {', '.join(missing)} yet; {way_out}")


def _rules(plan: LotPlan) -> Iterator[str]:
    shop = plan.shop
    if any(machine.calendar is not None or machine.unavailable for machine in shop.machines):
        yield CALENDARS
    if shop.changeovers:
        yield SETUPS
    operations = [op for lot in plan.lots for op in lot.operations]
    if any(op.lag for op in operations):
        yield LAGS
    if any(op.fixed is not None for op in operations):
        yield FIXED
    if shop.objective != MAKESPAN:
        yield TARDINESS
