"""`POST /v1/reschedules`: the answers of `jaxshop reschedule`, in this process and over a socket."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from jaxshop.schedule import from_json, to_json, verify
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search import Incumbent, Solution, Task
from jaxshop.search.proof import Watched
from jaxshop.serving import job_schemas
from jaxshop.serving import reschedule_schemas as schemas
from jaxshop.serving.client import Client
from jaxshop.serving.job import Ask, Job
from jaxshop.serving.schemas import Options
from jaxshop.shop import LotPlan, parse_shop, shop_to_json, split_lots
from tests.shops import small_shop
from tests.underway import planned, presses

from .conftest import Process
from .fakes import list_schedule
from .replies import conforms, problem

Serve = Callable[..., httpx.Client]
ASYNC = {"Prefer": "respond-async"}
STOPS = {"now": 2.5, "down": [{"machine": "P1", "from": 2.5, "to": 5}]}


def body(**told: Any) -> dict[str, Any]:
    """A request about the plan of the two presses."""
    return {"shop": shop_to_json(presses()), "schedule": to_json(planned(presses())), **told}


def test_a_press_stops(client: httpx.Client) -> None:
    """By hand: b1 goes to the other press; the schedule is of the shop in the reply, and valid."""
    reply = conforms(client.post("/v1/reschedules", json=body(**STOPS)), schemas.RescheduleReply)
    assert (reply["makespan_hours"], reply["proven_optimal"], reply["late"]) == (8.5, True, [])
    assert (reply["changes"]["moved"], reply["changes"]["machine_changed"]) == (2, 1)
    plan = split_lots(parse_shop(reply["shop"], "reply"), None)
    assert verify(plan, from_json(reply["schedule"], "reply")) == []


def test_the_example_is_accepted(client: httpx.Client) -> None:
    """The document's example gets an answer; the one for a database is answered where there is one."""
    content = client.get("/openapi.json").json()["paths"]["/v1/reschedules"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    assert examples.pop("database")["value"] == {"source": "mariadb"}
    for example in examples.values():
        conforms(client.post("/v1/reschedules", json=example["value"]), schemas.RescheduleReply)


@pytest.mark.parametrize(
    ("told", "path", "said"),
    [
        ({}, "now", "missing"),
        ({"now": 7}, "now", "must be from 0 on"),
        ({"now": 1, "freeze_hours": -1}, "freeze_hours", "must be >= 0"),
        ({"now": 1, "stability": -1}, "stability", "must be >= 0"),
        ({"now": 1, "seed": 1.5}, "seed", "integer"),
        ({"now": 1, "time_limit_s": 10_000}, "time_limit_s", "must be at most"),
        ({"now": 1, "down": [{"machine": "P9", "from": 1, "to": 2}]}, "down[0].machine", "unknown machine 'P9'"),
        ({"now": 1, "down": [{"machine": "P1", "from": 2, "to": 1}]}, "down[0].to", "must end after it begins"),
        ({"now": 1, "drop": ["Z"]}, "drop[0]", "unknown job 'Z'"),
        ({"now": 1, "more": 1}, "more", "unknown key"),
        ({"now": 1, "schedule": {}}, "schedule.format", "missing"),
        ({"now": 1, "shop": None}, "shop", "missing"),
    ],
)
def test_bad_input_is_named(client: httpx.Client, told: dict[str, Any], path: str, said: str) -> None:
    """422 with path and message."""
    (fault, *_) = problem(client.post("/v1/reschedules", json=body() | told), 422)["errors"]
    assert fault["path"] == path
    assert said in fault["message"]


@pytest.mark.parametrize("now", [0, 1])
def test_a_schedule_of_another_shop_or_that_is_not_valid(client: httpx.Client, now: int) -> None:
    """422, as the verifier says."""
    asked = body(now=now)
    asked["schedule"]["operations"][0]["start"] += 1
    assert "operation 'a1'" in problem(client.post("/v1/reschedules", json=asked), 422)["detail"]
    asked["schedule"]["shop"] = "0" * 64
    assert "The schedule is for shop" in problem(client.post("/v1/reschedules", json=asked), 422)["detail"]


def test_the_client_plans_anew(server: Process) -> None:
    """Over a real socket, by `Client.reschedule`."""
    with Client(server.url, "the-key-of-the-mes") as caller:
        told = {"down": STOPS["down"], "time_limit_s": 0}
        reply = caller.reschedule(presses(), to_json(planned(presses())), 2.5, **told)
    schemas.RescheduleReply.model_validate(reply)
    assert reply["makespan_hours"] == 8.5


def test_an_asynchronous_one_ends_like_a_synchronous_one(serve: Serve) -> None:
    """202 with the resource that schedules have; events tell the whole plan's figures; a key stands for one request."""
    client, asked = serve(), body(**STOPS)
    headers = ASYNC | {"Idempotency-Key": "press-1"}
    accepted = client.post("/v1/reschedules", json=asked, headers=headers)
    assert (accepted.status_code, accepted.json()["kind"]) == (202, "reschedule")
    location = accepted.headers["location"]
    events = client.get(f"{location}/events").text
    progress = [json.loads(line.partition(": ")[2]) for line in events.splitlines() if line.startswith("data: ")]
    assert ("event: done" in events, progress[-1]["makespan_hours"]) == (True, 8.5)
    state = client.get(location).json()
    job_schemas.JobState.model_validate(state)
    direct = client.post("/v1/reschedules", json=asked).json()
    lasting = direct.keys() - {"seconds", "trace", "work_done"}
    assert {key: state["result"][key] for key in lasting} == {key: direct[key] for key in lasting}
    assert client.get(f"{location}/best").json()["schedule"] == direct["schedule"]
    again = client.post("/v1/reschedules", json=asked, headers={"Idempotency-Key": "press-1"})
    assert (again.status_code, again.json()) == (200, state["result"])
    reused = client.post("/v1/reschedules", json=body(now=1), headers=headers)
    assert reused.json()["type"] == "urn:jaxshop:problem:idempotency-key-reused"
    assert [entry["kind"] for entry in client.get("/v1/schedules").json()["schedules"]] == ["reschedule"]
    unknown = problem(client.post("/v1/reschedules?samples=1", json=asked), 422)
    assert unknown["errors"][0]["message"] == "unknown option; the known ones are webhook, write_back"
    refused = problem(client.post("/v1/reschedules?write_back=true", json=asked), 422)
    assert refused["errors"][0]["path"] == "query.write_back"


def test_stop_keeps_the_best_so_far(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of minutes ends when it is told to, with what it has; the best so far could be had before."""
    found, plan = threading.Event(), split_lots(small_shop(), None)
    base = list_schedule(plan, random.Random(0))

    def endless(rest: LotPlan, *, watch: Any, cancelled: Any, **_: Any) -> Solution:
        task = Task.of(rest)
        best = Incumbent(best_rule(rest, None)[1], 1, "search:slow", 0.1, 1)
        watch(Watched(best, task.certificate))
        found.set()
        while not cancelled():
            time.sleep(0.01)
        return Solution(best.schedule, best.source, task.certificate, 0, 0.1, 1, (best,))

    monkeypatch.setattr("jaxshop.search.replan.solve", endless)
    client = serve()
    asked = {"shop": shop_to_json(plan.shop), "schedule": to_json(base), "now": 0, "time_limit_s": 300}
    location = client.post("/v1/reschedules", json=asked, headers=ASYNC).headers["location"]
    assert found.wait(20)
    best = client.get(f"{location}/best").json()
    assert verify(plan, from_json(best["schedule"], "best")) == []
    assert client.post(f"{location}:stop").status_code == 202
    while (state := client.get(location).json())["status"] in ("queued", "running"):
        time.sleep(0.01)
    assert (state["status"], state["stopped"]) == ("done", True)
    assert state["result"]["makespan_hours"] <= best["makespan_hours"]


@pytest.mark.parametrize("ready", [True, False])
def test_a_search_that_came_too_early_is_told(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, ready: bool
) -> None:
    """Where kernels are not there yet and a repair or a rule answers, the reply says to ask again."""
    plan = split_lots(small_shop(), None)

    def without_time(rest: LotPlan, **_: Any) -> Solution:
        task = Task.of(rest)
        rule = Incumbent(best_rule(rest, None)[1], 1, "rule:MWKR", 0.1, 1)
        return Solution(rule.schedule, rule.source, task.certificate, 0, 0.1, 1, (rule,))

    monkeypatch.setattr("jaxshop.search.replan.solve", without_time)
    monkeypatch.setattr("jaxshop.search.warming.ready", lambda rest: ready)
    asked = {"shop": shop_to_json(plan.shop), "schedule": to_json(list_schedule(plan, random.Random(0))), "now": 0}
    reply = conforms(client.post("/v1/reschedules", json=asked), schemas.RescheduleReply)
    assert not reply["proven_optimal"]
    assert reply["warming"] is not ready


def test_one_that_a_killed_server_had_under_work_is_begun_anew_as_what_it_was() -> None:
    """What the store keeps says what was asked: the kind, the options, the body."""
    asked = Ask.of("reschedule", schemas.RescheduleOptions(write_back=True), b"{}", "k")
    kept = Job.of(Job("ann", asked).record())
    assert (kept.ask, kept.ask.kind, kept.ask.options) == (asked, "reschedule", {"write_back": True})
    plain = Ask.of("schedule", Options(samples=3, seed=1), b"{}", None)
    assert (plain.kind, plain.samples, plain.query) == ("schedule", 3, b'{"samples":3,"seed":1}')
