"""`jaxshop.serving.client` against a real server: what it gives back, and the errors of its own."""

from __future__ import annotations

import httpx
import pytest

from jaxshop.serving import schemas
from jaxshop.serving.client import (
    Client,
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
        assert client.verify(small_shop(), reply["schedule"])["valid"]
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


def test_the_client_comes_back_when_the_server_is_busy() -> None:
    """503 with Retry-After is tried again, for as long as the timeout; without it the error is the caller's."""
    answers = iter([httpx.Response(503, headers={"Retry-After": "0"}), httpx.Response(200, json={"models": []})])
    assert Client("http://x", transport=httpx.MockTransport(lambda _: next(answers))).models() == []
    for headers in ({}, {"Retry-After": "100"}, {"Retry-After": "soon"}):
        refusing = httpx.MockTransport(lambda _, headers=headers: httpx.Response(503, headers=headers, text="busy"))
        with pytest.raises(ServerError, match="busy"):
            Client("http://x", timeout_s=1, transport=refusing).models()
