"""The API in this process, over an engine without JAX."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from jaxshop.schedule import from_json, verify
from jaxshop.serving import import_schemas, job_schemas, schemas
from jaxshop.serving.app import create_app
from jaxshop.serving.examples import EXAMPLES
from jaxshop.serving.service import Service
from jaxshop.serving.settings import load_settings
from jaxshop.shop import fingerprint, parse_shop, split_lots
from jaxshop.support.errors import DeviceError
from tests.plant import changed, plant
from tests.shops import shop_body

from .conftest import BOSS, KEYS, PLANNER, TestClient, await_ready
from .fakes import FakeEngine
from .replies import conforms, lasting, problem

Serve = Callable[..., httpx.Client]


def test_a_schedule_is_complete_verified_and_as_documented(client: httpx.Client) -> None:
    """The reply's schedule is a schedule file that the verifier accepts; the KPIs are of it; times are in a header."""
    origin = {"kind": "mariadb", "detail": "plant 3", "taken_at": "2026-11-23T05:58:00Z", "signature": "ab"}
    body = shop_body() | {"plan_start": "2026-11-23T06:00:00Z", "provenance": origin}
    response = client.post("/v1/schedules?samples=6&seed=2&max_lot_hours=1.5&target_hours=1", json=body)
    reply = conforms(response, schemas.ScheduleReply)
    plan = split_lots(parse_shop(body, "body"), 1.5)
    assert verify(plan, from_json(reply["schedule"], "reply")) == []
    assert len(reply["schedule"]["operations"]) == sum(len(lot.operations) for lot in plan.lots)
    assert (reply["schedule"]["shop"], reply["provenance"]) == (fingerprint(plan.shop), origin)
    assert reply["kpis"]["completion"] == 1.0
    assert reply["kpis"]["makespan_hours"] == reply["schedule"]["makespan"] >= reply["kpis"]["lower_bound_hours"] > 1
    assert reply["source"] in ("policy:greedy", "policy:samples")
    assert reply["verification"] == {"valid": True, "violations": [], "rejected_attempts": []}
    assert (reply["seed"], reply["samples_done"]) == (2, 6)
    assert reply["target"] == {"hours": 1.0, "met": False, "feasible": False}
    assert reply["dates"]["plan_start"] == "2026-11-23T06:00:00+00:00"
    assert reply["dates"]["end"] == max(span["end"] for span in reply["dates"]["jobs"].values())
    assert {part.partition(";")[0] for part in response.headers["server-timing"].split(", ")} >= {
        "queue",
        "policy",
        "total",
    }


def test_a_shop_with_rules_is_answered_by_rules(client: httpx.Client) -> None:
    """Calendars and the others are kept by the host's rules; samples of a policy that breaks them are not heard."""
    reply = conforms(client.post("/v1/schedules?time_limit_s=5", json=plant()), schemas.ScheduleReply)
    plan = split_lots(parse_shop(plant(), "body"), None)
    assert verify(plan, from_json(reply["schedule"], "reply")) == []
    assert reply["source"].startswith("rule:")
    assert reply["kpis"]["setups"] == {"count": 0, "hours": 0.0}
    schemas.ShopFile.model_validate(plant())
    sampled = conforms(client.post("/v1/schedules?samples=2", json=plant()), schemas.ScheduleReply)
    (rejected,) = sampled["verification"]["rejected_attempts"]
    assert (rejected["reason"], sampled["source"].partition(":")[0]) == ("invalid", "fallback")
    assert verify(plan, from_json(sampled["schedule"], "reply")) == []
    bad = problem(client.post("/v1/schedules", json=changed(["machines", 0, "calendar"], "night")), 422)
    assert "machines[0].calendar: unknown calendar 'night'" in json.dumps(bad)


def test_the_same_request_gets_the_same_bytes(serve: Serve) -> None:
    """Two servers, two orders of keys, one reply; another seed may differ."""
    body = shop_body(jobs=10)
    ask = "/v1/schedules?samples=9&seed=4"
    first = lasting(serve().post(ask, json=body))
    shuffled = json.dumps(dict(reversed(body.items())), indent=2)
    again = serve().post(ask, content=shuffled, headers={"Content-Type": "application/json; charset=utf-8"})
    assert first == lasting(again)
    assert first != lasting(serve().post("/v1/schedules?samples=9&seed=5", json=body))


@pytest.mark.parametrize(("how", "reason"), [("invalid", "invalid"), ("raise", "failed")])
def test_a_fallback_is_visible_to_caller_and_operator(serve: Serve, how: str, reason: str) -> None:
    """A rule's answer says so, and is counted."""
    client = serve()
    reply = conforms(
        client.post("/v1/schedules?samples=0", json=shop_body(name=f"greedy:{how}")), schemas.ScheduleReply
    )
    assert reply["source"].startswith("fallback:")
    assert [attempt["reason"] for attempt in reply["verification"]["rejected_attempts"]] == [reason]
    assert f'jaxshop_fallbacks_total{{reason="{reason}"}} 1.0' in client.get("/metrics").text


def test_reload_needs_an_administrator_and_a_good_model(serve: Serve, tmp_path: Any) -> None:
    """A damaged checkpoint, or weights that fail the canary, leave the old model in use; good ones replace it."""
    checkpoint = tmp_path / "model.json"
    checkpoint.write_text('{"name": "first"}')
    client = serve(FakeEngine(checkpoint))

    def name() -> str:
        return client.get("/v1/models").json()["models"][0]["name"]

    assert name() == "first"
    problem(client.post("/v1/models:reload"), 403)
    for text in ('{"name": "liar"}', '{"name": "damaged"}', "no json", '{"nam'):
        checkpoint.write_text(text)
        refused = problem(client.post("/v1/models:reload", headers=BOSS), 409)
        assert refused["type"].endswith("reload-refused")
        assert name() == "first"
    checkpoint.write_text('{"name": "second"}')
    conforms(client.post("/v1/models:reload", headers=BOSS), schemas.ModelInfo)
    assert name() == "second"
    reply = client.post("/v1/schedules?samples=0", json=shop_body()).json()
    assert reply["model"]["name"] == "second"
    assert reply["source"] == "policy:greedy"


def test_verify_tells_right_from_wrong(client: httpx.Client) -> None:
    """A schedule of the server's own is valid; a moved operation is found; strangers in the body are refused."""
    shop = shop_body()
    schedule = client.post("/v1/schedules?max_lot_hours=1", json=shop).json()["schedule"]
    right = conforms(
        client.post("/v1/schedules:verify", json={"shop": shop, "schedule": schedule}), schemas.VerifyReply
    )
    assert (right["valid"], right["violation_count"]) == (True, 0)
    assert right["makespan_hours"] == schedule["makespan"]
    schedule["operations"][3]["start"] += 1
    wrong = conforms(
        client.post("/v1/schedules:verify", json={"shop": shop, "schedule": schedule}), schemas.VerifyReply
    )
    assert (wrong["valid"], len(wrong["violations"])) == (False, wrong["violation_count"])
    for body in (
        {"shop": shop},
        {"shop": shop, "schedule": schedule, "more": 1},
        {"shop": shop, "schedule": {}},
        [],
    ):
        problem(client.post("/v1/schedules:verify", json=body), 422)
    del shop["jobs"][1]["operations"][0]["alternatives"]
    refused = problem(client.post("/v1/schedules:verify", json={"shop": shop, "schedule": schedule}), 422)
    assert refused["errors"][0]["path"] == "shop.jobs[1].operations[0].alternatives"


def test_nothing_is_answered_before_the_warm_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the model is there: alive, not ready, and 503 with Retry-After for work."""
    engine = FakeEngine()
    load = engine.load
    monkeypatch.setattr(engine, "load", lambda: engine.release.wait(10) and load())
    client = serve(engine, wait=False)
    assert client.get("/livez").status_code == 200
    assert (client.get("/readyz").status_code, client.get("/readyz").json()["status"]) == (503, "starting")
    for path in ("/v1/models", "/v1/demo-shop"):
        assert int(client.get(path).headers["retry-after"]) >= 1
    problem(client.post("/v1/schedules", json=shop_body()), 503)
    engine.release.set()


def test_a_device_that_lies_is_never_ready(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that does not compute what the CPU does keeps the server alive, and unready for good."""
    engine = FakeEngine()

    def load() -> Any:
        raise DeviceError("1 x GPU: does not compute what the CPU does")

    monkeypatch.setattr(engine, "load", load)
    client = serve(engine, wait=False)
    give_up = time.monotonic() + 60
    while client.get("/readyz").json()["status"] != "failed":
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert (client.get("/livez").status_code, client.get("/readyz").status_code) == (200, 503)
    assert isinstance(cast(FastAPI, client.app).state.service.failure, DeviceError)


def test_the_demo_shop_is_the_reference_shop(client: httpx.Client) -> None:
    """149 machines, 411 jobs, and a valid shop file."""
    shop = conforms(client.get("/v1/demo-shop"), schemas.ShopFile)
    assert (len(shop["machines"]), len(shop["jobs"])) == (149, 411)
    parse_shop(shop, "demo")


def test_operators_see_versions_models_and_metrics(serve: Serve) -> None:
    """The documents are as described, and requests are counted under their route, not their path."""
    client = serve()
    conforms(client.get("/version"), schemas.Version)
    conforms(client.get("/v1/models"), schemas.Models)
    client.get("/v1/schedules/abc")
    text = client.get("/metrics").text
    assert 'jaxshop_requests_total{method="GET",route="/v1/schedules/{id}",status="404"} 1.0' in text
    assert 'jaxshop_requests_total{method="GET",route="/version",status="200"} 1.0' in text
    for name in (
        "ready 1.0",
        "queue_length 0.0",
        "request_seconds_bucket",
        "in_flight",
        'compilations_total{phase="serving"}',
    ):
        assert f"jaxshop_{name}" in text or f"jaxshop_requests_{name}" in text


def test_openapi_examples_are_accepted(client: httpx.Client) -> None:
    """The document's examples are a shop that the server schedules, and a schedule that it finds valid."""
    document = client.get("/openapi.json").json()

    def examples(path: str) -> list[Any]:
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        return [example["value"] for example in content["examples"].values()]

    small, source = examples("/v1/schedules")
    assert source == {"source": "mariadb"}
    for shop in (small,):
        conforms(client.post("/v1/schedules?max_lot_hours=60&samples=32", json=shop), schemas.ScheduleReply)
    for claim in examples("/v1/schedules:verify"):
        assert conforms(client.post("/v1/schedules:verify", json=claim), schemas.VerifyReply)["valid"]
    for tables in examples("/v1/imports"):
        conforms(client.post("/v1/imports", json=tables), import_schemas.ImportReply)
    options = {
        parameter["name"]
        for parameter in document["paths"]["/v1/schedules"]["post"]["parameters"]
        if parameter["in"] == "query"
    }
    assert options == {
        "max_lot_hours",
        "samples",
        "seed",
        "time_limit_s",
        "work",
        "target_hours",
        "write_back",
        "webhook",
    }


def test_bodies_and_replies_may_be_packed(client: httpx.Client) -> None:
    """gzip both ways gives the reply of a plain request; who cannot unpack gets it plain."""
    body, head = json.dumps(shop_body()).encode(), {"Content-Type": "application/json"}
    packed = client.post(
        "/v1/schedules?samples=1", content=gzip.compress(body), headers=head | {"Content-Encoding": "gzip"}
    )
    plain = client.post("/v1/schedules?samples=1", content=body, headers=head | {"Accept-Encoding": "identity"})
    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert packed.json()["schedule"] == plain.json()["schedule"]


def test_the_documentation_is_read_without_a_key_and_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    """The page, its files and the document; the policy allows no other host, and no script in the page."""
    page = client.get("/docs", headers={"X-API-Key": ""})
    assert (page.status_code, "script-src 'self'" in page.headers["content-security-policy"]) == (200, True)
    names = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(names) == 3
    for name in [*names, "/openapi.json"]:
        assert (name[0], client.get(name, headers={"X-API-Key": ""}).status_code) == ("/", 200)


def test_examples_of_replies_are_of_the_documented_shape() -> None:
    """Each validates as what its route returns."""
    shapes = {
        ("/v1/schedules", "post", "200"): schemas.ScheduleReply,
        ("/v1/schedules", "post", "202"): job_schemas.JobState,
        ("/v1/schedules", "get", "200"): job_schemas.JobList,
        ("/v1/schedules:verify", "post", "200"): schemas.VerifyReply,
        ("/v1/schedules/{id}", "get", "200"): job_schemas.JobState,
        ("/v1/reschedules", "post", "202"): job_schemas.JobState,
        ("/v1/plans", "get", "200"): schemas.Plans,
        ("/v1/schedules/{id}:write-back", "post", "200"): schemas.StoredPlan,
        ("/v1/schedules/{id}/best", "get", "200"): job_schemas.JobBest,
        ("/v1/schedules/{id}:release", "post", "200"): schemas.ReleasedPlan,
    }
    found = {(p, m, s): e for p, methods in EXAMPLES.items() for m, of in methods.items() for s, e in of.items()}
    assert found.keys() == shapes.keys()
    for place, shape in shapes.items():
        shape.model_validate(found[place])


def test_violations_say_where_they_are(client: httpx.Client) -> None:
    """Code, job, operation, machine and ticks; of a schedule of another shop one line, and nothing that follows."""
    shop = shop_body()
    schedule = client.post("/v1/schedules?samples=0", json=shop).json()["schedule"]
    row = schedule["operations"][0]
    row["end"] += 7
    ask = {"shop": shop, "schedule": schedule}
    found = conforms(client.post("/v1/schedules:verify", json=ask), schemas.VerifyReply)["violations"]
    wrong = next(entry for entry in found if entry["code"] == "duration")
    assert {key: wrong[key] for key in row} == row
    other = {"shop": shop | {"jobs": shop["jobs"][1:]}, "schedule": schedule}
    told = conforms(client.post("/v1/schedules:verify", json=other), schemas.VerifyReply)
    assert ([entry["code"] for entry in told["violations"]], told["violation_count"]) == (["other-shop"], 1)


def test_what_is_not_compiled_is_told_from_the_first_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """That no size is compiled is said with the first `ready`, so that nobody takes the server for warm."""
    told: list[tuple[str, dict[str, object] | None]] = []
    service = Service(load_settings(**KEYS), lambda *_: FakeEngine())
    monkeypatch.setattr("jaxshop.serving.logs.event", lambda name, *_, **__: told.append((name, service.warming)))
    with TestClient(create_app(service), headers=PLANNER) as client:
        await_ready(lambda: client.get("/readyz"))
    assert ("ready", {"compiled": 0, "of": len(FakeEngine().sizes), "now": ""}) in told
    assert service.warming is None
