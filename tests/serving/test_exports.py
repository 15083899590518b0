"""`POST /v1/exports`: a schedule in, a workbook, lists or calendars out, as `jaxshop export` writes them."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

import httpx
import pytest
from icalendar import Calendar
from openpyxl import load_workbook

from jaxshop.schedule import Schedule, to_json
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import LotPlan, parse_shop, shop_to_json, split_lots
from jaxshop.views.exports import exports_of
from tests.plant import plant
from tests.shops import small_shop

from .replies import problem


@pytest.fixture(scope="module")
def planned() -> tuple[LotPlan, Schedule]:
    """The plant with every rule, and a schedule of it."""
    plan = split_lots(parse_shop(plant(), "plant"), None)
    return plan, dispatch_by_rule(plan, RULES["MWKR"], False)


def asked(plan: LotPlan, schedule: Schedule) -> dict[str, Any]:
    """The body that asks for an export."""
    return {"shop": shop_to_json(plan.shop), "schedule": to_json(schedule)}


def files(reply: httpx.Response) -> dict[str, bytes]:
    """What a zip holds."""
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_files_are_those_of_the_command(client: httpx.Client, planned: tuple[LotPlan, Schedule]) -> None:
    """Lists and workbook hold what the command's writers write; each machine has a calendar with all of its work."""
    exports, body = exports_of(*planned), asked(*planned)
    lists = files(client.post("/v1/exports?format=csv", json=body))
    assert {name: data.decode() for name, data in lists.items()} == exports.lists()
    reply = client.post("/v1/exports?format=xlsx", json=body)
    assert f'filename="{planned[0].shop.name}.xlsx"' in reply.headers["content-disposition"]
    book = load_workbook(io.BytesIO(reply.content))
    assert {sheet.title: sheet.max_row - 1 for sheet in book} == {
        title: len(rows) for title, (_, rows) in exports.tables.items()
    }
    calendars = files(client.post("/v1/exports?format=ical", json=body))
    found = {name: len(Calendar.from_ical(data).walk("VEVENT")) for name, data in calendars.items()}
    assert found == {f"{machine}.ics": len(lines) for machine, lines in exports.machines.items()}


def test_times_are_the_plants_or_those_that_are_asked_for(
    client: httpx.Client, planned: tuple[LotPlan, Schedule]
) -> None:
    """By default the zone of the calendars; another one where it is named."""
    for query, offset in (("", "+01:00"), ("&timezone=Asia/Tokyo", "+09:00")):
        lists = files(client.post(f"/v1/exports?format=csv{query}", json=asked(*planned)))
        head, first, *_ = lists["by-machine.csv"].decode().splitlines()
        start = first.split(",")[head.split(",").index("start")]
        assert start.endswith(offset)
        assert datetime.fromisoformat(start)


def test_what_is_not_exported(client: httpx.Client, planned: tuple[LotPlan, Schedule]) -> None:
    """Each with its reason: an invalid schedule, an unknown zone or format, and calendars of a shop without dates."""
    body = asked(*planned)
    late = body["schedule"]["operations"][-1]
    broken = body | {
        "schedule": body["schedule"] | {"operations": [*body["schedule"]["operations"][:-1], late | {"end": 1}]}
    }
    told = problem(client.post("/v1/exports?format=xlsx", json=broken), 422)
    assert told["type"].endswith("invalid-schedule")
    assert told["detail"].startswith("nothing is exported of an invalid schedule: ")
    assert (
        "unknown time zone 'Mars'"
        in problem(client.post("/v1/exports?format=csv&timezone=Mars", json=body), 422)["detail"]
    )
    assert problem(client.post("/v1/exports?format=pdf", json=body), 422)["errors"][0]["path"] == "query.format"
    plan = split_lots(small_shop(), None)
    plain = asked(plan, dispatch_by_rule(plan, RULES["SPT"], False))
    assert "no plan_start" in problem(client.post("/v1/exports?format=ical", json=plain), 422)["detail"]
