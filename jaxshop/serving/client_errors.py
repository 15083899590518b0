"""The errors of `jaxshop.serving.client`: one for each thing that a caller would do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx


class JaxshopError(Exception):
    """Whatever goes wrong between this client and the server."""


class UnreachableError(JaxshopError):
    """There is no connection to the server, or it broke, or took too long."""


class ServerError(JaxshopError):
    """The server said no; `status` is the HTTP status, `problem` the RFC 9457 document, `kind` its stable name."""

    def __init__(self, status: int, problem: Mapping[str, Any]):
        super().__init__(f"{status}: {problem.get('detail') or problem.get('title') or 'no detail'}")
        self.status, self.problem = status, dict(problem)
        self.kind = str(problem.get("type", "")).rpartition(":")[2]


class RefusedError(ServerError):
    """The request has faults (400 to 422); `errors` lists path and message of each."""

    @property
    def errors(self) -> list[dict[str, str]]:
        """Path and message of each fault."""
        return list(self.problem.get("errors") or ())


class ForbiddenError(ServerError):
    """No key, an unknown one, or one whose role may not do this."""


class NotFoundError(ServerError):
    """There is no such request (any more)."""


class ConflictError(RefusedError):
    """It cannot be so as things stand (409): no schedule so far, or somebody else was quicker."""


class BusyError(ServerError):
    """The server was busy, or not ready, or its database away, for as long as the client was to wait."""


KINDS = {
    **{401: ForbiddenError, 403: ForbiddenError, 404: NotFoundError, 409: ConflictError},
    **{429: BusyError, 503: BusyError},
}


def error_of(status: int, problem: Mapping[str, Any]) -> ServerError:
    """The error that stands for a status."""
    other = RefusedError if 400 <= status < 500 and status != 499 else ServerError
    return KINDS.get(status, other)(status, problem)


@contextmanager
def reached() -> Iterator[None]:
    """Turn what the connection raises into our own."""
    try:
        yield
    except httpx.HTTPError as error:
        raise UnreachableError(str(error) or type(error).__name__) from error


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """What a response says of why it is none."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"title": response.reason_phrase, "detail": response.text[:500]}
