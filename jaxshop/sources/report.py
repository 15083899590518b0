"""The data report: what was read from the database, and whether its scale is that of the last snapshot.

The scale of the data is what the first look must be at: a model trained on hours that are 15 times too short
trains without complaint, and is worth nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, TextIO

from jaxshop import sources
from jaxshop.shop import TICKS_PER_HOUR, Operation, Shop, fingerprint, job_ticks
from jaxshop.shop.lots import route_ticks
from jaxshop.sources.mariadb.values import RefusedRowsError
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_json, state_folder, write_atomic

if TYPE_CHECKING:
    from jaxshop.sources.mariadb.reader import Counts

DATABASE = "mariadb:"
LARGEST_FACTOR = 3
"""A mean that is off by more than this is called out."""

NAMED_JOBS = 10
"""Jobs over the target that the text names; the dict names all."""


def load_and_report(
    spec: str, target_hours: float | None = None, out: TextIO | None = None, full: bool = False
) -> Shop:
    """Load a shop to train for or to solve: as `load_shop`, but one from the database is reported on first.

    The arguments are those of `load_shop` and of `read_and_report`.
    """
    return read_and_report(target_hours, out, full) if spec == DATABASE else sources.load_shop(spec)


def read_and_report(target_hours: float | None = None, out: TextIO | None = None, full: bool = False) -> Shop:
    """Read the shop from the database and print its data report, which is printed for refused rows as well.

    The scale of the first read is kept to compare later reads with; from then on only a snapshot replaces it.

    Args:
        target_hours: the makespan hoped for; longer jobs are named.
        out: where to print; None is stderr.
        full: all of it, not three lines and what has to be looked at.

    Raises:
        ShopError: the database cannot be read, or rows were refused.
    """
    from jaxshop.sources.mariadb.reader import (
        read,  # with its settings half a second that a run from a file need not wait
    )

    out = out or sys.stderr
    try:
        reading = read()
    except RefusedRowsError as error:
        print(refusal_text(error), file=out)
        raise
    last = last_scale(reading.shop)
    report = data_report(reading.shop, reading.counts, last, target_hours)
    print(report_text(report, full), file=out)
    if last is None:
        keep_scale(report, out)
    return reading.shop


def data_report(
    shop: Shop,
    counts: Counts | None = None,
    last: dict[str, Any] | None = None,
    target_hours: float | None = None,
) -> dict[str, Any]:
    """Describe a shop's data.

    A job's hours are its set-ups plus its processing on the slowest alternatives, an operation's likewise.
    A work centre's load is what its machines do if those that may run an operation share it evenly.

    Args:
        shop: a validated shop.
        counts: what the read of it came across, if it was read from a database.
        last: the `scale` of an earlier report, to compare with.
        target_hours: the makespan hoped for, if there is one.

    Returns:
        `shop, fingerprint, provenance, plan_start, scale, job_hours, operation_hours, decades, work_centres,
        over_target, read, comparison`; everything but JSON types is left out.
    """
    jobs = {job.id: job_ticks(job) / TICKS_PER_HOUR for job in shop.jobs}
    operations = [sum(route_ticks((op,))) / TICKS_PER_HOUR for op in _operations(shop)]
    scale = {
        "machines": len(shop.machines),
        "jobs": len(jobs),
        "operations": len(operations),
        "alternatives": sum(len(op.alternatives) for op in _operations(shop)),
        "total_hours": math.fsum(jobs.values()),
        "mean_job_hours": fmean(jobs.values()),
        "mean_operation_hours": fmean(operations),
    }
    over = {id: hours for id, hours in jobs.items() if target_hours is not None and hours > target_hours}
    longest_first = sorted(over.items(), key=lambda item: (-item[1], item[0]))
    return {
        "shop": shop.name,
        "fingerprint": fingerprint(shop),
        "provenance": asdict(shop.provenance),
        "plan_start": shop.plan_start,
        "scale": scale,
        "job_hours": {
            **_spread(list(jobs.values())),
            "shortest": min(jobs, key=lambda id: (jobs[id], id)),
            "longest": max(jobs, key=lambda id: (jobs[id], id)),
        },
        "operation_hours": _spread(operations),
        "decades": _decades(list(jobs.values()), operations),
        "work_centres": _work_centres(shop),
        "over_target": None if target_hours is None else {"target_hours": target_hours, "jobs": dict(longest_first)},
        "read": None if counts is None else asdict(counts),
        "comparison": None if last is None else _compare(scale, last),
    }


def _operations(shop: Shop) -> Iterator[Operation]:
    return (op for job in shop.jobs for op in job.operations)


def _spread(hours: list[float]) -> dict[str, Any]:
    return {"min": min(hours), "median": median(hours), "mean": fmean(hours), "max": max(hours)}


def _decades(jobs: list[float], operations: list[float]) -> list[dict[str, Any]]:
    """Count hours by power of ten; what takes no time (benchmark texts hold it) counts as one tick."""

    def count(hours: list[float]) -> Counter[int]:
        return Counter(math.floor(math.log10(max(h, 1 / TICKS_PER_HOUR))) for h in hours)

    by_job, by_operation = count(jobs), count(operations)
    decades = range(min(by_job | by_operation), max(by_job | by_operation) + 1)
    return [{"from": 10.0**d, "to": 10.0 ** (d + 1), "jobs": by_job[d], "operations": by_operation[d]} for d in decades]


def _work_centres(shop: Shop) -> list[dict[str, Any]]:
    """Return the work centres, those with the highest load per machine first."""
    centre = {machine.id: machine.work_centre or "(none)" for machine in shop.machines}
    machines = Counter(centre.values())
    hours = dict.fromkeys(machines, 0.0)
    for op in _operations(shop):
        for machine, ticks in op.alternatives.items():
            hours[centre[machine]] += (op.setup + ticks) / (TICKS_PER_HOUR * len(op.alternatives))
    loads = [
        {
            "work_centre": name,
            "machines": machines[name],
            "hours": hours[name],
            "hours_per_machine": hours[name] / machines[name],
        }
        for name in machines
    ]
    return sorted(loads, key=lambda load: (-load["hours_per_machine"], load["work_centre"]))


def _compare(scale: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    ratios = {name: scale[name] / last[name] for name in scale if last.get(name)}
    alarms = [
        f"{name.replace('_', ' ')} {scale[name]:.4g} against {last[name]:.4g}: off by a factor of "
        f"{max(ratio, 1 / ratio):.3g}; check the unit of the durations"
        for name, ratio in ratios.items()
        if name.startswith("mean") and not 1 / LARGEST_FACTOR <= ratio <= LARGEST_FACTOR
    ]
    return {"taken_at": last.get("taken_at"), "ratios": ratios, "alarms": alarms}


def report_text(report: dict[str, Any], full: bool = True) -> str:
    """Write a data report for people, or three lines of it and the warnings; plain text, as names may hold anything."""
    return "\n".join(_lines(report) if full else _short(report))


def _short(report: dict[str, Any]) -> Iterator[str]:
    scale, jobs, read = report["scale"], report["job_hours"], report["read"]
    provenance = report["provenance"]
    yield f"data report: {provenance['detail'] or report['shop']}, taken at {provenance['taken_at']}"
    names = ", ".join(f"{scale[name]:,} {name}" for name in ("machines", "jobs", "operations"))
    hours = f"{scale['total_hours']:,.2f} h, jobs {jobs['min']:.4g} to {jobs['max']:.6g} h"
    yield f"  {names}; {hours}; plan start {report['plan_start']}"
    inactive = f"{read['inactive_machines']} machines are inactive" if read else "not counted"
    comparison = report["comparison"]
    scaled = "no earlier scale" if comparison is None else f"against {comparison['taken_at']}: "
    if comparison is not None:
        scaled += ", ".join(f"{name} x {comparison['ratios'][name]:.3g}" for name in ("jobs", "total_hours"))
    yield f"  {inactive}; {scaled.replace('total_hours', 'hours')}; --report prints all of it"
    yield from _note_lines(read)
    yield from _alarm_lines(comparison)


def refusal_text(error: RefusedRowsError) -> str:
    """Write how many rows were refused, and why."""
    counts = [f"  {count:>9,}  {reason}" for reason, count in error.reasons.most_common()]
    return "\n".join([f"data report: {len(error.faults)} values refused, nothing is trained or solved", *counts])


def _lines(report: dict[str, Any]) -> Iterator[str]:
    scale, jobs, operations = report["scale"], report["job_hours"], report["operation_hours"]
    provenance = report["provenance"]
    yield f"data report: {provenance['detail'] or report['shop']}, taken at {provenance['taken_at']}"
    yield f"  fingerprint {report['fingerprint']}, plan start {report['plan_start']}"
    if read := report["read"]:
        yield from _read_lines(read)
    names = ("machines", "jobs", "operations", "alternatives")
    yield "  " + ", ".join(f"{scale[name]:,} {name}" for name in names)
    load = scale["total_hours"] / scale["machines"]
    yield f"  {scale['total_hours']:,.2f} h in total, {load:,.1f} h a machine"
    yield (
        f"  job hours {jobs['min']:.4g} ({jobs['shortest']}) to {jobs['max']:.6g} ({jobs['longest']}), "
        f"mean {jobs['mean']:.4g}, median {jobs['median']:.4g}"
    )
    yield (
        f"  operation hours {operations['min']:.4g} to {operations['max']:.6g}, "
        f"mean {operations['mean']:.4g}, median {operations['median']:.4g}"
    )
    yield f"  {'hours':<20}{'jobs':>10}{'operations':>12}"
    for row in report["decades"]:
        span = f"{row['from']:g} to {row['to']:g}"
        yield f"  {span:<20}{row['jobs']:>10,}{row['operations']:>12,}"
    yield f"  {'work centre':<20}{'machines':>10}{'hours':>12}{'a machine':>12}"
    for row in report["work_centres"]:
        hours = f"{row['hours']:>12,.1f}{row['hours_per_machine']:>12,.1f}"
        yield f"  {row['work_centre']:<20}{row['machines']:>10}{hours}"
    if over := report["over_target"]:
        yield _target_line(over["target_hours"], over["jobs"])
    yield from _comparison_lines(report["comparison"])


def _read_lines(read: dict[str, Any]) -> Iterator[str]:
    yield "  rows read: " + ", ".join(f"{table} {count:,}" for table, count in read["rows"].items())
    yield "  jobs by status: " + ", ".join(f"{_shown(s)} {n:,}" for s, n in sorted(read["jobs_by_status"].items()))
    yield (
        f"  left out: {read['inactive_machines']} inactive machines; counted as 0, being past: "
        f"{read['past_releases']} releases, {read['past_availabilities']} availabilities of machines"
    )
    if any(read[name] for name in ("finished_operations", "running_operations", "unused_setups")):
        yield (
            f"  progress: {read['finished_operations']} operations finished and left out, {read['running_operations']} "
            f"running; set-ups of families that no open work has: {read['unused_setups']}"
        )
    yield f"  alternatives on inactive machines: {read['left_out_alternatives']}"
    yield from _note_lines(read)
    yield "  rows refused: 0"


def _shown(status: str) -> str:
    """Quote what would break the line or the terminal: nothing checks the status of a job that is left out."""
    return status if status.isprintable() and status.strip() else repr(status)


def _target_line(target_hours: float, over: dict[str, float]) -> str:
    named = ", ".join(f"{id} {hours:.2f}" for id, hours in list(over.items())[:NAMED_JOBS])
    more = f" and {len(over) - NAMED_JOBS} more" if len(over) > NAMED_JOBS else ""
    return f"  {len(over)} jobs are longer than the target of {target_hours:g} h" + f": {named}{more}" * bool(over)


def _comparison_lines(comparison: dict[str, Any] | None) -> Iterator[str]:
    if comparison is None:
        yield "  no earlier snapshot to compare the scale with"
        return
    ratios = ", ".join(f"{name.replace('_', ' ')} x {r:.3g}" for name, r in comparison["ratios"].items())
    yield f"  against the scale kept at {comparison['taken_at']}: {ratios}"
    yield from _alarm_lines(comparison)


def _note_lines(read: dict[str, Any] | None) -> Iterator[str]:
    """What is under way otherwise than it seems; the first few."""
    notes = read["notes"] if read else []
    yield from (f"  note: {note}" for note in notes[:NAMED_JOBS])
    if len(notes) > NAMED_JOBS:
        yield f"  and {len(notes) - NAMED_JOBS} more such notes"


def _alarm_lines(comparison: dict[str, Any] | None) -> Iterator[str]:
    for alarm in comparison["alarms"] if comparison else ():
        yield f"  WARNING: {alarm}; `jaxshop db snapshot` accepts the new scale"


def last_scale(shop: Shop) -> dict[str, Any] | None:
    """Return the scale that was kept for the shop's database, None where none was.

    Raises:
        ShopError: the file that keeps it is damaged.
    """
    try:
        path = _scale_path(shop.provenance.detail)
    except ShopError:
        return None  # `keep_scale` says why none can be kept
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where the folder may not be looked into
        return None
    scale = read_json(path)
    numbers = isinstance(scale, dict) and [value for name, value in scale.items() if name != "taken_at"]
    if not numbers or not all(type(value) in (int, float) for value in numbers):
        raise ShopError(f"{path}: holds no scale; delete it to begin anew")
    return scale


def keep_scale(report: dict[str, Any], out: TextIO) -> None:
    """Keep a report's scale, to compare later reads of the same database with.

    A state folder that cannot be written, such as a read-only home, is mentioned on `out`, and no fault.
    """
    scale = {"taken_at": report["provenance"]["taken_at"], **report["scale"]}
    try:
        path = _scale_path(report["provenance"]["detail"])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(scale) + "\n")
    except (OSError, ShopError) as error:
        print(f"  the scale is not kept for later comparison: {error}", file=out)


def _scale_path(database: str) -> Path:
    """One file for each database, in the folder of what lasts."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", database)[:60].strip("-")
    return state_folder() / f"scale-{readable}-{hashlib.sha256(database.encode()).hexdigest()[:8]}.json"
