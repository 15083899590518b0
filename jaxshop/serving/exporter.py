"""`POST /v1/exports`: a schedule in, a file for other programs out, by the code of `jaxshop export`."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from jaxshop.schedule import Schedule, verify
from jaxshop.serving.export_schemas import ExportOptions
from jaxshop.serving.problems import MOST_ERRORS, Problem
from jaxshop.shop import LotPlan
from jaxshop.sources.tables.options import parse_zone
from jaxshop.support.errors import ShopError
from jaxshop.views.exports import exports_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ZIP = "application/zip"


class Exported(NamedTuple):
    """A file to download."""

    name: str
    kind: str
    """Its media type."""
    content: bytes


def exported(plan: LotPlan, schedule: Schedule, options: ExportOptions) -> Exported:
    """Make the file.

    Raises:
        Problem: the schedule is invalid, there is no such time zone, or a calendar is asked of a shop without dates.
    """
    if violations := verify(plan, schedule):
        errors = [{"path": "schedule", "message": str(violation)} for violation in violations[:MOST_ERRORS]]
        count = f" (and {len(violations) - 1} more faults)" if len(violations) > 1 else ""
        detail = f"nothing is exported of an invalid schedule: {violations[0]}{count}"
        raise Problem(422, "invalid-schedule", detail, errors=errors)
    try:
        exports = exports_of(plan, schedule, parse_zone(options.timezone) if options.timezone else None)
    except ShopError as error:
        raise _refused("timezone", str(error).removeprefix("--timezone: ")) from None
    name = re.sub(r"[^\w.-]+", "-", plan.shop.name, flags=re.ASCII).strip("-.") or "schedule"
    if options.format == "xlsx":
        return Exported(f"{name}.xlsx", XLSX, exports.workbook())
    if options.format == "csv":
        return Exported(f"{name}.zip", ZIP, _zipped(exports.lists()))
    try:
        return Exported(f"{name}.zip", ZIP, _zipped(exports.calendars(datetime.now(UTC))))
    except ShopError as error:
        raise _refused("format", str(error)) from None


def _zipped(files: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def _refused(name: str, message: str) -> Problem:
    errors = [{"path": f"query.{name}", "message": message}]
    return Problem(422, "invalid-input", f"query.{name}: {message}", errors=errors)
