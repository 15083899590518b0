"""How tables are to be read, where they do not say so themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from jaxshop.sources.tables.columns import COLUMNS, TABLES
from jaxshop.support.errors import ShopError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
"""Those that are tried, by name."""


@dataclass(frozen=True)
class Reading:
    """What the person who imports says.

    Attributes:
        plan_start: what dates are relative to; None: there are no dates.
        zone: of dates that name none, and of calendars.
        headers: by column name, or by `table.column`, the header that stands for it.
        separator: of CSV files; None: found out.
        encoding: of CSV files; None: UTF-8, or UTF-16 with a byte-order mark.
        decimal_comma: whether numbers are written as 2,5.
        skipped: sheets that are left out.
    """

    plan_start: datetime | None = None
    zone: ZoneInfo | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    separator: str | None = None
    encoding: str | None = None
    decimal_comma: bool = False
    skipped: frozenset[str] = frozenset()


def parse_zone(name: str) -> ZoneInfo:
    """An IANA time zone; raises ShopError where there is none of the name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # what is no name, and what a folder or another file is
        raise ShopError(f"--timezone: unknown time zone {name!r}; must be an IANA name such as Europe/Berlin") from None


def parse_start(text: str, zone: ZoneInfo | None) -> datetime:
    """The plan start in UTC; a text without an offset is by the clock of `zone`.

    Raises:
        ShopError: it is no moment, or has no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ShopError(f"--plan-start: must be a time such as 2026-11-23T06:00+01:00, not {text!r}") from None
    if moment.tzinfo is None and zone is None:
        raise ShopError(f"--plan-start: {text!r} has no zone; add an offset such as +01:00 or Z, or say --timezone")
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise ShopError(f"--plan-start: {text!r} is outside the calendar (years 1 to 9999)") from None


def read_column(text: str) -> tuple[str, str]:
    """`name=header` or `table.name=header`; raises ShopError where there is no such column."""
    name, equals, header = text.partition("=")
    table, dot, column = name.rpartition(".")
    known = COLUMNS if not dot else TABLES.get(table, {})
    if not equals or not header.strip():
        raise ShopError(f"--column: must be name=header, not {text!r}")
    if column not in known:
        tables = f"tables are {', '.join(TABLES)}; " if dot and not known else ""
        raise ShopError(f"--column: unknown column {name!r}; {tables}columns are {', '.join(known or COLUMNS)}")
    return name, header.strip()
