"""What runs where and when, a line an operation: for each machine and for each order, as CSV and as a workbook."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jaxshop.schedule import Row, Schedule
from jaxshop.schedule.verify import setups_by_sequence
from jaxshop.shop import TICKS_PER_HOUR, Job, LotPlan, Operation, Shop

Cell = str | int | float | datetime | None


class Line(NamedTuple):
    """An operation of a schedule with what the people on the floor want to know of it; times in ticks."""

    row: Row
    job: Job
    operation: Operation
    lots: int  # of the job
    step: int  # in the route, from 1
    quantity: int | None  # of the lot
    setup: int  # what it is set up for, by sequence as well
    following: str | None  # the machine of the next step
    ends: int  # when the job is done


def dispatch_lines(plan: LotPlan, schedule: Schedule) -> list[Line]:
    """A valid schedule's lines, by start."""
    jobs = {job.id: job for job in plan.shop.jobs}
    lots = {(lot.job, lot.index): lot for lot in plan.lots}
    counts: dict[str, int] = defaultdict(int)
    for lot in plan.lots:
        counts[lot.job] += 1
    place = {(*key, op.id): k for key, lot in lots.items() for k, op in enumerate(lot.operations)}
    machine = {row[:3]: row.machine for row in schedule.rows}
    by_sequence = changeovers(plan, schedule)
    ends = schedule.job_ends
    lines = []
    for row in sorted(schedule.rows, key=lambda row: (row.start, row.end, row.job, row.lot)):
        lot, k = lots[row.job, row.lot], place[row[:3]]
        op, after = lot.operations[k], lot.operations[k + 1 : k + 2]
        setup = op.setup + by_sequence.get(row, 0)
        following = machine[row.job, row.lot, after[0].id] if after else None
        lines.append(
            Line(row, jobs[row.job], op, counts[row.job], k + 1, lot.quantity, setup, following, ends[row.job])
        )
    return lines


def changeovers(plan: LotPlan, schedule: Schedule) -> dict[Row, int]:
    """Ticks of set-up by sequence in each row that has any; fixed work has none."""
    if not plan.shop.changeovers:
        return {}
    operations = {(lot.job, lot.index, op.id): op for lot in plan.lots for op in lot.operations}
    rows = [row for row in schedule.rows if row[:3] in operations]
    setups = setups_by_sequence(plan.shop, operations, rows)
    return {row: ticks for row, ticks in setups.items() if ticks and operations[row[:3]].fixed is None}


def by_machine(plan: LotPlan, lines: Iterable[Line]) -> dict[str, list[Line]]:
    """The lines of each machine that works, in the order of the shop."""
    found: dict[str, list[Line]] = {machine.id: [] for machine in plan.shop.machines}
    for line in lines:
        found[line.row.machine].append(line)
    return {machine: of_machine for machine, of_machine in found.items() if of_machine}


def by_order(plan: LotPlan, lines: Iterable[Line]) -> list[Line]:
    """The lines in the order of the shop's jobs, lot by lot, each in the order of its route."""
    number = {job.id: j for j, job in enumerate(plan.shop.jobs)}
    return sorted(lines, key=lambda line: (number[line.row.job], line.row.lot, line.step))


def plant_zone(shop: Shop) -> str:
    """The time zone that the most machines keep by their calendars; UTC where there is none."""
    zones = {calendar.id: calendar.timezone for calendar in shop.calendars}
    kept = [zones[machine.calendar] for machine in shop.machines if machine.calendar is not None]
    return max(sorted(set(kept)), key=kept.count, default="UTC")


class Clock(NamedTuple):
    """Ticks as the plant's clock shows them; without a plan start there are hours only."""

    start: datetime | None
    zone: ZoneInfo

    def at(self, ticks: int) -> datetime:
        """The moment, in the plant's zone; there must be a plan start."""
        assert self.start is not None
        return (self.start + timedelta(seconds=ticks)).astimezone(self.zone)


def clock_of(shop: Shop, zone: ZoneInfo) -> Clock:
    """The clock of a shop."""
    return Clock(None if shop.plan_start is None else datetime.fromisoformat(shop.plan_start).astimezone(UTC), zone)


def table(lines: Sequence[Line], unit: str, clock: Clock) -> tuple[list[str], list[list[Cell]]]:
    """Headers and cells; lots and steps count from 1, times are moments where there are dates, and hours besides."""

    def hours(ticks: int | None) -> float | int | None:
        return ticks if ticks is None or unit == "ticks" else round(ticks / TICKS_PER_HOUR, 4)

    columns: list[tuple[str, Callable[[Line], Cell]]] = [
        ("machine", lambda line: line.row.machine),
        ("order", lambda line: line.row.job),
        ("lot", lambda line: line.row.lot + 1),
        ("lots", lambda line: line.lots),
        ("step", lambda line: line.step),
        ("operation", lambda line: line.row.operation),
        ("quantity", lambda line: line.quantity),
        ("family", lambda line: line.operation.family),
    ]
    if clock.start is not None:
        columns += [
            ("start", lambda line: clock.at(line.row.start)),
            ("end", lambda line: clock.at(line.row.end)),
        ]
    columns += [
        (f"start, {unit}", lambda line: hours(line.row.start)),
        (f"end, {unit}", lambda line: hours(line.row.end)),
        (f"set-up, {unit}", lambda line: hours(line.setup)),
        (f"processing, {unit}", lambda line: hours(line.operation.alternatives[line.row.machine])),
        ("next machine", lambda line: line.following),
    ]
    if any(line.job.due is not None for line in lines):
        if clock.start is not None:
            columns.append(("due", lambda line: None if line.job.due is None else clock.at(line.job.due)))
        columns += [
            (f"due, {unit}", lambda line: hours(line.job.due)),
            (
                f"order late, {unit}",
                lambda line: None if line.job.due is None else hours(max(0, line.ends - line.job.due)),
            ),
        ]
    return [heading for heading, _ in columns], [[value(line) for _, value in columns] for line in lines]


def to_csv(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """CSV (RFC 4180): moments in ISO 8601 with their offset."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(headers)
    writer.writerows([[_text(cell) for cell in row] for row in rows])
    return out.getvalue()


def to_workbook(sheets: Mapping[str, tuple[Sequence[str], list[list[Cell]]]], zone: ZoneInfo) -> bytes:
    """A workbook; its moments, which know no zone, are by the plant's clock, each with its offset beside it."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    for title, (headers, rows) in sheets.items():
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        moments = [any(isinstance(row[c], datetime) for row in rows) for c in range(len(headers))]
        sheet.append([x for h, dated in zip(headers, moments, strict=True) for x in _titles(h, dated, zone)])
        for row in rows:
            cells: list[Any] = []
            for value, dated in zip(row, moments, strict=True):
                cell = WriteOnlyCell(sheet, value.replace(tzinfo=None) if isinstance(value, datetime) else value)
                if isinstance(value, str):
                    cell.data_type = "s"  # an id such as `=1+1` is no formula
                if isinstance(value, datetime):
                    cell.number_format = "yyyy-mm-dd hh:mm:ss"
                cells.append(cell)
                if dated:
                    cells.append(value.isoformat()[-6:] if isinstance(value, datetime) else None)
            sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _titles(heading: str, dated: bool, zone: ZoneInfo) -> list[str]:
    return [f"{heading}, {zone.key}", f"{heading} offset"] if dated else [heading]


def _text(cell: Cell) -> object:
    if isinstance(cell, datetime):
        return cell.isoformat()
    # A spreadsheet would run an id such as `=cmd()` as a formula; the apostrophe makes it text.
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in tuple("=+-@\t\r") else cell
