"""What goes in and out: the query's options, which are checked with this, and models that describe the API.

The shop file has one validator, `jaxshop.shop.document.parse_shop`; its model here tells readers what that takes.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, RootModel

from jaxshop.serving.shop_schemas import ProvenanceEntry, ShopFile, Strict
from jaxshop.shop import MAX_HOURS


class Options(Strict):
    """The query of `POST /v1/schedules`."""

    max_lot_hours: float | None = Field(
        None,
        gt=0,
        le=MAX_HOURS,
        description="cut jobs that last longer into lots; default: whole jobs",
        examples=[60],
    )
    samples: int | None = Field(
        None,
        ge=0,
        description="the policy's greedy schedule, every rule, and so many samples of the policy; default: the search"
        " `auto` instead, which needs no policy",
        examples=[32],
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of all chance", examples=[0])
    time_limit_s: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="answer by then, the queue included, with the best verified so far; default: JAXSHOP_SEARCH_S for"
        " the search `auto`, without the queue",
        examples=[10],
    )
    work: int | None = Field(
        None,
        ge=0,
        le=2**53,
        description="end after so many schedules were built: a reply's `work_done` gives its schedule again",
        examples=[1000],
    )
    target_hours: float | None = Field(None, gt=0, le=MAX_HOURS, description="makespan hoped for", examples=[130])
    webhook: str | None = Field(
        None,
        max_length=2000,
        description="URL that is told when an asynchronous request has ended, where the server signs webhooks",
    )
    write_back: bool = Field(False, description="store the plan in the database, as a draft; for the database's shop")


class Source(Strict):
    """The body of `POST /v1/schedules` that stands for the shop in the server's database."""

    source: Literal["mariadb"]


class ScheduleRequest(RootModel[ShopFile | Source]):
    """The body of `POST /v1/schedules`: a shop file, or where the server reads it."""


class StoredPlan(Strict):
    """What became of `write_back`."""

    schedule_id: str | None = Field(description="in the database; null where it could not be stored")
    status: Literal["draft", "released", "superseded"] | None
    written: bool = Field(description="false where exactly this plan was there before")
    lower_bound: int | None = Field(description="of the objective, certified, in ticks")
    error: str | None = Field(description="why it could not be stored; POST :write-back tries again")


class ReleasedPlan(Strict):
    """The plan that the floor works by now."""

    schedule_id: str
    superseded: str | None = Field(description="the one that was released before")
    status: Literal["released"]


class Plan(Strict):
    """A plan in the database; dates are UTC."""

    schedule_id: str
    shop_fingerprint: str
    checkpoint_id: str | None = Field(description="or the search or rule that made it")
    max_lot_hours: float | None
    plan_start: str
    makespan_h: float
    created_at: str
    objective_h: float | None
    lower_bound_h: float | None
    gap_percent: float | None
    late_jobs: int | None
    options: dict[str, Any]
    author: str | None
    based_on: str | None = Field(description="the plan that was released when this one was made")
    status: Literal["draft", "released", "superseded"]
    released_at: str | None
    released_by: str | None


class Plans(Strict):
    """The plans in the database, the latest first."""

    plans: list[Plan]


class ScheduleRow(Strict):
    """An operation of a lot on its machine, from tick (second) `start` to tick `end`."""

    job: str
    lot: int
    operation: str
    machine: str
    start: int
    end: int


class ScheduleFile(Strict):
    """A schedule file (`jaxshop-schedule/1`)."""

    format: Literal["jaxshop-schedule/1"]
    shop: str = Field(description="fingerprint of the shop")
    max_lot_hours: float | None
    makespan: float = Field(ge=0, description="hours")
    operations: list[ScheduleRow]


class VerifyRequest(Strict):
    """The body of `POST /v1/schedules:verify`."""

    shop: ShopFile
    schedule: ScheduleFile


class ViolationEntry(Strict):
    """What is wrong with a schedule; null what does not apply."""

    code: str = Field(
        description="other-shop, other-lots, makespan, missing, repeated, unknown, fixed, ineligible, not-available, "
        "not-released, duration, closed, stopped, route or overlap"
    )
    text: str
    job: str | None
    lot: int | None
    operation: str | None
    machine: str | None
    start: int | None = Field(description="ticks")
    end: int | None = Field(description="ticks")


class VerifyReply(Strict):
    """What the verifier found; `violations` lists the first 100."""

    valid: bool
    violations: list[ViolationEntry]
    violation_count: int
    makespan_hours: float
    fingerprint: str = Field(description="of the shop: what a schedule of it names")
    lower_bound_hours: float | None = Field(None, description="where bound=true: no schedule of the shop is shorter")


class VerifyOptions(Strict):
    """The query of `POST /v1/schedules:verify`."""

    bound: bool = Field(False, description="also certify a lower bound of the makespan, which takes longer")


class LateJob(Strict):
    """A job that is done after its due date."""

    job: str
    tardiness_hours: float


class Lateness(Strict):
    """How the jobs with due dates do."""

    jobs_with_due: int
    late_jobs: int
    max_tardiness_hours: float
    total_tardiness_hours: float
    weighted_tardiness_hours: float
    jobs: list[LateJob] = Field(description="the late ones, the latest first")


class SequenceSetups(Strict):
    """Set-ups by sequence."""

    count: int
    hours: float


class Kpis(Strict):
    """Key figures. `completion` is the fraction of the jobs that are complete: always 1."""

    makespan_hours: float
    lower_bound_hours: float = Field(description="certified: no schedule of these lots is shorter")
    gap_percent: float | None
    completion: float
    utilisation: dict[str, float] = Field(description="busy fraction of open time by work centre")
    setups: SequenceSetups | None = Field(description="null in a shop without set-ups by sequence")
    lateness: Lateness | None


class RejectedAttempt(Strict):
    """What a search gave and the server did not hand out."""

    reason: Literal["invalid", "late", "failed", "warming"] = Field(
        description="warming: what the search needs was still being read or compiled; asking again is worth while"
    )
    detail: str


class VerificationResult(Strict):
    """The independent verifier's word on `schedule`."""

    valid: Literal[True]
    violations: list[str]
    rejected_attempts: list[RejectedAttempt]


class ModelInfo(Strict):
    """The weights that were used."""

    name: str
    fingerprint: str
    trained_on: Any


class Target(Strict):
    """`feasible`: false where the bound excludes the target, null where it does not."""

    hours: float
    met: bool
    feasible: Literal[False] | None


class Span(Strict):
    """Dates, null past the year 9999."""

    start: str | None
    end: str | None


class Dates(Strict):
    """The plan in dates, for people."""

    plan_start: str
    end: str | None
    jobs: dict[str, Span]


class ScheduleReply(Strict):
    """A verified schedule."""

    schedule: ScheduleFile
    provenance: ProvenanceEntry = Field(description="of the shop, as the request states it; not checked here")
    kpis: Kpis
    source: str = Field(
        description="search:NAME, policy:greedy, policy:samples, rule:RULE or fallback:RULE",
        examples=["search:improve"],
    )
    verification: VerificationResult
    model: ModelInfo
    seed: int
    samples_done: int = Field(description="asking for so many without a time limit gives the same schedule")
    proven_optimal: bool = Field(description="the schedule meets the certified bound: there is none better")
    work_done: int = Field(description="schedules built; asking for so much `work` gives the same schedule")
    trace: list[tuple[float, float, str]] = Field(
        description="of each schedule that was better than those before: seconds, objective in hours, source"
    )
    target: Target | None = Field(None, description="where target_hours was given")
    dates: Dates | None = Field(None, description="where the shop has a plan_start")
    shop: ShopFile | None = Field(None, description="as it was read from the database")
    stored: StoredPlan | None = Field(None, description="where write_back was asked for")


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str = Field(examples=["urn:jaxshop:problem:invalid-input"])
    title: str
    status: int
    detail: str
    request_id: str | None
    errors: list[dict[str, str]] | None = Field(None, description="path and message of each fault")


class SizeInfo(Strict):
    """What a shop may have at most to fit one of the sizes; it goes to the first that it fits, and pays for that."""

    lots: int
    operations: int
    machines: int
    times_per_operation: int = Field(description="different times that an operation takes on its machines")
    machine_sets: int = Field(description="different sets of machines that an operation takes the same time on")
    sets_per_machine: int | None = Field(description="such sets that one machine is in; null: as many as there are")
    calendars: int | None = Field(None, description="this and the next three: null where it takes no shop with rules")
    closings: int | None = Field(None, description="of one calendar, as far as a schedule may reach")
    families: int | None = None
    tables_of_setups: int | None = None
    shortest_time_limit_s: float
    shortest_time_limit_with_samples_s: float | None = Field(description="null as long as the size is not compiled")


class LoadedModel(ModelInfo):
    """The model in use, and the sizes of shops that it is compiled for."""

    sizes: list[SizeInfo] = Field(description="in the order in which they are tried")


class Models(Strict):
    """The models; one."""

    models: list[LoadedModel]


class Warming(Strict):
    """How far the warm-up is; searches and rules are served meanwhile, samples of sizes that are compiled."""

    compiled: int
    of: int
    now: str = Field(description="the size that is being compiled; empty before the first")


class Status(Strict):
    """Whether the server takes work."""

    status: str
    needs_key: bool | None = Field(None, description="of /livez: whether requests need a key (not with --no-auth)")
    warming: Warming | None = Field(None, description="while sizes are compiled for the policy")
    beside: list[str] | None = Field(None, description="what else is compiled, in words: rules answer in its place")


class Version(Strict):
    """Versions."""

    jaxshop: str
    jax: str
    python: str
