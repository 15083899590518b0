"""Any shop dressed with a plant's own rules: two shifts, families that need set-ups, and due dates, by a seed.

`plant:SHOP:SEED` gives the machines of a shop two shifts on working days and the operations of three of its centres six
families; `plant-due:SHOP:SEED` gives its jobs due dates and weights besides, and makes weighted tardiness the
objective. SHOP is whatever else names a shop: `plant:reference:0`, `plant-due:family:flow:7:0`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np

from jaxshop.shop import (
    TICKS_PER_HOUR,
    Calendar,
    Changeover,
    Job,
    Objective,
    Operation,
    Provenance,
    Shift,
    Shop,
    validate,
)
from jaxshop.shop.timing import Timing
from jaxshop.support.errors import ShopError

PLANT_VERSION = 1
"""Changes whenever the same name and seed would give another shop."""

PLAN_START = "2026-11-23T05:00:00Z"
"""A Monday, 6:00 in Berlin, when the first shift begins."""

TWO_SHIFTS = Calendar(
    "two shifts",
    "Europe/Berlin",
    (
        *((Shift(6 * TICKS_PER_HOUR, 14 * TICKS_PER_HOUR), Shift(29 * TICKS_PER_HOUR // 2, 22 * TICKS_PER_HOUR)),) * 5,
        (),
        (),
    ),
)
"""06:00 to 14:00 and 14:30 to 22:00 from Monday to Friday: 77.5 hours a week."""

FAMILIES = ("black", "blue", "green", "red", "white", "yellow")
CENTRES = 3
"""Work centres whose machines have to be set up for a family."""

SETUP_HOURS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
"""One of these for each pair of families and each centre."""

MAX_SEED = 2**31 - 1

TIGHT, LOOSE = 0.3, 1.9
"""Due dates lie between these shares of the open hours that the mean machine works, and not before the job could be
done: MWKR is late on about a third of the reference's jobs, cut into lots of 60 h."""


def parse_plant(detail: str) -> tuple[str, int]:
    """Shop and seed of `SHOP:SEED`; raises ShopError where the form is another."""
    spec, _, seed = detail.rpartition(":")
    is_number = seed.isascii() and seed.isdecimal() and len(seed) <= len(str(MAX_SEED))
    if not (spec and is_number and int(seed) <= MAX_SEED):
        raise ShopError(f"plant:{detail}: wants plant:SHOP:SEED or plant-due:SHOP:SEED, as in plant:reference:0")
    return spec, int(seed)


def plant_shop(shop: Shop, seed: int, due: bool) -> Shop:
    """The shop as `dress` has it, by a seed; raises ShopError as that does."""
    name = f"{'plant-due' if due else 'plant'}:{shop.name}:{seed}"
    dressed = dress(np.random.default_rng([seed, PLANT_VERSION]), shop, name, due)
    detail = f"plant {PLANT_VERSION}, seed {seed}, of {shop.provenance.detail or shop.name}"
    return replace(dressed, provenance=Provenance("generated", detail))


def dress(rng: np.random.Generator, shop: Shop, name: str, due: bool) -> Shop:
    """The shop with two shifts and families, and with due dates where they are asked for.

    Raises:
        ShopError: the shop has work centres or rules of its own that this would undo.
    """
    if shop.calendars or shop.changeovers or any(machine.work_centre is None for machine in shop.machines):
        raise ShopError(
            f"{name}: wants a shop without calendars and set-ups of its own, whose machines have work centres"
        )
    centres = sorted({machine.work_centre or "" for machine in shop.machines})
    coloured = sorted(rng.permutation(centres)[:CENTRES].tolist())
    entries = tuple(
        Changeover(to, round(float(rng.choice(SETUP_HOURS)) * TICKS_PER_HOUR), before, centre)
        for centre in coloured
        for before, to in permutations(FAMILIES, 2)
    )
    machines = tuple(
        replace(machine, calendar=TWO_SHIFTS.id, family=str(rng.choice(FAMILIES)))
        if machine.work_centre in coloured
        else replace(machine, calendar=TWO_SHIFTS.id)
        for machine in shop.machines
    )
    painted = {machine.id for machine in machines if machine.work_centre in coloured}
    jobs = tuple(_in_family(job, str(rng.choice(FAMILIES)), painted) for job in shop.jobs)
    coming = {op.family for job in jobs for op in job.operations}
    known = coming | {machine.family for machine in machines}
    entries = tuple(entry for entry in entries if entry.to_family in coming and entry.from_family in known)
    dressed = replace(
        shop,
        name=name,
        machines=machines,
        jobs=jobs,
        plan_start=PLAN_START,
        calendars=(TWO_SHIFTS,),
        changeovers=entries,
    )
    if due:
        dressed = replace(dressed, jobs=_with_due(dressed, rng), objective=Objective(0.0, 1.0))
    validate(dressed, name)
    return dressed


def _in_family(job: Job, family: str, painted: set[str]) -> Job:
    """A job is of one family throughout, wherever a machine has to be set up for it."""
    route = (replace(op, family=family) if painted & set(op.alternatives) else op for op in job.operations)
    return replace(job, operations=tuple(route))


def _with_due(shop: Shop, rng: np.random.Generator) -> tuple[Job, ...]:
    """Due dates in open time, and weights of 1, 2 or 4."""
    timing = Timing(shop)
    mean = sum(_least(op) for job in shop.jobs for op in job.operations) / len(shop.machines)

    def after(ticks: float) -> int:
        return timing.end_of(0, 0, round(ticks), True).end

    def due(job: Job) -> int:
        alone = after(job.release + sum(_least(op) for op in job.operations))
        return max(alone, after(rng.uniform(TIGHT, LOOSE) * mean))

    return tuple(
        replace(job, due=due(job), weight=float(rng.choice((1, 2, 4), p=(0.5, 0.3, 0.2)))) for job in shop.jobs
    )


def _least(operation: Operation) -> int:
    return operation.setup + min(operation.alternatives.values())
