"""The server plans the database's shop, stores the plan, and releases it for those who may."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from jaxshop.schedule import Schedule
from jaxshop.serving import schemas
from jaxshop.shop import LotPlan
from jaxshop.sources.mariadb.writer import init
from tests.serving.conftest import CHIEF, PLANNER, serve  # noqa: F401 - a fixture
from tests.serving.fakes import FakeEngine
from tests.shops import shop_body

Serve = Callable[..., httpx.Client]
SOURCE = {"source": "mariadb"}
STORE = "/v1/schedules?write_back=true&samples=0&seed=3"


@pytest.fixture
def stocked(loose):
    """The loose tables without the inactive machine, and the tables for results."""
    loose.sql("DELETE FROM machines WHERE machine_id = 'M3'")
    init(results_only=True)
    return loose


def test_a_plan_goes_from_the_database_and_back(stocked, serve: Serve) -> None:  # noqa: F811
    """Read, planned, stored as a draft with its author and options; the reply holds the shop; released once."""
    client = serve()
    told = client.post(STORE, json=SOURCE)
    assert told.status_code == 200, told.text
    schemas.ScheduleReply.model_validate(reply := told.json())
    assert [job["id"] for job in reply["shop"]["jobs"]] == ["A", "B"]
    id = reply["stored"]["schedule_id"]
    (stored,) = stocked.sql("SELECT schedule_id, author, options, status FROM schedules")
    assert stored == (id, "planner", '{"samples": 0, "seed": 3, "write_back": true}', "draft")
    assert client.post(STORE, json=SOURCE).json()["stored"]["written"] is False
    path = f"{told.headers['location']}:release"
    assert client.post(path).status_code == 403
    assert client.post(path, headers=CHIEF).status_code == 404  # the request is the planner's; the plan is everybody's
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: client.post(f"/v1/schedules/{id}:release", headers=CHIEF), range(2)))
    assert sorted(response.status_code for response in both) == [200, 409]
    assert stocked.sql("SELECT COUNT(*), MIN(released_by) FROM current_plan") == [(3, "chief")]
    listed = client.get("/v1/plans").json()
    schemas.Plans.model_validate(listed)
    assert [(plan["schedule_id"], plan["status"]) for plan in listed["plans"]] == [(id, "released")]
    assert client.get("/v1/plans?status=draft").json() == {"plans": []}
    again = client.post(STORE, json=SOURCE).json()
    schemas.ScheduleReply.model_validate(again)
    assert [again["stored"][part] for part in ("schedule_id", "status", "written")] == [id, "released", False]
    assert client.post(f"/v1/schedules/{'0' * 64}:release", headers=CHIEF).status_code == 404


def test_without_write_back_nothing_is_stored(stocked, serve: Serve) -> None:  # noqa: F811
    """Asynchronous, too; it can be stored later; a shop of the caller's own cannot."""
    client = serve()
    later = client.post("/v1/schedules?samples=0", json=SOURCE, headers={"Prefer": "respond-async"}).headers["location"]
    while client.get(later).json()["status"] != "done":
        time.sleep(0.02)
    assert client.get(later).json()["result"]["stored"] is None
    assert client.post(f"{later}:release", headers=PLANNER).status_code == 403
    assert client.post(f"{later}:write-back").json()["written"]
    assert client.get(later).json()["result"]["stored"]["status"] == "draft"
    assert stocked.sql("SELECT COUNT(*) FROM schedules") == [(1,)]
    own = client.post("/v1/schedules?samples=0", json=shop_body(), headers={"Prefer": "respond-async"})
    while client.get(own.headers["location"]).json()["status"] != "done":
        time.sleep(0.02)
    assert client.post(f"{own.headers['location']}:write-back").status_code == 409
    refused = client.post("/v1/schedules?write_back=true", json=shop_body())
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, "query.write_back")
    for body in ({"source": "oracle"}, {"source": "mariadb", "name": "x"}):
        assert client.post("/v1/schedules", json=body).json()["errors"][0]["path"] == "source"


def test_refused_rows_are_a_422_that_lists_them(stocked, serve: Serve) -> None:  # noqa: F811
    """Table, key, column and value of each."""
    stocked.sql("UPDATE operation_machines SET duration_h = NULL", "UPDATE jobs SET weight = 0 WHERE job_id = 'A'")
    told = serve().post("/v1/schedules", json=SOURCE)
    assert (told.status_code, len(told.json()["errors"])) == (422, 5)
    assert "weight 0" in json.dumps(told.json()["errors"])


def test_a_database_that_goes_away_between_plan_and_write_back(spare, point_at, monkeypatch, serve: Serve) -> None:  # noqa: F811
    """503 with the plan kept: its place is named, and when the database is back it can be stored from there."""
    site = point_at(spare, "tcp")
    site.make_loose()
    site.sql("DELETE FROM machines WHERE machine_id = 'M3'")
    init(results_only=True)
    monkeypatch.setenv("JAXSHOP_DB_RETRIES", "0")

    class Killing(FakeEngine):
        def greedy(self, model: Any, task: LotPlan) -> Schedule:
            if task.shop.name == site.name:
                spare.kill()
            return super().greedy(model, task)

    client = serve(Killing())
    away = client.post(STORE, json=SOURCE)
    assert (away.status_code, away.json()["type"]) == (503, "urn:jaxshop:problem:not-stored")
    location = away.headers["location"]
    kept = client.get(location).json()
    assert (kept["status"], kept["result"]["stored"]["schedule_id"]) == ("done", None)
    assert client.post(f"{location}:write-back").status_code == 503
    gone = client.post("/v1/schedules", json=SOURCE)
    assert (gone.status_code, gone.json()["type"]) == (503, "urn:jaxshop:problem:database-away")
    spare.start()
    assert client.post(f"{location}:write-back").json()["written"]
    assert site.sql("SELECT author FROM schedules") == [("planner",)]
