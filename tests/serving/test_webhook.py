"""A caller's server is told of an end: signed, within bounds, and never at an address inside."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from jaxshop.serving import webhook
from jaxshop.serving.webhook import Guarded, WebhookError, Webhooks, check_url
from tests.shops import shop_body

Serve = Callable[..., httpx.Client]
ASYNC = {"Prefer": "respond-async"}
KEY = "a-key-for-webhooks"


class Receiver(ThreadingHTTPServer):
    """A caller's server, which answers as its path says; `got` holds path, headers and body of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        self.got: list[tuple[str, Any, bytes]] = []
        self.let_go = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """See `Receiver`."""

    server: Receiver

    def do_POST(self) -> None:
        """Note it, and answer."""
        self.server.got.append((self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
        if self.path == "/hang":
            self.server.let_go.wait(60)
        self.send_response({"/redirect": 307, "/no": 500}.get(self.path, 204))
        self.send_header("Location", f"{self.server.url}/secret")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A caller's server at a loopback address."""
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.let_go.set()
        server.shutdown()


def test_a_caller_is_told_and_can_check_who_tells(serve: Serve, receiver: Receiver) -> None:
    """One signed POST for each end, of a failure too; the result is not in it."""
    client = serve(webhook_key=KEY, webhook_hosts="127.0.0.1")
    query = {"samples": 1, "webhook": f"{receiver.url}/done"}
    ids = [
        client.post("/v1/schedules", json=body, params=query, headers=ASYNC).json()["id"] for body in (shop_body(), {})
    ]
    give_up = time.monotonic() + 20
    while len(receiver.got) < 2 and time.monotonic() < give_up:
        time.sleep(0.02)
    told = {}
    for _, headers, body in receiver.got:
        signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
        assert headers["Webhook-Signature"] == f"v1,{expected}"
        told[headers["Webhook-Id"]] = json.loads(body)
    assert {id: entry["type"] for id, entry in told.items()} == {ids[0]: "schedule.done", ids[1]: "schedule.failed"}
    assert told[ids[1]]["data"]["error"]["status"] == 422
    assert "result" not in told[ids[0]]["data"]


def test_redirects_are_not_followed_and_what_hangs_holds_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect is a failed attempt, tried again; a hanging one is left after its time; others go on meanwhile."""
    monkeypatch.setattr(webhook, "PATIENCE_S", 0.5)
    monkeypatch.setattr(webhook, "FIRST_WAIT_S", 0.01)

    async def main() -> None:
        hooks = Webhooks(KEY, ["127.0.0.1"])
        for i in range(4):
            hooks.tell(f"{receiver.url}/hang", {"id": f"hang-{i}", "status": "done"})
        for path in ("redirect", "no", "yes"):
            hooks.tell(f"{receiver.url}/{path}", {"id": path, "status": "done"})
        await asyncio.wait_for(asyncio.gather(*hooks._tasks), 20)

    expected = {"/redirect": 3, "/no": 3, "/yes": 1, "/hang": 12}
    for _ in range(3):  # what a pause of the machine makes late does not arrive, or twice
        receiver.got.clear()
        asyncio.run(main())
        paths = [path for path, *_ in receiver.got]
        assert "/secret" not in paths
        if (counts := {path: paths.count(path) for path in expected}) == expected:
            break
    assert counts == expected


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2130706433", "0x7f.1", "fe80::1", "fc00::1", "100.64.0.1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "::"),
    ],
)
def test_inner_addresses_are_refused_however_they_are_written(host: str) -> None:
    """When the connection is made, after the name is resolved, and before anything is connected to."""
    with pytest.raises(WebhookError):
        asyncio.run(Guarded([]).connect_tcp(host, 1))


def test_a_name_that_changes_its_address_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is resolved once, and the address that was looked at is connected to; one bad address is enough."""
    public, inner = ("93.184.216.34", 80), ("127.0.0.1", 80)
    answers = [[public], [inner], [public, inner]]
    asked, connected = [], []

    async def resolve(_: object, host: str, *__: object, **___: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", address) for address in answers[len(asked) - 1]]

    async def connect(_: object, address: str, *__: object) -> None:
        connected.append(address)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    asyncio.run(Guarded([]).connect_tcp("rebound.example", 80))
    assert (asked, connected) == (["rebound.example"], ["93.184.216.34"])
    for _ in range(2):
        with pytest.raises(WebhookError, match=r"rebound.example is at 127.0.0.1, which is no public address"):
            asyncio.run(Guarded([]).connect_tcp("rebound.example", 80))
    assert connected == ["93.184.216.34"]


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://a.example", "http://", "file:///etc/passwd", "http://u:p@a.example", "http://a:0", "http://[x"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    """Before the request is taken."""
    with pytest.raises(WebhookError):
        check_url(url)


def test_a_webhook_that_would_tell_nobody_is_refused(serve: Serve) -> None:
    """Without a key, without `Prefer: respond-async`, and what is no URL: a 422 by name."""
    ask = {"json": shop_body(), "params": {"webhook": "https://a.example/x"}}
    for client, headers in ((serve(), ASYNC), (serve(webhook_key=KEY), {})):
        told = client.post("/v1/schedules", headers=headers, **ask)
        assert (told.status_code, told.json()["errors"][0]["path"]) == (422, "query.webhook")
