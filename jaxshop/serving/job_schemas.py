"""Models of asynchronous requests and their lists."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jaxshop.serving.reschedule_schemas import RescheduleReply
from jaxshop.serving.schemas import ProblemDocument, ScheduleFile, ScheduleReply
from jaxshop.serving.shop_schemas import Strict


class JobProgress(Strict):
    """How far an asynchronous request is; the data of its `progress` events, one for each better schedule at least."""

    id: str
    kind: Literal["schedule", "reschedule"]
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    stopped: bool = Field(description="the search was asked to end with what it had")
    samples: int | None
    samples_done: int
    makespan_hours: float | None = Field(description="of the best so far")
    objective_hours: float | None = Field(description="of the best so far: what the search makes small")
    lower_bound_hours: float | None = Field(description="certified: the least objective")
    gap_percent: float | None = Field(description="between the two")
    source: str | None = Field(description="of the best so far")
    seconds: float | None = Field(description="after which the best so far was found")
    limit_s: float | None = Field(description="seconds that the search may take")
    proven_optimal: bool


class JobBest(JobProgress):
    """The best schedule so far of an asynchronous request."""

    schedule: ScheduleFile


class JobEntry(JobProgress):
    """An asynchronous request without its result; dates are UTC."""

    submitted_at: str
    ended_at: str | None


class JobList(Strict):
    """The caller's asynchronous requests, the latest first."""

    schedules: list[JobEntry]
    next: str | None = Field(description="what `before` has to be for those before them")


class Page(Strict):
    """The query of `GET /v1/schedules`."""

    limit: int = Field(50, ge=1, le=500, description="how many")
    before: str | None = Field(None, max_length=64, description="only those that were asked before this one")


class JobState(JobEntry):
    """An asynchronous request."""

    error: ProblemDocument | None
    result: ScheduleReply | RescheduleReply | None
