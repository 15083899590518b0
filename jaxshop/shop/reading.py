"""What reading a shop file's JSON is made of: values of a kind, and a note of each that is of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from jaxshop.shop.records import MAX_HOURS, TICKS_PER_HOUR
from jaxshop.support.errors import Faults


class Reader:
    """Reads values of decoded JSON; notes what is wrong and goes on with a stand-in.

    A path ends in its own key, or in a dot where it is the prefix of what stands inside.
    """

    def __init__(self, where: str, locate: Callable[[str], str] = str):
        self.faults = Faults(where, locate)

    def members(self, data: object, path: str, keys: str, reserved: str = "") -> dict[str, Any]:
        """Return `data` if it is an object of `keys`; of `reserved` keys it may hold empty ones."""
        if not isinstance(data, dict):
            self.faults.add(path.rstrip("."), must_be("an object", data))
            return {}
        for key, value in data.items():
            if key in keys.split():
                continue
            if key not in reserved.split():
                near = get_close_matches(str(key), keys.split(), 1)
                hint = f", did you mean {near[0]!r}?" if near else f"; the keys are {keys.replace(' ', ', ')}"
                self.faults.add(f"{path}{key}", f"unknown key{hint}")
            elif value not in (None, "", [], {}):
                self.faults.add(path + key, "not supported yet")
        return data

    def elements(self, entry: dict[str, Any], path: str) -> Iterator[tuple[object, str]]:
        """Yield the elements of the list at `path`, each with the prefix of what stands inside."""
        values = entry.get(_key(path))
        if not isinstance(values, list):
            self.faults.add(path, must_be("a list", values))
            return
        for i, value in enumerate(values):
            yield value, f"{path}[{i}]."

    def text(self, entry: dict[str, Any], path: str) -> str | None:
        """Return the text at `path`, None where there is none."""
        value = entry.get(_key(path))
        if value is None:
            return None
        if not isinstance(value, str):
            self.faults.add(path, must_be("a text", value))
        elif not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            self.faults.add(path, "holds half of a surrogate pair, which no UTF-8 file can hold")
        else:
            return value
        return None

    def required_text(self, entry: dict[str, Any], path: str) -> str:
        """Return the text at `path`, which has to be there."""
        value = self.text(entry, path)
        if value is None:
            self.faults.add(path, "missing")
        return value or ""

    def utc(self, entry: dict[str, Any], path: str) -> str | None:
        """Return the text at `path` if it is a moment in ISO 8601, in UTC."""
        value = self.text(entry, path)
        try:
            if value is None or datetime.fromisoformat(value).utcoffset() == timedelta(0):
                return value
        except ValueError:
            pass
        self.faults.add(path, f"must be a time in UTC such as 2026-11-23T06:00:00Z, not {value!r}")
        return None

    def number(self, value: object, path: str, limit: float) -> float:
        """Return the value if it is a finite number of at most `limit`, whatever its sign."""
        if type(value) is not int and type(value) is not float:  # to isinstance, a boolean is an int
            self.faults.add(path, must_be("a number", value))
        elif not -limit <= value <= limit:  # catches NaN, and integers that no float can hold
            self.faults.add(path, f"must be a finite number of at most {limit:.15g}")
        else:
            return value
        return 0

    def ticks(self, hours: object, path: str, least: int = 0) -> int:
        """Return the nearest tick; 0 where the file says nothing."""
        number = 0 if hours is None else self.number(hours, path, MAX_HOURS)
        if number < least:  # said here too, for what rounds to tick 0
            self.faults.add(path, f"must be >= {least}")
        return round(number * TICKS_PER_HOUR)

    def duration(self, hours: object, path: str, machine: str) -> int:
        """Return the nearest tick of an alternative's hours, which must not be 0."""
        if type(hours) is float and hours * TICKS_PER_HOUR >= 1 and hours <= MAX_HOURS:
            return round(hours * TICKS_PER_HOUR)  # as good as always; no path is built
        path = f"{path}alternatives.{machine}"
        number = self.number(hours, path, MAX_HOURS)
        ticks = round(number * TICKS_PER_HOUR)
        if number > 0 and ticks == 0:
            self.faults.add(path, f"{number:g} hours round to 0 ticks; one tick is 1 s")
        return ticks


def _key(path: str) -> str:
    return path.rpartition(".")[2]


def must_be(kind: str, value: object) -> str:
    """Say that `value` is of another JSON type than `kind`."""
    if value is None:
        return f"missing; must be {kind}"
    names = {bool: "a boolean", str: "a text", list: "a list", dict: "an object"}
    return f"must be {kind}, not {names.get(type(value), 'a number')}"
