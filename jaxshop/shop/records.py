"""The records that everything else speaks in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TICKS_PER_HOUR = 3600
"""One tick is one second; every time inside jaxshop is an integer number of ticks from the plan start."""

MAX_HOURS = 87_600
"""Ten years. A single duration, release or due date beyond it is a slip of the unit, not a plan."""

MAX_TICKS = MAX_HOURS * TICKS_PER_HOUR
MAX_HORIZON = 2**30
"""Plans end before this tick, so that the sum of two times still fits int32."""

MAX_QUANTITY = 10**12
MAX_WEIGHT = 1e9


@dataclass(frozen=True)
class Provenance:
    """Where a shop came from; `kind` is `generated`, `file` or `mariadb`."""

    kind: str
    detail: str = ""
    taken_at: str | None = None
    signature: str | None = None


@dataclass(frozen=True)
class Machine:
    """A machine and the tick from which it may work."""

    id: str
    work_centre: str | None = None
    available_from: int = 0


@dataclass(frozen=True)
class Operation:
    """One step of a route; `alternatives` maps eligible machines to processing ticks, set-up excluded."""

    id: str
    alternatives: Mapping[str, int]
    setup: int = 0


@dataclass(frozen=True)
class Job:
    """A job: its operations in route order, the earliest start, and the latest completion if there is one."""

    id: str
    operations: tuple[Operation, ...]
    release: int = 0
    due: int | None = None
    weight: float = 1.0
    quantity: int | None = None


@dataclass(frozen=True)
class Shop:
    """A validated shop, before any lot is cut. `unit` is `hours`, or `ticks` for benchmark texts."""

    name: str
    machines: tuple[Machine, ...]
    jobs: tuple[Job, ...]
    plan_start: str | None = None
    provenance: Provenance = field(default_factory=lambda: Provenance("file"))
    unit: str = "hours"
