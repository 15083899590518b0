"""Files to rows of cells: CSV, whose separator and encoding are found out or refused, and the sheets of XLSX."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from jaxshop.sources.tables.columns import recognised
from jaxshop.sources.tables.options import SEPARATORS, Reading
from jaxshop.support.errors import ShopError

MAX_ROWS = 500_000
"""Of a table: more than an alternative of each operation of the largest shop that is planned."""

MAX_BYTES = 1 << 28
"""Of a file, and of a workbook once it is unpacked."""

LARGEST = 10**300
"""Of integers: larger ones may be more than a float holds."""

Cell = str | int | float | datetime | date | time | timedelta | None
Row = tuple[int, list[Cell]]


class Sheet(NamedTuple):
    """A table as it stands in a file; rows are counted from 1, as spreadsheets do."""

    file: str
    name: str | None  # of the sheet; None in a file that has none
    top: int  # the header's row
    header: list[str]
    rows: list[Row]  # without empty ones

    @property
    def where(self) -> str:
        """File and sheet, for messages."""
        return _where(self.file, self.name)

    @property
    def titles(self) -> tuple[str, ...]:
        """What may say which table it is: the sheet's name, the file's."""
        return (*([self.name] if self.name else []), Path(self.file).stem)


def read_sheets(file: str, data: bytes, reading: Reading) -> list[Sheet]:
    """The sheets of a file, by its ending; those without any row are left out.

    Raises:
        ShopError: names file, sheet and row of what cannot be read.
    """
    if len(data) > MAX_BYTES:
        raise ShopError(f"{file}: {len(data):,} bytes are more than {MAX_BYTES:,}")
    ending = Path(file).suffix.lower()
    if ending in (".csv", ".tsv", ".txt"):
        return [_read_csv(file, data, reading)]
    if ending in (".xlsx", ".xlsm"):
        return _read_workbook(file, data, reading)
    raise ShopError(f"{file}: unknown ending {ending!r}; tables are .csv, .tsv, .txt or .xlsx files")


def _where(file: str, name: str | None) -> str:
    return file if name is None else f"{file}: sheet {name!r}"


def _sheet(file: str, name: str | None, rows: Iterable[Row]) -> Sheet:
    where = _where(file, name)
    kept: list[Row] = []
    for row in rows:
        if any(cell is not None for cell in row[1]):
            if len(kept) > MAX_ROWS:
                raise ShopError(f"{where}, row {row[0]}: more than {MAX_ROWS:,} rows")
            kept.append(row)
    if not kept:
        raise ShopError(f"{where}: holds no row")
    (top, cells), *rest = kept
    header = ["" if cell is None else str(cell) for cell in cells]
    while header and not header[-1]:
        header.pop()
    faults = []
    for number, cells in rest:
        wide = len(cells)
        while wide > len(header) and cells[wide - 1] is None:
            wide -= 1
        if wide != len(header) and (wide > len(header) or name is None):
            guess = "a decimal comma, or a separator in a text without quotes?" if wide > len(header) else "cut short?"
            faults.append(f"{where}, row {number}: {wide} cells under a header of {len(header)} ({guess})")
        del cells[wide:]
        cells.extend([None] * (len(header) - wide))
    if faults:
        raise ShopError(faults)
    return Sheet(file, name, top, header, rest)


def _read_csv(file: str, data: bytes, reading: Reading) -> Sheet:
    text = _decoded(file, data, reading.encoding)
    if "\0" in text:
        raise ShopError(f"{file}: holds NUL characters: is it UTF-16? say --encoding utf-16, or save it as UTF-8")
    return _sheet(file, None, _csv_rows(file, text, reading))


def _decoded(file: str, data: bytes, encoding: str | None) -> str:
    if encoding is None:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        begin = data.rfind(b"\n", 0, error.start) + 1
        word = re.split(rb"[,;\t|\r\n]", data[begin : error.start + 20])
        place = len(re.findall(rb"[,;\t|]", data[begin : error.start])) + 1
        shown = word[place - 1].decode("windows-1252", "replace") if place <= len(word) else ""
        raise ShopError(
            f"{file}: row {row}, column {place}: not {encoding.removesuffix('-sig').upper()} text "
            f"({shown!r}, if it is Windows-1252); say --encoding, or save it as UTF-8"
        ) from None
    except (LookupError, ValueError):  # the latter of a name that no codec can have
        raise ShopError(f"--encoding: unknown encoding {encoding!r}; utf-8, utf-16 or windows-1252, say") from None


def _separator(file: str, text: str, reading: Reading) -> str:
    """The separator that was said, or the one under which the header has the most known columns."""
    lines = enumerate(io.StringIO(text, newline=""), start=1)
    row, top = next(((row, line.rstrip("\r\n")) for row, line in lines if line.strip()), (1, ""))
    cells = {name: next(csv.reader([top], delimiter=mark)) for name, mark in SEPARATORS.items()}
    best = max(SEPARATORS, key=lambda name: (recognised(cells[name], reading.headers), len(cells[name])))
    chosen = reading.separator or SEPARATORS[best]
    under = next(csv.reader([top], delimiter=chosen))
    if len(under) < 2 and top and not recognised(under, reading.headers):
        if reading.separator is not None and len(cells[best]) > 1:
            hint = f"{best} gives {len(cells[best])}"
        else:
            hint = f"known are {', '.join(SEPARATORS)}; say --separator"
        said = next((name for name, mark in SEPARATORS.items() if mark == chosen), repr(chosen))
        raise ShopError(f"{file}: row {row}: {top[:60]!r} is one column under the separator {said}; {hint}")
    return chosen


def _csv_rows(file: str, text: str, reading: Reading) -> Iterator[Row]:
    number = 0
    try:
        separator = _separator(file, text, reading)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        for number, cells in enumerate(reader, start=1):
            yield number, [cell.strip() or None for cell in cells]
    except csv.Error as error:
        raise ShopError(f"{file}: row {number + 1}: not valid CSV: {error}") from None


def _read_workbook(file: str, data: bytes, reading: Reading) -> list[Sheet]:
    from openpyxl import load_workbook

    if data[:4] == b"\xd0\xcf\x11\xe0":
        raise ShopError(f"{file}: has a password or is an old .xls; save it as .xlsx without one")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if (size := sum(each.file_size for each in archive.infolist())) > MAX_BYTES:
                raise ShopError(f"{file}: {size:,} bytes unpacked are more than {MAX_BYTES:,}")
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        found = []
        for sheet in book.worksheets:
            if sheet.title not in reading.skipped and (rows := list(_rows(sheet, file))):
                found.append(_sheet(file, sheet.title, rows))
    except ShopError:
        raise
    except Exception as error:  # whatever openpyxl makes of a file that is no workbook
        raise ShopError(f"{file}: not a workbook that can be read: {error}") from None
    if not found:
        raise ShopError(f"{file}: holds no row")
    return found


def _rows(sheet: Any, file: str) -> Iterator[Row]:
    """The rows that are not empty, as they come: sheets may be formatted down to their last row."""
    sheet.reset_dimensions()  # programs write wrong ones
    kept = 0
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        values = [_value(cell) for cell in cells]
        if any(value is not None for value in values):
            kept += 1
            if kept > MAX_ROWS + 1:
                raise ShopError(f"{file}: sheet {sheet.title!r}, row {number}: more than {MAX_ROWS:,} rows")
            yield number, values


def _value(cell: Any) -> Cell:
    value = cell.value
    if isinstance(value, int) and abs(value) > LARGEST:
        return str(value)  # which is then no number in a CSV file either
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, datetime) and value.time() == time() and not re.search("[hH]", cell.number_format or ""):
        return value.date()  # workbooks know no days, only how they are shown
    return value
