"""`jaxshop.serving.client` against a real server: what it gives back, and the errors of its own."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest
from openpyxl import load_workbook

from jaxshop.serving import schemas
from jaxshop.serving.client import (
    Client,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    ServerError,
    UnreachableError,
)
from tests.shops import shop_body, small_shop

from .conftest import Process


def test_the_client_in_three_lines(server: Process) -> None:
    """`Client(url, key).schedule(shop)` takes a Shop or its JSON; what the server refuses is a ServerError."""
    with Client(server.url, "the-key-of-the-mes") as client:
        reply = client.schedule(small_shop(), samples=4, seed=1)
        schemas.ScheduleReply.model_validate(reply)
        assert client.schedule(shop_body(), samples=4, seed=1)["schedule"] == reply["schedule"]
        found = client.verify(small_shop(), reply["schedule"], bound=True)
        assert found["valid"]
        assert found["lower_bound_hours"] == reply["kpis"]["lower_bound_hours"]
        assert client.models()[0]["name"] == "fake"
        with pytest.raises(ServerError, match="sample"):
            client.schedule(small_shop(), sample=3)
        with pytest.raises(RefusedError, match="sample") as caught:
            client.schedule(small_shop(), sample=3)
        assert (caught.value.kind, caught.value.errors[0]["path"]) == ("invalid-input", "query.sample")
        with pytest.raises(NotFoundError):
            client.wait("nothing")
    with pytest.raises(ForbiddenError, match="401"), Client(server.url, "wrong") as stranger:
        stranger.models()
    with pytest.raises(UnreachableError), Client("http://127.0.0.1:1") as nobody:
        nobody.models()


def test_the_client_finds_its_requests_again(server: Process) -> None:
    """What one client has submitted another waits for, follows and cancels by its id; a key asks once."""
    with Client(server.url, "the-key-of-the-mes") as client:
        asked = client.submit(small_shop(), samples=1, idempotency_key="mes-1")
    with Client(server.url, "the-key-of-the-mes") as client:
        assert client.submit(small_shop(), samples=1, idempotency_key="mes-1").id == asked.id
        assert client.wait(asked.id, timeout_s=30)["schedule"]["operations"]
        assert all(event["status"] for event in client.events(asked.id))
        assert asked.id in [entry["id"] for entry in client.requests()]
        client.cancel(asked.id)
        with pytest.raises(NotFoundError):
            client.wait(asked.id)


def test_the_client_asks_for_the_best_so_far_and_stops_there(server: Process) -> None:
    """A search of minutes: the best so far is a schedule before there is a reply, and stopping makes it the reply."""
    with Client(server.url, "the-key-of-the-mes") as client:
        asked = client.submit(small_shop(), time_limit_s=300)
        next(event for event in asked.events() if event["source"])
        best = client.best(asked.id)
        assert best["status"] == "running"
        assert client.verify(small_shop(), best["schedule"])["valid"]
        asked.stop()
        assert asked.result(timeout_s=30)["kpis"]["makespan_hours"] <= best["makespan_hours"]
        waiting = httpx.MockTransport(lambda _: httpx.Response(409, json={"type": "urn:jaxshop:problem:no-schedule"}))
        with pytest.raises(ConflictError) as caught:
            Client("http://x", transport=waiting).best("an-id")
        assert caught.value.kind == "no-schedule"


def test_the_client_brings_tables_in_and_files_out(server: Process, tmp_path: Path) -> None:
    """Files by their paths or bytes become a shop; a fault has its place; the plan of it is a workbook."""
    tables = {
        "orders.csv": b"order\nA\n",
        "routes.csv": b"order,step,machine,hours\nA,10,M1,1.5\n",
        "machines.csv": b"machine\nM1\n",
    }
    for name, data in tables.items():
        (tmp_path / name).write_bytes(data)
    with Client(server.url, "the-key-of-the-mes") as client:
        found = client.import_tables([tmp_path / name for name in tables], "press")
        assert found["shop"]["name"] == "press"
        assert client.import_tables(tables, encoding="utf-8")["fingerprint"] == found["fingerprint"]
        with pytest.raises(RefusedError) as caught:
            client.import_tables(tables | {"machines.csv": b"machine\nM2\n"})
        assert "routes.csv, row 2, column 'machine'" in caught.value.errors[0]["message"]
        reply = client.schedule(found["shop"], samples=0)
        assert load_workbook(io.BytesIO(client.export(found["shop"], reply["schedule"]))).sheetnames == [
            "by machine",
            "by order",
        ]
        with pytest.raises(RefusedError, match="no plan_start"):
            client.export(found["shop"], reply["schedule"], "ical")


def test_the_client_comes_back_when_the_server_is_busy() -> None:
    """503 with Retry-After is tried again, for as long as the timeout; without it the error is the caller's."""
    answers = iter([httpx.Response(503, headers={"Retry-After": "0"}), httpx.Response(200, json={"models": []})])
    assert Client("http://x", transport=httpx.MockTransport(lambda _: next(answers))).models() == []
    for headers in ({}, {"Retry-After": "100"}, {"Retry-After": "soon"}):
        refusing = httpx.MockTransport(lambda _, headers=headers: httpx.Response(503, headers=headers, text="busy"))
        with pytest.raises(ServerError, match="busy"):
            Client("http://x", timeout_s=1, transport=refusing).models()
