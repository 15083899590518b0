"""Whether a target can be met, and which lot size would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxshop.bounds.certify import Certificate, certify
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, job_ticks, lot_size, span, split_lots
from jaxshop.support.errors import ShopError

_MAX_LOTS_PER_JOB = 50
"""Lot sizes that cut finer than this on average are not proposed."""


@dataclass(frozen=True)
class Verdict:
    """Whether a target can be met, as far as the bounds tell.

    Attributes:
        feasible: False if the target is proven impossible, None if it is not excluded.
        reason: one line; it names the job or the machines in the way.
        max_lot_hours_that_would_do: where impossible, the largest lot size found (to three digits) whose
            certified bound does not exceed the target, or None if there is none.
        certificate: the bounds of the plan in question.
    """

    feasible: bool | None
    reason: str
    max_lot_hours_that_would_do: float | None
    certificate: Certificate


def verdict(plan: LotPlan, target_ticks: int) -> Verdict:
    """Say whether a makespan of `target_ticks` is proven impossible, and which lot size would do instead."""
    certificate = certify(plan)
    unit = plan.shop.unit
    target, bound = span(target_ticks, unit), span(certificate.value, unit)
    lots = lot_size(plan.max_lot_hours)
    if certificate.value <= target_ticks:
        reason = f"a target of {target} is not excluded: with {lots} the certified bound is {bound}"
        return Verdict(None, reason, None, certificate)
    fit = _largest_lot_hours(plan, target_ticks)
    way_out = f"lots of at most {fit:g} h would do" if fit else "no lot size was found that would do"
    reason = f"a target of {target} is impossible with {lots}: {certificate.witness}; {way_out}"
    return Verdict(False, reason, fit, certificate)


def _largest_lot_hours(plan: LotPlan, target_ticks: int) -> float | None:
    """The largest lot size, to three digits, whose bound does not exceed the target; None if none is found.

    Smaller lots make chains, heads and tails shorter and, by their set-ups, the load larger; so bisect. Sizes above the
    target, up to the longest job on its slowest machines, are tried where none below it does.
    """
    target_hours = target_ticks / TICKS_PER_HOUR
    if target_hours <= 0:
        return None
    digits = max(0, 2 - int(np.floor(np.log10(target_hours))))
    most = _MAX_LOTS_PER_JOB * len(plan.shop.jobs)

    def steps(hours: float) -> int:
        return int(hours * 10**digits + 1e-9)

    def largest(low: int, high: int) -> float | None:
        found = None
        while high - low > 1:
            middle = (low + high) // 2
            hours = round(middle / 10**digits, digits)
            try:
                bounds = certify(split_lots(plan.shop, hours, most))
            except ShopError:  # set-ups alone reach this size, or the lots are too many
                low = middle
                continue
            if bounds.value <= target_ticks:
                low, found = middle, hours
            elif max(bounds.load, bounds.assignment) > target_ticks:
                low = middle
            else:
                high = middle
        return found

    longest = max(map(job_ticks, plan.shop.jobs), default=0) / TICKS_PER_HOUR
    return largest(0, steps(target_hours) + 1) or largest(steps(target_hours), steps(longest) + 1)
