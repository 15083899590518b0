"""What a planner tells when a plan is under way: the hour, machines that are down, orders, and work in progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxshop.shop import MAX_HOURS, TICKS_PER_HOUR, Job
from jaxshop.shop.document import read_jobs
from jaxshop.shop.reading import Reader


class Down(NamedTuple):
    """A machine is closed from tick `start` to tick `end`."""

    machine: str
    start: int
    end: int
    reason: str = "down"


class Told(NamedTuple):
    """What is told of an operation that has begun; `lot` may be left out where one lot of it alone is meant."""

    operation: str
    lot: int | None
    ticks: int


class Kept(NamedTuple):
    """An operation that shall stay where it is planned; `lot` may be left out: every lot of it."""

    operation: str
    lot: int | None = None


@dataclass(frozen=True)
class Events:
    """What has happened since the plan was made, and what is asked; times in ticks from the plan start.

    Attributes:
        now: what began before has happened.
        freeze: what starts up to so many ticks from now stays.
        down: machines that are down, at times past or to come.
        add: jobs that came.
        drop: ids of jobs that are wanted no more.
        late: operations that end at another tick than planned, with that tick.
        worked: operations that run, with the ticks of them, set-ups included, that are done.
        keep: operations that stay as planned, whenever they start.
    """

    now: int
    freeze: int = 0
    down: tuple[Down, ...] = ()
    add: tuple[Job, ...] = ()
    drop: tuple[str, ...] = ()
    late: tuple[Told, ...] = ()
    worked: tuple[Told, ...] = ()
    keep: tuple[Kept, ...] = ()


KEYS = "now freeze_hours down add drop late worked keep"


def read_events(data: dict[str, Any], where: str) -> Events:
    """Read the events of a request, of the keys `KEYS`; times are hours there.

    Raises:
        ShopError: holds every fault of form, each as `where: path: message`.
    """
    reader = Reader(where)
    entry = reader.members(data, "", KEYS)
    if entry.get("now") is None:
        reader.faults.add("now", "missing; must be a number of hours")
    events = Events(
        now=reader.ticks(entry.get("now"), "now"),
        freeze=reader.ticks(entry.get("freeze_hours"), "freeze_hours"),
        down=tuple(_down(reader, *item) for item in _optional(reader, entry, "down")),
        add=read_jobs(reader, entry, "add") if entry.get("add") is not None else (),
        drop=_ids(reader, entry),
        late=tuple(_told(reader, *item, "end") for item in _optional(reader, entry, "late")),
        worked=tuple(_told(reader, *item, "hours") for item in _optional(reader, entry, "worked")),
        keep=tuple(_kept(reader, *item) for item in _optional(reader, entry, "keep")),
    )
    reader.faults.raise_if_any()
    return events


def events_to_json(events: Events) -> dict[str, Any]:
    """What was told, as `read_events` reads it, but for the jobs that came, of which it names the ids."""

    def hours(ticks: int) -> float:
        return ticks / TICKS_PER_HOUR

    return {
        "now": hours(events.now),
        "freeze_hours": hours(events.freeze),
        "down": [
            {"machine": d.machine, "from": hours(d.start), "to": hours(d.end), "reason": d.reason} for d in events.down
        ],
        "add": [job.id for job in events.add],
        "drop": list(events.drop),
        "late": [{"operation": t.operation, "lot": t.lot, "end": hours(t.ticks)} for t in events.late],
        "worked": [{"operation": t.operation, "lot": t.lot, "hours": hours(t.ticks)} for t in events.worked],
        "keep": [k._asdict() for k in events.keep],
    }


def _optional(reader: Reader, entry: dict[str, Any], key: str) -> list[tuple[object, str]]:
    return [] if entry.get(key) is None else list(reader.elements(entry, key))


def _down(reader: Reader, data: object, path: str) -> Down:
    entry = reader.members(data, path, "machine from to reason")
    machine = reader.required_text(entry, f"{path}machine")
    start, end = (_hours(reader, entry, path, key, -MAX_HOURS) for key in ("from", "to"))
    return Down(machine, start, end, reader.text(entry, f"{path}reason") or "down")


def _told(reader: Reader, data: object, path: str, key: str) -> Told:
    entry = reader.members(data, path, f"operation lot {key}")
    lot = _lot(reader, entry, path)
    return Told(reader.required_text(entry, f"{path}operation"), lot, _hours(reader, entry, path, key, 0))


def _kept(reader: Reader, data: object, path: str) -> Kept:
    entry = reader.members(data, path, "operation lot")
    return Kept(reader.required_text(entry, f"{path}operation"), _lot(reader, entry, path))


def _lot(reader: Reader, entry: dict[str, Any], path: str) -> int | None:
    lot = entry.get("lot")
    if lot is not None and (type(lot) is not int or lot < 0):
        reader.faults.add(f"{path}lot", f"must be an integer from 0 on, or left out, not {lot!r}")
    return lot


def _hours(reader: Reader, entry: dict[str, Any], path: str, key: str, least: int) -> int:
    if entry and entry.get(key) is None:
        reader.faults.add(path + key, "missing; must be a number of hours")
    return reader.ticks(entry.get(key), path + key, least)


def _ids(reader: Reader, entry: dict[str, Any]) -> tuple[str, ...]:
    found = [value for value, _ in _optional(reader, entry, "drop")]
    for i, value in enumerate(found):
        if not isinstance(value, str):
            reader.faults.add(f"drop[{i}]", f"must be the id of a job, not {value!r}")
    return tuple(str(value) for value in found)
