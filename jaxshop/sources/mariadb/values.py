"""Values out of the database: ids, ticks and moments, each refused by table, key, column and value."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from jaxshop.shop import MAX_HOURS, TICKS_PER_HOUR
from jaxshop.shop.records import MAX_TICKS
from jaxshop.support.errors import ShopError

EXACT = Context(prec=100)
"""More digits than a DECIMAL can hold."""


class RefusedRowsError(ShopError):
    """Rows that cannot be used; `reasons` counts them by table, column and reason."""

    def __init__(self, faults: list[str], reasons: Counter[str]):
        super().__init__(faults)
        self.reasons = reasons


class Refusals:
    """Checks values; what is wrong is noted, and a stand-in lets the read go on to the next fault.

    `unsure` holds, by table, the ids that name no row or several: what refers to them is not judged, since its
    faults would merely follow.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.reasons: Counter[str] = Counter()
        self.unsure: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, table: str, key: tuple[object, ...], column: str, value: object, reason: str, kind: str = "") -> None:
        """Note a faulty value; `kind` is the reason without names, to count by."""
        row = ", ".join(map(show, key)) or "no row"
        self.faults.append(f"mariadb: {table}: {row}: {column} {show(value)}: {reason}")
        self.reasons[f"{table}.{column}: {kind or reason}"] += 1

    def raise_if_any(self) -> None:
        """Raise one error that holds every fault."""
        if self.faults:
            raise RefusedRowsError(self.faults, self.reasons)

    def key(self, table: str, column: str, value: object, folded: dict[str, str]) -> str | None:
        """Return an id as text; None where it is refused, being no id or too much like an earlier one.

        `folded` holds the ids seen so far, as people and collations other than ours would compare them.
        """
        id = text(value)
        if not id or not id.isprintable():
            kind = "a printable text that is not empty" if isinstance(value, str | None) else "a text or an integer"
            self.add(table, (value,), column, value, f"must be {kind}")
            self.unsure[table].add(id)
            return None
        alike = id.rstrip().casefold()
        if earlier := folded.get(alike):
            difference = "a repeat" if earlier == id else "they differ only in case or trailing blanks"
            self.add(table, (id,), column, value, f"duplicate of {show(earlier)}: {difference}", "duplicate")
            self.unsure[table] |= {id, earlier}
            return None
        folded[alike] = id
        return id

    def ticks(self, table: str, key: tuple[object, ...], column: str, hours: Any, least: int) -> int:
        """Return hours as ticks, of which there must be `least`, 0 or 1."""
        if type(hours) is Decimal and least <= hours <= MAX_HOURS:
            return to_ticks(hours)
        if hours is None:
            self.add(table, key, column, hours, "a missing value is never filled in")
        elif not is_number(hours):
            self.add(table, key, column, hours, "must be a number of hours")
        elif hours > MAX_HOURS:
            self.add(table, key, column, hours, f"more than {MAX_HOURS} hours (10 years)")
        elif hours < 0 or hours == 0 < least:
            self.add(table, key, column, hours, "must be > 0" if least else "must be >= 0")
        elif (ticks := to_ticks(hours)) < least:
            self.add(table, key, column, hours, "rounds to 0 ticks; one tick is 1 s")
        else:
            return ticks
        return least

    def moment(self, table: str, id: str, column: str, value: object, plan_start: datetime) -> int | None:
        """Return a DATETIME, which was read as text, in ticks from the plan start."""
        if value is None:
            return None
        try:
            ticks = round((parse_moment(value) - plan_start) / timedelta(seconds=1))
        except ValueError as error:
            self.add(table, (id,), column, value, str(error))
            return None
        if abs(ticks) > MAX_TICKS:
            reason = f"more than {MAX_HOURS} hours (10 years) from the plan start"
            self.add(table, (id,), column, value, f"{reason}, {iso(plan_start)}", reason)
            return None
        return ticks


def to_ticks(hours: Decimal | int | float) -> int:
    """Return hours as ticks, exactly; a half goes to the even tick."""
    return round(EXACT.multiply(Decimal(hours), TICKS_PER_HOUR))


def to_hours(ticks: int) -> Decimal:
    """Return ticks as hours of six decimals, from which `to_ticks` gives the same ticks again."""
    return round(Decimal(ticks) / TICKS_PER_HOUR, 6)


def parse_moment(value: object) -> datetime:
    """Parse what the server prints for a DATETIME, or a text with an offset from UTC.

    Raises:
        ValueError: it is a bare date, a number, '0000-00-00', or beyond the calendar.
    """
    try:
        if isinstance(value, str) and value[10:11] in ("T", " "):
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the calendar (years 1 to 9999)") from None
    except ValueError:
        pass
    raise ValueError("must be a DATETIME such as 2026-11-23 06:00:00, in UTC")


def iso(moment: datetime) -> str:
    """Write a moment as the shop file does."""
    return moment.isoformat().replace("+00:00", "Z")


def at(start: datetime, ticks: int | None = 0) -> datetime | None:
    """Return a tick as a DATETIME, which is UTC without saying so; raises ShopError beyond the calendar."""
    try:
        return None if ticks is None else (start + timedelta(seconds=ticks)).replace(tzinfo=None)
    except OverflowError:
        beyond = f"{ticks} s from it is outside the calendar (years 1 to 9999)"
        raise ShopError(f"mariadb: plan: plan_start {iso(start)}: {beyond}") from None


def text(id: object) -> str:
    """Return an id as text: views may give whole numbers; what is neither is no id, and empty."""
    return id if isinstance(id, str) else str(id) if type(id) is int else ""


def is_number(value: object) -> bool:
    """Say whether the column is numeric."""
    return isinstance(value, (int, float, Decimal))


def is_whole(value: Any) -> bool:
    """Say whether the value is an integer, of whatever numeric type."""
    return is_number(value) and value == int(value)


def show(value: object) -> str:
    """Write a value as one line can show it, texts in quotes."""
    return "NULL" if value is None else repr(value) if isinstance(value, str | bytes) else str(value)
