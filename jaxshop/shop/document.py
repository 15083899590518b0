"""The shop file's JSON (`jaxshop-shop/1`).

All times are integer ticks of one second, counted from the plan start. Every source ends in `validate` or
`parse_shop`, so that what is checked there holds everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from jaxshop.shop.records import (
    MAX_HOURS,
    MAX_WEIGHT,
    TICKS_PER_HOUR,
    Job,
    Machine,
    Operation,
    Provenance,
    Shop,
)
from jaxshop.shop.validation import check
from jaxshop.support.errors import Faults, ShopError

FORMAT = "jaxshop-shop/1"
KINDS = ("generated", "file", "mariadb")


def parse_shop(data: object, where: str) -> Shop:
    """Build a shop from the decoded JSON of a shop file.

    Args:
        data: what `jaxshop.support.files.parse_json` returned.
        where: the file or source to name in messages.

    Raises:
        ShopError: holds every fault, each as `where: path: message`.
    """
    reader = _Reader(where)
    shop = reader.shop(data)
    check(shop, reader.faults)
    reader.faults.raise_if_any()
    return shop


def shop_to_json(shop: Shop) -> dict[str, Any]:
    """Return the shop file's JSON, from which `parse_shop` reads the same ticks.

    A benchmark text's ticks become what they are inside, seconds; that they had no unit is lost.

    Raises:
        ShopError: an operation takes no time, which benchmark texts may hold and a shop file may not.
    """
    for job in shop.jobs:
        for op in job.operations:
            if 0 in op.alternatives.values():
                raise ShopError(f"{shop.name}: operation {op.id!r} takes 0 ticks, which a shop file cannot hold")
    return _present(
        format=FORMAT,
        name=shop.name,
        plan_start=shop.plan_start,
        provenance=_present(**vars(shop.provenance)),
        machines=[
            _present(id=m.id, work_centre=m.work_centre, available_from=_hours(m.available_from)) for m in shop.machines
        ],
        jobs=[
            _present(
                id=job.id,
                quantity=job.quantity,
                release=_hours(job.release),
                due=_hours(job.due),
                weight=job.weight,
                operations=[
                    {
                        "id": op.id,
                        "setup": _hours(op.setup),
                        "alternatives": {machine: _hours(ticks) for machine, ticks in op.alternatives.items()},
                    }
                    for op in job.operations
                ],
            )
            for job in shop.jobs
        ],
    )


def _hours(ticks: int | None) -> float | None:
    return None if ticks is None else ticks / TICKS_PER_HOUR


def _present(**values: object) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


class _Reader:
    """Turns decoded JSON into records; notes what is wrong and goes on with a stand-in."""

    def __init__(self, where: str):
        self.faults = Faults(where)

    def shop(self, data: object) -> Shop:
        keys = "format name plan_start provenance machines jobs"
        entry = self.members(data, "", keys, reserved="setups objective")
        if entry.get("format") != FORMAT:
            self.faults.add("format", f"must be {FORMAT!r}, not {entry.get('format')!r}")
        return Shop(
            name=self.required_text(entry, "name"),
            machines=tuple(self.machine(*item) for item in self.elements(entry, "machines")),
            jobs=tuple(self.job(*item) for item in self.elements(entry, "jobs")),
            plan_start=self.utc(entry, "plan_start"),
            provenance=self.provenance(entry.get("provenance")),
        )

    def provenance(self, data: object) -> Provenance:
        if data is None:
            return Provenance("file")
        path = "provenance."
        entry = self.members(data, path, "kind detail taken_at signature")
        kind = self.required_text(entry, path + "kind")
        if kind not in KINDS:
            self.faults.add(path + "kind", f"must be one of {', '.join(KINDS)}, not {kind!r}")
        return Provenance(
            kind=kind,
            detail=self.text(entry, path + "detail") or "",
            taken_at=self.utc(entry, path + "taken_at"),
            signature=self.text(entry, path + "signature"),
        )

    def machine(self, data: object, path: str) -> Machine:
        entry = self.members(data, path, "id work_centre available_from", reserved="unavailable capacity")
        return Machine(
            id=self.required_text(entry, path + "id"),
            work_centre=self.text(entry, path + "work_centre"),
            available_from=self.ticks(entry.get("available_from"), path + "available_from"),
        )

    def job(self, data: object, path: str) -> Job:
        entry = self.members(data, path, "id quantity release due weight operations")
        weight = entry.get("weight")
        return Job(
            id=self.required_text(entry, path + "id"),
            operations=tuple(self.operation(*item) for item in self.elements(entry, path + "operations")),
            release=self.ticks(entry.get("release"), path + "release"),
            due=None if entry.get("due") is None else self.ticks(entry["due"], path + "due", -MAX_HOURS),
            weight=1.0 if weight is None else float(self.number(weight, path + "weight", MAX_WEIGHT)),
            quantity=entry.get("quantity"),  # `check` refuses what is not an integer
        )

    def operation(self, data: object, path: str) -> Operation:
        entry = self.members(data, path, "id setup alternatives", reserved="after lag fixed")
        alternatives = entry.get("alternatives")
        if not isinstance(alternatives, dict):
            self.faults.add(path + "alternatives", _must_be("an object", alternatives))
            alternatives = {}
        return Operation(
            id=self.required_text(entry, path + "id"),
            alternatives={m: self.duration(hours, path, m) for m, hours in alternatives.items()},
            setup=self.ticks(entry.get("setup"), path + "setup"),
        )

    # A path ends in its own key, or in a dot where it is the prefix of what stands inside.

    def members(self, data: object, path: str, keys: str, reserved: str = "") -> dict[str, Any]:
        """Return `data` if it is an object of `keys`; of `reserved` keys it may hold empty ones."""
        if not isinstance(data, dict):
            self.faults.add(path.rstrip("."), _must_be("an object", data))
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
            self.faults.add(path, _must_be("a list", values))
            return
        for i, value in enumerate(values):
            yield value, f"{path}[{i}]."

    def text(self, entry: dict[str, Any], path: str) -> str | None:
        """Return the text at `path`, None where there is none."""
        value = entry.get(_key(path))
        if value is None:
            return None
        if not isinstance(value, str):
            self.faults.add(path, _must_be("a text", value))
        elif not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            self.faults.add(path, "holds half of a surrogate pair, which no UTF-8 file can hold")
        else:
            return value
        return None

    def required_text(self, entry: dict[str, Any], path: str) -> str:
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
        if type(value) is not int and type(value) is not float:  # to isinstance, a boolean is an int
            self.faults.add(path, _must_be("a number", value))
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


def _must_be(kind: str, value: object) -> str:
    """Say that `value` is of another JSON type than `kind`."""
    if value is None:
        return f"missing; must be {kind}"
    names = {bool: "a boolean", str: "a text", list: "a list", dict: "an object"}
    return f"must be {kind}, not {names.get(type(value), 'a number')}"
