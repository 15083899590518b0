"""Errors as RFC 9457 problem documents: one shape for every refusal and failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from jaxshop.serving.logs import request_id
from jaxshop.support.errors import ShopError

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 100
"""Faults listed in one reply; `detail` says how many there are."""

_FAULT = re.compile(r"(?P<path>[^\s:\[.]+(?:[\[.].*?)?): (?P<message>.+)", re.DOTALL)


class Problem(Exception):  # noqa: N818 - the RFC's word
    """A reply that is not the answer; `kind` is the stable name that programs may look at."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.errors, self.headers = list(errors), dict(headers or {})
        self.request_id: str | None = None
        """Where it is not that of the request under work."""

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Problem:
        """The problem of a document; the log has it under the request's id of then."""
        kind = document["type"].rpartition(":")[2]
        problem = cls(document["status"], kind, document["detail"], errors=document.get("errors", ()))
        problem.request_id = document["request_id"]
        return problem

    def document(self) -> dict[str, object]:
        """Return the problem document."""
        try:
            title = HTTPStatus(self.status).phrase
        except ValueError:  # 499
            title = "Client Closed Request"
        document: dict[str, object] = {
            "type": f"urn:jaxshop:problem:{self.kind}",
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "request_id": self.request_id or request_id.get(),
        }
        if self.errors:
            document["errors"] = self.errors[:MOST_ERRORS]
        return document

    def response(self) -> Response:
        """Return the HTTP response."""
        body = json.dumps(self.document())
        return Response(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


@contextmanager
def refusing(where: str, prefix: str = "") -> Iterator[None]:
    """Turn bad input's faults, each `where: path: message`, into a 422 that lists them; `prefix` begins paths."""
    try:
        yield
    except ShopError as error:
        entries = []
        for fault in error.faults:
            text = fault.removeprefix(f"{where}: ")
            match = _FAULT.fullmatch(text)
            path, message = match.group("path", "message") if match else ("", text)
            entries.append({"path": f"{prefix}.{path}".strip("."), "message": message})
        raise Problem(422, "invalid-input", str(error), errors=entries) from None


def busy(detail: str, retry_after: float, kind: str = "busy") -> Problem:
    """A 503 that says when to come back."""
    return Problem(503, kind, detail, headers={"Retry-After": str(max(1, round(retry_after)))})
