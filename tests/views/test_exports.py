"""Dispatch lists and calendars: other programs read them back as the schedule that they were written of."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar
from openpyxl import load_workbook

from jaxshop.schedule import Schedule, write
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import LotPlan, parse_shop, shop_to_json, split_lots
from jaxshop.views.dispatch_list import clock_of, dispatch_lines
from jaxshop.views.ical import to_ical
from tests.cli.refusals import assert_refused
from tests.plant import plant
from tests.shops import from_routes
from tests.trained import run

START = datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def planned() -> tuple[LotPlan, Schedule]:
    """The plant with every rule, with ids that want escaping, and a schedule of it."""
    text = json.dumps(plant()).replace("B/1", "=1+1;,ü").replace('"PP10"', '"PP/10"')
    plan = split_lots(parse_shop(json.loads(text), "plant"), None)
    return plan, dispatch_by_rule(plan, RULES["MWKR"], False)


@pytest.fixture(scope="module")
def exported(planned: tuple[LotPlan, Schedule], tmp_path_factory) -> Path:
    """A folder with all that `jaxshop export` writes of it."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "shop.json").write_text(json.dumps(shop_to_json(planned[0].shop)))
    write(folder / "schedule.json", planned[1])
    places = ("--csv", folder / "lists", "--xlsx", folder / "plan.xlsx", "--ical", folder / "calendars")
    result = run("export", folder / "shop.json", folder / "schedule.json", *places, "--json")
    assert result.code == 0
    assert all(Path(path).exists() for path in result.json["files"])
    return folder


def moments(schedule: Schedule, operation: str) -> tuple[datetime, datetime]:
    """When an operation runs."""
    row = next(row for row in schedule.rows if row.operation == operation)
    return START + timedelta(seconds=row.start), START + timedelta(seconds=row.end)


def test_calendars_are_read_by_another_library(exported: Path, planned: tuple[LotPlan, Schedule]):
    """Each machine's file holds an event for each of its operations, to the second; escapes and folds come undone."""
    _, schedule = planned
    files = {path.name: path.read_bytes() for path in (exported / "calendars").iterdir()}
    assert set(files) == {"PP09.ics", "PP-10.ics"}
    found = {}
    for data in files.values():
        assert all(len(line) <= 75 for line in data.split(b"\r\n"))
        for event in Calendar.from_ical(data).walk("VEVENT"):
            assert not event.errors
            found[str(event["SUMMARY"]).partition(", ")[2]] = event
    assert {name: (e["DTSTART"].dt, e["DTEND"].dt) for name, e in found.items()} == {
        row.operation: moments(schedule, row.operation) for row in schedule.rows
    }
    assert {str(e["LOCATION"]) for e in found.values()} == {"PP09", "PP/10"}
    assert "family red" in str(found["=1+1;,ü"]["DESCRIPTION"])
    assert len({str(e["UID"]) for e in found.values()}) == len(found)


def test_an_operation_keeps_its_event(planned: tuple[LotPlan, Schedule]):
    """The UID of an operation is the same in another schedule, so that a calendar moves it."""
    plan, schedule = planned
    clock = clock_of(plan.shop, ZoneInfo("UTC"))
    texts = [
        to_ical("x", dispatch_lines(plan, each), clock, START)
        for each in (schedule, dispatch_by_rule(plan, RULES["SPT"], False))
    ]
    uids = [{str(e["UID"]) for e in Calendar.from_ical(text).walk("VEVENT")} for text in texts]
    assert uids[0] == uids[1]


def test_lists_as_csv(exported: Path, planned: tuple[LotPlan, Schedule]):
    """By machine in the order of starts, by order in that of the route; offsets are those of the plant's zone."""
    _, schedule = planned
    lists = {p.name: list(csv.DictReader(io.StringIO(p.read_text()))) for p in (exported / "lists").iterdir()}
    machines, orders = lists["by-machine.csv"], lists["by-order.csv"]
    assert [row["machine"] for row in machines] == ["PP09", "PP09", "PP/10"]
    assert [row["operation"] for row in orders] == ["A/1", "A/2", "'=1+1;,ü"]  # a formula, without the apostrophe
    for row in orders:
        assert row["start"].endswith("+01:00")
        began, ended = moments(schedule, row["operation"].lstrip("'"))
        assert (datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"])) == (began, ended)
    assert (orders[0]["next machine"], orders[0]["lot"], orders[0]["step"]) == (orders[1]["machine"], "1", "1")


def test_lists_as_a_workbook(exported: Path, planned: tuple[LotPlan, Schedule]):
    """Moments are dates by the plant's clock with their offset beside them, and what looks like a formula is text."""
    _, schedule = planned
    book = load_workbook(exported / "plan.xlsx")
    assert book.sheetnames == ["by machine", "by order"]
    head, *rows = book["by order"].iter_rows()
    titles = [cell.value for cell in head]
    for row in rows:
        cells = dict(zip(titles, row, strict=False))
        local = cells["start, Europe/Berlin"].value.replace(tzinfo=ZoneInfo("Europe/Berlin"))
        assert local == moments(schedule, cells["operation"].value)[0]
        assert row[titles.index("start, Europe/Berlin") + 1].value == "+01:00"
        assert cells["operation"].data_type == "s"
    assert [title for title in titles if "offset" in title] == ["start offset", "end offset", "due offset"]
    assert len(set(titles)) == len(titles)


def test_what_cannot_be_exported(exported: Path, tmp_path: Path):
    """An invalid schedule ends with 1, a missing place or a shop without dates with 2; nothing is written."""
    shop, schedule = exported / "shop.json", exported / "schedule.json"
    bad = json.loads(schedule.read_text())
    bad["operations"][0]["end"] += 60
    (tmp_path / "bad.json").write_text(json.dumps(bad))
    result = run("export", shop, tmp_path / "bad.json", "--csv", tmp_path / "lists")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert not (tmp_path / "lists").exists()
    assert_refused(run("export", shop, schedule), "export: say --csv FOLDER, --xlsx FILE or --ical FOLDER")
    assert_refused(run("export", shop, schedule, "--csv", tmp_path, "--timezone", "Mars"), "unknown time zone 'Mars'")
    plain = from_routes([[{0: 3}]], 1)
    (tmp_path / "plain.json").write_text(json.dumps(shop_to_json(plain)))
    write(tmp_path / "plan.json", dispatch_by_rule(split_lots(plain, None), RULES["SPT"], False))
    refused = run("export", tmp_path / "plain.json", tmp_path / "plan.json", "--ical", tmp_path / "calendars")
    assert_refused(refused, "--ical: ", "has no plan_start, so there are no dates")
