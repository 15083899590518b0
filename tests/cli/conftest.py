"""Shops for the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxshop.shop import shop_to_json
from tests.shops import FT06, from_routes


@pytest.fixture(scope="session")
def ft06(tmp_path_factory) -> Path:
    """The 6 x 6 of Fisher and Thompson as a standard text."""
    path = tmp_path_factory.mktemp("ft06") / "ft06.txt"
    path.write_text("6 6" + FT06)
    return path


@pytest.fixture
def good() -> dict:
    """A shop file's JSON: two machines, and two jobs of two operations."""
    routes = [[{0: 3600, 1: 7200}, {1: 3600}], [{1: 1800}, {0: 900}]]
    return shop_to_json(from_routes(routes, 2))
