"""Times and lot sizes in words: said here once, for every message, table and page."""

from __future__ import annotations

from jaxshop.shop.records import TICKS_PER_HOUR


def span(ticks: float, unit: str = "hours") -> str:
    """A time with its unit: hours, or ticks for benchmark texts, which imply none."""
    return f"{ticks / TICKS_PER_HOUR:,.2f} h" if unit == "hours" else f"{ticks:,.0f} ticks"


def lot_size(max_lot_hours: float | None) -> str:
    """What jobs are cut into."""
    return "whole jobs" if max_lot_hours is None else f"lots of at most {max_lot_hours:g} h"


def gap_percent(cost: float, bound: float) -> float | None:
    """How far a cost is over its lower bound, in percent of that; None where the bound is 0."""
    return 100.0 * (cost - bound) / bound if bound else None
