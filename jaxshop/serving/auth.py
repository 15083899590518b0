"""API keys. Default deny: what is not listed as open needs a key, whether a route exists there or not."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from jaxshop.serving.problems import Problem

OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/favicon.ico", "/docs", "/openapi.json"})
OPEN_PREFIXES = ("/static/", "/docs/")
READING = ("GET", "HEAD", "OPTIONS")


ROLES = ("read", "plan", "release", "admin")
"""What a key may do; each may what those before it may."""
READING_POSTS = frozenset({"/v1/schedules:verify", "/v1/exports"})
"""Beside GET: what changes nothing. Everything else needs the role `plan` at least."""


@dataclass(frozen=True)
class Caller:
    """Who asks: the key's name and role."""

    name: str
    role: str = "plan"

    def may(self, role: str) -> bool:
        """Whether the caller has a role, or one that includes it."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def admin(self) -> bool:
        """Whether the key is an administrator's."""
        return self.may("admin")


ANONYMOUS = Caller("anonymous")


class KeyRing:
    """Named keys, held as SHA-256 digests: a dump of memory or a log of this object shows no key."""

    def __init__(self, keys: Mapping[str, Mapping[str, str]]):
        """Hold the keys by name of each role."""
        self._entries = [
            (_digest(key), Caller(name, role)) for role in ROLES for name, key in keys.get(role, {}).items()
        ]

    def identify(self, key: str) -> Caller | None:
        """Return the key's caller; the time taken tells nothing about how much of a key was right.

        A key that is listed twice counts for the role that may more.
        """
        digest, found = _digest(key), None
        for known, caller in self._entries:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def forbidden(role: str) -> Problem:
    """What a key without a role gets."""
    return Problem(403, "forbidden", f"this needs a key of the role {role}")


class Authentication:
    """ASGI middleware that puts a `Caller` into `scope["caller"]`, or answers 401; 403 where it may only read.

    `required` False (`--no-auth`) lets callers without a key through as anonymous; a wrong key is refused.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing, required: bool):
        self.app, self.keys, self.required = app, keys, required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            key = _presented(Headers(scope=scope))
            caller = self.keys.identify(key) if key is not None else None
            if caller is None and (key is not None or self.required) and not _is_open(scope["path"]):
                detail = (
                    "this key is not known" if key is not None else "send a key: X-API-Key or Authorization: Bearer"
                )
                problem = Problem(
                    401, "unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="jaxshop"'}
                )
                await problem.response()(scope, receive, send)
                return
            scope["caller"] = caller = caller or ANONYMOUS
            if scope["method"] not in READING and scope["path"] not in READING_POSTS and not caller.may("plan"):
                await forbidden("plan").response()(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _presented(headers: Headers) -> str | None:
    """Return the key that the request carries."""
    if (key := headers.get("x-api-key")) is not None:
        return key
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def _digest(key: str) -> bytes:
    # Headers arrive as latin-1; any text has an encoding here, so that no key can raise.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
