"""Validation of a shop's records: every fault is collected, each with its path.

Code behind `validate` may rely on: at least one machine and job, unique ids, routes that are not empty,
alternatives on machines that exist, and times that fit int32 with room to spare.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from jaxshop.shop.objective import MAKESPAN
from jaxshop.shop.plant_validation import (
    check_objective,
    check_rules,
    check_start,
    check_work,
    rules_horizon,
    uses_rules,
)
from jaxshop.shop.records import (
    MAX_HORIZON,
    MAX_HOURS,
    MAX_QUANTITY,
    MAX_TICKS,
    MAX_WEIGHT,
    Job,
    Operation,
    Shop,
)
from jaxshop.shop.timing import placed
from jaxshop.support.errors import Faults


def validate(shop: Shop, where: str) -> None:
    """Check a shop that a source has built.

    Args:
        shop: the records; times must be `int` ticks.
        where: the file or source to name in messages.

    Raises:
        ShopError: holds every fault, each as `where: path: message`.
    """
    faults = Faults(where)
    check(shop, faults)
    faults.raise_if_any()


def check(shop: Shop, faults: Faults) -> None:
    """Collect into `faults` whatever is wrong with the shop's values and references."""
    _check_printable(shop.name, "name", faults)
    machines: dict[str, str] = {}
    if not shop.machines:
        faults.add("machines", "the shop has no machines")
    for i, machine in enumerate(shop.machines):
        _check_id(machine.id, machines, f"machines[{i}].id", faults)
        _check_printable(machine.work_centre or "", f"machines[{i}].work_centre", faults)
        _check_ticks(machine.available_from, 0, f"machines[{i}].available_from", faults)
    if not shop.jobs:
        faults.add("jobs", "the shop has no jobs")
    jobs: dict[str, str] = {}
    operations: dict[str, str] = {}
    least = 0 if shop.unit == "ticks" else 1  # benchmark texts hold operations that take no time
    for i, job in enumerate(shop.jobs):
        _check_id(job.id, jobs, f"jobs[{i}].id", faults)
        _check_job(job, f"jobs[{i}]", faults)
        for k, operation in enumerate(job.operations):
            path = f"jobs[{i}].operations[{k}]"
            _check_id(operation.id, operations, f"{path}.id", faults)
            _check_operation(operation, machines, least, path, faults)
    check_start(shop, faults)
    if shop.objective != MAKESPAN:
        check_objective(shop, faults)
    if uses_rules(shop):
        check_rules(shop, faults)
        if not faults.messages:
            check_work(shop, faults)
    if not faults.messages:
        end = horizon(shop, (job.operations for job in shop.jobs))
        if end > MAX_TICKS and uses_rules(shop):
            faults.add("", f"the plan would last more than {MAX_HOURS} hours (10 years), closed time included")
        elif end >= MAX_HORIZON:
            faults.add("", f"the plan would last {end} ticks, past the limit of 2^30 ({MAX_HORIZON}, 34 years)")


def horizon(shop: Shop, routes: Iterable[tuple[Operation, ...]]) -> int:
    """Return a tick by which the routes of the shop's jobs, or of its lots, can be done.

    It is the latest release or availability plus all work, one operation after the other, where that is soon enough
    for every limit. Else it is that plus the makespan of a plain list schedule: one route after the other, each
    operation on the machine that completes it first. Where machines close, closed time counts too.
    """
    routes = list(routes)
    if all(machine.calendar is None for machine in shop.machines) and (end := _in_turn(shop, routes)) <= MAX_TICKS:
        return end
    if uses_rules(shop):
        return rules_horizon(shop, routes)
    free: dict[str, int] = defaultdict(int)
    for route in routes:
        ready = 0
        for op in route:
            ready, machine = min((placed(ready, free[m], op.setup + d).end, m) for m, d in op.alternatives.items())
            free[machine] = ready
    latest = max([machine.available_from for machine in shop.machines] + [job.release for job in shop.jobs])
    return latest + max(free.values())


def _in_turn(shop: Shop, routes: list[tuple[Operation, ...]]) -> int:
    """A tick by which one operation after the other is done, behind all that is fixed, in a shop without calendars."""
    takes = [op.setup + max(op.alternatives.values()) for route in routes for op in route]
    besides = sum(op.lag for route in routes for op in route)
    besides += len(takes) * max((entry.ticks for entry in shop.changeovers), default=0)
    # Each closing is met once, and what must not stop begins anew behind it.
    longest = max(takes, default=0) + max((entry.ticks for entry in shop.changeovers), default=0)
    closings = [down for machine in shop.machines for down in machine.unavailable]
    besides += sum(down.end - down.start + longest for down in closings)
    latest = max([machine.available_from for machine in shop.machines] + [job.release for job in shop.jobs])
    fixed = max((op.fixed.start for route in routes for op in route if op.fixed is not None), default=0)
    return max(latest, fixed) + sum(takes) + besides


def _check_printable(text: str, path: str, faults: Faults) -> None:
    if not text.isprintable():
        faults.add(path, f"must be printable, not {text!r}")


def _check_id(name: object, seen: dict[str, str], path: str, faults: Faults) -> None:
    if not isinstance(name, str) or not name or not name.isprintable():
        faults.add(path, f"must be a printable text that is not empty, not {name!r}")
    elif name in seen:
        faults.add(path, f"duplicate id {name!r}, already at {faults.locate(seen[name])}")
    else:
        seen[name] = path


def _check_ticks(ticks: object, least: int, path: str, faults: Faults) -> None:
    if type(ticks) is not int:
        faults.add(path, f"must be an integer number of ticks, not {ticks!r}")
    elif ticks < least:
        faults.add(path, "must be > 0" if least == 1 else f"must be >= {least}")
    elif ticks > MAX_TICKS:
        faults.add(path, f"must be at most {MAX_HOURS} hours (10 years)")


def _check_job(job: Job, path: str, faults: Faults) -> None:
    if not job.operations:
        faults.add(f"{path}.operations", f"the job {job.id!r} has no operations")
    _check_ticks(job.release, 0, f"{path}.release", faults)
    if job.due is not None:
        _check_ticks(job.due, -MAX_TICKS, f"{path}.due", faults)
    if not 0 < job.weight <= MAX_WEIGHT:
        faults.add(f"{path}.weight", f"must be > 0 and at most {MAX_WEIGHT:g}")
    if job.quantity is not None and not (type(job.quantity) is int and 1 <= job.quantity <= MAX_QUANTITY):
        faults.add(f"{path}.quantity", f"must be an integer from 1 to {MAX_QUANTITY}")


def _check_operation(op: Operation, machines: Mapping, least: int, path: str, faults: Faults) -> None:
    _check_ticks(op.setup, 0, f"{path}.setup", faults)
    if not op.alternatives:
        faults.add(f"{path}.alternatives", f"the operation {op.id!r} has no eligible machine")
    for machine, ticks in op.alternatives.items():
        if type(ticks) is int and least <= ticks <= MAX_TICKS and machine in machines:
            continue  # a path is built for faults only, as a large shop has 400,000 alternatives
        if machines and machine not in machines:
            faults.add(f"{path}.alternatives.{machine}", "unknown machine")
        _check_ticks(ticks, least, f"{path}.alternatives.{machine}", faults)
