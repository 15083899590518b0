"""Orders, routes and machines from CSV and XLSX: what they become, and the one line for each kind of fault."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from jaxshop.shop import TICKS_PER_HOUR, Shop, fingerprint
from jaxshop.sources.tables import Reading, import_tables, parse_start, read_column
from jaxshop.support.errors import ShopError
from tests.cli.refusals import assert_refused
from tests.shops import random_shop
from tests.trained import run

EXAMPLES = Path(__file__).parents[2] / "examples" / "shop"
BERLIN = ZoneInfo("Europe/Berlin")
START = parse_start("2026-11-23T06:00+01:00", None)

MACHINES = "machine,work centre\nM1,mill\nM2,mill\nP1,paint\n"
ORDERS = "order,quantity,release,due,weight\nA1,10,2026-11-23T08:00+01:00,2026-11-24T06:00+01:00,2\nA2,,,,\n"
ROUTES = "order,step,machine,hours,setup minutes\nA1,10,M1,2.5,15\nA1,10,M2,2,15\nA1,20,P1,1,\nA2,10,M2,0.5,\n"
GOOD = {"machines.csv": MACHINES, "orders.csv": ORDERS, "routes.csv": ROUTES}
DATED = Reading(plan_start=START)


def imported(files: Mapping[str, str | bytes], reading: Reading = DATED) -> Shop:
    """The shop of some files."""
    data = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    return import_tables(data, reading, "test").shop


def faults(files: Mapping[str, str | bytes], reading: Reading = DATED) -> list[str]:
    """Why such files are refused."""
    with pytest.raises(ShopError) as caught:
        imported(files, reading)
    return caught.value.faults


def workbook(sheets: Mapping[str, list[list]]) -> bytes:
    """An XLSX file of these sheets."""
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_three_tables_become_a_shop():
    """Rows of a step are alternatives, dates count from the plan start, minutes are hours, empty cells say nothing."""
    shop = imported(GOOD)
    assert [(m.id, m.work_centre) for m in shop.machines] == [("M1", "mill"), ("M2", "mill"), ("P1", "paint")]
    first, second = shop.jobs
    assert (first.release, first.due, first.weight, first.quantity) == (2 * 3600, 24 * 3600, 2.0, 10)
    assert (second.release, second.due, second.weight, second.quantity) == (0, None, 1.0, None)
    assert [op.id for op in first.operations] == ["A1/10", "A1/20"]
    assert first.operations[0].alternatives == {"M1": 9000, "M2": 7200}
    assert [op.setup for op in first.operations] == [900, 0]
    assert shop.plan_start == "2026-11-23T05:00:00Z"
    assert shop.provenance.kind == "file"


def test_what_was_there_before_the_plan_start_is_there_from_it_on():
    """A release date of last week counts from the plan start, and is counted; negative hours are a slip."""
    late = {**GOOD, "orders.csv": ORDERS.replace("2026-11-23T08:00", "2026-11-16T08:00")}
    found = import_tables({name: text.encode() for name, text in late.items()}, DATED, "test")
    assert (found.shop.jobs[0].release, found.past) == (0, 1)
    slip = {**GOOD, "orders.csv": ORDERS.replace("2026-11-23T08:00+01:00", "-5")}
    assert faults(slip) == ["orders.csv, row 2, column 'release': must be >= 0"]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([",", ";", "\t", "|"]), st.booleans())
def test_what_is_written_is_read(seed: int, separator: str, as_workbook: bool):
    """A random shop written as tables, by whatever separator or as a workbook, is read as the same shop."""
    shop = random_shop(seed, longest=9000)
    tables: dict[str, list[list]] = {
        "machines": [
            ["machine", "available from"],
            *([m.id, m.available_from / TICKS_PER_HOUR] for m in shop.machines),
        ],
        "orders": [["order", "release"], *([job.id, job.release / TICKS_PER_HOUR] for job in shop.jobs)],
        "routes": [["order", "step", "operation", "machine", "hours"]],
    }
    tables["routes"] += [
        [job.id, k, op.id, machine, ticks / TICKS_PER_HOUR]
        for job in shop.jobs
        for k, op in enumerate(job.operations)
        for machine, ticks in op.alternatives.items()
    ]
    if as_workbook:
        read = imported({"plan.xlsx": workbook(tables)}, Reading())
    else:
        files = {}
        for name, rows in tables.items():
            out = io.StringIO()
            csv.writer(out, delimiter=separator).writerows(rows)
            files[f"{name}.csv"] = out.getvalue()
        read = imported(files, Reading())
    assert fingerprint(read) == fingerprint(shop)


def test_workbook_with_dates_and_shifts():
    """A workbook's dates have no zone: they are by the plant's clock; a day is due at its end; times are shifts."""
    sheets = {
        "Machines": [["Machine", "Calendar"], [1, "day"]],
        "Orders": [["Job", "Release", "Due date"], [4711, datetime(2026, 11, 23, 8), date(2026, 11, 24)]],
        "Operations": [["Job", "Op no", "Resource", "Minutes", "Family"], [4711, 10, 1, 90, "blue"]],
        "Shifts": [
            ["Calendar", "Weekday", "Opens", "Closes"],
            ["day", "Mon", time(6), "22:00"],
            ["day", "Tue", time(6), time(14)],
        ],
        "Days": [["Calendar", "Date", "Opens", "Closes"], ["day", date(2026, 12, 25), None, None]],
        "Set-ups": [["Machine", "From family", "To family", "Minutes"], [1, None, "blue", 30]],
        "Downtime": [["Machine", "Von", "Bis"], [1, datetime(2026, 11, 23, 9), datetime(2026, 11, 23, 10)]],
        "Notes": [["Ask Eva"]],
    }
    reading = Reading(plan_start=START, zone=BERLIN, skipped=frozenset({"Notes"}))
    shop = imported({"plan.xlsx": workbook(sheets)}, reading)
    (job,), (machine,), (calendar,) = shop.jobs, shop.machines, shop.calendars
    assert (job.id, job.release, job.due) == ("4711", 2 * 3600, 42 * 3600)
    assert job.operations[0].alternatives == {"1": 5400}
    assert (machine.calendar, machine.unavailable[0][:2]) == ("day", (3 * 3600, 4 * 3600))
    assert (calendar.timezone, calendar.weekly[0], calendar.closed) == (
        *("Europe/Berlin", ((6 * 3600, 22 * 3600),), (date(2026, 12, 25),)),
    )
    assert shop.changeovers[0].ticks == 1800
    assert faults({"plan.xlsx": workbook(sheets)}, Reading(plan_start=START, zone=BERLIN)) == [
        "plan.xlsx: sheet 'Notes': its name says none of machines, orders, routes, shifts, days, setups, downtime; "
        "rename it, or leave it out by --skip-sheet 'Notes'"
    ]
    dateless = faults({"plan.xlsx": workbook(sheets)}, Reading(plan_start=START, skipped=frozenset({"Notes"})))
    assert dateless[0] == (
        "plan.xlsx: sheet 'Orders', row 2, column 'Release': 2026-11-23 08:00:00 has no zone; "
        "add an offset such as +01:00 or Z, or say --timezone"
    )


FAULTS: dict[str, tuple[dict[str, str | bytes], str]] = {
    "decimal comma": (
        {"routes.csv": ROUTES.replace(",", ";").replace("2.5", "2,5")},
        "routes.csv, row 2, column 'hours': '2,5' has a decimal comma, or marks thousands; say --decimal comma",
    ),
    "decimal comma between commas": (
        {"routes.csv": ROUTES.replace("2.5", "2,5")},
        "routes.csv, row 2: 6 cells under a header of 5 (a decimal comma, or a separator in a text without quotes?)",
    ),
    "duplicate order": (
        {"orders.csv": ORDERS + "A1,,,,\n"},
        "orders.csv, row 4, column 'order': 'A1' again, as in row 2",
    ),
    "duplicate machine": (
        {"machines.csv": MACHINES + "M1,\n"},
        "machines.csv, row 5, column 'machine': 'M1' again, as in row 2",
    ),
    "duplicate operation": (
        {"routes.csv": "order,step,operation,machine,hours\nA1,10,x,M1,1\nA2,10,x,M1,1\n"},
        "routes.csv, row 3, column 'operation': duplicate id 'x', already at routes.csv, row 2, column 'operation'",
    ),
    "a machine twice in a step": (
        {"routes.csv": ROUTES.replace("A1,10,M2", "A1,10,M1")},
        "routes.csv, row 3, column 'machine': machine 'M1' again for the step, as in row 2",
    ),
    "date without zone": (
        {"orders.csv": ORDERS.replace("2026-11-24T06:00+01:00", "2026-11-24T06:00")},
        "orders.csv, row 2, column 'due': 2026-11-24 06:00:00 has no zone; add an offset such as +01:00 or Z, "
        "or say --timezone",
    ),
    "date of another order": (
        {"orders.csv": ORDERS.replace("2026-11-24T06:00+01:00", "24.11.2026")},
        "orders.csv, row 2, column 'due': must be a date in ISO 8601 such as 2026-11-24T06:00+01:00, not '24.11.2026'",
    ),
    "unknown machine": (
        {"routes.csv": ROUTES.replace("P1", "P7")},
        "routes.csv, row 4, column 'machine': unknown machine 'P7'; machines.csv has none",
    ),
    "unknown order": (
        {"routes.csv": ROUTES + "A9,10,P1,1,\n"},
        "routes.csv, row 6, column 'order': unknown order 'A9'; orders.csv has none",
    ),
    "order without a route": (
        {"orders.csv": ORDERS + "A3,,,,\n"},
        "orders.csv, row 4: the job 'A3' has no operations",
    ),
    "no hours": (
        {"routes.csv": ROUTES.replace("P1,1", "P1,")},
        "routes.csv, row 4, column 'hours': no hours and no minutes",
    ),
    "negative hours": (
        {"routes.csv": ROUTES.replace("P1,1", "P1,-1")},
        "routes.csv, row 4, column 'hours': must be > 0",
    ),
    "another set-up within a step": (
        {"routes.csv": ROUTES.replace("M2,2,15", "M2,2,20")},
        "routes.csv, row 3, column 'setup minutes': is another than in row 2, of the same step",
    ),
    "half a part": (
        {"orders.csv": ORDERS.replace("A1,10", "A1,10.5")},
        "orders.csv, row 2, column 'quantity': must be an integer from 1 to 1000000000000",
    ),
    "no such column": (
        {"orders.csv": ORDERS.replace("order", "ordr")},
        "orders.csv, row 1: no column order; is it 'ordr'?; say --column order=HEADER",
    ),
    "two columns of a kind": (
        {"orders.csv": ORDERS.replace("weight", "job")},
        "orders.csv, row 1: two columns for order: 'order' and 'job'; say --column order=HEADER",
    ),
    "wrong separator": (
        {"orders.csv": ORDERS.replace(",", "^")},
        "orders.csv: row 1: 'order^quantity^release^due^weight' is one column under the separator comma; known are "
        "comma, semicolon, tab, bar; say --separator",
    ),
    "wrong encoding": (
        {"orders.csv": ORDERS.replace("A2,,", "Ä2,,").encode("windows-1252")},
        "orders.csv: row 3, column 1: not UTF-8 text ('Ä2', if it is Windows-1252); "
        "say --encoding, or save it as UTF-8",
    ),
    "UTF-16 without a mark": (
        {"orders.csv": ORDERS.encode("utf-16-le")},
        "orders.csv: holds NUL characters: is it UTF-16? say --encoding utf-16, or save it as UTF-8",
    ),
    "a quote that does not end": (
        {"orders.csv": ORDERS.replace("A2", '"A2')},
        "orders.csv: row 3: not valid CSV: unexpected end of data",
    ),
    "cut short": (
        {"routes.csv": ROUTES[:-4]},
        "routes.csv, row 5: 4 cells under a header of 5 (cut short?)",
    ),
    "nothing": ({"orders.csv": ""}, "orders.csv: holds no row"),
    "a table twice": (
        {"jobs.csv": ORDERS},
        "jobs.csv: a second table of orders, beside orders.csv",
    ),
    "no workbook": ({"shifts.xlsx": b"PK"}, "shifts.xlsx: not a workbook that can be read: File is not a zip file"),
    "an old workbook": (
        {"shifts.xlsx": b"\xd0\xcf\x11\xe0"},
        "shifts.xlsx: has a password or is an old .xls; save it as .xlsx without one",
    ),
    "another kind of file": (
        {"shifts.pdf": b""},
        "shifts.pdf: unknown ending '.pdf'; tables are .csv, .tsv, .txt or .xlsx files",
    ),
    "an unknown calendar": (
        {"machines.csv": "machine,calendar\nM1,day\nM2,\nP1,\n"},
        "machines.csv, row 2, column 'calendar': unknown calendar 'day'",
    ),
    "shifts that overlap": (
        {"shifts.csv": "calendar,weekday,opens,closes,timezone\nday,mon,06:00,14:00,UTC\nday,mon,13:00,22:00,UTC\n"},
        "shifts.csv, row 3, column 'opens': begins before the one before it ends; join those that overlap",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line(fault: str):
    """Each kind of fault is one line that names file, row and column, and nothing follows from it."""
    change, said = FAULTS[fault]
    assert faults(GOOD | change) == [said]


def test_faults_of_several_files_are_found_together():
    """What cannot be read in one file does not hide what cannot be read in another."""
    bad = {"orders.csv": ORDERS.replace(",", "^"), "routes.csv": ROUTES[:-4]}
    found = faults(GOOD | bad)
    assert [fault.partition(",")[0].partition(":")[0] for fault in found] == ["orders.csv", "routes.csv"]


def test_long_step_numbers_stay_apart_and_no_column_is_lost():
    """Steps with many digits keep them in the ids of operations; a column without a header is told of."""
    routes = "order,step,,machine,hours\nA1,1234567,x,M1,1\nA1,1234568,,M1,1\nA2,1.5,,M1,1\n"
    files = {name: text.encode() for name, text in (GOOD | {"routes.csv": routes}).items()}
    shop, ignored, _ = import_tables(files, DATED, "test")
    assert [op.id for job in shop.jobs for op in job.operations] == ["A1/1234567", "A1/1234568", "A2/1.5"]
    assert ignored == {"routes.csv": ["column 3, which has no header"]}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.integers(0, 200), st.binary(max_size=6))
def test_whatever_stands_in_a_file_is_a_shop_or_refused(name: str, at: int, noise: bytes):
    """Bytes put into a good file anywhere give a shop, or a ShopError, and nothing else."""
    text = GOOD[name].encode()
    with suppress(ShopError):
        imported(GOOD | {name: text[:at] + noise + text[at + len(noise) :]})


def test_a_million_rows_are_refused():
    """Half a million rows is the most of a table; the first row beyond is named."""
    (fault,) = faults(GOOD | {"routes.csv": "order,step,machine,hours\n" + "A1,1,M1,1\n" * 10**6})
    assert fault == "routes.csv, row 500002: more than 500,000 rows"


def test_too_many_rows_of_a_workbook_are_refused(monkeypatch: pytest.MonkeyPatch):
    """A workbook is read no further than the first row beyond, which is named; here beyond three."""
    monkeypatch.setattr("jaxshop.sources.tables.sheets.MAX_ROWS", 3)
    rows = [["order", "step", "machine", "hours"], *(["A1", k, "M1", 1] for k in range(9))]
    (fault,) = faults({"plan.xlsx": workbook({"Routes": rows})})
    assert fault == "plan.xlsx: sheet 'Routes', row 5: more than 3 rows"


def test_every_fault_is_counted(tmp_path: Path):
    """The command prints the first fault and how many there are besides, and writes nothing."""
    bad = GOOD | {"orders.csv": ORDERS.replace(",2\n", ",x\n"), "routes.csv": ROUTES.replace("P1", "P7")}
    for name, text in bad.items():
        (tmp_path / name).write_text(text)
    files = [tmp_path / name for name in bad]
    result = run("import", *files, "--plan-start", START.isoformat(), "--out", tmp_path / "o")
    assert_refused(result, "orders.csv, row 2, column 'weight': must be a number, not 'x' (and 1 more fault)")
    assert not (tmp_path / "o").exists()


def test_what_a_person_says_goes_first():
    """Columns, separator, encoding and decimal comma as said, where the files would be refused otherwise."""
    orders = ORDERS.replace("order", "Nümmer").replace("due", "soon").encode("windows-1252")
    routes = ROUTES.replace(",", ";").replace("2.5", "2,5").replace("0.5", "0,5").encode()
    names = dict(map(read_column, ["orders.order=Nümmer", "due=soon"]))
    reading = Reading(plan_start=START, headers=names, encoding="windows-1252", decimal_comma=True)
    told = imported(GOOD | {"orders.csv": orders, "routes.csv": routes}, reading)
    assert fingerprint(told) == fingerprint(imported(GOOD))
    (fault,) = faults(GOOD, Reading(plan_start=START, separator=";"))[:1]
    assert fault.endswith("is one column under the separator semicolon; comma gives 2")
