"""Asynchronous requests over the API: `Prefer: respond-async`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from jaxshop.serving import job_schemas
from tests.shops import shop_body

from .conftest import BOSS, MES
from .fakes import FakeEngine

Serve = Callable[..., httpx.Client]
ASYNC = {"Prefer": "wait=5, respond-async"}


def wait_for_end(client: httpx.Client, location: str) -> dict[str, Any]:
    """Return the state of a job that has ended."""
    give_up = time.monotonic() + 10
    while (state := client.get(location).json())["status"] in ("queued", "running"):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return state


def await_a_free_place(client: httpx.Client) -> None:
    """Ask until a request is answered and not refused."""
    give_up = time.monotonic() + 10
    while (status := client.post("/v1/schedules", json=shop_body()).status_code) == 503:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert status == 200


def test_an_asynchronous_request_ends_like_a_synchronous_one(serve: Serve) -> None:
    """202 with a Location; events end with `done`; the result has the bytes of a synchronous reply."""
    client, body = serve(), shop_body(jobs=10, name="samples:dawdle")
    accepted = client.post("/v1/schedules?samples=9&seed=1", json=body, headers=ASYNC)
    assert accepted.status_code == 202
    assert accepted.headers["preference-applied"] == "respond-async"
    location = accepted.headers["location"]
    events = client.get(f"{location}/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    names = [line.partition(": ")[2] for line in events.text.splitlines() if line.startswith("event: ")]
    assert (names[0], names[-1]) == ("progress", "done")
    last = json.loads(events.text.rpartition("data: ")[2])
    assert (last["samples_done"], last["samples"], last["status"]) == (9, 9, "done")
    state = client.get(location)
    job_schemas.JobState.model_validate(state.json())
    direct = client.post("/v1/schedules?samples=9&seed=1", json=body)
    for part in direct.json().keys() - {"trace"}:
        assert state.json()["result"][part] == direct.json()[part]
    assert state.json()["makespan_hours"] == direct.json()["kpis"]["makespan_hours"]


def test_a_refusal_comes_with_the_status(serve: Serve) -> None:
    """What a synchronous request gets as a 422 is the error of the job, and of the stream's last event."""
    client = serve()
    location = client.post("/v1/schedules", json={}, headers=ASYNC).headers["location"]
    state = wait_for_end(client, location)
    job_schemas.JobState.model_validate(state)
    assert (state["status"], state["error"]["status"], state["result"]) == ("failed", 422, None)
    assert "event: error" in client.get(f"{location}/events").text
    none = client.get(f"{location}/best")
    assert (none.status_code, none.json()["type"]) == (409, "urn:jaxshop:problem:no-schedule")


def test_cancelling_frees_the_thread_and_the_place(serve: Serve) -> None:
    """DELETE stops the work after its chunk; the resource is gone; the next request is served."""
    client = serve(threads=1, queue=0)
    body = shop_body(name="samples:dawdle")
    location = client.post("/v1/schedules?samples=4000", json=body, headers=ASYNC).headers["location"]
    while client.get(location).json()["samples_done"] == 0:
        time.sleep(0.01)
    assert client.post("/v1/schedules", json=shop_body()).status_code == 503
    assert client.delete(location).status_code == 204
    assert client.get(location).status_code == client.delete(location).status_code == 404
    await_a_free_place(client)


def test_a_server_that_is_about_to_stop_takes_requests_on(serve: Serve) -> None:
    """With nothing more under work it is drained at once, but as long as it serves, it lists, works and cancels."""
    client = serve()
    service = client.app.state.service
    before = client.post("/v1/schedules?samples=0", json=shop_body(), headers=ASYNC).headers["location"]
    wait_for_end(client, before)
    client.portal.call(service.begin_drain)
    client.portal.call(lambda: service._drained)
    later = client.post("/v1/schedules?samples=0", json=shop_body(), headers=ASYNC).headers["location"]
    assert wait_for_end(client, later)["status"] == "done"
    listed = [entry["id"] for entry in client.get("/v1/schedules").json()["schedules"]]
    assert [f"/v1/schedules/{id}" for id in listed] == [later, before]
    assert client.delete(later).status_code == 204


def test_another_key_cannot_see_or_cancel_it(serve: Serve) -> None:
    """Jobs belong to the key that asked; an administrator's key sees all."""
    client = serve()
    location = client.post("/v1/schedules", json=shop_body(), headers=ASYNC).headers["location"]
    for method, path in (("GET", location), ("GET", f"{location}/events"), ("DELETE", location)):
        assert client.request(method, path, headers=MES).status_code == 404
    assert client.get(location, headers=BOSS).status_code == 200


def test_a_full_queue_says_when_to_come_back(serve: Serve) -> None:
    """With every place taken, the answer is a 503 with Retry-After, before the body is read, and it is counted."""
    engine = FakeEngine()
    client = serve(engine, threads=1, queue=1)
    for _ in range(2):
        client.post("/v1/schedules?samples=0", json=shop_body(name="greedy:hang"), headers=ASYNC)
    give_up, text = time.monotonic() + 10, ""
    while not {"jaxshop_queue_length 1.0", "jaxshop_threads_busy 1.0"} <= set(text.splitlines()):
        assert time.monotonic() < give_up
        text = client.get("/metrics").text
    assert "# HELP jaxshop_jobs Asynchronous requests under work here\n" in text
    assert "jaxshop_jobs 2.0" in text
    full = client.post("/v1/schedules", json=shop_body())
    assert (full.status_code, full.json()["type"]) == (503, "urn:jaxshop:problem:queue-full")
    assert 1 <= int(full.headers["retry-after"]) <= 60
    assert "jaxshop_rejected_total 1.0" in client.get("/metrics").text
    engine.release.set()
    await_a_free_place(client)


def test_a_time_limit_includes_the_queue(serve: Serve) -> None:
    """A request whose limit passes while it waits gets a 503, not an answer that is too late."""
    engine = FakeEngine()
    client = serve(engine, threads=1)
    client.post("/v1/schedules?samples=0", json=shop_body(name="greedy:hang"), headers=ASYNC)
    threading.Timer(1.5, engine.release.set).start()
    late = client.post("/v1/schedules?time_limit_s=1", json=shop_body())
    assert (late.status_code, late.json()["type"]) == (503, "urn:jaxshop:problem:queue-too-long")
    assert int(late.headers["retry-after"]) >= 1


def test_a_queue_that_takes_too_long_is_a_503(serve: Serve) -> None:
    """Who has no turn within half of the timeout is told when to come back, and does not run into a 504."""
    engine = FakeEngine()
    client = serve(engine, threads=1, request_timeout_s=1)
    client.post("/v1/schedules?samples=0", json=shop_body(name="greedy:hang"), headers=ASYNC)
    waited = client.post("/v1/schedules", json=shop_body())
    assert (waited.status_code, waited.json()["type"]) == (503, "urn:jaxshop:problem:queue-too-long")
    assert int(waited.headers["retry-after"]) >= 1
    engine.release.set()


def test_a_stuck_device_is_answered_for_in_time(serve: Serve) -> None:
    """A device that hangs is answered for by a rule within the time limit; readiness goes; the rest works."""
    engine = FakeEngine()
    client = serve(engine, stall_s=0.2)
    began = time.monotonic()
    reply = client.post("/v1/schedules?samples=0&time_limit_s=1", json=shop_body(name="greedy:hang"))
    assert time.monotonic() - began < 20
    assert reply.json()["source"].startswith("fallback:")
    assert (client.get("/readyz").status_code, client.get("/readyz").json()["status"]) == (503, "stalled")
    assert client.get("/livez").status_code == 200
    engine.release.set()


def test_work_that_overruns_its_timeout_gets_a_504(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """If even the fallback does not come in time, the caller is told instead of kept."""
    from jaxshop.search import types

    real, release = types.certify, threading.Event()
    client = serve(request_timeout_s=0.5)
    monkeypatch.setattr(types, "certify", lambda *given: release.wait(600) and real(*given))
    late = client.post("/v1/schedules", json=shop_body())
    assert (late.status_code, late.json()["type"]) == (504, "urn:jaxshop:problem:timeout")
    release.set()
