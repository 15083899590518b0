"""What every reply must be: a problem document, or what the API documents."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from jaxshop.serving import schemas


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem document of a refusal, after a check of its shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    schemas.ProblemDocument.model_validate(document)
    assert document["status"] == status
    assert document["request_id"] == response.headers["x-request-id"]
    return document


def conforms(response: Any, model: type[BaseModel]) -> dict[str, Any]:
    """The document of a 200, after a check against the documented model."""
    assert response.status_code == 200, response.text
    model.model_validate(response.json())
    return response.json()


def lasting(response: Any) -> bytes:
    """The bytes of a reply without its trace, whose seconds differ from time to time."""
    assert response.status_code == 200, response.text
    head, rest = response.content.split(b',"trace":', 1)
    return head + rest.partition(b"]]")[2]
