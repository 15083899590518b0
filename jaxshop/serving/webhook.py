"""Tells a caller's server that an asynchronous request has ended; signed as https://www.standardwebhooks.com says.

Addresses that nobody outside could reach are refused when the connection is made, after the name is resolved, and the
connection goes to the address that was looked at: no name can stand for another address a moment later.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore

from jaxshop.serving.logs import event, log

ATTEMPTS, FIRST_WAIT_S = 3, 1.0
PATIENCE_S = 5.0
"""For an attempt, from the name's resolution to the first bytes of the answer, of which nothing is read."""
AT_ONCE = 8
"""Deliveries; others wait, and hold nothing but themselves."""
WAITING = 1000
"""Deliveries beyond which new ones are dropped, and logged."""
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""Stands for IPv4 addresses, inner ones too."""


class WebhookError(Exception):
    """A delivery failed, or may not be made."""


def check_url(url: str) -> None:
    """Refuse what is no http(s) address of a host, before anything is asked for; raises WebhookError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise WebhookError("is no URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise WebhookError("must be an http:// or https:// URL")
    if parts.username or parts.password:
        raise WebhookError("must not hold a name or password")


def signature(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """What the header `Webhook-Signature` holds."""
    signed = hmac.new(key, b".".join([id.encode(), str(timestamp).encode(), body]), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


class Guarded(httpcore.AsyncNetworkBackend):
    """Connects to public addresses, and to those of the hosts that the operator allows."""

    def __init__(self, allowed: Iterable[str]):
        self._allowed = frozenset(allowed)
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: Any = None, socket_options: Any = None
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, look at every address, and connect to one that was looked at."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise WebhookError(f"{host} is not known: {error}") from None
        addresses = [str(address[0]) for *_, address in found]
        if host not in self._allowed and (inner := [a for a in addresses if not _is_public(a)]):
            raise WebhookError(f"{host} is at {inner[0]}, which is no public address; JAXSHOP_WEBHOOK_HOSTS allows it")
        return await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise WebhookError("no sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Webhooks:
    """Delivers beside everything else, a few at a time, each within seconds."""

    def __init__(self, key: str, allowed: Iterable[str] = ()):
        """Sign with a key; `allowed`: hosts that may be at inner addresses."""
        self._key, self._guard = key.encode(), Guarded(allowed)
        self._free = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, url: str, job: dict[str, Any]) -> None:
        """Begin to deliver what a job's status resource says, without its result."""
        if len(self._tasks) >= WAITING:
            event("webhook dropped", id=job["id"])
            return
        task = asyncio.get_running_loop().create_task(self._deliver(url, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """End all that is under way."""
        for task in self._tasks:
            task.cancel()

    async def _deliver(self, url: str, job: dict[str, Any]) -> None:
        body = json.dumps({"type": f"schedule.{job['status']}", "data": job}, separators=(",", ":")).encode()
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(FIRST_WAIT_S * 4 ** (attempt - 1))
            try:
                async with self._free, asyncio.timeout(PATIENCE_S):
                    status = await self._post(url, job["id"], body)
            except (WebhookError, TimeoutError, OSError, httpcore.NetworkError, httpcore.ProtocolError) as error:
                status, told = 0, str(error) or type(error).__name__
            except Exception as error:
                log.exception("a webhook")
                status, told = 0, type(error).__name__
            else:
                told = f"status {status}" + (", and redirects are not followed" if 300 <= status < 400 else "")
            if 200 <= status < 300:
                event("webhook delivered", id=job["id"], status=status)
                return
            event("webhook failed", id=job["id"], attempt=attempt + 1, reason=told)

    async def _post(self, url: str, id: str, body: bytes) -> int:
        now = int(time.time())
        headers = {
            "Host": urlsplit(url).netloc,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Webhook-Id": id,
            "Webhook-Timestamp": str(now),
            "Webhook-Signature": signature(self._key, id, now, body),
        }
        async with (
            httpcore.AsyncConnectionPool(network_backend=self._guard) as pool,
            pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
        ):
            return response.status


def _is_public(address: str) -> bool:
    """Whether the address is of the internet; an IPv4 address inside an IPv6 one counts as what it is."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found in TRANSLATED:
        return False
    inside = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return (inside or found).is_global and not (inside or found).is_multicast
