"""The OpenAPI document against a real server: generated requests, and no answer that it does not describe."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import BOSS, Process

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]


@pytest.mark.parametrize("examples", [5, pytest.param(40, marks=pytest.mark.thorough)])
def test_no_answer_is_a_surprise(server: Process, examples: int) -> None:
    """Whatever is sent: no 5xx, documented statuses, types and shapes only, and no way around the key."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", headers=BOSS)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == 21
    for operation in operations:

        @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def send(case: Case) -> None:
            case.call_and_validate(headers=BOSS, checks=CHECKS)

        send()
