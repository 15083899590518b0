"""A small plan under way, and events of random plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from jaxshop.schedule import Row, Schedule
from jaxshop.schedule.events import Down, Events, Kept, Told
from jaxshop.schedule.happened import Past, happened
from jaxshop.search.replan import Replanned, replan
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, fingerprint
from jaxshop.support.errors import ShopError
from tests.plant import plant_plan, random_schedule
from tests.shops import HOUR


def presses(**changes: object) -> Shop:
    """Two presses and a saw: a1 (4 h) then a2 (2 h), b1 (3 h on either press), c1 (2 h)."""
    jobs = (
        Job("A", (Operation("a1", {"P1": 4 * HOUR}), Operation("a2", {"S": 2 * HOUR}))),
        Job("B", (Operation("b1", {"P1": 3 * HOUR, "P2": 3 * HOUR}),), due=7 * HOUR),
        Job("C", (Operation("c1", {"P2": 2 * HOUR}),)),
    )
    machines = (Machine("P1", "press"), Machine("P2", "press"), Machine("S"))
    return replace(Shop("presses", machines, jobs, "2026-11-23T06:00:00Z"), **changes)


PLAN = (("A", "a1", "P1", 0, 4), ("C", "c1", "P2", 0, 2), ("A", "a2", "S", 4, 6), ("B", "b1", "P1", 4, 7))
"""Job, operation, machine, start and end in hours; b1 comes second on its press."""


def planned(shop: Shop) -> Schedule:
    """The plan of Monday."""
    rows = tuple(Row(job, 0, name, machine, a * HOUR, b * HOUR) for job, name, machine, a, b in PLAN)
    return Schedule(fingerprint(shop), None, rows)


def past_of(shop: Shop, now: float, **told: object) -> Past:
    """What has happened of it at an hour."""
    return happened(shop, planned(shop), Events(round(now * HOUR), **told))


def hours(rows: tuple[Row, ...] | list[Row]) -> dict[str, tuple[str, float, float]]:
    """Machine, start and end in hours by operation."""
    return {row.operation: (row.machine, row.start / HOUR, row.end / HOUR) for row in rows}


def random_events(plan: LotPlan, schedule: Schedule, rng: np.random.Generator) -> Events:
    """Something of everything, of which much cannot be."""
    now = int(rng.integers(0, max(schedule.makespan, 1)))
    names = [machine.id for machine in plan.shop.machines]
    begins = [now + int(rng.integers(-6 * HOUR, 6 * HOUR)) for _ in range(rng.integers(0, 3))]
    down = tuple(Down(str(rng.choice(names)), begin, begin + int(rng.integers(1, 20 * HOUR))) for begin in begins)
    late, worked = [], []
    for row in schedule.rows:
        chance = rng.random()
        if row.start < now and chance < 0.1:
            late.append(Told(row.operation, row.lot, row.end + int(rng.integers(0, 5 * HOUR))))
        elif row.start < now < row.end and chance < 0.2:
            worked.append(Told(row.operation, row.lot, int(rng.integers(0, 2 * HOUR))))
    comes = Job("NEW", (Operation("NEW/0", {names[0]: HOUR}), Operation("NEW/1", dict.fromkeys(names, 2 * HOUR))))
    drop = tuple(job.id for job in plan.shop.jobs if rng.random() < 0.1)
    freeze = int(rng.integers(0, 10 * HOUR)) if rng.random() < 0.5 else 0
    keep = tuple(Kept(row.operation, row.lot) for row in schedule.rows if rng.random() < 0.1)
    return Events(now, freeze, down, (comes,) if rng.random() < 0.3 else (), drop, tuple(late), tuple(worked), keep)


def days(seed: int) -> Iterator[Replanned]:
    """The new plans of a random shop with rules of a plant that is told of again and again."""
    rng = np.random.default_rng(seed)
    plan = plant_plan(seed, held=2 * (seed % 4 == 3))
    schedule, shop = random_schedule(plan, seed), plan.shop
    for _ in range(3):
        events = random_events(plan, schedule, rng)
        if any(job.id == "NEW" for job in shop.jobs):
            events = replace(events, add=())
        try:
            past = happened(shop, schedule, events)
        except ShopError:
            continue
        found = replan(past, 5.0, 0.1 * (seed % 2), policy=("right-shift", "rules")[seed % 2])
        yield found
        shop, plan, schedule = past.plan.shop, past.plan, found.best.schedule
