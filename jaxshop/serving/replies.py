"""What replies say: of a schedule, and of the model that made it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from jaxshop.schedule import Schedule, kpis, to_json, verify
from jaxshop.serving.problems import MOST_ERRORS
from jaxshop.serving.schemas import Options
from jaxshop.serving.types import Answer, Model
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, fingerprint


@dataclass(frozen=True)
class Reply:
    """A reply's JSON, and the seconds that its parts took."""

    body: bytes
    seconds: dict[str, float]

    @property
    def server_timing(self) -> str:
        """The `Server-Timing` header, in milliseconds."""
        return ", ".join(f"{name};dur={1e3 * value:.1f}" for name, value in self.seconds.items())


def verdict_document(plan: LotPlan, schedule: Schedule) -> dict[str, Any]:
    """What the verifier says of a schedule of a plan."""
    violations = verify(plan, schedule)
    return {
        "valid": not violations,
        "violations": [violation.document() for violation in violations[:MOST_ERRORS]],
        "violation_count": len(violations),
        "makespan_hours": schedule.makespan / TICKS_PER_HOUR,
        "fingerprint": fingerprint(plan.shop),
    }


def reply_document(plan: LotPlan, answer: Answer, model: Model, options: Options) -> dict[str, Any]:
    """The reply's document; schedule, KPIs and source depend on request and seed only."""
    schedule, bound = answer.schedule, answer.certificate.value
    reply = {
        "schedule": to_json(schedule),
        "provenance": asdict(plan.shop.provenance),
        "kpis": kpis(plan, schedule, bound),
        "source": answer.source,
        "verification": {
            "valid": True,
            "violations": [],
            "rejected_attempts": [rejection._asdict() for rejection in answer.rejections],
        },
        "model": describe_model(model),
        "seed": options.seed,
        "samples_done": answer.samples_done,
        "proven_optimal": answer.proven_optimal,
        "work_done": answer.work_done,
        "trace": [[round(x.seconds, 3), x.cost / TICKS_PER_HOUR, x.source] for x in answer.trace],
    }
    if options.target_hours is not None:
        target = options.target_hours * TICKS_PER_HOUR
        reply["target"] = {
            "hours": options.target_hours,
            "met": schedule.makespan <= target,
            "feasible": False if target < bound else None,
        }
    if plan.shop.plan_start is not None:
        reply["dates"] = _dates(plan.shop.plan_start, schedule)
    return reply


def _dates(plan_start: str, schedule: Schedule) -> dict[str, Any]:
    """When the plan and each of its jobs begin and end, as dates; None past the year 9999."""
    origin = datetime.fromisoformat(plan_start)

    def date(ticks: int) -> str | None:
        try:
            return (origin + timedelta(seconds=ticks)).isoformat()
        except OverflowError:
            return None

    spans: dict[str, tuple[int, int]] = {}
    for row in schedule.rows:
        start, end = spans.get(row.job, (row.start, row.end))
        spans[row.job] = min(start, row.start), max(end, row.end)
    jobs = {job: {"start": date(start), "end": date(end)} for job, (start, end) in sorted(spans.items())}
    return {"plan_start": origin.isoformat(), "end": date(schedule.makespan), "jobs": jobs}


def describe_model(model: Model) -> dict[str, Any]:
    """Name, fingerprint and what it was trained on."""
    return {"name": model.name, "fingerprint": model.fingerprint, "trained_on": model.trained_on}
