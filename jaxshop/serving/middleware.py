"""Pure ASGI middleware: the request's identity and record, and the limit on its body."""

from __future__ import annotations

import logging
import re
import time
import uuid
import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jaxshop.serving import logs
from jaxshop.serving.metrics import Metrics
from jaxshop.serving.problems import Problem

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


UNPACKED = 2**20
"""Bytes that a body is unpacked at a time."""


class Record:
    """Gives a request its id, security headers, log line and metrics; what nobody caught becomes a 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wished = Headers(scope=scope).get("x-request-id", "")
        name = wished if REQUEST_ID.fullmatch(wished) else uuid.uuid4().hex
        logs.request_id.set(name)  # uvicorn runs each request in a context of its own
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), scope["path"], name)
            await send(message)

        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = 499
        except Exception:
            logs.log.exception("unhandled exception")
            if status == 0:
                problem = Problem(500, "internal", "something went wrong here; the log has it under this request_id")
                await problem.response()(scope, receive, send_with_headers)
        finally:
            self.metrics.in_flight.dec()
            seconds = time.perf_counter() - started
            self._record(scope, status or 499, seconds)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE", "OPTIONS") else "other"
        self.metrics.requests.labels(method, route, status).inc()
        self.metrics.latency.labels(route).observe(seconds)
        logs.event(
            "request",
            logging.DEBUG if route in ("/livez", "/readyz", "/metrics") else logging.INFO,
            method=method,
            path=scope["path"],
            status=status,
            milliseconds=round(seconds * 1e3, 1),
            caller=getattr(scope.get("caller"), "name", None),
        )


class BodyLimit:
    """Answers 413 as soon as a body is, or says it will be, longer than `most` bytes."""

    def __init__(self, app: ASGIApp, most: int):
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        problem = Problem(
            413,
            "body-too-large",
            f"a body may have at most {self.most} bytes",
            headers={"Connection": "close"},
        )
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > self.most:
            await problem.response()(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.most:  # chunked transfer: no length was announced
                raise problem
            return message

        await self.app(scope, receive_counted, send)


class Inflate:
    """Unpacks bodies of `Content-Encoding: gzip`, a piece at a time, so that a limit behind it sees what comes out."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        coding = Headers(scope=scope).get("content-encoding", "").strip().lower() if scope["type"] == "http" else ""
        if coding in ("", "identity"):
            await self.app(scope, receive, send)
            return
        if coding not in ("gzip", "x-gzip"):
            problem = Problem(415, "content-encoding", "send the body plain, or with Content-Encoding: gzip")
            await problem.response()(scope, receive, send)
            return
        unpacker, kept, more = zlib.decompressobj(16 + zlib.MAX_WBITS), b"", True

        async def receive_unpacked() -> Message:
            nonlocal kept, more
            if not kept and more:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                kept, more = message.get("body", b""), message.get("more_body", False)
            elif not kept:
                return await receive()  # the client going away
            try:
                piece = unpacker.decompress(kept, UNPACKED)
            except zlib.error:
                raise Problem(422, "invalid-input", "body: is not gzip, as Content-Encoding says") from None
            kept = unpacker.unconsumed_tail
            if not more and not kept and not unpacker.eof:
                raise Problem(422, "invalid-input", "body: ends before its gzip stream does")
            return {"type": "http.request", "body": piece, "more_body": more or bool(kept)}

        headers = [(k, v) for k, v in scope["headers"] if k not in (b"content-encoding", b"content-length")]
        await self.app({**scope, "headers": headers}, receive_unpacked, send)


def _add_headers(headers: MutableHeaders, path: str, request: str) -> None:
    page = path in ("/", "/docs") or path.startswith(("/static/", "/docs/"))
    headers["X-Request-ID"] = request
    headers["Content-Security-Policy"] = PAGE_POLICY if page else API_POLICY
    for key, value in SECURITY_HEADERS.items():
        headers[key] = value
    if not page:
        headers.setdefault("Cache-Control", "no-store")
