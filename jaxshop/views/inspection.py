"""`jaxshop inspect`: what a shop is like, what is certain about it, and whether a target can be met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from jaxshop.bounds import Certificate, certify, verdict
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, Shop, fingerprint, split_lots
from jaxshop.views.tables import shop_summary, span


def shop_facts(plan: LotPlan) -> dict[str, Any]:
    """The `shop` object of `inspect` and of a run's final JSON: hours and fingerprint are of the whole jobs."""
    shop = plan.shop
    total = sum(op.setup + max(op.alternatives.values()) for job in shop.jobs for op in job.operations)
    return {
        "name": shop.name,
        "fingerprint": fingerprint(shop),
        "provenance": asdict(shop.provenance),
        "machines": len(shop.machines),
        "jobs": len(shop.jobs),
        "lots": len(plan.lots),
        "operations": sum(len(lot.operations) for lot in plan.lots),
        "total_hours": round(total / TICKS_PER_HOUR, 4),
    }


def inspect_shop(shop: Shop, max_lot_hours: float | None, target_hours: float | None) -> dict[str, Any]:
    """The report of `jaxshop inspect` (design section 7); times in hours."""
    plan = split_lots(shop, max_lot_hours)
    answer = verdict(plan, round(target_hours * TICKS_PER_HOUR)) if target_hours is not None else None
    certificate: Certificate = answer.certificate if answer else certify(plan)
    longest = max(sum(op.setup + max(op.alternatives.values()) for op in job.operations) for job in shop.jobs)
    bounds = {k: getattr(certificate, k) / TICKS_PER_HOUR for k in ("load", "chain", "assignment", "head_tail")}
    return {
        "shop": shop_facts(plan),
        "bounds": bounds,
        "lower_bound_hours": certificate.value / TICKS_PER_HOUR,
        "witness": certificate.witness,
        "longest_job_hours": longest / TICKS_PER_HOUR,
        "busiest_machines": busiest_machines(plan),
        "target_hours": target_hours,
        "feasible": answer.feasible if answer else None,
        "reason": answer.reason if answer else "no target was given",
    }


def busiest_machines(plan: LotPlan, count: int = 5) -> list[dict[str, Any]]:
    """The machines with the most work, each operation spread evenly over its alternatives."""
    load: Counter[str] = Counter()
    for lot in plan.lots:
        for operation in lot.operations:
            for machine, ticks in operation.alternatives.items():
                load[machine] += (operation.setup + ticks) / len(operation.alternatives)  # type: ignore[assignment]
    return [
        {"machine": machine, "hours": round(ticks / TICKS_PER_HOUR, 2)} for machine, ticks in load.most_common(count)
    ]


def inspection_lines(shop: Shop, max_lot_hours: float | None, report: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    plan = split_lots(shop, max_lot_hours)
    yield from shop_summary(plan, certify(plan))
    busiest = (f"{b['machine']} {span(b['hours'] * TICKS_PER_HOUR, shop.unit)}" for b in report["busiest_machines"])
    yield f"busiest machines, work spread evenly over alternatives: {', '.join(busiest)}"
    if report["target_hours"] is not None:
        answer = "impossible" if report["feasible"] is False else "not excluded"
        yield f"target {report['target_hours']:g} h: {answer}; {report['reason']}"
