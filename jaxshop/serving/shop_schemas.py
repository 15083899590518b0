"""The shop file as the API describes it. Its one validator is `jaxshop.shop.document.parse_shop`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jaxshop.shop import MAX_HOURS
from jaxshop.shop.objective import MAX_OBJECTIVE_WEIGHT
from jaxshop.shop.records import MAX_QUANTITY, MAX_WEIGHT

Id = Annotated[str, Field(min_length=1, description="printable, unique")]
Hours = Annotated[float, Field(ge=0, le=MAX_HOURS, description="hours, rounded to the nearest second")]


class Strict(BaseModel):
    """Refuses what it does not know, NaN and infinities."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


Moment = Annotated[float, Field(ge=-MAX_HOURS, le=MAX_HOURS, description="hours; negative: in the past")]
TimeOfDay = Annotated[str, Field(pattern=r"^\d\d:[0-5]\d(:[0-5]\d)?$", description="24:00 ends a day")]
Shifts = list[tuple[TimeOfDay, TimeOfDay]]


class CalendarEntry(Strict):
    """Shifts by the clock on the wall."""

    timezone: str = Field(description="of IANA", examples=["Europe/Berlin"])
    weekly: dict[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], Shifts] | None = None
    closed: list[str] | None = Field(None, description="days without shifts", examples=[["2026-12-25"]])
    open: dict[str, Shifts] | None = Field(None, description="days with shifts of their own")


class DowntimeEntry(Strict):
    """A machine is closed."""

    from_: Moment = Field(alias="from")
    to: Moment
    reason: str | None = None


class FixedEntry(Strict):
    """Work that runs or is frozen, there and then."""

    machine: Id
    start: Moment


class SetupEntry(Strict):
    """A set-up by sequence, on a machine or on each machine of a work centre."""

    machine: str | None = None
    work_centre: str | None = None
    from_: str | None = Field(None, alias="from", description="family before; null: any other, or none that is known")
    to: str = Field(description="family that comes")
    hours: Hours


class ObjectiveEntry(Strict):
    """Weights of the makespan in hours and of total weighted tardiness; one must be more than 0."""

    makespan: float = Field(1, ge=0, le=MAX_OBJECTIVE_WEIGHT)
    tardiness: float = Field(0, ge=0, le=MAX_OBJECTIVE_WEIGHT)


class MachineEntry(Strict):
    """A machine."""

    id: Id
    work_centre: str | None = None
    available_from: Hours = 0
    calendar: str | None = Field(None, description="its shifts; null: always open")
    unavailable: list[DowntimeEntry] | None = None
    family: str | None = Field(None, description="what it is set up for at first")


class OperationEntry(Strict):
    """A step of a route; takes `setup` plus the hours of the machine that it runs on."""

    id: Id
    setup: Hours = 0
    alternatives: dict[str, Annotated[float, Field(gt=0, le=MAX_HOURS)]] = Field(
        min_length=1, description="hours by eligible machine"
    )
    interruptible: bool | None = Field(None, description="whether it may stop while its machine is closed")
    family: str | None = Field(None, description="what its machine must be set up for")
    lag: Hours = Field(0, description="least hours before the next operation of the job")
    fixed: FixedEntry | None = None


class JobEntry(Strict):
    """A job; the order of its operations is its route."""

    id: Id
    quantity: int | None = Field(None, ge=1, le=MAX_QUANTITY)
    release: Hours = 0
    due: float | None = Field(None, ge=-MAX_HOURS, le=MAX_HOURS, description="hours; negative: overdue")
    weight: float = Field(1, gt=0, le=MAX_WEIGHT)
    operations: list[OperationEntry] = Field(min_length=1)


class ProvenanceEntry(Strict):
    """Where a shop came from."""

    kind: Literal["generated", "file", "mariadb"]
    detail: str = ""
    taken_at: str | None = None
    signature: str | None = None


SHOP_EXAMPLE: dict[str, Any] = {
    "format": "jaxshop-shop/1",
    "name": "two presses and a saw",
    "plan_start": "2026-11-23T06:00:00Z",
    "machines": [
        {"id": "SW01"},
        {"id": "PP09", "work_centre": "press"},
        {"id": "PP10", "work_centre": "press"},
    ],
    "jobs": [
        {
            "id": "A",
            "due": 8.0,
            "operations": [
                {"id": "A/1", "alternatives": {"SW01": 1.5}},
                {"id": "A/2", "setup": 0.25, "alternatives": {"PP09": 2.5, "PP10": 2.75}},
            ],
        },
        {"id": "B", "operations": [{"id": "B/1", "setup": 0.25, "alternatives": {"PP09": 4.0, "PP10": 4.0}}]},
    ],
}


class ShopFile(Strict):
    """A shop file (`jaxshop-shop/1`)."""

    model_config = ConfigDict(json_schema_extra={"examples": [SHOP_EXAMPLE]})

    format: Literal["jaxshop-shop/1"]
    name: str = Field(min_length=1)
    plan_start: str | None = Field(None, description="ISO 8601 in UTC; adds dates to the reply")
    provenance: ProvenanceEntry | None = None
    machines: list[MachineEntry] = Field(min_length=1)
    jobs: list[JobEntry] = Field(min_length=1)
    calendars: dict[str, CalendarEntry] | None = Field(None, description="by name; they need plan_start")
    setups: list[SetupEntry] | None = None
    objective: ObjectiveEntry | None = None
