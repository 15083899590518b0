"""The fixed shops that a self-test plays: small, drawn from seeds, every kind of operation among them.

A capability that moves starts or ends is one more entry of `SHOPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from jaxshop.shop import Changeover, Downtime, Fixed, Job, Machine, Objective, Operation, Provenance, Shop

JOBS, LENGTH, MACHINES = 8, 4, 6


def _shop(name: str, alternatives: Callable[[np.random.Generator], Mapping[int, int]], jobs: int = JOBS) -> Shop:
    rng = np.random.default_rng(18)
    routes = [[alternatives(rng) for _ in range(LENGTH)] for _ in range(jobs)]
    return Shop(
        name,
        tuple(Machine(f"M{m}") for m in range(MACHINES)),
        tuple(
            Job(f"J{j}", tuple(Operation(f"J{j}/{k}", {f"M{m}": t for m, t in x.items()}) for k, x in enumerate(route)))
            for j, route in enumerate(routes)
        ),
        provenance=Provenance("generated", "for the self-test"),
        unit="ticks",
    )


def _one_machine(rng: np.random.Generator) -> Mapping[int, int]:
    return {int(rng.integers(MACHINES)): _ticks(rng)}


def _equal_times(rng: np.random.Generator) -> Mapping[int, int]:
    """All, half or a third of the machines, at one time: sets within sets, and few around a machine."""
    size, ticks = int(rng.choice([2, 3, MACHINES])), _ticks(rng)
    first = size * int(rng.integers(MACHINES // size))
    return dict.fromkeys(range(first, first + size), ticks)


def _own_times(rng: np.random.Generator) -> Mapping[int, int]:
    """Any machines, each at a time of its own."""
    chosen = rng.choice(MACHINES, rng.integers(1, MACHINES), replace=False)
    return {int(m): _ticks(rng) for m in sorted(chosen)}


def _ticks(rng: np.random.Generator) -> int:
    """Few different times make ties, long ones fill the integers."""
    return int(rng.choice([1, 2, 3, 3_000, 9_000_000]))


def _dated(shop: Shop) -> Shop:
    """The shop with releases, due dates and machines that come late."""
    jobs = (replace(job, release=(7 * j * j) % 31 * 100, due=40 * j - 60) for j, job in enumerate(shop.jobs))
    machines = (replace(machine, available_from=(m % 3) * 1_500) for m, machine in enumerate(shop.machines))
    return replace(shop, name="dated", jobs=tuple(jobs), machines=tuple(machines))


def _equal() -> Shop:
    return _shop("equal times", _equal_times)


def _different() -> Shop:
    return _shop("machine-dependent times", _own_times)


AHEAD = ((0, 2_500), (0, 12_000), (1, 33_000))
"""Fixed work ahead of machines: their numbers, and when it begins, open time before it."""


def _plant() -> Shop:
    """Machines that close, work that may not be interrupted, set-ups by sequence, lags, fixed work and lateness."""
    shop = _dated(_equal())
    families = ("blue", "red", None)
    jobs = [
        replace(
            job,
            operations=tuple(
                replace(op, interruptible=(j + k) % 3 > 0, family=families[(j + k) % 3], lag=50 * (j % 2))
                for k, op in enumerate(job.operations)
            ),
        )
        for j, job in enumerate(shop.jobs)
    ]
    first, *others = jobs[0].operations
    machine = next(iter(first.alternatives))
    jobs[0] = replace(jobs[0], operations=(replace(first, fixed=Fixed(machine, -2)), *others))
    able = [m.id for m in shop.machines if m.id != machine]
    for k, tick in AHEAD:
        operation = Operation(f"ahead {tick}", {able[k]: 400}, family="red", fixed=Fixed(able[k], tick))
        jobs.append(Job(operation.id, (operation,)))
    machines = (
        replace(m, work_centre="W", unavailable=(Downtime(4_000 + 900 * i, 9_000, ""), Downtime(20_000, 31_000, "")))
        for i, m in enumerate(shop.machines)
    )
    changeovers = (Changeover("red", 700, "blue", "W"), Changeover("blue", 1_100, None, "W"))
    return replace(
        shop,
        name="plant",
        jobs=tuple(jobs),
        machines=tuple(machines),
        changeovers=changeovers,
        objective=Objective(1.0, 0.25),
    )


SHOPS: Mapping[str, Callable[[], list[Shop]]] = {
    "flexible, equal times": lambda: [_equal()],
    "job shop": lambda: [_shop("job shop", _one_machine)],
    "releases and late machines": lambda: [_dated(_equal())],
    "flexible, machine-dependent times": lambda: [_different()],
    "closed time, set-ups, lags and fixed work": lambda: [_plant()],
    "padded batch": lambda: [_shop("short", _one_machine, jobs=3), _dated(_different()), _equal()],
}
"""Shops by what they are there for, what is most often asked for first; several are padded to one shape and stacked."""
