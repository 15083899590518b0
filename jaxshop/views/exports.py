"""Files of a schedule for other programs: dispatch lists as CSV and as a workbook, a calendar for each machine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from jaxshop.schedule import Schedule
from jaxshop.shop import LotPlan
from jaxshop.support.errors import ShopError
from jaxshop.views.dispatch_list import (
    Cell,
    Clock,
    Line,
    by_machine,
    by_order,
    clock_of,
    dispatch_lines,
    plant_zone,
    table,
    to_csv,
    to_workbook,
)
from jaxshop.views.ical import to_ical


@dataclass(frozen=True)
class Exports:
    """A valid schedule as the people on the floor want it."""

    clock: Clock
    lines: list[Line]
    machines: dict[str, list[Line]]
    """Of each machine that works."""
    tables: dict[str, tuple[list[str], list[list[Cell]]]]
    """Headers and rows, by machine and by order."""

    def lists(self) -> dict[str, str]:
        """Dispatch lists as CSV, by the name of the file."""
        return {f"{name.replace(' ', '-')}.csv": to_csv(*each) for name, each in self.tables.items()}

    def workbook(self) -> bytes:
        """The same as sheets of an XLSX file."""
        return to_workbook(self.tables, self.clock.zone)

    def calendars(self, stamp: datetime) -> dict[str, str]:
        """An iCalendar file for each machine that works, by the name of the file.

        Args:
            stamp: when the schedule was made.

        Raises:
            ShopError: the shop has no plan start.
        """
        if self.clock.start is None:
            raise ShopError("there is no plan_start, so there are no dates")
        names = zip(_file_names(self.machines), self.machines.items(), strict=True)
        return {f"{name}.ics": to_ical(machine, own, self.clock, stamp) for name, (machine, own) in names}


def exports_of(plan: LotPlan, schedule: Schedule, zone: ZoneInfo | None = None) -> Exports:
    """What is written of a valid schedule; all moments are in a time zone, by default the plant's."""
    clock = clock_of(plan.shop, zone or ZoneInfo(plant_zone(plan.shop)))
    lines = dispatch_lines(plan, schedule)
    machines = by_machine(plan, lines)
    unit = plan.shop.unit
    tables = {
        "by machine": table([line for of_one in machines.values() for line in of_one], unit, clock),
        "by order": table(by_order(plan, lines), unit, clock),
    }
    return Exports(clock, lines, machines, tables)


def _file_names(machines: Iterable[str]) -> list[str]:
    """A name for each machine that any file system takes, each another, in whatever case."""
    seen: set[str] = set()
    found = []
    for machine in machines:
        plain = name = re.sub(r"[^\w-]+", "-", machine)[:80].strip("-") or "machine"
        number = 1
        while name.casefold() in seen:
            number += 1
            name = f"{plain}-{number}"
        seen.add(name.casefold())
        found.append(name)
    return found
