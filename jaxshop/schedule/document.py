"""The file `jaxshop-schedule/1`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jaxshop.schedule.records import Row, Schedule
from jaxshop.shop import TICKS_PER_HOUR
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_json, write_atomic

FORMAT = "jaxshop-schedule/1"

ROW_TEXT = """\
  {
   "job": %s,
   "lot": %d,
   "operation": %s,
   "machine": %s,
   "start": %d,
   "end": %d
  }"""


def to_json(schedule: Schedule) -> dict:
    """Return the JSON of `jaxshop-schedule/1`: start and end in ticks, the makespan in hours."""
    return _document(schedule, [row._asdict() for row in schedule.rows])


def to_text(schedule: Schedule) -> str:
    """What `json.dumps` makes of `to_json` with an indent of 1, which it takes several times as long for."""
    quoted = cache(json.dumps)  # ids stand in many rows
    rows = ",\n".join(
        ROW_TEXT % (quoted(job), lot, quoted(operation), quoted(machine), start, end)
        for job, lot, operation, machine, start, end in schedule.rows
    )
    head = json.dumps(_document(schedule, []), indent=1)
    return head.removesuffix("[]\n}") + f"[\n{rows}\n ]\n}}" if rows else head


def _document(schedule: Schedule, operations: list[dict]) -> dict:
    return {
        "format": FORMAT,
        "shop": schedule.fingerprint,
        "max_lot_hours": schedule.max_lot_hours,
        "makespan": schedule.makespan / TICKS_PER_HOUR,
        "operations": operations,
    }


def from_json(data: object, where: str) -> Schedule:
    """Build a schedule from decoded JSON; whether it is right is `verify`'s question.

    Raises:
        ShopError: holds every fault of form, each as `where: path: message`.
    """
    faults: list[str] = []
    head = _fields(data, HEAD, where, faults)
    if faults:
        raise ShopError(faults)
    if head["format"] != FORMAT:
        raise ShopError(f"{where}: format: must be {FORMAT!r}, not {head['format']!r}")
    entries = enumerate(head["operations"])
    rows = [_fields(entry, ROW, f"{where}: operations[{i}]", faults) for i, entry in entries]
    if faults:
        raise ShopError(faults)
    return Schedule(head["shop"], head["max_lot_hours"], tuple(Row(**row) for row in rows), head["makespan"])


def read(path: str | Path) -> Schedule:
    """Read a schedule file; raises ShopError naming the file for whatever is wrong with its form."""
    return from_json(read_json(path), str(path))


def write(path: str | Path, schedule: Schedule) -> None:
    """Write a schedule file; raises ShopError, and leaves nothing behind, where `path` cannot be written."""
    write_atomic(path, to_text(schedule) + "\n")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_tick(value: object) -> bool:
    return type(value) is int and -(2**31) <= value < 2**31


def _is_hours(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 2**31  # type: ignore[operator]


HEAD = {
    "format": (_is_text, "a text"),
    "shop": (_is_text, "a text"),
    "max_lot_hours": (lambda value: value is None or _is_hours(value), "a number of hours or null"),
    "makespan": (_is_hours, "a number of hours"),
    "operations": (lambda value: isinstance(value, list), "a list"),
}
ROW = {
    "job": (_is_text, "a text"),
    "lot": (_is_tick, "an integer"),
    "operation": (_is_text, "a text"),
    "machine": (_is_text, "a text"),
    "start": (_is_tick, "an integer number of ticks (int32)"),
    "end": (_is_tick, "an integer number of ticks (int32)"),
}


def _fields(data: object, schema: dict, where: str, faults: list[str]) -> dict:
    """Return `data` if it is an object of exactly the fields that `schema` names; note what is wrong."""
    if not isinstance(data, dict):
        faults.append(f"{where}: must be an object")
        return {}
    faults.extend(f"{where}: {key}: unknown key" for key in data if key not in schema)
    for key, (valid, kind) in schema.items():
        if key not in data:
            faults.append(f"{where}: {key}: missing")
        elif not valid(data[key]):
            faults.append(f"{where}: {key}: must be {kind}")
    return data
