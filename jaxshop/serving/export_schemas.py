"""The query of `POST /v1/exports`: the words of `jaxshop export`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jaxshop.serving.shop_schemas import Strict


class ExportOptions(Strict):
    """What file is wanted."""

    format: Literal["xlsx", "csv", "ical"] = Field(
        description="dispatch lists as a workbook, or as CSV files in a zip; or calendars of the machines in a zip"
    )
    timezone: str | None = Field(None, max_length=80, description="of all moments; default: the plant's")
