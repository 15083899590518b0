"""Cells as files have them, in CSV and XLSX: ends of lines, and what is longer than any reader takes."""

from __future__ import annotations

import io
import zipfile

import pytest
from openpyxl import Workbook

from jaxshop.sources.tables import Reading, import_tables
from jaxshop.sources.tables.sheets import read_sheets
from jaxshop.support.errors import ShopError

ORDERS = "order,due\nA1,5\nA2,\n"


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n\n"])
def test_lines_end_as_they_may(end: str):
    """Shows that a table whose lines end otherwise has the same rows."""
    ((expected,), (found,)) = (
        read_sheets("orders.csv", text.encode(), Reading()) for text in (ORDERS, ORDERS.replace("\n", end))
    )
    assert found.header == expected.header
    assert [cells for _, cells in found.rows] == [cells for _, cells in expected.rows]


@pytest.mark.parametrize(("place", "row"), [("due", 1), ("A2", 3)])
def test_a_cell_that_is_too_long_is_refused(place: str, row: int):
    """Shows one line with the row, in the header and below it."""
    with pytest.raises(ShopError) as caught:
        read_sheets("orders.csv", ORDERS.replace(place, "x" * 200_000).encode(), Reading())
    assert str(caught.value) == f"orders.csv: row {row}: not valid CSV: field larger than field limit (131072)"


@pytest.mark.parametrize("name", ["klingon", "utf-8\0"])
def test_an_unknown_encoding_is_refused(name: str):
    """Shows one line, also for a name that no encoding can have."""
    with pytest.raises(ShopError) as caught:
        read_sheets("orders.csv", ORDERS.encode(), Reading(encoding=name))
    assert caught.value.faults == [f"--encoding: unknown encoding {name!r}; utf-8, utf-16 or windows-1252, say"]


def test_a_number_that_is_too_long_is_refused():
    """Shows one line with the cell of an integer that no float holds."""
    book, plain, changed = Workbook(), io.BytesIO(), io.BytesIO()
    book.active.title = "Orders"
    for row in (["order", "due"], ["A1", 4711]):
        book.active.append(row)
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(changed, "w") as new:  # openpyxl writes none
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"<v>4711</v>", b"<v>1%s</v>" % (b"0" * 400)))
    others = {"machines.csv": b"machine\nM1\n", "routes.csv": b"order,step,machine,hours\nA1,1,M1,1\n"}
    with pytest.raises(ShopError) as caught:
        import_tables(others | {"plan.xlsx": changed.getvalue()}, Reading(), "test")
    said = f"plan.xlsx: sheet 'Orders', row 2, column 'due': must be a number, not '1{'0' * 39}...'"
    assert caught.value.faults == [said]
