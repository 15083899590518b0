"""The shop file's keys for the plant's own rules: calendars, set-ups by sequence, lags, fixed work, the objective."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from jaxshop.shop.objective import MAKESPAN, MAX_OBJECTIVE_WEIGHT, Objective
from jaxshop.shop.reading import Reader
from jaxshop.shop.records import (
    DAY,
    MAX_HOURS,
    TICKS_PER_HOUR,
    WEEKDAYS,
    Calendar,
    Changeover,
    Downtime,
    Fixed,
    Machine,
    Operation,
    Shift,
    Shifts,
    Shop,
)


def rules_to_json(shop: Shop) -> dict[str, Any]:
    """The keys of a shop with rules; none of a plain one."""
    found: dict[str, Any] = {}
    if shop.calendars:
        found["calendars"] = {calendar.id: _calendar_to_json(calendar) for calendar in shop.calendars}
    if shop.changeovers:
        found["setups"] = [
            _present(machine=e.machine, work_centre=e.work_centre)
            | {"from": e.from_family, "to": e.to_family, "hours": e.ticks / TICKS_PER_HOUR}
            for e in shop.changeovers
        ]
    if shop.objective != MAKESPAN:
        found["objective"] = dict(vars(shop.objective))
    return found


def machine_rules_to_json(machine: Machine) -> dict[str, Any]:
    """The keys of a machine with rules."""
    unavailable = [
        {"from": down.start / TICKS_PER_HOUR, "to": down.end / TICKS_PER_HOUR} | _present(reason=down.reason)
        for down in machine.unavailable
    ]
    return _present(calendar=machine.calendar, unavailable=unavailable or None, family=machine.family)


def operation_rules_to_json(op: Operation) -> dict[str, Any]:
    """The keys of an operation with rules."""
    return _present(
        interruptible=None if op.interruptible else False,
        family=op.family,
        lag=op.lag / TICKS_PER_HOUR if op.lag else None,
        fixed={"machine": op.fixed.machine, "start": op.fixed.start / TICKS_PER_HOUR} if op.fixed else None,
    )


def read_rules(reader: Reader, entry: dict[str, Any]) -> dict[str, Any]:
    """The fields of a shop that hold its rules."""
    calendars = entry.get("calendars")
    if calendars is not None and not isinstance(calendars, dict):
        reader.faults.add("calendars", "must be an object")
        calendars = None
    return {
        "calendars": tuple(_calendar(reader, name, value) for name, value in (calendars or {}).items()),
        "changeovers": tuple(_changeover(reader, *item) for item in _optional(reader, entry, "setups")),
        "objective": _objective(reader, entry.get("objective")),
    }


def read_machine_rules(reader: Reader, entry: dict[str, Any], path: str) -> dict[str, Any]:
    """The fields of a machine that hold its rules."""
    return {
        "calendar": reader.text(entry, path + "calendar"),
        "unavailable": tuple(_downtime(reader, *item) for item in _optional(reader, entry, path + "unavailable")),
        "family": reader.text(entry, path + "family"),
    }


def read_operation_rules(reader: Reader, entry: dict[str, Any], path: str) -> dict[str, Any]:
    """The fields of an operation that hold its rules."""
    interruptible = entry.get("interruptible")
    if interruptible is not None and type(interruptible) is not bool:
        reader.faults.add(path + "interruptible", "must be true or false")
    return {
        "interruptible": interruptible is not False,
        "family": reader.text(entry, path + "family"),
        "lag": reader.ticks(entry.get("lag"), path + "lag"),
        "fixed": None if entry.get("fixed") in (None, {}) else _fixed(reader, entry["fixed"], path + "fixed."),
    }


def _calendar_to_json(calendar: Calendar) -> dict[str, Any]:
    weekly = {day: _shifts_to_json(shifts) for day, shifts in zip(WEEKDAYS, calendar.weekly, strict=True) if shifts}
    found: dict[str, Any] = {"timezone": calendar.timezone, "weekly": weekly}
    if calendar.closed:
        found["closed"] = [day.isoformat() for day in calendar.closed]
    if calendar.open:
        found["open"] = {day.isoformat(): _shifts_to_json(shifts) for day, shifts in calendar.open}
    return found


def _shifts_to_json(shifts: Shifts) -> list[list[str]]:
    return [[_clock(second) for second in shift] for shift in shifts]


def _clock(second: int) -> str:
    minutes, seconds = divmod(second, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")


def _calendar(reader: Reader, name: str, data: object) -> Calendar:
    path = f"calendars.{name}."
    entry = reader.members(data, path, "timezone weekly closed open")
    weekly, special = entry.get("weekly"), entry.get("open")
    weekly = reader.members(weekly, f"{path}weekly.", " ".join(WEEKDAYS)) if weekly is not None else {}
    if special is not None and not isinstance(special, dict):
        reader.faults.add(f"{path}open", "must be an object of days")
        special = None
    closed = []
    for value, at in _optional(reader, entry, f"{path}closed"):
        if (day := _date(reader, value, at.rstrip("."))) is not None:
            closed.append(day)
    opened = []
    for text, shifts in (special or {}).items():
        if (day := _date(reader, text, f"{path}open.{text}")) is not None:
            opened.append((day, _shifts(reader, shifts, f"{path}open.{text}")))
    return Calendar(
        id=name,
        timezone=reader.required_text(entry, f"{path}timezone"),
        weekly=tuple(_shifts(reader, weekly.get(day), f"{path}weekly.{day}") for day in WEEKDAYS),
        closed=tuple(closed),
        open=tuple(opened),
    )


def _shifts(reader: Reader, data: object, path: str) -> Shifts:
    if data is None:
        return ()
    shifts = []
    for value, at in reader.elements({path.rpartition(".")[2]: data}, path):
        times = [_second(text) for text in value] if isinstance(value, list) else []
        if len(times) != 2 or None in times:
            message = f'must be a begin and an end such as ["06:00", "14:00"], not {json.dumps(value)}'
            reader.faults.add(at.rstrip("."), message)
        else:
            shifts.append(Shift(*(time for time in times if time is not None)))
    return tuple(shifts)


def _second(text: object) -> int | None:
    """The second of the day that a text names, up to 24:00."""
    match = re.fullmatch(r"(\d\d):([0-5]\d)(?::([0-5]\d))?", text) if isinstance(text, str) else None
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    second = hours * 3600 + minutes * 60 + seconds
    return second if second <= DAY else None


def _date(reader: Reader, value: object, path: str) -> date | None:
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    reader.faults.add(path, f"must be a day such as 2026-12-25, not {value!r}")
    return None


def _changeover(reader: Reader, data: object, path: str) -> Changeover:
    entry = reader.members(data, path, "work_centre machine from to hours")
    if entry and entry.get("hours") is None:
        reader.faults.add(f"{path}hours", "missing; must be a number of hours")
    return Changeover(
        to_family=reader.required_text(entry, f"{path}to"),
        ticks=reader.ticks(entry.get("hours"), f"{path}hours"),
        from_family=reader.text(entry, f"{path}from"),
        work_centre=reader.text(entry, f"{path}work_centre"),
        machine=reader.text(entry, f"{path}machine"),
    )


def _objective(reader: Reader, data: object) -> Objective:
    if data is None:
        return MAKESPAN
    entry = reader.members(data, "objective.", "makespan tardiness")
    weights = {
        name: float(reader.number(entry[name], f"objective.{name}", MAX_OBJECTIVE_WEIGHT))
        for name in ("makespan", "tardiness")
        if entry.get(name) is not None
    }
    return Objective(**weights)


def _downtime(reader: Reader, data: object, path: str) -> Downtime:
    entry = reader.members(data, path, "from to reason")
    for key in ("from", "to"):
        if entry and entry.get(key) is None:
            reader.faults.add(path + key, "missing; must be a number of hours")
    begin, end = (reader.ticks(entry.get(key), path + key, -MAX_HOURS) for key in ("from", "to"))
    return Downtime(begin, end, reader.text(entry, path + "reason"))


def _fixed(reader: Reader, data: object, path: str) -> Fixed:
    entry = reader.members(data, path, "machine start")
    if entry and entry.get("start") is None:
        reader.faults.add(path + "start", "missing; must be a number of hours")
    machine = reader.required_text(entry, path + "machine")
    return Fixed(machine, reader.ticks(entry.get("start"), path + "start", -MAX_HOURS))


def _optional(reader: Reader, entry: dict[str, Any], path: str) -> Iterator[tuple[object, str]]:
    """The elements of the list at `path`, none where there is no list."""
    if entry.get(path.rpartition(".")[2]) is not None:
        yield from reader.elements(entry, path)


def _present(**values: object) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
