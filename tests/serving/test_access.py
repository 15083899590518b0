"""Who may ask: keys, origins, and the headers that keep others out."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tests.shops import shop_body

from .conftest import BOSS, CHIEF, CLERK, MES, PLANNER
from .replies import problem

Serve = Callable[..., httpx.Client]
NO_KEY = {"X-API-Key": ""}


def test_every_route_but_the_open_ones_needs_a_key(serve: Serve) -> None:
    """Documented or not, existing or not: without a key the answer is 401, and a wrong key opens nothing."""
    client = serve()
    documented = client.get("/openapi.json").json()["paths"]
    paths = {(path, method) for path, methods in documented.items() for method in methods}
    assert client.get("/livez").json() == {"status": "alive", "needs_key": True}
    closed = {(path, method) for path, method in paths if path not in ("/livez", "/readyz")}
    assert len(closed) >= 9
    for path, method in closed | {
        ("/docsx", "get"),
        ("/nothing", "get"),
        ("/v1/", "post"),
        ("/staticx", "get"),
    }:
        for headers in ({"X-API-Key": "wrong"}, {"X-API-Key": "", "Authorization": "Bearer wrong"}):
            refused = client.request(method, path, headers=headers)
            assert problem(refused, 401)["type"].endswith("unauthenticated")
            assert refused.headers["www-authenticate"].startswith("Bearer")
    for path in ("/livez", "/readyz", "/", "/static/style.css", "/docs", "/docs/docs.js", "/openapi.json"):
        assert client.get(path, headers={"X-API-Key": "wrong"}).status_code in (200, 404)
    assert (
        client.get("/version", headers={"Authorization": "bearer the-key-of-the-mes", "X-API-Key": ""}).status_code
        == 401
    )
    del client.headers["X-API-Key"]
    assert client.get("/version").status_code == 401
    assert client.get("/version", headers={"Authorization": "bearer the-key-of-the-mes"}).status_code == 200


def test_each_role_may_what_those_before_it_may(serve: Serve) -> None:
    """A reader looks and verifies; a planner plans; a releaser releases; an administrator reloads. Else: 403."""
    client, body = serve(), shop_body()
    schedule = client.post("/v1/schedules?samples=0", json=body).json()["schedule"]
    location = client.post("/v1/schedules", json=body, headers={"Prefer": "respond-async"}).headers["location"]
    asks = {
        "read": [
            ("GET", "/v1/models", None),
            ("GET", "/v1/schedules", None),
            *(("POST", path, 0) for path in ("/v1/schedules:verify", "/v1/exports?format=csv")),
        ],
        "plan": [("POST", "/v1/schedules?samples=0", body), ("POST", "/v1/reschedules", {}), ("DELETE", "/no", None)],
        "release": [("POST", f"{location}:release", None)],
        "admin": [("POST", "/v1/models:reload", None)],
    }
    for place, role in enumerate(asks):
        for method, path, sent in asks[role]:
            sent = {"shop": body, "schedule": schedule} if sent == 0 else sent
            for rank, headers in enumerate((CLERK, PLANNER, CHIEF, BOSS)):
                asked = client.request(method, path, json=sent, headers=headers)
                assert (asked.status_code == 403) == (rank < place), (role, path, headers)
    assert problem(client.delete(location, headers=CLERK), 403)["detail"] == "this needs a key of the role plan"


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
        "Access-Control-Request-Headers": "x-api-key, prefer, idempotency-key",
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


def test_without_auth_nobody_is_an_administrator(serve: Serve) -> None:
    """`--no-auth` opens the API, not the reload; a wrong key is still wrong."""
    client = serve(no_auth=True, api_keys="", admin_keys="boss:the-key-of-the-boss")
    del client.headers["X-API-Key"]
    assert client.post("/v1/schedules", json=shop_body()).status_code == 200
    problem(client.post("/v1/models:reload"), 403)
    problem(client.get("/version", headers=MES), 401)
    assert client.post("/v1/models:reload", headers=BOSS).status_code == 200
