"""The shop: machines, jobs, operations and alternatives as immutable, validated, host-side records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TICKS_PER_HOUR = 3600
"""One tick is one second; every time inside jaxshop is an integer number of ticks from the plan start."""


class ShopError(ValueError):
    """Bad input: a message of one line that says what, where and what to do; `faults` holds every fault found."""

    def __init__(self, faults: str | list[str]):
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        more = f" (and {len(self.faults) - 1} more faults)" if len(self.faults) > 1 else ""
        super().__init__(self.faults[0] + more)


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
    """One step of a route. `alternatives` maps an eligible machine's id to its processing ticks, set-up excluded."""

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
