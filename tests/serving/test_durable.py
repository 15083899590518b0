"""Asynchronous requests outlive the server, over real sockets and SIGKILL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.oracles.kill import torture
from tests.shops import shop_body

from .conftest import MES

Serve = Callable[..., httpx.Client]
ASYNC = {"Prefer": "respond-async"}


@pytest.mark.thorough
def test_kill_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    """No result that a client has seen is lost or changed, and no key stands for two requests."""
    outcome = torture(moments=1, clients=3, state=tmp_path)
    assert outcome.failures == []
    assert (outcome.kills, outcome.requests > outcome.seen_before_a_kill > 0) == (1, True)


def test_the_same_key_gets_the_same_answer(serve: Serve) -> None:
    """Synchronous and asynchronous; another body under the key is refused by name; a bad key is, too."""
    client, key = serve(), {"Idempotency-Key": "order-7"}
    first = client.post("/v1/schedules?samples=1", json=shop_body(), headers=key)
    again = client.post("/v1/schedules?samples=1", json=shop_body(), headers=key)
    assert (first.status_code, first.content, first.headers["location"]) == (
        200,
        again.content,
        again.headers["location"],
    )
    later = client.post("/v1/schedules?samples=1", json=shop_body(), headers=key | ASYNC)
    assert (later.status_code, later.json()["result"]) == (202, first.json())
    other = client.post("/v1/schedules?samples=2", json=shop_body(), headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:jaxshop:problem:idempotency-key-reused")
    assert client.post("/v1/schedules?samples=2", json=shop_body(), headers=key | MES).status_code == 200
    refused = client.post("/v1/schedules", json={}, headers={"Idempotency-Key": "bad"})
    assert refused.json()["errors"] == client.post("/v1/schedules", json={}).json()["errors"]
    assert client.post("/v1/schedules", json={}, headers={"Idempotency-Key": "a b"}).status_code == 422


def test_lists_hold_the_callers_requests(serve: Serve) -> None:
    """The latest first, a page at a time, without results; nobody sees another's."""
    client = serve()
    made = [client.post("/v1/schedules?samples=0", json=shop_body(), headers=ASYNC).json()["id"] for _ in range(3)]
    page = client.get("/v1/schedules?limit=2").json()
    assert ([entry["id"] for entry in page["schedules"]], page["next"]) == (made[:0:-1], made[1])
    rest = client.get(f"/v1/schedules?limit=2&before={page['next']}").json()
    assert ([entry["id"] for entry in rest["schedules"]], rest["next"]) == (made[:1], None)
    assert "result" not in page["schedules"][0]
    assert client.get("/v1/schedules", headers=MES).json() == {"schedules": [], "next": None}


@pytest.mark.parametrize("store", ["sqlite", "mariadb"])
def test_a_store_that_cannot_be_used_is_one_line(store: str, tmp_path: Path, monkeypatch, capsys) -> None:
    """A state folder that is a file, or a database that is not named: exit code 2."""
    from jaxshop.serving.server import main

    (tmp_path / "file").touch()
    monkeypatch.setenv("JAXSHOP_STATE_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("JAXSHOP_STORE", store)
    assert main(["--no-auth", "--port", "0"]) == 2
    said = {"sqlite": "set JAXSHOP_STATE_DIR to a folder", "mariadb": "JAXSHOP_DB_NAME"}[store]
    last = capsys.readouterr().err.splitlines()[-1]
    assert (last.startswith("error: "), said in last) == (True, True)
