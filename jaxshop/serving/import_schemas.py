"""What goes in and out of `POST /v1/imports`: the words of `jaxshop import`, as JSON."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import Field

from jaxshop.serving.shop_schemas import Id, ShopFile, Strict

_TABLES = {
    "orders.csv": "order,due\nA,2026-11-24\nB,\n",
    "routes.csv": "order,step,machine,hours\nA,10,SW01,1.5\nA,20,PP09,3\nB,10,PP09,2.25\n",
    "machines.csv": "machine\nSW01\nPP09\n",
}
IMPORT_EXAMPLE: dict[str, Any] = {
    "files": {name: base64.b64encode(text.encode()).decode() for name, text in _TABLES.items()},
    "options": {"plan_start": "2026-11-23T06:00+01:00", "timezone": "Europe/Berlin"},
}


class ImportOptions(Strict):
    """How the tables are to be read, where they do not say so themselves."""

    plan_start: str | None = Field(None, description="what dates count from", examples=["2026-11-23T06:00+01:00"])
    timezone: str | None = Field(None, description="of dates without one, and of shifts", examples=["Europe/Berlin"])
    columns: dict[str, str] = Field(
        {}, description="header by `column` or `table.column`", examples=[{"due": "Termin"}]
    )
    separator: Literal["comma", "semicolon", "tab", "bar"] | None = Field(None, description="default: found out")
    encoding: str | None = Field(None, description="of CSV files; default: UTF-8, or UTF-16 that says so")
    decimal: Literal["point", "comma"] = Field("point", description="of numbers that are text")
    skip_sheets: list[str] = Field([], description="sheets that are left out")


class ImportRequest(Strict):
    """The body of `POST /v1/imports`: CSV and XLSX files, of orders, routes and machines at least."""

    files: dict[Id, Annotated[str, Field(description="base64")]] = Field(min_length=1)
    name: Id | None = Field(None, description="of the shop; default: the first file's")
    options: ImportOptions = ImportOptions.model_validate({})


class ImportReply(Strict):
    """A shop file of the tables."""

    shop: ShopFile
    fingerprint: str
    ignored_columns: dict[str, list[str]] = Field(description="by file and sheet, headers that nothing is read from")
    in_the_past: int = Field(description="dates of release or availability before the plan start, which count from it")
