"""`jaxshop inspect`: what a shop is like, what is certain about it, and whether a target can be met."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jaxshop.bounds import Certificate, Verdict, certify, late_in_every_plan, verdict
from jaxshop.shop import MAKESPAN, TICKS_PER_HOUR, LotPlan, Objective, Shop, job_ticks, shop_facts, span, split_lots
from jaxshop.views.tables import lots_hint, shop_summary


@dataclass(frozen=True)
class Inspection:
    """A shop cut into lots, its certified bounds, and the verdict on a target where there is one."""

    plan: LotPlan
    certificate: Certificate
    target_hours: float | None = None
    verdict: Verdict | None = None


def inspect_shop(shop: Shop, max_lot_hours: float | None, target_hours: float | None) -> Inspection:
    """Cut the lots, certify the bounds, judge the target."""
    plan = split_lots(shop, max_lot_hours)
    if target_hours is None:
        return Inspection(plan, certify(plan))
    answer = verdict(plan, round(target_hours * TICKS_PER_HOUR))
    return Inspection(plan, answer.certificate, target_hours, answer)


def inspection_report(inspection: Inspection) -> dict[str, Any]:
    """The JSON of `jaxshop inspect`; times in hours."""
    plan, certificate, answer = inspection.plan, inspection.certificate, inspection.verdict
    bounds = ("load", "chain", "assignment", "head_tail")
    return {
        "shop": shop_facts(plan),
        "bounds": {name: getattr(certificate, name) / TICKS_PER_HOUR for name in bounds},
        "lower_bound_hours": certificate.value / TICKS_PER_HOUR,
        "witness": certificate.witness,
        "longest_job_hours": max(map(job_ticks, plan.shop.jobs)) / TICKS_PER_HOUR,
        "busiest_machines": busiest_machines(plan),
        "late_in_every_plan": [{"job": job, "hours": ticks / TICKS_PER_HOUR} for job, ticks in _late(plan).items()],
        "objective_bound_hours": certificate.cost(plan.shop.objective) / TICKS_PER_HOUR,
        "target_hours": inspection.target_hours,
        "feasible": answer.feasible if answer else None,
        "reason": answer.reason if answer else "no target was given",
    }


def inspection_lines(inspection: Inspection) -> Iterator[str]:
    """The same for people."""
    plan = inspection.plan
    yield from shop_summary(plan, inspection.certificate)
    busiest = (f"{b['machine']} {span(b['hours'] * TICKS_PER_HOUR, plan.shop.unit)}" for b in busiest_machines(plan))
    yield f"busiest machines, work spread evenly over alternatives: {', '.join(busiest)}"
    if late := _late(plan):
        named = ", ".join(f"{job} by {span(ticks, plan.shop.unit)}" for job, ticks in list(late.items())[:4])
        yield f"late in every plan: {len(late)} job{'s' * (len(late) > 1)} ({named}{', ...' * (len(late) > 4)})"
    if plan.shop.objective != MAKESPAN:
        bound = span(inspection.certificate.cost(plan.shop.objective), plan.shop.unit)
        yield f"objective {_weights(plan.shop.objective)}: at least {bound} in every plan"
    if inspection.verdict is not None:
        answer = "impossible" if inspection.verdict.feasible is False else "not excluded"
        yield f"target {inspection.target_hours:g} h: {answer}; {inspection.verdict.reason}"
        if fit := inspection.verdict.max_lot_hours_that_would_do:
            yield f"hint: --max-lot-hours {fit:g}, or less, cuts the jobs that are in the way"
    else:
        yield from lots_hint(plan, inspection.certificate)


def _late(plan: LotPlan) -> dict[str, int]:
    return late_in_every_plan(plan) if any(job.due is not None for job in plan.shop.jobs) else {}


def _weights(objective: Objective) -> str:
    named = ((objective.makespan, "makespan"), (objective.tardiness, "weighted tardiness"))
    return " + ".join(f"{weight:g} x {name}" for weight, name in named if weight)


def busiest_machines(plan: LotPlan, count: int = 5) -> list[dict[str, Any]]:
    """The machines with the most work, each operation spread evenly over its alternatives."""
    load: dict[str, float] = defaultdict(float)
    for lot in plan.lots:
        for operation in lot.operations:
            for machine, ticks in operation.alternatives.items():
                load[machine] += (operation.setup + ticks) / len(operation.alternatives)
    most = sorted(load.items(), key=lambda item: -item[1])[:count]
    return [{"machine": machine, "hours": round(ticks / TICKS_PER_HOUR, 2)} for machine, ticks in most]
