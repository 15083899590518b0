"""Cells to values: each that is none is noted with file, sheet, row and column, and a stand-in lets the read go on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from jaxshop.shop.records import WEEKDAYS
from jaxshop.sources.tables.options import Reading
from jaxshop.sources.tables.sheets import Cell, Sheet

GERMAN = ("mo", "di", "mi", "do", "fr", "sa", "so")
TRUE, FALSE = ("true", "yes", "1", "ja", "wahr"), ("false", "no", "0", "nein", "falsch")


@dataclass(frozen=True)
class Table:
    """A sheet that is known to be one of the tables, and the place of each column in it."""

    kind: str
    sheet: Sheet
    columns: Mapping[str, int]

    def place(self, row: int, *columns: str) -> str:
        """File, sheet, row, and the first of the columns that is there, for messages."""
        there = next((self.sheet.header[self.columns[name]] for name in columns if name in self.columns), None)
        return f"{self.sheet.where}, row {row}" + ("" if there is None else f", column {there!r}")


class Record(NamedTuple):
    """A row of a table."""

    table: Table
    row: int
    cells: list[Cell]

    def cell(self, column: str) -> Cell:
        """What stands in a column; None where that is empty or not there."""
        place = self.table.columns.get(column)
        return None if place is None else self.cells[place]


class Values:
    """Reads cells as values of a kind; `faults` holds what is wrong, in reading order, `past` counts what was over."""

    def __init__(self, reading: Reading):
        self.reading = reading
        self.faults: list[str] = []
        self.past = 0

    def records(self, table: Table | None) -> Iterator[Record]:
        """The rows of a table, none of one that is not there."""
        if table is not None:
            yield from (Record(table, number, cells) for number, cells in table.sheet.rows)

    def note(self, record: Record, column: str | Sequence[str], message: str) -> None:
        """Note what is wrong with a cell, of the first of several columns that is there."""
        columns = (column,) if isinstance(column, str) else column
        self.faults.append(f"{record.table.place(record.row, *columns)}: {message}")

    def text(self, record: Record, column: str) -> str | None:
        """A text; whole numbers are texts too, as people number their orders."""
        value = record.cell(column)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None or isinstance(value, str):
            return value
        if type(value) is int:
            return str(value)
        self.note(record, column, f"must be a text, not {_shown(value)}")
        return None

    def needed(self, record: Record, column: str) -> str | None:
        """A text that has to be there."""
        if record.cell(column) is None:
            self.note(record, column, "is empty; a missing value is never filled in")
            return None
        return self.text(record, column)

    def key(self, record: Record, column: str, seen: dict[str, int]) -> str | None:
        """A text that has to be there, once in its column; `seen` holds the rows of those before."""
        if (id := self.needed(record, column)) is not None and id in seen:
            self.note(record, column, f"{_shown(id)} again, as in row {seen[id]}")
            return None
        if id is not None:
            seen[id] = record.row
        return id

    def number(self, record: Record, column: str) -> float | None:
        """A number; None where the cell is empty or holds none."""
        value = record.cell(column)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        problem = f"must be a number, not {_shown(value)}"
        if isinstance(value, str):
            mark, other = (",", ".") if self.reading.decimal_comma else (".", ",")
            text = value.replace(mark, ".", 1)
            if other not in value and re.fullmatch(r"[+-]?\d{1,300}(\.\d*)?([eE][+-]?\d{1,3})?", text):
                return float(text)
            if re.fullmatch(r"[+-]?[\d.,]+", value) and other in value:
                said = "--decimal comma was said" if self.reading.decimal_comma else "say --decimal comma"
                kind = "a decimal point" if self.reading.decimal_comma else "a decimal comma"
                problem = f"{value!r} has {kind}, or marks thousands; {said}"
        self.note(record, column, problem)
        return None

    def hours(self, record: Record, *columns: tuple[str, float]) -> float | None:
        """A time in the one of several columns that is filled in, each with how many of its units an hour has."""
        filled = [(name, units) for name, units in columns if record.cell(name) is not None]
        if len(filled) > 1:
            self.note(record, filled[1][0], f"says a second time what {filled[0][0]} says; empty one of them")
        if not filled:
            return None
        number = self.number(record, filled[0][0])
        return 1.0 if number is None else number / filled[0][1]

    def moment(self, record: Record, column: str, ends: bool = False) -> float | None:
        """Hours from the plan start, of a number of hours or a date; a day is its begin, or its end."""
        value = record.cell(column)
        if value is None or _is_hours(value):
            return self.number(record, column)
        try:
            return self._hours_until(value, ends)
        except (ValueError, OverflowError) as error:
            self.note(record, column, str(error))
            return None

    def earliest(self, record: Record, column: str) -> float | None:
        """A moment before which something cannot begin; before the plan start it holds nothing back; it is counted."""
        hours = self.moment(record, column)
        if hours is None or hours >= 0 or _is_hours(record.cell(column)):
            return hours
        self.past += 1
        return 0.0

    def _hours_until(self, value: Cell, ends: bool) -> float:
        if isinstance(value, str):
            value = _moment_of(value)
        if self.reading.plan_start is None:
            raise ValueError(f"{_shown(value)} is a date, which is nothing without --plan-start")
        if not isinstance(value, date):
            raise ValueError(f"must be a date or a number of hours, not {_shown(value)}")
        if not isinstance(value, datetime):
            value = datetime.combine(value, time()) + timedelta(days=1 if ends else 0)
        if value.tzinfo is None:
            if self.reading.zone is None:
                raise ValueError(f"{_shown(value)} has no zone; add an offset such as +01:00 or Z, or say --timezone")
            value = value.replace(tzinfo=self.reading.zone)
        return (value.astimezone(UTC) - self.reading.plan_start) / timedelta(hours=1)

    def clock(self, record: Record, column: str) -> str | None:
        """A time of day as the shop file has it, such as 06:00."""
        value = record.cell(column)
        if isinstance(value, timedelta):  # how workbooks show 24:00
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
        if isinstance(value, time):
            return value.strftime("%H:%M:%S")
        if isinstance(value, str) and re.fullmatch(r"\d?\d:\d\d(:\d\d)?", value):
            return value.zfill(8 if value.count(":") == 2 else 5)
        if value is not None:
            self.note(record, column, f"must be a time of day such as 06:00 or 24:00, not {_shown(value)}")
        return None

    def weekday(self, record: Record, column: str) -> str | None:
        """A day of the week as the shop file has it."""
        text = str(record.cell(column)).casefold()
        if text[:3] in WEEKDAYS:
            return text[:3]
        if text[:2] in GERMAN:
            return WEEKDAYS[GERMAN.index(text[:2])]
        self.note(record, column, f"must be a day from mon to sun, not {_shown(record.cell(column))}")
        return None

    def day(self, record: Record, column: str) -> str | None:
        """A day such as 2026-12-25."""
        value = record.cell(column)
        if isinstance(value, date):
            return (value.date() if isinstance(value, datetime) else value).isoformat()
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return value
        self.note(record, column, f"must be a day such as 2026-12-25, not {_shown(value)}")
        return None

    def flag(self, record: Record, column: str) -> bool | None:
        """Yes or no."""
        text = str(value if (value := record.cell(column)) is not None else "").casefold()
        if text and text not in TRUE + FALSE:
            self.note(record, column, f"must be yes or no, not {_shown(value)}")
            return None
        return text in TRUE if text else None


_DATED = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}")


def _is_hours(value: Cell) -> bool:
    return type(value) in (int, float) or (isinstance(value, str) and not _DATED.match(value))


def _moment_of(text: str) -> date:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-24") else datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"must be a date in ISO 8601 such as 2026-11-24T06:00+01:00, not {text!r}") from None


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:40]}...")
    return str(value)
