"""What a shop is like, in numbers: computed here once, for every report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from jaxshop.shop.fingerprint import fingerprint
from jaxshop.shop.lots import LotPlan, route_ticks
from jaxshop.shop.records import TICKS_PER_HOUR, Job


def job_ticks(job: Job) -> int:
    """Ticks of a whole job: its set-ups, and its processing on the slowest alternatives."""
    return sum(route_ticks(job.operations))


def operation_count(plan: LotPlan) -> int:
    """Operations of all lots."""
    return sum(len(lot.operations) for lot in plan.lots)


def shop_facts(plan: LotPlan) -> dict[str, Any]:
    """The `shop` object of the reports: hours and fingerprint are of whole jobs, lots and operations of the lots."""
    shop = plan.shop
    return {
        "name": shop.name,
        "fingerprint": fingerprint(shop),
        "provenance": asdict(shop.provenance),
        "machines": len(shop.machines),
        "jobs": len(shop.jobs),
        "lots": len(plan.lots),
        "operations": operation_count(plan),
        "total_hours": round(sum(map(job_ticks, shop.jobs)) / TICKS_PER_HOUR, 4),
    }
