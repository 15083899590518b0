"""Profiles over time: a file of JSON lines, one for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jaxshop import __version__
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_text

SAME = ("device", "shop", "max_lot_hours", "environments", "steps")
"""What two profiles must have in common to be compared."""


def line_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a profile: when, of which version, and its phases, the sweep left out."""
    kept = {name: report[name] for name in (*SAME, "roofline", "phases")}
    return {"at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "version": __version__, **kept}


def add_line(path: str, line: Mapping[str, Any]) -> None:
    """Add a line at the end of a history; raises ShopError where the file cannot be written."""
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise ShopError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def earlier_line(path: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """The last line of a history that is of the same device, shop, lots, environments and steps.

    Raises:
        ShopError: the file cannot be read, holds something else, or has no such line.
    """
    found = None
    for number, text in enumerate(read_text(path).splitlines(), start=1):
        try:
            line = json.loads(text)
            same = all(line.get(name) == report[name] for name in SAME)
            line["at"], [(each["operations_per_second"], each["peak_bytes"]) for each in line["phases"]]
        except (ValueError, AttributeError, KeyError, TypeError):
            raise ShopError(f"{path}: line {number}: is no line of `jaxshop profile --history`") from None
        found = line if same else found
    if found is None:
        alike = "with the same lots, environments and steps on this device"
        raise ShopError(f"{path}: has no profile of {report['shop']['name']} {alike}")
    return found
