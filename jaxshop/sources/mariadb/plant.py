"""The optional tables and columns of the plant's own rules: calendars, downtime, set-ups, lags, and work in progress.

A site that has none of them is read as one without such rules. What an account may not see is not there for it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxshop.shop import Calendar, Changeover, Downtime, Fixed, Job, Machine, Operation, Shift
from jaxshop.shop.records import DAY, WEEKDAYS
from jaxshop.sources.mariadb.values import show, text

if TYPE_CHECKING:
    from jaxshop.sources.mariadb.connection import Database
    from jaxshop.sources.mariadb.values import Refusals

COLUMNS = {
    "calendars": "calendar_id, timezone",
    "calendar_shifts": "calendar_id, weekday, opens, closes",
    "calendar_days": "calendar_id, day, opens, closes",
    "machine_downtime": "machine_id, starts_at, ends_at, reason",
    "setups": "work_centre, machine_id, from_family, to_family, setup_h",
    "progress": "operation_id, machine_id, started_at, finished_at",
}
"""Of each optional table."""

PLANT_TABLES = tuple(COLUMNS)

AS_TEXT = {"opens", "closes", "day", "starts_at", "ends_at", "started_at", "finished_at"}
"""Columns that are read as text, lest the connector make something else of them."""

Machines = dict[str, Machine | None]


@dataclass
class Progress:
    """What has happened: by operation, when it was finished, and where the others run."""

    finished: dict[str, int] = field(default_factory=dict)
    running: dict[str, Fixed] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What runs on machines that are inactive, and so is planned anew."""


class Elsewhere(NamedTuple):
    """An operation that runs, of a job that is not read; from which tick, and hours as the tables say."""

    operation: str
    machine: str
    start: int
    setup_h: Any
    duration_h: Any
    job: str
    status: object


class PlantTables:
    """Reads what there is of the optional tables; what is refused is noted as for the others."""

    def __init__(self, database: Database, refusals: Refusals, plan_start: datetime, rows: dict[str, int]):
        self.database, self.refusals, self.plan_start, self.counts = database, refusals, plan_start, rows
        sql = (
            "SELECT `table_name`, `column_name` FROM `information_schema`.`columns` WHERE `table_schema` = DATABASE() "
            "AND `table_name` IN ('machines', 'operations', " + ", ".join("?" * len(PLANT_TABLES)) + ")"
        )
        self.there = {(str(t).lower(), str(c).lower()) for t, c in database.query("schema", sql, PLANT_TABLES)}

    def column(self, table: str, name: str) -> str:
        """The optional column, or NULL where there is none, to be read in its place."""
        return f"`{table}`.`{name}`" if (table, name) in self.there else "NULL"

    def calendars(self) -> tuple[Calendar, ...]:
        """Every calendar with its shifts and its days."""
        zones = {text(name): zone for name, zone in self._rows("calendars")}
        weekly: dict[str, dict[int, list[Shift]]] = defaultdict(lambda: defaultdict(list))
        for name, weekday, opens, closes in self._rows("calendar_shifts"):
            day, shift = _weekday(weekday), self._shift("calendar_shifts", (name, weekday), opens, closes)
            if text(name) not in zones:
                self.refusals.add("calendar_shifts", (name, weekday), "calendar_id", name, "unknown calendar")
            elif day is None:
                reason = "must be mon ... sun, or 0 (Monday) ... 6"
                self.refusals.add("calendar_shifts", (name, weekday), "weekday", weekday, reason)
            elif shift is not None:
                weekly[text(name)][day].append(shift)
        closed: dict[str, set[date]] = defaultdict(set)
        special: dict[str, dict[date, list[Shift]]] = defaultdict(lambda: defaultdict(list))
        for name, on, opens, closes in self._rows("calendar_days"):
            if text(name) not in zones:
                self.refusals.add("calendar_days", (name, on), "calendar_id", name, "unknown calendar")
            elif (day_of := _date(on)) is None:
                self.refusals.add("calendar_days", (name, on), "day", on, "must be a DATE such as 2026-12-25")
            elif opens is None and closes is None:
                closed[text(name)].add(day_of)
            elif (shift := self._shift("calendar_days", (name, on), opens, closes)) is not None:
                special[text(name)][day_of].append(shift)
        return tuple(
            Calendar(
                name,
                text(zone),
                tuple(tuple(sorted(weekly[name][d])) for d in range(len(WEEKDAYS))),
                tuple(sorted(closed[name])),
                tuple((on, tuple(sorted(shifts))) for on, shifts in sorted(special[name].items())),
            )
            for name, zone in sorted(zones.items())
        )

    def downtimes(self, machines: Machines) -> None:
        """Add to each machine when it is closed besides."""
        found: dict[str, list[Downtime]] = defaultdict(list)
        for name, starts_at, ends_at, reason in self._rows("machine_downtime"):
            key, id = (name, starts_at), text(name)
            if id not in machines:
                if id not in self.refusals.unsure["machines"]:
                    self.refusals.add("machine_downtime", key, "machine_id", name, "unknown machine")
                continue
            start = self._moment("machine_downtime", key, "starts_at", starts_at)
            end = self._moment("machine_downtime", key, "ends_at", ends_at)
            if start is not None and end is not None and end <= start:
                self.refusals.add("machine_downtime", key, "ends_at", ends_at, "must be after starts_at")
            elif start is not None and end is not None:
                found[id].append(Downtime(start, end, None if reason is None else str(reason)))
        for id, downs in found.items():
            if (machine := machines[id]) is not None:
                machines[id] = replace(machine, unavailable=tuple(sorted(downs, key=lambda down: down[:2])))

    def changeovers(self, machines: Machines, jobs: Iterable[Job]) -> tuple[tuple[Changeover, ...], int]:
        """The set-ups that concern work that is open, and how many others there are."""
        active = [machine for machine in machines.values() if machine is not None]
        centres = {machine.work_centre for machine in active}
        coming = {op.family for job in jobs for op in job.operations}
        known = coming | {machine.family for machine in active}
        found, unused = [], 0
        for centre, machine, *families, hours in self._rows("setups"):
            before, to = (None if family is None else text(family) for family in families)
            key = (centre, machine, before, to)
            ticks = self.refusals.ticks("setups", key, "setup_h", hours, least=0)
            if (centre is None) == (machine is None):
                reason = "either work_centre or machine_id must be NULL, and not both"
                self.refusals.add("setups", key, "machine_id", machine, reason)
            elif machine is not None and text(machine) not in machines:
                self.refusals.add("setups", key, "machine_id", machine, "unknown machine")
            elif to is None:
                self.refusals.add("setups", key, "to_family", to, "a missing value is never filled in")
            elif to not in coming or (before is not None and before not in known):
                unused += 1
            elif machines.get(text(machine)) is None if machine is not None else centre not in centres:
                unused += 1  # of machines that are not active
            else:
                found.append(Changeover(to, ticks, before, centre, None if machine is None else text(machine)))
        return tuple(found), unused

    def running_elsewhere(self, operations: Mapping[str, Operation]) -> Iterator[Elsewhere]:
        """What runs of other operations than these: their jobs are not open, but their machines are busy."""
        if not any(name == "progress" for name, _ in self.there):
            return
        columns = (
            "`p`.`operation_id`, `p`.`machine_id`, CAST(`p`.`started_at` AS CHAR), `o`.`setup_h`, `m`.`duration_h`, "
            "`j`.`job_id`, `j`.`status`"
        )
        source = (
            "`progress` AS `p` LEFT JOIN `operations` AS `o` ON `o`.`operation_id` = `p`.`operation_id` "
            "LEFT JOIN `jobs` AS `j` ON `j`.`job_id` = `o`.`job_id` LEFT JOIN `operation_machines` AS `m` "
            "ON `m`.`operation_id` = `p`.`operation_id` AND `m`.`machine_id` = `p`.`machine_id` "
            "WHERE `p`.`finished_at` IS NULL"
        )
        rows = self.database.stream("progress", columns, source)
        for name, machine, started_at, setup_h, duration_h, job, status in rows:
            if text(name) in operations:
                continue
            start = self._moment("progress", (name,), "started_at", started_at)
            if start is not None:
                yield Elsewhere(text(name), text(machine), start, setup_h, duration_h, text(job), status)

    def progress(
        self,
        operations: dict[str, Operation],
        alternatives: dict[str, dict[str, int]],
        inactive: Mapping[str, Sequence[str]],
    ) -> Progress:
        """What is finished or runs of these operations; rows of others are of jobs that are not open."""
        found = Progress()
        for name, machine, started_at, finished_at in self._rows("progress"):
            key, id = (name,), text(name)
            if id not in operations:
                continue
            start = self._moment("progress", key, "started_at", started_at)
            if id in found.finished or id in found.running:
                self.refusals.add("progress", key, "operation_id", name, "a repeat: it has a row already")
            elif finished_at is not None:
                end = self._moment("progress", key, "finished_at", finished_at)
                if start is not None and end is not None and end < start:
                    self.refusals.add("progress", key, "finished_at", finished_at, "is before started_at")
                found.finished[id] = end or 0
            elif text(machine) in inactive.get(id, ()):
                found.notes.append(f"{show(id)} runs on {show(machine)}, which is inactive: it is planned anew")
            elif text(machine) not in alternatives[id]:
                self.refusals.add("progress", key, "machine_id", machine, "is no machine that may run the operation")
            elif start is not None:
                found.running[id] = Fixed(text(machine), start)
        return found

    def _rows(self, table: str) -> list[tuple[Any, ...]]:
        if not any(name == table for name, _ in self.there):
            return []
        columns = ", ".join(
            f"CAST(`{name}` AS CHAR)" if name in AS_TEXT else f"`{name}`" for name in COLUMNS[table].split(", ")
        )
        rows = list(self.database.stream(table, columns, f"`{table}`"))
        self.counts[table] = len(rows)
        return rows

    def _moment(self, table: str, key: tuple[object, ...], column: str, value: object) -> int | None:
        if value is None:
            self.refusals.add(table, key, column, value, "a missing value is never filled in")
            return None
        return self.refusals.moment(table, ", ".join(map(text, key)), column, value, self.plan_start)

    def _shift(self, table: str, key: tuple[object, ...], opens: object, closes: object) -> Shift | None:
        shift = []
        for column, value in (("opens", opens), ("closes", closes)):
            if (second := _second(value)) is None:
                self.refusals.add(table, key, column, value, "must be a TIME from 00:00:00 to 24:00:00")
                return None
            shift.append(second)
        return Shift(*shift)


def under_way(job: Job, progress: Progress, refusals: Refusals) -> Job | None:
    """The job without what is finished, and with what runs fixed; None where nothing is left of it.

    What follows a finished operation waits for its lag.
    """
    left, release = [], job.release
    for op in job.operations:
        if op.id not in progress.finished:
            left.append(replace(op, fixed=progress.running.get(op.id)))
        elif left:
            reason = f"finished before {show(left[-1].id)}, which comes before it in the route"
            refusals.add("progress", (op.id,), "finished_at", progress.finished[op.id], reason, "out of order")
        elif op.lag:
            release = max(release, progress.finished[op.id] + op.lag)
    return replace(job, operations=tuple(left), release=release) if left else None


def _weekday(value: object) -> int | None:
    if isinstance(value, str) and value.lower()[:3] in WEEKDAYS:
        return WEEKDAYS.index(value.lower()[:3])
    return value if isinstance(value, int) and 0 <= value < len(WEEKDAYS) else None


def _second(value: object) -> int | None:
    match = re.fullmatch(r"(\d\d):([0-5]\d):([0-5]\d)(?:\.0+)?", value) if isinstance(value, str) else None
    if match is None:
        return None
    hours, minutes, seconds = map(int, match.groups())
    second = hours * 3600 + minutes * 60 + seconds
    return second if second <= DAY else None


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
