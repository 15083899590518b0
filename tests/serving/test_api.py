"""The API in this process, over an engine without JAX."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from jaxshop.lots import split_lots
from jaxshop.schedule import from_json, verify
from jaxshop.serving import schemas
from jaxshop.shop import fingerprint, parse_shop

from .conftest import BOSS, MES
from .fakes import FakeEngine, shop_body

Serve = Callable[..., httpx.Client]
NO_KEY = {"X-API-Key": ""}


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem document of a refusal, after a check of its shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    schemas.ProblemDocument.model_validate(document)
    assert document["status"] == status
    assert document["request_id"] == response.headers["x-request-id"]
    return document


def conforms(response: Any, model: type[BaseModel]) -> dict[str, Any]:
    """The document of a 200, after a check against the documented model."""
    assert response.status_code == 200, response.text
    model.model_validate(response.json())
    return response.json()


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


def test_the_same_request_gets_the_same_bytes(serve: Serve) -> None:
    """Two servers, two orders of keys, one reply; another seed may differ."""
    body = shop_body(jobs=10)
    ask = "/v1/schedules?samples=9&seed=4"
    first = serve().post(ask, json=body).content
    shuffled = json.dumps(dict(reversed(body.items())), indent=2)
    second = serve().post(ask, content=shuffled, headers={"Content-Type": "application/json; charset=utf-8"}).content
    assert first == second
    assert first != serve().post("/v1/schedules?samples=9&seed=5", json=body).content


@pytest.mark.parametrize(("how", "reason"), [("invalid", "invalid"), ("raise", "failed")])
def test_a_fallback_is_visible_to_caller_and_operator(serve: Serve, how: str, reason: str) -> None:
    """A rule's answer says so, and is counted."""
    client = serve()
    reply = conforms(client.post("/v1/schedules", json=shop_body(name=f"greedy:{how}")), schemas.ScheduleReply)
    assert reply["source"].startswith("fallback:")
    assert [attempt["reason"] for attempt in reply["verification"]["rejected_attempts"]] == [reason]
    assert f'jaxshop_fallbacks_total{{reason="{reason}"}} 1.0' in client.get("/metrics").text


def test_every_route_but_the_open_ones_needs_a_key(serve: Serve) -> None:
    """Documented or not, existing or not: without a key the answer is 401, and a wrong key opens nothing."""
    client = serve()
    paths = {(path, method) for path, ops in client.app.openapi()["paths"].items() for method in ops}  # type: ignore[attr-defined]
    closed = {(path, method) for path, method in paths if path not in ("/livez", "/readyz")}
    assert len(closed) >= 9
    for path, method in closed | {
        ("/openapi.json", "get"),
        ("/docs", "get"),
        ("/nothing", "get"),
        ("/v1/", "post"),
        ("/staticx", "get"),
    }:
        for headers in ({"X-API-Key": "wrong"}, {"X-API-Key": "", "Authorization": "Bearer wrong"}):
            refused = client.request(method, path, headers=headers)
            assert problem(refused, 401)["type"].endswith("unauthenticated")
            assert refused.headers["www-authenticate"].startswith("Bearer")
    for path in ("/livez", "/readyz", "/", "/static/style.css"):
        assert client.get(path, headers={"X-API-Key": "wrong"}).status_code in (200, 404)
    assert client.get("/version", headers={"Authorization": "bearer key-of-mes", "X-API-Key": ""}).status_code == 401
    del client.headers["X-API-Key"]
    assert client.get("/version").status_code == 401
    assert client.get("/version", headers={"Authorization": "bearer key-of-mes"}).status_code == 200


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
    reply = client.post("/v1/schedules", json=shop_body()).json()
    assert reply["model"]["name"] == "second"
    assert reply["source"] == "policy:greedy"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda shop: shop.update(colour="red"), "colour"),
        (lambda shop: shop["jobs"][2]["operations"][1].update(sets=1), "jobs[2].operations[1].sets"),
        (
            lambda shop: shop["jobs"][2]["operations"][1]["alternatives"].update(M9=1),
            "jobs[2].operations[1].alternatives.M9",
        ),
        (lambda shop: shop["jobs"][0].update(release=-1), "jobs[0].release"),
        (lambda shop: shop["machines"][1].update(id="M0"), "machines[1].id"),
        (lambda shop: shop.update(setups=[1]), "setups"),
        (lambda shop: shop.pop("name"), "name"),
    ],
)
def test_a_fault_in_the_shop_comes_with_its_path(client: httpx.Client, change: Callable[[Any], Any], path: str) -> None:
    """A 422 lists path and message of what is wrong."""
    body = copy.deepcopy(shop_body())
    change(body)
    errors = problem(client.post("/v1/schedules", json=body), 422)["errors"]
    assert path in [error["path"] for error in errors]


def test_every_fault_is_listed(client: httpx.Client) -> None:
    """Two faults, two entries."""
    body = shop_body()
    body["jobs"][0]["release"] = body["jobs"][1]["release"] = -1
    errors = problem(client.post("/v1/schedules", json=body), 422)["errors"]
    assert [error["path"] for error in errors] == ["jobs[0].release", "jobs[1].release"]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "[]",
            "null",
            "3",
            '"shop"',
            "\x00",
            '{"a": 1} x',
            '{"a": 1, "a": 2}',
            "[" * 100_000,
            "9" * 10_000,
        ),
        *('{"format": NaN}', '{"format": -Infinity}'),
    ],
)
def test_what_is_no_shop_file_is_refused(client: httpx.Client, text: str) -> None:
    """Whatever the body holds, the answer is a 422 that says why."""
    response = client.post("/v1/schedules", content=text, headers={"Content-Type": "application/json"})
    assert problem(response, 422)["errors"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", '"2"', "true", "null"])
def test_numbers_that_are_none_are_refused_where_they_stand(client: httpx.Client, number: str) -> None:
    """NaN, infinities, numbers beyond any plan, texts and booleans are no hours."""
    body = shop_body()
    body["jobs"][1]["operations"][0]["alternatives"]["M1"] = "here"
    text = json.dumps(body).replace('"here"', number)
    response = client.post("/v1/schedules", content=text, headers={"Content-Type": "application/json"})
    (error,) = problem(response, 422)["errors"]
    assert "M1" in error["path"] or "is not a number" in error["message"]


def test_not_utf8_and_other_media_types_are_refused(client: httpx.Client) -> None:
    """Bytes that are no text get a 422, bodies of another type a 415."""
    bad = client.post("/v1/schedules", content=b"\xff\xfe{}", headers={"Content-Type": "application/json"})
    problem(bad, 422)
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        problem(client.post("/v1/schedules", content=b"{}", headers={"Content-Type": kind}), 415)


@pytest.mark.parametrize(
    "query",
    [
        *("sample=3", "samples=-1", "samples=1.5", "samples=x", "seed=-1", "seed=4294967296", "samples=5000"),
        *("max_lot_hours=0", "max_lot_hours=nan", "max_lot_hours=inf", "max_lot_hours=1e9", "max_lot_hours="),
        *("time_limit_s=0", "time_limit_s=-1", "time_limit_s=inf", "time_limit_s=49", "target_hours=nan"),
        *("max_lot_hours=0.05", "max_lot_hours=0.09"),
    ],
)
def test_options_are_strict(client: httpx.Client, query: str) -> None:
    """Unknown options and values out of range are refused by name; so are lot sizes that set-ups alone reach."""
    document = problem(client.post(f"/v1/schedules?{query}", json=shop_body()), 422)
    assert query.partition("=")[0] in {error["path"].removeprefix("query.") for error in document["errors"]}


def test_limits_are_named(client: httpx.Client) -> None:
    """Too large a shop, too many lots, too short a time: the 422 says what would do."""
    assert "256" in problem(client.post("/v1/schedules", json=shop_body(jobs=65)), 422)["detail"]
    short = problem(client.post("/v1/schedules?time_limit_s=0.0001", json=shop_body()), 422)
    assert short["type"].endswith("time-limit-too-short")
    shortest = client.get("/v1/models").json()["models"][0]["sizes"][0]["shortest_time_limit_s"]
    assert f"at least {shortest:g}" in short["detail"]
    assert client.post(f"/v1/schedules?time_limit_s={shortest}&samples=1", json=shop_body()).status_code == 200


def test_a_long_body_is_refused(serve: Serve) -> None:
    """413 for an announced length at once, and for a chunked body as soon as it is too long."""
    client = serve(max_body_mb=0.01)
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/schedules", content=b" " * 20_000, headers=headers), 413)
    problem(client.post("/v1/schedules", content=(b" " * 1000 for _ in range(20)), headers=headers), 413)
    assert client.post("/v1/schedules", json=shop_body()).status_code == 200


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


def test_nothing_is_answered_before_the_warm_up(serve: Serve) -> None:
    """Until the model is there: alive, not ready, and 503 with Retry-After for work."""
    engine = FakeEngine()
    load, engine.load = engine.load, lambda: engine.release.wait(10) and load()  # type: ignore[method-assign]
    client = serve(engine, wait=False)
    assert client.get("/livez").status_code == 200
    assert (client.get("/readyz").status_code, client.get("/readyz").json()["status"]) == (503, "starting")
    for path in ("/v1/models", "/v1/demo-shop"):
        assert int(client.get(path).headers["retry-after"]) >= 1
    problem(client.post("/v1/schedules", json=shop_body()), 503)
    engine.release.set()


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


def test_every_answer_carries_security_headers_and_an_id(client: httpx.Client) -> None:
    """The page may load its own files and nothing else; a sane request id is kept, another replaced."""
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for response in (
        page,
        client.get("/readyz"),
        client.get("/nothing"),
        client.get("/version", headers={"X-API-Key": "wrong"}),
    ):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert "content-security-policy" in response.headers
    assert client.get("/livez", headers={"X-Request-ID": "order-7"}).headers["x-request-id"] == "order-7"
    assert len(client.get("/livez", headers={"X-Request-ID": "a b"}).headers["x-request-id"]) == 32


def test_cors_is_off_unless_an_origin_is_named(serve: Serve) -> None:
    """A preflight from a named origin passes without a key; from another, or by default, nothing is allowed."""
    ask = {
        "Origin": "https://plan.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key",
    }
    assert "access-control-allow-origin" not in serve().options("/v1/schedules", headers=ask | NO_KEY).headers
    client = serve(cors_origins="https://plan.example")
    allowed = client.options("/v1/schedules", headers=ask)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (
        200,
        "https://plan.example",
    )
    assert "access-control-allow-credentials" not in allowed.headers
    other = client.options("/v1/schedules", headers=ask | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    refused = client.get("/version", headers={"Origin": "https://plan.example", "X-API-Key": "wrong"})
    assert refused.headers["access-control-allow-origin"] == "https://plan.example"


def test_openapi_examples_are_accepted(client: httpx.Client) -> None:
    """The example in the document is a shop that the server schedules."""
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/schedules"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        conforms(
            client.post("/v1/schedules?max_lot_hours=60&samples=32", json=example["value"]),
            schemas.ScheduleReply,
        )
    options = {
        parameter["name"]
        for parameter in document["paths"]["/v1/schedules"]["post"]["parameters"]
        if parameter["in"] == "query"
    }
    assert options == {"max_lot_hours", "samples", "seed", "time_limit_s", "target_hours"}


def test_without_auth_nobody_is_an_administrator(serve: Serve) -> None:
    """`--no-auth` opens the API, not the reload; a wrong key is still wrong."""
    client = serve(no_auth=True, api_keys="", admin_keys="boss:key-of-boss")
    del client.headers["X-API-Key"]
    assert client.post("/v1/schedules", json=shop_body()).status_code == 200
    problem(client.post("/v1/models:reload"), 403)
    problem(client.get("/version", headers=MES), 401)
    assert client.post("/v1/models:reload", headers=BOSS).status_code == 200
