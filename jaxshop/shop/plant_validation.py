"""Validation of the plant's own rules: calendars, set-ups by sequence, lags, fixed work and the objective."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from jaxshop.shop.objective import LEAST_OBJECTIVE_WEIGHT, MAX_OBJECTIVE_WEIGHT
from jaxshop.shop.records import (
    DAY,
    MAX_HOURS,
    MAX_TICKS,
    TICKS_PER_HOUR,
    WEEKDAYS,
    Calendar,
    Machine,
    Operation,
    Shifts,
    Shop,
)
from jaxshop.support.errors import Faults

MAX_DAYS = 1_000
"""Days of its own that a calendar may have, closed and open ones together."""

MAX_DOWNTIMES = 1_000
MAX_SHIFTS = 48
MAX_CALENDARS = 1_000
YEARS = (1971, 2200)
"""What the zones' data are good for, and where every date of a plan can be told."""


def uses_rules(shop: Shop) -> bool:
    """Whether anything here is to be checked, or to be heeded in a schedule, beyond the plain shop."""
    return bool(
        shop.calendars
        or shop.changeovers
        or any(machine.calendar or machine.unavailable or machine.family for machine in shop.machines)
        or any(op.lag or op.fixed or op.family or not op.interruptible for job in shop.jobs for op in job.operations)
    )


def check_objective(shop: Shop, faults: Faults) -> None:
    """Weights are numbers of which one counts."""
    objective = shop.objective
    for name, weight in vars(objective).items():
        if type(weight) not in (int, float) or not 0 <= weight <= MAX_OBJECTIVE_WEIGHT:
            faults.add(f"objective.{name}", f"must be a number from 0 to {MAX_OBJECTIVE_WEIGHT:g}, not {weight!r}")
    if not (objective.makespan or objective.tardiness):
        faults.add("objective", "one of its weights must be > 0")
    elif max(objective.makespan, objective.tardiness) < LEAST_OBJECTIVE_WEIGHT:
        faults.add("objective", f"one of its weights must be at least {LEAST_OBJECTIVE_WEIGHT:g}")
    elif not objective.makespan and all(job.due is None for job in shop.jobs):
        faults.add(
            "objective.tardiness", "no job has a due date, so every schedule would be as good; weigh the makespan"
        )


def check_start(shop: Shop, faults: Faults) -> None:
    """The year is one of `YEARS`."""
    if shop.plan_start is not None:
        year = datetime.fromisoformat(shop.plan_start).astimezone(UTC).year
        if not YEARS[0] <= year < YEARS[1]:
            faults.add("plan_start", f"must be of the years {YEARS[0]} to {YEARS[1] - 1}")


def check_rules(shop: Shop, faults: Faults) -> None:
    """Collect what is wrong with the rules themselves; whether work fits into open time is `check_work`'s question."""
    _check_calendars(shop, faults)
    for i, machine in enumerate(shop.machines):
        _check_machine(machine, {calendar.id for calendar in shop.calendars}, f"machines[{i}]", faults)
    for i, job in enumerate(shop.jobs):
        for k, op in enumerate(job.operations):
            _check_operation(op, f"jobs[{i}].operations[{k}]", faults)
    _check_setups(shop, faults)


def check_work(shop: Shop, faults: Faults) -> None:
    """Collect work that finds no open time, and fixed work that cannot be; everything else is right by now."""
    longest = {calendar.id: _longest_shift(calendar) for calendar in shop.calendars}
    machines = {machine.id: (i, machine) for i, machine in enumerate(shop.machines)}
    for j, job in enumerate(shop.jobs):
        for k, op in enumerate(job.operations):
            path = f"jobs[{j}].operations[{k}]"
            for name in [op.fixed.machine] if op.fixed else op.alternatives:
                i, machine = machines[name]
                if machine.calendar is not None:
                    _check_room(shop, op, machine, i, longest[machine.calendar], path, faults)
    if not faults.messages and any(op.fixed for job in shop.jobs for op in job.operations):
        _check_fixed(shop, faults)


def _check_calendars(shop: Shop, faults: Faults) -> None:
    if len(shop.calendars) > MAX_CALENDARS:
        faults.add("calendars", f"{len(shop.calendars)} are more than {MAX_CALENDARS}")
    if shop.calendars and shop.plan_start is None:
        faults.add("plan_start", "missing; calendars need it")
    for name, count in Counter(calendar.id for calendar in shop.calendars).items():
        if not isinstance(name, str) or not name or not name.isprintable():
            faults.add(f"calendars.{name}", f"must be named by a printable text that is not empty, not {name!r}")
        elif count > 1:
            faults.add(f"calendars.{name}", f"{count} calendars are named so; give each a name of its own")
    for calendar in shop.calendars:
        path = f"calendars.{calendar.id}"
        if not _known_zone(calendar.timezone):
            message = f"unknown time zone {calendar.timezone!r}; must be an IANA name such as Europe/Berlin"
            faults.add(f"{path}.timezone", message)
        for weekday, shifts in zip(WEEKDAYS, calendar.weekly, strict=True):
            _check_shifts(shifts, f"{path}.weekly.{weekday}", faults)
        for day, shifts in calendar.open:
            _check_shifts(shifts, f"{path}.open.{day}", faults)
        days = [*calendar.closed, *(day for day, _ in calendar.open)]
        for day, count in Counter(days).items():
            if count > 1:
                faults.add(f"{path}.closed", f"{day} stands there twice, or as open as well; say it once")
        if len(days) > MAX_DAYS:
            faults.add(path, f"{len(days)} days of its own are more than {MAX_DAYS}")


def _known_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # what is no name, and what a folder or another file is
        return False
    return True


def _check_shifts(shifts: Shifts, path: str, faults: Faults) -> None:
    if len(shifts) > MAX_SHIFTS:
        faults.add(path, f"{len(shifts)} shifts are more than {MAX_SHIFTS}")
    for i, shift in enumerate(shifts):
        if not 0 <= shift.opens < shift.closes <= DAY:
            faults.add(f"{path}[{i}]", "must end after it begins, on the same day; cut a night shift at 24:00")
        elif i and shift.opens < shifts[i - 1].closes:
            faults.add(f"{path}[{i}]", "begins before the one before it ends; join those that overlap")


def _check_machine(machine: Machine, calendars: set[str], path: str, faults: Faults) -> None:
    if machine.calendar is not None and machine.calendar not in calendars:
        faults.add(f"{path}.calendar", f"unknown calendar {machine.calendar!r}")
    check_family(machine.family, f"{path}.family", faults)
    if len(machine.unavailable) > MAX_DOWNTIMES:
        faults.add(f"{path}.unavailable", f"{len(machine.unavailable)} are more than {MAX_DOWNTIMES}")
    for i, down in enumerate(machine.unavailable):
        for key, ticks in (("from", down.start), ("to", down.end)):
            _check_moment(ticks, f"{path}.unavailable[{i}].{key}", faults)
        if type(down.start) is type(down.end) is int and down.end <= down.start:
            faults.add(f"{path}.unavailable[{i}].to", "must be after `from`")
        if down.reason is not None and not down.reason.isprintable():
            faults.add(f"{path}.unavailable[{i}].reason", f"must be printable, not {down.reason!r}")


def check_family(family: str | None, path: str, faults: Faults) -> None:
    """A family has a name that can be printed."""
    if family is not None and not (isinstance(family, str) and family and family.isprintable()):
        faults.add(path, f"must be a printable text that is not empty, not {family!r}")


def _check_moment(ticks: object, path: str, faults: Faults) -> None:
    if type(ticks) is not int or abs(ticks) > MAX_TICKS:
        faults.add(path, f"must be within {MAX_HOURS} hours (10 years) of the plan start")


def _check_operation(op: Operation, path: str, faults: Faults) -> None:
    check_family(op.family, f"{path}.family", faults)
    if type(op.lag) is not int or not 0 <= op.lag <= MAX_TICKS:
        faults.add(f"{path}.lag", f"must be >= 0 and at most {MAX_HOURS} hours (10 years)")
    if op.fixed is not None:
        _check_moment(op.fixed.start, f"{path}.fixed.start", faults)
        if op.fixed.machine not in op.alternatives:
            eligible = ", ".join(list(op.alternatives)[:4])
            message = f"{op.fixed.machine!r} is no machine that may run the operation; these may: {eligible}"
            faults.add(f"{path}.fixed.machine", message)


def _check_setups(shop: Shop, faults: Faults) -> None:
    machines = {machine.id for machine in shop.machines}
    centres = {machine.work_centre for machine in shop.machines} - {None}
    coming = {op.family for job in shop.jobs for op in job.operations} - {None}
    known = coming | {machine.family for machine in shop.machines}
    if shop.changeovers and not coming:
        faults.add("setups", "no operation has a family to be set up for")
    seen: dict[tuple, int] = {}
    for i, entry in enumerate(shop.changeovers):
        path = f"setups[{i}]"
        if (entry.machine is None) == (entry.work_centre is None):
            faults.add(path, "must name either a machine or a work_centre, not both or none")
        if entry.machine is not None and entry.machine not in machines:
            faults.add(f"{path}.machine", f"unknown machine {entry.machine!r}")
        if entry.work_centre is not None and entry.work_centre not in centres:
            faults.add(f"{path}.work_centre", f"unknown work centre {entry.work_centre!r}")
        if entry.to_family not in coming:
            faults.add(f"{path}.to", f"unknown family {entry.to_family!r}: no operation has it")
        if entry.from_family is not None and entry.from_family not in known:
            faults.add(f"{path}.from", f"unknown family {entry.from_family!r}: no operation and no machine has it")
        if entry.from_family == entry.to_family:
            faults.add(path, f"is from family {entry.to_family!r} to itself, which takes no set-up; leave it out")
        if type(entry.ticks) is not int or not 0 <= entry.ticks <= MAX_TICKS:
            faults.add(f"{path}.hours", f"must be >= 0 and at most {MAX_HOURS} hours (10 years)")
        key = (entry.machine, entry.work_centre, entry.from_family, entry.to_family)
        if key in seen:
            faults.add(path, f"is from and to the same as setups[{seen[key]}]; leave one of them out")
        seen.setdefault(key, i)


def _longest_shift(calendar: Calendar) -> int:
    from jaxshop.shop.calendars import longest_shift  # here, as it needs NumPy

    return longest_shift(calendar)


def _check_room(shop: Shop, op: Operation, machine: Machine, i: int, longest: int, path: str, faults: Faults) -> None:
    """`longest`: ticks of the longest shift of the machine's calendar."""
    if longest == 0:
        never = f"{machine.calendar!r} opens on no day of the week"
        message = f"{never}, and operation {op.id!r} needs machine {machine.id!r}"
        faults.add(f"machines[{i}].calendar", message)
    elif not op.interruptible and op.fixed is None:
        from jaxshop.shop.setups import longest_changeover

        needed = op.setup + op.alternatives[machine.id] + longest_changeover(shop, machine, op)
        if needed > longest:
            hours = f"{needed / TICKS_PER_HOUR:g} h in one go, set-ups included"
            most = f"{longest / TICKS_PER_HOUR:g} h"
            message = f"takes {hours}, but {machine.calendar!r} is never open for more than {most}"
            faults.add(f"{path}.alternatives.{machine.id}", message)


def _check_fixed(shop: Shop, faults: Faults) -> None:
    """Fixed operations run in route order, while their machine is open, one at a time; what goes before finds time."""
    from jaxshop.shop.lots import split_lots
    from jaxshop.shop.pieces import NoTimeError, reserved
    from jaxshop.shop.timing import Span, Timing

    number = {machine.id: m for m, machine in enumerate(shop.machines)}
    since = min(op.fixed.start for job in shop.jobs for op in job.operations if op.fixed)
    timing = Timing(shop, since)
    on_machine: dict[str, list[tuple[Span, str, str]]] = defaultdict(list)
    for j, job in enumerate(shop.jobs):
        ready: int | None = None
        for k, op in enumerate(job.operations):
            path = f"jobs[{j}].operations[{k}].fixed"
            if op.fixed is None:
                ready = None if ready is None else ready + op.setup + min(op.alternatives.values()) + op.lag
                continue
            machine, start = op.fixed[:2]
            takes = op.setup + op.alternatives[machine]
            span = timing.end_of(number[machine], start, takes, op.interruptible)
            if span.start != start:
                what = (
                    "closed then" if op.interruptible else f"not open for the {takes / TICKS_PER_HOUR:g} h from then on"
                )
                faults.add(f"{path}.start", f"machine {machine!r} is {what}")
            elif ready is not None and start < ready:
                when = f"{ready / TICKS_PER_HOUR:g} h, when {job.operations[k - 1].id!r} has ended and its lag is over"
                faults.add(f"{path}.start", f"must not be before {when}")
            on_machine[machine].append((span, path, op.id))
            ready = span.end + op.lag
    for machine, runs in on_machine.items():
        runs.sort()
        for (before, _, other), (span, path, _) in pairwise(runs):
            if span.start < before.end:
                faults.add(f"{path}.start", f"fixed operation {other!r} runs on machine {machine!r} then")
    if not faults.messages:
        try:
            reserved(split_lots(shop, None))
        except NoTimeError as late:
            j, job = next((j, job) for j, job in enumerate(shop.jobs) if job.id == late.lot[0])
            k = next(k for k, op in enumerate(job.operations) if op.id == late.operation)
            message = f"{late.said} for operation {job.operations[k - 1].id!r} before it"
            faults.add(f"jobs[{j}].operations[{k}].fixed", message)


def rules_horizon(shop: Shop, routes: Iterable[tuple[Operation, ...]]) -> int:
    """A tick by which the routes can be done in a shop with rules: one route after the other, as in `horizon`.

    Where that is past the limit of `MAX_TICKS`, any tick past it.
    """
    import numpy as np  # here, as checking a plain shop needs none of it

    from jaxshop.shop.timing import Timing

    routes = list(routes)
    number = {machine.id: m for m, machine in enumerate(shop.machines)}
    fixed = [(op, op.fixed) for route in routes for op in route if op.fixed is not None]
    timing = Timing(shop, min((place.start for _, place in fixed), default=0))
    table = timing.changeovers
    families = {name: i for i, name in enumerate(table.families)}
    latest = max([machine.available_from for machine in shop.machines] + [job.release for job in shop.jobs])
    free = np.full(len(shop.machines), latest, np.int64)
    family = table.first.copy()
    ends = {}
    for op, place in fixed:
        takes, at = op.setup + op.alternatives[place.machine], number[place.machine]
        ends[op.id] = timing.end_of(at, place.start, takes, op.interruptible).end
        free[at] = max(free[at], ends[op.id])
    for route in routes:
        ready = latest
        for op in route:
            if op.fixed is not None:
                ready = max(ready, ends[op.id] + op.lag)
                continue
            to = families.get(op.family or "", table.none)
            able = np.array([number[name] for name in op.alternatives])
            times = op.setup + np.array(list(op.alternatives.values()))
            _, done = timing.placed(able, ready, free[able], times, family[able], to, op.interruptible)
            m, end = able[done.argmin()], int(done.min())
            free[m], ready = end, end + op.lag
            if to != table.none:
                family[m] = to
            if end > MAX_TICKS:
                return end
    return int(free.max())
