"""Orders that take the search `auto`: limits, work, stops, crowds, and searches that misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from jaxshop.bounds import prepare
from jaxshop.schedule import from_json, verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.serving import job_schemas, schemas
from jaxshop.serving.client import Client
from jaxshop.serving.device import DeviceThread
from jaxshop.serving.scheduler import SafeScheduler
from jaxshop.serving.types import Order, Progress
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, parse_shop, split_lots
from tests.shops import shop_body, small_shop

from .conftest import MES, Process
from .fakes import FakeEngine
from .replies import conforms

Serve = Callable[..., httpx.Client]
ASYNC = {"Prefer": "respond-async"}


def plan_of(name: str = "small", jobs: int = 6) -> LotPlan:
    """A shop that random list schedules soon improve and never solve; its name tells the search what to do."""
    return split_lots(small_shop(jobs, name=name), None)


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    """Have what proves bounds loaded, which would take its time from the first search."""
    prepare()


@pytest.fixture
def scheduler() -> Iterator[SafeScheduler]:
    """A scheduler over an engine that is let go at the end; nobody may ask for its device."""
    engine, device = FakeEngine(), DeviceThread()
    assert device.stop(1)
    yield SafeScheduler(engine, device)
    engine.release.set()


def test_a_search_tells_of_each_better_schedule_and_keeps_its_time(scheduler: SafeScheduler) -> None:
    """First a rule's schedule, then ever better ones; the last is the answer, valid, when the time is over."""
    seen: list[Progress] = []
    began = time.monotonic()
    answer = scheduler.schedule(None, Order(plan_of(), seconds=0.5, report=seen.append))
    assert 0.4 < time.monotonic() - began < 5
    assert (seen[0].best.source, seen[0].seconds, answer.source) == ("rule:MWKR", 0.5, "search:auto")
    told = tuple(dict.fromkeys(progress.best for progress in seen))  # a better bound is told of, too
    costs = [incumbent.cost for incumbent in told]
    assert costs == sorted(set(costs), reverse=True)
    assert told == answer.trace
    assert [progress.bound for progress in seen] == sorted(progress.bound for progress in seen)
    assert answer.schedule == seen[-1].best.schedule
    assert verify(plan_of(), answer.schedule) == []
    assert (answer.samples_done, answer.rejections) == (0, ())
    assert answer.work_done > 0


def test_as_much_work_gives_the_same_schedule(scheduler: SafeScheduler) -> None:
    """What a search under a time limit found is found again by as much work without one; another seed differs."""
    limited = scheduler.schedule(None, Order(plan_of(), seconds=0.2, seed=3))
    again = scheduler.schedule(None, Order(plan_of(), work=limited.work_done, seed=3))
    assert (again.schedule, again.source, again.work_done) == (limited.schedule, limited.source, limited.work_done)
    other = scheduler.schedule(None, Order(plan_of(), work=limited.work_done, seed=4))
    assert other.schedule != limited.schedule


def test_a_search_ends_at_the_bound() -> None:
    """One job is scheduled optimally by a rule: the proof ends the search long before its time."""
    engine, device = FakeEngine(), DeviceThread()
    answer = SafeScheduler(engine, device).schedule(None, Order(plan_of(jobs=1), seconds=60))
    assert (answer.proven_optimal, answer.work_done) == (True, 0)
    assert device.stop(1)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_stop_keeps_the_best_so_far(scheduler: SafeScheduler, when: str) -> None:
    """A search that is stopped answers at once with what it has, a rule's schedule at least."""
    order = Order(plan_of(), seconds=60)
    began = time.monotonic()
    if when == "before":
        order.stopped.set()
    else:
        order.report = lambda progress: progress.best.source == "search:auto" and order.stopped.set()
    answer = scheduler.schedule(None, order)
    assert time.monotonic() - began < 20
    assert answer.source == ("rule:MWKR" if when == "before" else "search:auto")
    assert verify(plan_of(), answer.schedule) == []


@pytest.mark.parametrize(
    ("how", "reasons"),
    [("invalid", {"invalid"}), ("raise", {"failed"}), ("hang", {"late"}), ("early", {"warming"})],
)
def test_a_rule_answers_where_the_search_fails(scheduler: SafeScheduler, how: str, reasons: set[str]) -> None:
    """Whatever the search does, the answer is verified and in time, and says that it is a rule's and why."""
    began = time.monotonic()
    answer = scheduler.schedule(None, Order(plan_of(f"auto:{how}"), deadline=began + 0.3))
    assert time.monotonic() - began < 20
    assert answer.source == "fallback:MWKR"
    assert reasons <= {rejection.reason for rejection in answer.rejections}
    assert verify(plan_of(), answer.schedule) == []
    assert "must not see" not in str(answer.rejections)


def test_a_search_that_fails_while_kernels_are_missing_is_not_called_early(
    scheduler: SafeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels that cannot be compiled are never there: to ask again, as `warming` says, would lead nowhere."""

    def broken(cores: int | None) -> None:
        raise RuntimeError("nothing can be compiled here")

    monkeypatch.setattr(scheduler.engine, "auto", broken)
    answer = scheduler.schedule(None, Order(plan_of("auto:early"), deadline=time.monotonic() + 20))
    assert answer.source == "fallback:MWKR"
    assert [rejection.reason for rejection in answer.rejections] == ["failed"]


def test_a_search_gives_way_to_those_that_wait(scheduler: SafeScheduler) -> None:
    """With ten times as many searches as places, one ends after a tenth of its time; never one by work."""
    began = time.monotonic()
    course = scheduler.begin(Order(plan_of(), seconds=20))
    scheduler.search(course, crowd=lambda: 100.0)
    assert time.monotonic() - began < 10
    course = scheduler.begin(Order(plan_of(), work=200, deadline=time.monotonic() + 60))
    assert scheduler.search(course, crowd=lambda: 1e9).work_done == 200


def end_of(client: httpx.Client, location: str) -> dict[str, Any]:
    """The state of a job that has ended."""
    give_up = time.monotonic() + 20
    while (state := client.get(location).json())["status"] in ("queued", "running"):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return state


def test_a_default_request_searches_for_a_while(serve: Serve) -> None:
    """Without samples and limits `auto` answers after JAXSHOP_SEARCH_S; `work` gives the same bytes ever again."""
    client, body = serve(search_s=0.3), shop_body()
    began = time.monotonic()
    reply = conforms(client.post("/v1/schedules", json=body), schemas.ScheduleReply)
    assert 0.25 < time.monotonic() - began < 10
    assert (reply["source"], reply["proven_optimal"], reply["samples_done"]) == ("search:auto", False, 0)
    seconds, hours, sources = zip(*reply["trace"], strict=True)
    assert list(seconds) == sorted(seconds)
    assert list(hours) == sorted(hours, reverse=True)
    assert (sources[0], hours[-1]) == ("rule:MWKR", reply["kpis"]["makespan_hours"])
    again = [client.post(f"/v1/schedules?work={reply['work_done']}", json=body).json() for _ in range(2)]
    for part in ("schedule", "kpis", "source", "work_done"):
        assert json.dumps(again[0][part]) == json.dumps(again[1][part])
        if part != "kpis":  # under a limit, a proof beside the search may have raised the bound
            assert json.dumps(again[0][part]) == json.dumps(reply[part])


def test_a_request_without_a_limit_gets_that_of_the_server(serve: Serve) -> None:
    """Its events tell of two seconds, if nothing is set, and of what its search is given where another limit stands."""
    client = serve(search_s=None)  # as it is without a setting
    for query, limit in (("", 2), ("?time_limit_s=9", 9)):
        location = client.post(f"/v1/schedules{query}", json=shop_body(), headers=ASYNC).headers["location"]
        while (state := client.get(location).json())["source"] is None:
            time.sleep(0.01)
        client.post(f"{location}:stop")
        assert state["limit_s"] == pytest.approx(limit, abs=0.9)


def test_stop_here_keeps_the_result(serve: Serve) -> None:
    """`:stop` ends a long search at once: done and stopped, its result the best so far, which could be had before."""
    client, body = serve(), shop_body()
    location = client.post("/v1/schedules?time_limit_s=300", json=body, headers=ASYNC).headers["location"]
    while client.get(location).json()["source"] != "search:auto":
        time.sleep(0.01)
    assert client.post(f"{location}:stop", headers=MES).status_code == 404
    best = client.get(f"{location}/best").json()
    job_schemas.JobBest.model_validate(best)
    assert verify(split_lots(parse_shop(body, "body"), None), from_json(best["schedule"], "best")) == []
    assert best["schedule"]["makespan"] == best["makespan_hours"]
    asked = client.post(f"{location}:stop")
    assert (asked.status_code, asked.json()["stopped"]) == (202, True)
    state = end_of(client, location)
    job_schemas.JobState.model_validate(state)
    assert (state["status"], state["stopped"]) == ("done", True)
    result = state["result"]
    assert result["kpis"]["makespan_hours"] == state["makespan_hours"] == state["objective_hours"]
    assert verify(split_lots(parse_shop(body, "body"), None), from_json(result["schedule"], "reply")) == []
    assert client.post(f"{location}:stop").json()["status"] == "done"
    assert client.get(f"{location}/best").json()["schedule"] == result["schedule"]


def test_a_stop_reaches_samples_too(serve: Serve) -> None:
    """Samples end after the chunk under way, and what they found is the result."""
    client, body = serve(), shop_body(name="samples:dawdle")
    location = client.post("/v1/schedules?samples=4000", json=body, headers=ASYNC).headers["location"]
    while client.get(location).json()["samples_done"] == 0:
        time.sleep(0.01)
    client.post(f"{location}:stop")
    state = end_of(client, location)
    assert (state["status"], 0 < state["result"]["samples_done"] < 4000) == ("done", True)


def test_events_tell_the_whole_curve(serve: Serve) -> None:
    """Every better schedule has its event with objective, bound, gap, source and seconds, even for who comes late."""
    client = serve()
    location = client.post("/v1/schedules?time_limit_s=0.4", json=shop_body(), headers=ASYNC).headers["location"]
    early = client.get(f"{location}/events").text
    result = client.get(location).json()["result"]
    late = client.get(f"{location}/events").text
    for text in (early, late):
        events = [block.split("data: ") for block in text.replace("\r\n", "\n").split("\n\n") if "data: " in block]
        told = [json.loads(data) for name, data in events if "event: progress" in name]
        for data in told:
            job_schemas.JobProgress.model_validate(data)
        curve = {(data["seconds"], data["objective_hours"], data["source"]): data for data in told if data["source"]}
        assert sorted(curve) == sorted(tuple(entry) for entry in result["trace"])
        bounds = [data["lower_bound_hours"] for data in told if data["source"]]
        assert bounds == sorted(bounds)
        assert bounds[-1] == result["kpis"]["lower_bound_hours"]
        for data in curve.values():
            bound = data["lower_bound_hours"]
            assert data["gap_percent"] == pytest.approx(100 * (data["objective_hours"] / bound - 1))
            assert data["limit_s"] == pytest.approx(0.4, abs=0.2)
        assert "event: done" in text


def test_the_client_follows_and_stops(server: Process) -> None:
    """`Client.submit` gives a request whose events are followed, which is stopped, and whose result is had."""
    with Client(server.url, "the-key-of-the-mes") as client:
        request = client.submit(small_shop(), time_limit_s=300)
        for event in request.events():
            if event["source"] == "search:auto":
                request.stop()
        reply = request.result()
        schemas.ScheduleReply.model_validate(reply)
        assert reply["source"] == "search:auto"
        request.forget()


def test_24_at_once_are_answered_in_time(server: Process) -> None:
    """24 requests of 1.5 s at once, 2 searches at a time: each is answered in time, no worse than a rule, and valid."""
    plan = plan_of()
    rule = dispatch_by_rule(plan, RULES["MWKR"], active=False).makespan
    gate = threading.Barrier(24)

    def ask(seed: int) -> tuple[float, dict[str, Any]]:
        with httpx.Client(base_url=server.url, headers=MES, timeout=60) as client:
            gate.wait()
            began = time.monotonic()
            reply = client.post(f"/v1/schedules?time_limit_s=1.5&seed={seed}", json=shop_body())
            return time.monotonic() - began, reply.raise_for_status().json()

    with ThreadPoolExecutor(24) as clients:
        answers = list(clients.map(ask, range(24)))
    for seconds, reply in answers:
        assert seconds < 1.5 + 2  # what reading and writing 24 replies takes on a busy machine
        schedule = from_json(reply["schedule"], "reply")
        assert verify(plan, schedule) == []
        assert schedule.makespan <= rule
        assert reply["kpis"]["makespan_hours"] == schedule.makespan / TICKS_PER_HOUR
    assert any(reply["source"] == "search:auto" for _, reply in answers)  # how many, depends on the machine


def test_without_a_place_to_search_a_rule_answers(serve: Serve) -> None:
    """Long searches in all places and spare ones: who still waits near its limit gets a rule's schedule, in time."""
    client = serve(searches=1, search_s=0.1)
    long = [client.post("/v1/schedules?work=100000000", json=shop_body(), headers=ASYNC) for _ in range(2)]
    for accepted in long:
        while client.get(accepted.headers["location"]).json()["source"] != "search:auto":
            time.sleep(0.01)
    began = time.monotonic()
    reply = client.post("/v1/schedules?time_limit_s=0.5", json=shop_body()).json()
    assert time.monotonic() - began < 5
    assert (reply["source"], reply["work_done"]) == ("rule:MWKR", 0)
    for accepted in long:
        assert client.post(f"{accepted.headers['location']}:stop").status_code == 202
