"""Schedules: an independent verifier, key figures, and the file `jaxshop-schedule/1`.

Plain Python on purpose: nothing here is shared with the environment that builds schedules, so that a mistake
there cannot hide here.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from jaxshop.shop import TICKS_PER_HOUR, LotPlan, fingerprint
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_json, write_atomic

FORMAT = "jaxshop-schedule/1"


class Row(NamedTuple):
    """One operation of one lot on its machine, from tick `start` to tick `end`."""

    job: str
    lot: int
    operation: str
    machine: str
    start: int
    end: int


@dataclass(frozen=True)
class Schedule:
    """Where and when every operation runs.

    `fingerprint` is of the whole shop, `max_lot_hours` the lot size it was cut with (None: whole jobs).
    `claimed_hours` is the makespan that a file states, for `verify` to check; None where nothing is claimed.
    """

    fingerprint: str
    max_lot_hours: float | None
    rows: tuple[Row, ...]
    claimed_hours: float | None = None

    @property
    def makespan(self) -> int:
        """The tick at which the last operation ends."""
        return max((row.end for row in self.rows), default=0)

    @property
    def job_ends(self) -> dict[str, int]:
        """The tick at which each job that is scheduled is done, with its last lot."""
        ends: dict[str, int] = {}
        for row in self.rows:
            ends[row.job] = max(row.end, ends.get(row.job, row.end))
        return ends


def verify(plan: LotPlan, schedule: Schedule) -> list[str]:
    """Check a schedule against the shop and its lots.

    Returns:
        One sentence for each violation; empty if every operation of every lot runs exactly once, on an
        eligible machine, for exactly its set-up and processing, after its predecessor, the lot's release and
        the machine's availability, with no two at once on a machine, and the schedule's head tells the truth.
    """
    return [
        *_head_violations(plan, schedule),
        *_count_violations(plan, schedule),
        *_row_violations(plan, schedule),
        *_route_violations(plan, schedule),
        *_overlap_violations(schedule),
    ]


def _head_violations(plan: LotPlan, schedule: Schedule) -> Iterator[str]:
    if schedule.fingerprint != (expected := fingerprint(plan.shop)):
        yield f"The schedule is for shop {schedule.fingerprint!r}, not for {plan.shop.name!r}, {expected!r}."
    if schedule.max_lot_hours != plan.max_lot_hours:
        was, should = _size(schedule.max_lot_hours), _size(plan.max_lot_hours)
        yield f"The schedule is for {was}, not for {should}."
    claimed = schedule.claimed_hours
    if claimed is not None and round(claimed * TICKS_PER_HOUR) != schedule.makespan:
        yield f"The stated makespan is {claimed} h, but the last operation ends at {_at(schedule.makespan)}."


def _count_violations(plan: LotPlan, schedule: Schedule) -> Iterator[str]:
    counts = Counter(row[:3] for row in schedule.rows)
    for lot in plan.lots:
        for op in lot.operations:
            times = counts.pop((lot.job, lot.index, op.id), 0)
            if times != 1:
                problem = "is not scheduled" if times == 0 else f"is scheduled {times} times"
                yield f"{_name(lot.job, lot.index, op.id)} {problem}."
    for unknown in counts:
        yield f"{_name(*unknown)} is scheduled, but there is no such operation."


def _row_violations(plan: LotPlan, schedule: Schedule) -> Iterator[str]:
    known = {(lot.job, lot.index, op.id): (lot, op) for lot in plan.lots for op in lot.operations}
    available = {machine.id: machine.available_from for machine in plan.shop.machines}
    for row in schedule.rows:
        if row[:3] not in known:
            continue
        lot, op = known[row[:3]]
        name = _name(*row[:3])
        if row.machine not in op.alternatives:
            eligible = ", ".join(sorted(op.alternatives))
            yield f"{name} runs on machine {row.machine!r}, but may run only on {eligible}."
        else:
            ticks = op.setup + op.alternatives[row.machine]
            if row.end - row.start != ticks:
                took = f"from {_at(row.start)} to {_at(row.end)}, {row.end - row.start} ticks"
                yield f"{name} runs on machine {row.machine!r} {took}, but takes {ticks} there."
            if row.start < available[row.machine]:
                when = f"before the machine is available at {_at(available[row.machine])}"
                yield f"{name} starts on machine {row.machine!r} at {_at(row.start)}, {when}."
        if row.start < lot.release:
            yield f"{name} starts at {_at(row.start)}, before its release at {_at(lot.release)}."


def _route_violations(plan: LotPlan, schedule: Schedule) -> Iterator[str]:
    rows = {row[:3]: row for row in schedule.rows}
    for lot in plan.lots:
        route = [rows.get((lot.job, lot.index, op.id)) for op in lot.operations]
        present = [row for row in route if row is not None]
        for before, after in pairwise(present):
            if after.start < before.end:
                predecessor = f"its predecessor {before.operation!r} ends at {_at(before.end)}"
                yield f"{_name(*after[:3])} starts at {_at(after.start)}, before {predecessor}."


def _overlap_violations(schedule: Schedule) -> Iterator[str]:
    by_machine: dict[str, list[Row]] = defaultdict(list)
    for row in schedule.rows:
        by_machine[row.machine].append(row)
    for machine, rows in by_machine.items():
        # What takes no time sorts before what starts with it, so it conflicts only strictly inside another.
        rows.sort(key=lambda row: (row.start, row.end))
        last = rows[0]
        for row in rows[1:]:
            if row.start < last.end:
                busy = f"before {_name(*last[:3])} ends there at {_at(last.end)}"
                yield f"{_name(*row[:3])} starts on machine {machine!r} at {_at(row.start)}, {busy}."
            last = max(last, row, key=lambda row: row.end)


def kpis(plan: LotPlan, schedule: Schedule, bound: int) -> dict:
    """Return the key figures of a schedule.

    Args:
        plan: the shop and its lots.
        schedule: a schedule of it; it may be incomplete.
        bound: a lower bound of the makespan, in ticks.

    Returns:
        `makespan_hours`, `lower_bound_hours`, `gap_percent` (None if the bound is 0); `completion`, the
        fraction of the jobs of which every operation is scheduled; `utilisation`, for each work centre (and
        each machine that belongs to none) the busy fraction of its machines' time until the makespan; and
        `lateness` (None where no scheduled job has a due date): how many jobs are late, and the largest, the
        total and the weighted total of the hours by which they are.
    """
    makespan = schedule.makespan
    done = {row[:3] for row in schedule.rows}
    unfinished = {lot.job for lot in plan.lots for op in lot.operations if (lot.job, lot.index, op.id) not in done}
    return {
        "makespan_hours": makespan / TICKS_PER_HOUR,
        "lower_bound_hours": bound / TICKS_PER_HOUR,
        "gap_percent": 100.0 * (makespan - bound) / bound if bound else None,
        "completion": 1.0 - len(unfinished) / len(plan.shop.jobs),
        "utilisation": _utilisation(plan, schedule),
        "lateness": _lateness(plan, schedule),
    }


def _utilisation(plan: LotPlan, schedule: Schedule) -> dict[str, float]:
    centre = {machine.id: machine.work_centre or machine.id for machine in plan.shop.machines}
    busy: Counter[str] = Counter()
    for row in schedule.rows:
        busy[centre.get(row.machine, "")] += row.end - row.start
    span = schedule.makespan or 1
    return {name: busy[name] / (count * span) for name, count in sorted(Counter(centre.values()).items())}


def _lateness(plan: LotPlan, schedule: Schedule) -> dict | None:
    """A job is as late as its last lot; what is early does not make up for what is late."""
    ends = schedule.job_ends
    tardiness = [
        (job.weight, max(0, ends[job.id] - job.due) / TICKS_PER_HOUR)
        for job in plan.shop.jobs
        if job.due is not None and job.id in ends
    ]
    if not tardiness:
        return None
    return {
        "jobs_with_due": len(tardiness),
        "late_jobs": sum(hours > 0 for _, hours in tardiness),
        "max_tardiness_hours": max(hours for _, hours in tardiness),
        "total_tardiness_hours": math.fsum(hours for _, hours in tardiness),
        "weighted_tardiness_hours": math.fsum(weight * hours for weight, hours in tardiness),
    }


def to_json(schedule: Schedule) -> dict:
    """Return the JSON of `jaxshop-schedule/1`: start and end in ticks, the makespan in hours."""
    return {
        "format": FORMAT,
        "shop": schedule.fingerprint,
        "max_lot_hours": schedule.max_lot_hours,
        "makespan": schedule.makespan / TICKS_PER_HOUR,
        "operations": [row._asdict() for row in schedule.rows],
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
    write_atomic(path, json.dumps(to_json(schedule), indent=1) + "\n")


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


def _name(job: str, lot: int, operation: str) -> str:
    return f"Job {job!r}, lot {lot}, operation {operation!r}"


def _at(ticks: int) -> str:
    return f"{ticks} ({ticks / TICKS_PER_HOUR:.2f} h)"


def _size(hours: float | None) -> str:
    return "whole jobs" if hours is None else f"lots of at most {hours:g} h"
