"""Shops with the plant's own rules: a small file that has them all, and shops that are drawn at random."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from jaxshop.schedule.dispatch import Rivals, dispatch_by_rule
from jaxshop.schedule.records import Schedule
from jaxshop.shop import (
    Calendar,
    Changeover,
    Downtime,
    Fixed,
    Job,
    LotPlan,
    Machine,
    Objective,
    Operation,
    Shift,
    Shop,
    split_lots,
    validate,
)
from jaxshop.support.errors import ShopError

HOUR = 3600
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
STARTS = ("2026-11-23T06:00:00Z", "2026-10-24T20:30:00Z", "2027-03-27T22:00:00Z", "2026-11-01T03:00:00Z")
"""Of an ordinary week, and around changes of the clock."""

FAMILIES = ("blue", "green", "red")

TWO_SHIFTS = {
    "timezone": "Europe/Berlin",
    "weekly": {day: [["06:00", "14:00"], ["14:30", "22:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    "closed": ["2026-12-25"],
    "open": {"2026-12-27": [["08:00", "12:00"]]},
}


def plant() -> dict[str, Any]:
    """The JSON of a shop with every rule in use."""
    return {
        "format": "jaxshop-shop/1",
        "name": "plant",
        "plan_start": "2026-11-23T06:00:00Z",
        "calendars": {"two shifts": json.loads(json.dumps(TWO_SHIFTS))},
        "machines": [
            {
                "id": "PP09",
                "work_centre": "press",
                "calendar": "two shifts",
                "unavailable": [{"from": 12.0, "to": 20.5, "reason": "maintenance"}],
                "family": "red",
            },
            {"id": "PP10", "work_centre": "press"},
        ],
        "jobs": [
            {
                "id": "A",
                "due": 30.0,
                "operations": [
                    {
                        "id": "A/1",
                        "alternatives": {"PP09": 2.0},
                        "family": "blue",
                        "lag": 0.5,
                        "fixed": {"machine": "PP09", "start": -0.5},
                    },
                    {"id": "A/2", "alternatives": {"PP09": 3.0, "PP10": 4.0}, "interruptible": False},
                ],
            },
            {"id": "B", "operations": [{"id": "B/1", "alternatives": {"PP10": 1.0}, "family": "red"}]},
        ],
        "setups": [
            {"work_centre": "press", "from": "red", "to": "blue", "hours": 1.5},
            {"machine": "PP09", "from": None, "to": "blue", "hours": 2.0},
        ],
        "objective": {"makespan": 1.0, "tardiness": 0.5},
    }


def changed(path: list[Any], value: object) -> dict[str, Any]:
    """The plant with the value at `path` replaced or added."""
    data = plant()
    entry: Any = data
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    return data


def random_calendar(rng: np.random.Generator, name: str, start: str) -> Calendar:
    """Shifts on most days, some through midnight, and days that are otherwise."""

    def shifts() -> tuple[Shift, ...]:
        times = np.sort(rng.choice(np.arange(1, 48), 2 * int(rng.integers(1, 3)), replace=False)) * 1800
        if rng.random() < 0.3:
            times[-1] = 86_400
        if rng.random() < 0.3:
            times[0] = 0
        return tuple(Shift(int(a), int(b)) for a, b in zip(times[::2], times[1::2], strict=True))

    weekly = tuple(shifts() if rng.random() < 0.8 else () for _ in range(6))
    first = date.fromisoformat(start[:10])
    special = rng.permutation(6).tolist()
    return Calendar(
        name,
        str(rng.choice(ZONES)),
        (*weekly, shifts()),
        tuple(first + timedelta(days=d) for d in special[: rng.integers(0, 3)]),
        tuple((first + timedelta(days=d), shifts()) for d in special[3 : 3 + rng.integers(0, 3)]),
    )


def plant_shop(
    seed: int,
    jobs: int = 3,
    machines: int = 3,
    most_operations: int = 3,
    longest: int = 9,
    plain: bool = False,
    frozen: int = 0,
    held: int = 0,
) -> Shop:
    """A shop that uses some of the rules, perhaps all.

    `plain` leaves out the objective; `frozen` asks for so many jobs more, each of one operation that is fixed ahead,
    `held` for so many operations that are fixed behind one of their job that is not.
    """
    rng = np.random.default_rng(seed)
    while True:
        shop = _drawn(rng, jobs, machines, most_operations, longest)
        shop = _with_fixed(shop, rng) if rng.random() < 0.5 else shop
        shop = replace(shop, objective=Objective(1.0, 0.0)) if plain else shop
        try:
            validate(shop, "drawn")
        except ShopError:
            continue
        return _with_held(_with_frozen(shop, rng, frozen), rng, held)


def plant_plan(seed: int, **sizes: int) -> LotPlan:
    """The same, cut into lots now and then."""
    shop = plant_shop(seed, **sizes)
    if seed % 3 == 0:
        try:
            return split_lots(shop, 12.0)
        except ShopError:
            pass
    return split_lots(shop, None)


def random_schedule(plan: LotPlan, seed: int) -> Schedule:
    """Dispatched by chance, active or not."""
    rng = np.random.default_rng(seed)

    def rule(rivals: Rivals) -> np.ndarray:
        return rng.integers(0, 1000, len(rivals.time))

    return dispatch_by_rule(plan, rule, bool(rng.random() < 0.5))


def _drawn(rng: np.random.Generator, jobs: int, machines: int, most_operations: int, longest: int) -> Shop:
    start = str(rng.choice(STARTS))
    calendars = tuple(random_calendar(rng, f"C{i}", start) for i in range(rng.integers(0, 3)))
    with_families, with_lags = rng.random() < 0.7, rng.random() < 0.5

    def family(share: float) -> str | None:
        return str(rng.choice(FAMILIES)) if with_families and rng.random() < share else None

    lines = []
    for m in range(machines):
        calendar = calendars[rng.integers(len(calendars))].id if calendars and rng.random() < 0.7 else None
        down = tuple(
            Downtime(begin, begin + int(rng.integers(1, 20 * HOUR)), "maintenance")
            for begin in rng.integers(-10 * HOUR, 60 * HOUR, rng.integers(0, 3)).tolist()
        )
        late = int(rng.integers(0, 8 * HOUR)) if rng.random() < 0.3 else 0
        lines.append(Machine(f"M{m}", f"W{m // 2}", late, calendar, down, family(0.4)))
    made = []
    for j in range(jobs):
        route = []
        for k in range(rng.integers(1, most_operations + 1)):
            able = np.sort(rng.choice(machines, rng.integers(1, machines + 1), replace=False)).tolist()
            hours = {f"M{m}": int(rng.integers(1, longest * HOUR)) for m in able}
            lag = int(rng.integers(0, 5 * HOUR)) if with_lags and rng.random() < 0.5 else 0
            setup = int(rng.integers(0, HOUR)) if rng.random() < 0.5 else 0
            route.append(Operation(f"J{j}/{k}", hours, setup, bool(rng.random() < 0.6), family(0.8), lag))
        due = int(rng.integers(-5 * HOUR, 60 * HOUR)) if rng.random() < 0.7 else None
        release = int(rng.integers(0, 10 * HOUR)) if rng.random() < 0.3 else 0
        made.append(Job(f"J{j}", tuple(route), release, due, float(rng.integers(1, 5))))
    coming = sorted({op.family for job in made for op in job.operations if op.family})
    known = sorted({*coming, *(line.family for line in lines if line.family)})
    places = [(line.id, None) for line in lines] + [(None, f"W{w}") for w in range((machines + 1) // 2)]
    entries = [
        Changeover(to, int(rng.integers(0, 4 * HOUR)), before, centre, machine)
        for machine, centre in places
        for to in coming
        for before in (*known, None)
        if before != to and rng.random() < 0.3
    ]
    objective = Objective(1.0, 1.0) if rng.random() < 0.3 else Objective()
    rules = {"calendars": calendars, "changeovers": tuple(entries), "objective": objective}
    return replace(Shop("drawn", tuple(lines), tuple(made), start), **rules)


def _with_frozen(shop: Shop, rng: np.random.Generator, count: int) -> Shop:
    """Jobs of one operation fixed in the two days to come, where their machines are open and nothing else is fixed."""
    families = sorted({op.family for job in shop.jobs for op in job.operations if op.family})
    for k in range(40):
        if count == 0:
            break
        machine = f"M{rng.integers(len(shop.machines))}"
        fixed = Fixed(machine, int(rng.integers(2 * HOUR, 48 * HOUR)))
        hours, setup = {machine: int(rng.integers(HOUR, 6 * HOUR))}, int(rng.integers(0, HOUR))
        family = str(rng.choice(families)) if families and rng.random() < 0.6 else None
        op = Operation(f"F{k}/0", hours, setup, bool(rng.random() < 0.6), family, fixed=fixed)
        more = replace(shop, jobs=(*shop.jobs, Job(f"F{k}", (op,))))
        if _is_shop(more):
            shop, count = more, count - 1
    return shop


def _with_held(shop: Shop, rng: np.random.Generator, count: int) -> Shop:
    """Operations behind free ones fixed where a schedule has them, or some hours later."""
    for _ in range(20 * count):
        ways = [
            (j, k) for j, job in enumerate(shop.jobs) for k in range(1, len(job.operations)) if _held_by(job, k) is None
        ]
        if count == 0 or not ways:
            break
        j, k = ways[rng.integers(len(ways))]
        job = shop.jobs[j]
        op = job.operations[k]
        rows = random_schedule(split_lots(shop, None), int(rng.integers(1000))).rows
        row = next(row for row in rows if row.operation == op.id)
        fixed = replace(op, fixed=Fixed(row.machine, row.start + int(rng.integers(0, 2)) * int(rng.integers(8 * HOUR))))
        route = (*job.operations[:k], fixed, *job.operations[k + 1 :])
        more = replace(shop, jobs=(*shop.jobs[:j], replace(job, operations=route), *shop.jobs[j + 1 :]))
        if _is_shop(more):
            shop, count = more, count - 1
    return shop


def _held_by(job: Job, k: int) -> Fixed | None:
    """What is fixed of an operation and the one before it."""
    return job.operations[k].fixed or job.operations[k - 1].fixed


def _with_fixed(shop: Shop, rng: np.random.Generator) -> Shop:
    """The first operation of some job or two fixed, at times that may turn out to be wrong."""
    made = list(shop.jobs)
    for j in rng.permutation(len(made))[: rng.integers(1, 3)].tolist():
        first, *rest = made[j].operations
        machine = str(rng.choice(list(first.alternatives)))
        fixed = replace(first, fixed=Fixed(machine, int(rng.integers(-6 * HOUR, 12 * HOUR))))
        made[j] = replace(made[j], operations=(fixed, *rest))
    return replace(shop, jobs=tuple(made))


def _is_shop(drawn: Shop) -> bool:
    """Whether what was drawn can be."""
    try:
        validate(drawn, "drawn")
    except ShopError:
        return False
    return True
