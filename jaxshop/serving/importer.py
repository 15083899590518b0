"""`POST /v1/imports`: tables in, a shop file out, by the code of `jaxshop import`. Runs in worker threads."""

from __future__ import annotations

import base64
import json
import re
from pathlib import PurePath

from pydantic import ValidationError

from jaxshop.serving.import_schemas import ImportOptions, ImportRequest
from jaxshop.serving.problems import Problem
from jaxshop.shop import fingerprint, shop_to_json
from jaxshop.sources.tables import Reading, import_tables, parse_start, read_column
from jaxshop.sources.tables.options import SEPARATORS, parse_zone
from jaxshop.support.errors import ShopError

NAMES = {"column": "columns", "skip-sheet": "skip_sheets", "plan-start": "plan_start"}
"""The options of `jaxshop import` that are called otherwise here."""


def imported(body: bytes) -> bytes:
    """Answer a request.

    Raises:
        Problem: the body or the tables are refused, with each fault.
    """
    try:
        asked = ImportRequest.model_validate_json(body)
    except ValidationError as error:
        errors = [{"path": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
        raise _refused(f"{errors[0]['path']}: {errors[0]['message']}", errors) from None
    files = {name: _decoded(name, text) for name, text in asked.files.items()}
    try:
        name = asked.name or PurePath(next(iter(asked.files))).stem
        shop, ignored, past = import_tables(files, _reading(asked.options), name)
    except ShopError as error:
        raise _refused(_here(str(error)), [{"path": "", "message": _here(fault)} for fault in error.faults]) from None
    facts = {"fingerprint": fingerprint(shop), "ignored_columns": ignored, "in_the_past": past}
    reply = {"shop": shop_to_json(shop)} | facts
    return json.dumps(reply, separators=(",", ":")).encode()


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        path, message = f"files.{name}", "must be base64"
        raise _refused(f"{path}: {message}", [{"path": path, "message": message}]) from None


def _reading(options: ImportOptions) -> Reading:
    zone = parse_zone(options.timezone) if options.timezone else None
    return Reading(
        plan_start=parse_start(options.plan_start, zone) if options.plan_start else None,
        zone=zone,
        headers=dict(read_column(f"{name}={header}") for name, header in options.columns.items()),
        separator=SEPARATORS.get(options.separator or ""),
        encoding=options.encoding,
        decimal_comma=options.decimal == "comma",
        skipped=frozenset(options.skip_sheets),
    )


def _here(fault: str) -> str:
    """What the command line calls --plan-start is options.plan_start here."""
    return re.sub(r"--([a-z]+(?:-[a-z]+)?)\b", lambda match: f"options.{NAMES.get(match[1], match[1])}", fault)


def _refused(detail: str, errors: list[dict[str, str]]) -> Problem:
    return Problem(422, "invalid-input", detail, errors=errors)
