"""The records that everything else speaks in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import NamedTuple

from jaxshop.shop.objective import MAKESPAN, Objective

TICKS_PER_HOUR = 3600
"""One tick is one second; every time inside jaxshop is an integer number of ticks from the plan start."""

MAX_HOURS = 87_600
"""Ten years. A single duration, release or due date beyond it is a slip of the unit, not a plan."""

MAX_TICKS = MAX_HOURS * TICKS_PER_HOUR
MAX_HORIZON = 2**30
"""Plans end before this tick, so that the sum of two times still fits int32."""

MAX_QUANTITY = 10**12
MAX_WEIGHT = 1e9
DAY = 86_400
"""Seconds of a local day without a change of the clock."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Provenance:
    """Where a shop came from; `kind` is `generated`, `file` or `mariadb`."""

    kind: str
    detail: str = ""
    taken_at: str | None = None
    signature: str | None = None


class Shift(NamedTuple):
    """Open from second `opens` to second `closes` of a local day, by the clock on the wall; `DAY` is 24:00."""

    opens: int
    closes: int


Shifts = tuple[Shift, ...]


@dataclass(frozen=True)
class Calendar:
    """When machines are open, in the time of an IANA zone.

    Attributes:
        weekly: the shifts of each weekday, Monday first.
        closed: days without any shift.
        open: days with shifts of their own.
    """

    id: str
    timezone: str
    weekly: tuple[Shifts, ...] = ((),) * 7
    closed: tuple[date, ...] = ()
    open: tuple[tuple[date, Shifts], ...] = ()


class Downtime(NamedTuple):
    """A machine is closed from tick `start` to tick `end`; before 0 is in the past."""

    start: int
    end: int
    reason: str | None = None


@dataclass(frozen=True)
class Machine:
    """A machine and the tick from which it may work.

    Attributes:
        calendar: id of the calendar of its shifts; None: always open.
        unavailable: when it is closed besides.
        family: what it is set up for at first, if known.
    """

    id: str
    work_centre: str | None = None
    available_from: int = 0
    calendar: str | None = None
    unavailable: tuple[Downtime, ...] = ()
    family: str | None = None


class Fixed(NamedTuple):
    """Runs on this machine from this tick, which may lie in the past.

    Attributes:
        held: in a plan under way, ticks of a set-up by sequence that its own include: what runs before it must not ask
            for another. None: it has none, whatever runs before it.
    """

    machine: str
    start: int
    held: int | None = None


@dataclass(frozen=True)
class Operation:
    """One step of a route.

    Attributes:
        alternatives: eligible machines and processing ticks there, set-up excluded.
        setup: ticks before the processing, whatever ran before.
        interruptible: whether it stops where its machine closes and goes on where that opens.
        family: what its machine must be set up for, if anything.
        lag: least ticks between its end and the start of the next operation of its route.
        fixed: where and when it runs, if that is no longer open.
    """

    id: str
    alternatives: Mapping[str, int]
    setup: int = 0
    interruptible: bool = True
    family: str | None = None
    lag: int = 0
    fixed: Fixed | None = None


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
class Changeover:
    """Ticks to set a machine, or each machine of a work centre, up for a family.

    Attributes:
        to_family: the family of the operation that comes.
        from_family: what the machine is set up for; None: any other family, or nothing that is known.
        work_centre: where it counts, unless a machine is named; a machine's own goes before its centre's.
        machine: where it counts.
    """

    to_family: str
    ticks: int
    from_family: str | None = None
    work_centre: str | None = None
    machine: str | None = None


@dataclass(frozen=True)
class Shop:
    """A validated shop, before any lot is cut. `unit` is `hours`, or `ticks` for benchmark texts."""

    name: str
    machines: tuple[Machine, ...]
    jobs: tuple[Job, ...]
    plan_start: str | None = None
    provenance: Provenance = field(default_factory=lambda: Provenance("file"))
    unit: str = "hours"
    calendars: tuple[Calendar, ...] = ()
    changeovers: tuple[Changeover, ...] = ()
    objective: Objective = MAKESPAN

    @cached_property
    def fingerprint(self) -> str:
        """See `jaxshop.shop.fingerprint`; computed once for all schedules of the shop."""
        from jaxshop.shop.fingerprint import fingerprint  # which reads these records

        return fingerprint(self)
