"""What goes in and out of `POST /v1/reschedules`; `jaxshop.serving.replanner` checks it, these models describe it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, RootModel

from jaxshop.serving.schemas import ScheduleFile, ScheduleRow, StoredPlan
from jaxshop.serving.shop_schemas import Hours, Id, JobEntry, ShopFile, Strict
from jaxshop.shop import MAX_HOURS


class DownEntry(Strict):
    """A machine is down for these hours."""

    machine: Id
    from_: float = Field(alias="from", description="hours since the plan start")
    to: float
    reason: str = Field("down", description="what the shop in the reply says of it")


class LateEntry(Strict):
    """An operation that has begun ends later than planned; `lot` where several lots of it run."""

    operation: Id
    lot: int | None = None
    end: Hours


class WorkedEntry(Strict):
    """So many hours of an operation that runs are done, set-ups included."""

    operation: Id
    lot: int | None = None
    hours: Hours


class KeptEntry(Strict):
    """An operation that stays as planned; without `lot` every lot of it."""

    operation: Id
    lot: int | None = None


class RescheduleOptions(Strict):
    """The query of `POST /v1/reschedules`."""

    webhook: str | None = Field(
        None,
        max_length=2000,
        description="URL that is told when an asynchronous request has ended, where the server signs webhooks",
    )
    write_back: bool = Field(False, description="store the new plan as a draft; for the database's shop")


class ToldEntry(Strict):
    """What is told, and how to plan; hours count from the plan start."""

    freeze_hours: Hours = 0
    down: tuple[DownEntry, ...] = ()
    late: tuple[LateEntry, ...] = ()
    worked: tuple[WorkedEntry, ...] = ()
    keep: tuple[KeptEntry, ...] = ()
    stability: float = Field(0, ge=0, le=MAX_HOURS, description="hours of the objective for an hour's move")
    time_limit_s: float | None = Field(
        None, ge=0, le=86_400, description="default: JAXSHOP_SEARCH_S, all of the answer"
    )
    seed: int = Field(0, ge=0, lt=2**32)


class RescheduleShop(ToldEntry):
    """A plan under way, with its shop."""

    shop: ShopFile
    schedule: ScheduleFile
    now: Hours
    add: tuple[JobEntry, ...] = ()
    drop: tuple[str, ...] = ()


class RescheduleSource(ToldEntry):
    """The plan that is released in the server's database, in the shop as the database has it now."""

    source: Literal["mariadb"]
    now: Hours | None = Field(None, description="default: by the clock")


class RescheduleRequest(RootModel[RescheduleShop | RescheduleSource]):
    """The body of `POST /v1/reschedules`."""


class Move(Strict):
    """An operation that starts at another tick or on another machine than before."""

    job: str
    lot: int
    operation: str
    machine: str
    machine_before: str
    start: int
    start_before: int
    later_hours: float


Moves = list[Move]


class Changes(Strict):
    """What moved, and what became of work that had begun."""

    moved: int
    machine_changed: int
    later_hours: float
    earlier_hours: float
    stopped: list[ScheduleRow]
    restarted: list[ScheduleRow]
    ended: list[ScheduleRow]
    not_kept: list[ScheduleRow]
    added: list[str]
    dropped: list[str]
    list: Moves


class Reason(Strict):
    """What a part of the time until a job's end went into."""

    what: str
    hours: float
    machine: str | None = None
    behind: str | None = None


class WhyLate(Strict):
    """A job that is late, and why."""

    job: str
    late_hours: float
    due_hours: float
    end_hours: float
    reasons: list[Reason]


class PlanBefore(Strict):
    """Figures of the plan before, of what is still in the shop."""

    makespan_hours: float
    tardiness_hours: float
    late_jobs: int
    schedule_id: str | None = Field(None, description="of the plan in the database")


class BoundWitness(Strict):
    """What the bound rests on."""

    witness: str


class RescheduleReply(Strict):
    """A verified schedule of the whole shop as it is now; what has happened and what is frozen stands in it."""

    schedule: ScheduleFile
    shop: dict[str, Any] = Field(description="the shop as it is now, a shop file")
    makespan_hours: float
    lower_bound_hours: float
    gap_percent: float | None
    proven_optimal: bool
    source: str
    valid: Literal[True]
    seconds: float
    objective: float
    objective_bound: float
    tardiness_hours: float
    late_jobs: int
    work_done: int
    trace: list[tuple[float, float, str]]
    bound: BoundWitness
    fingerprint: str
    before: PlanBefore
    changes: Changes
    late: list[WhyLate]
    options: dict[str, Any] | None = Field(None, description="what is stored beside a plan of the database's shop")
    warming: bool = Field(
        False, description="what the search needs was still being read or compiled: asking again is worth while"
    )
    stored: StoredPlan | None = Field(None, description="where write_back was asked for")
