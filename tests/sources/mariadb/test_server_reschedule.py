"""The server plans anew what the floor works by: the released plan, in the shop as the database has it now."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import httpx
import pytest

from jaxshop.schedule import from_json, verify
from jaxshop.serving.client import MARIADB, Client
from jaxshop.serving.reschedule_schemas import RescheduleReply
from jaxshop.shop import parse_shop, split_lots
from jaxshop.sources.mariadb.writer import init
from tests.serving.conftest import CHIEF, MES, serve  # noqa: F401 - a fixture
from tests.serving.replies import conforms, problem
from tests.sources.mariadb.test_history import ORDER, rows

Serve = Callable[..., httpx.Client]
STORE = "/v1/reschedules?write_back=true"
ASKED = {**MARIADB, "now": 0.5, "time_limit_s": 0}


@pytest.fixture
def floor(loose, serve: Serve) -> tuple[httpx.Client, str]:  # noqa: F811
    """A server, and the plan that is released in its database."""
    loose.sql("DELETE FROM machines WHERE machine_id = 'M3'")
    init(results_only=True)
    client = serve()
    id = client.post("/v1/schedules?write_back=true&samples=0", json=MARIADB).json()["stored"]["schedule_id"]
    assert client.post(f"/v1/schedules/{id}:release", headers=CHIEF).status_code == 200
    return client, id


def test_the_released_plan_is_followed_by_a_draft_that_names_it(loose, floor) -> None:
    """An order came, a machine is down: told, planned, stored beside the plan before, released in its place."""
    client, before = floor
    loose.sql(*ORDER)
    was = rows(loose, before)
    asked = ASKED | {"down": [{"machine": "M1", "from": 0.5, "to": 1.5}]}
    reply = conforms(client.post(STORE, json=asked), RescheduleReply)
    assert (reply["before"]["schedule_id"], reply["changes"]["added"]) == (before, ["D"])
    shop, stored = parse_shop(reply["shop"], "reply"), reply["stored"]
    assert verify(split_lots(shop, None), from_json(reply["schedule"], "reply")) == []
    select = f"SELECT options, based_on, status, author FROM schedules WHERE schedule_id = '{stored['schedule_id']}'"
    ((options, *others),) = loose.sql(select)
    assert others == [before, "draft", "planner"]
    assert json.loads(options) == reply["options"]
    assert (reply["options"]["before"], reply["options"]["add"], reply["options"]["now"]) == (before, ["D"], 0.5)
    assert [row[0] for row in rows(loose, stored["schedule_id"])] == ["A/1", "A/2", "B/1", "D/1"]
    assert rows(loose, before) == was
    released = client.post(f"/v1/schedules/{stored['schedule_id']}:release", headers=CHIEF).json()
    assert released["superseded"] == before


def test_what_the_floor_reports_counts(loose, floor) -> None:
    """Rows of `progress` say what has begun: B/1 half an hour late, A/1 not at all. Without any the plan was kept."""

    def replanned() -> tuple[dict, dict[str, tuple[str, int]]]:
        reply = conforms(floor[0].post("/v1/reschedules", json=ASKED | {"now": 1}), RescheduleReply)
        return reply, {row["operation"]: (row["machine"], row["start"]) for row in reply["schedule"]["operations"]}

    kept = replanned()[1]
    assert (kept["A/1"][1], kept["B/1"][1]) == (0, 0)
    loose.sql(
        "CREATE TABLE progress (operation_id VARCHAR(96), machine_id VARCHAR(80), started_at DATETIME, "
        "finished_at DATETIME)"
    )
    assert replanned()[1] == kept
    loose.sql("INSERT INTO progress VALUES ('B/1', 'M1', '2026-11-23 06:30:00', NULL)")
    reply, starts = replanned()
    assert starts["B/1"] == ("M1", 1800)
    assert starts["A/1"][1] >= 3600
    assert reply["stored"] is None


def test_in_the_background_by_the_client_and_once_a_key(floor) -> None:
    """`Client.submit_reschedule`, whose plan can be stored afterwards; the same key gives the same request."""
    client, _ = floor

    def passed_on(request: httpx.Request) -> httpx.Response:
        told = client.request(request.method, str(request.url), content=request.content, headers=dict(request.headers))
        return httpx.Response(told.status_code, content=told.content)

    with Client("http://testserver", "the-key-of-the-mes", transport=httpx.MockTransport(passed_on)) as mes:
        asked = mes.submit_reschedule(MARIADB, now=0.5, time_limit_s=0, idempotency_key="shift-2")
        reply = asked.result(20)
        assert mes.submit_reschedule(MARIADB, now=0.5, time_limit_s=0, idempotency_key="shift-2").id == asked.id
        again = mes.reschedule(MARIADB, now=0.5, time_limit_s=0, write_back=True)
    assert (reply["stored"], reply["schedule"]) == (None, again["schedule"])
    stored = client.post(f"/v1/schedules/{asked.id}:write-back", headers=MES).json()
    assert (stored["schedule_id"], stored["written"]) == (again["stored"]["schedule_id"], False)


def test_what_cannot_be_is_named(loose, floor) -> None:
    """Another source, what the database says itself, an hour behind the plan, and no released plan: each by name."""
    client, _ = floor
    for told, path in (
        ({"source": "oracle"}, "source"),
        ({"drop": ["A"]}, "drop"),
        ({"shop": {}}, "shop"),
        ({"now": 500}, "now"),
        ({"now": None}, "now"),  # by the clock, and that plan is over
        ({"down": [{"machine": "M9", "from": 1, "to": 2}]}, "down[0].machine"),
    ):
        assert problem(client.post("/v1/reschedules", json=ASKED | told), 422)["errors"][0]["path"] == path
    own = client.post("/v1/reschedules", json={"now": 1}).json()["errors"]
    assert [fault["path"] for fault in own] == ["shop", "schedule"]
    loose.sql("UPDATE schedules SET status = 'superseded'")
    assert problem(client.post("/v1/reschedules", json=ASKED), 409)["type"] == "urn:jaxshop:problem:no-released-plan"


def test_another_plan_that_was_released_meanwhile_is_a_conflict(loose, floor) -> None:
    """A draft made from the plan of before is not released over one that came since, unless that one is named."""
    client, before = floor
    draft = client.post(STORE, json=ASKED | {"down": [{"machine": "M1", "from": 1, "to": 9}]}).json()["stored"]
    other = client.post(STORE, json=ASKED | {"down": [{"machine": "M2", "from": 1, "to": 9}]}).json()["stored"]
    assert client.post(f"/v1/schedules/{other['schedule_id']}:release", headers=CHIEF).json()["superseded"] == before
    late = client.post(f"/v1/schedules/{draft['schedule_id']}:release", headers=CHIEF)
    assert problem(late, 409)["type"] == "urn:jaxshop:problem:release-conflict"


def test_a_database_that_goes_away_between_plan_and_write_back(spare, point_at, monkeypatch, serve: Serve) -> None:  # noqa: F811
    """503 with the new plan kept; when the database is back it is stored with what was told, and the plan before."""
    site = point_at(spare, "tcp")
    site.make_loose("InnoDB")
    site.sql("DELETE FROM machines WHERE machine_id = 'M3'")
    init(results_only=True)
    monkeypatch.setenv("JAXSHOP_DB_RETRIES", "0")
    client = serve()
    before = client.post("/v1/schedules?write_back=true&samples=0", json=MARIADB).json()["stored"]["schedule_id"]
    assert client.post(f"/v1/schedules/{before}:release", headers=CHIEF).status_code == 200
    from jaxshop.serving import replanner

    real = replanner.replan

    def killing(*arguments: object, **named: object) -> object:
        spare.kill()
        return real(*arguments, **named)

    monkeypatch.setattr(replanner, "replan", killing)
    away = client.post(STORE, json=ASKED)
    assert problem(away, 503)["type"] == "urn:jaxshop:problem:not-stored"
    location = away.headers["location"]
    assert client.post(f"{location}:write-back").status_code == 503
    spare.start()
    give_up = time.monotonic() + 20
    while client.post(f"{location}:write-back").status_code != 200:
        assert time.monotonic() < give_up
    assert site.sql("SELECT based_on, author FROM schedules WHERE status = 'draft'") == [(before, "planner")]
