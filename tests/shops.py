"""The shops of the tests: written out, drawn at random, of the reference's make, or as the JSON of a shop file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from jaxshop.shop import Job, LotPlan, Machine, Operation, Provenance, Shop, shop_to_json, split_lots
from jaxshop.sources.generator import generate_shop, random_spec

HOUR = 3600

HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script> 🔩'
"""An id that a page must show as it stands."""

FT06 = """
2 1 0 3 1 6 3 7 5 3 4 6
1 8 2 5 4 10 5 10 0 10 3 4
2 5 3 4 5 8 0 9 1 1 4 7
1 5 0 5 2 5 3 3 4 8 5 9
2 9 1 3 4 5 5 4 0 3 3 1
1 3 3 3 5 9 0 10 4 4 2 1
"""
"""Fisher and Thompson's 6 x 6 (1963), optimum 55: pairs of machine and ticks, a job a line."""


def from_routes(
    routes: list[list[dict[int, int]]], machines: int, release: list[int] | None = None, free: list[int] | None = None
) -> Shop:
    """A shop from a list of routes; an operation is a mapping of machine index to ticks."""
    jobs = tuple(
        Job(
            f"J{j}",
            tuple(Operation(f"J{j}/{k}", {f"M{m}": t for m, t in op.items()}) for k, op in enumerate(route)),
            release=release[j] if release else 0,
        )
        for j, route in enumerate(routes)
    )
    lines = tuple(Machine(f"M{m}", None, free[m] if free else 0) for m in range(machines))
    return Shop("test", lines, jobs, provenance=Provenance("file", "test"), unit="ticks")


def ft06() -> Shop:
    """The 6 x 6 of Fisher and Thompson."""
    rows = [[int(x) for x in line.split()] for line in FT06.strip().splitlines()]
    return from_routes([[{m: t} for m, t in zip(r[::2], r[1::2], strict=True)] for r in rows], 6)


def random_shop(
    seed: int, jobs: int = 3, machines: int = 3, most_operations: int = 3, longest: int = 9, dated: bool = True
) -> Shop:
    """A flexible shop with machine-dependent times, recirculation, releases and availabilities."""
    rng = np.random.default_rng(seed)
    routes = []
    for _ in range(jobs):
        route = []
        for _ in range(rng.integers(1, most_operations + 1)):
            eligible = rng.choice(machines, rng.integers(1, machines + 1), replace=False)
            route.append({int(m): int(rng.integers(1, longest + 1)) for m in sorted(eligible)})
        routes.append(route)
    release = rng.integers(0, 6, jobs).tolist() if dated else None
    free = rng.integers(0, 6, machines).tolist() if dated else None
    return from_routes(routes, machines, release, free)


def job_shop(seed: int, jobs: int = 4, machines: int = 4, longest: int = 9) -> Shop:
    """Every job once on every machine, in an order of its own."""
    rng = np.random.default_rng(seed)
    routes = [[{int(m): int(rng.integers(1, longest + 1))} for m in rng.permutation(machines)] for _ in range(jobs)]
    return from_routes(routes, machines)


def recirculating_shop(seed: int, jobs: int = 3, machines: int = 2, operations: int = 4) -> Shop:
    """Routes that come back to a machine, often in a row; half of the operations have no other machine."""
    rng = np.random.default_rng(seed)
    routes = []
    for _ in range(jobs):
        route: list[dict[int, int]] = []
        for _ in range(operations):
            again = route and rng.random() < 0.4
            first = min(route[-1]) if again else int(rng.integers(machines))
            eligible = {first} | ({int(rng.integers(machines))} if rng.random() < 0.5 else set())
            route.append({m: int(rng.integers(1, 10)) for m in sorted(eligible)})
        routes.append(route)
    return from_routes(routes, machines)


def with_idle_operations(shop: Shop, seed: int) -> Shop:
    """The shop with a third of its alternatives taking no time."""
    rng = np.random.default_rng(seed)
    return _changed(shop, lambda op: {m: t * int(rng.random() > 0.33) for m, t in op.alternatives.items()})


def with_times_of(shop: Shop, ticks: int) -> Shop:
    """The shop with so many ticks for each of its own, also of releases and late machines."""
    machines = [replace(machine, available_from=ticks * machine.available_from) for machine in shop.machines]
    longer = _changed(shop, lambda op: {m: ticks * t for m, t in op.alternatives.items()})
    jobs = [replace(job, release=ticks * job.release) for job in longer.jobs]
    return replace(longer, machines=tuple(machines), jobs=tuple(jobs))


def with_setups(shop: Shop, seed: int) -> Shop:
    """The shop with a set-up of 0 to 2 ticks for each operation."""
    rng = np.random.default_rng(seed)
    jobs = [
        replace(job, operations=tuple(replace(op, setup=int(rng.integers(3))) for op in job.operations))
        for job in shop.jobs
    ]
    return replace(shop, jobs=tuple(jobs))


def with_due_dates(shop: Shop, seed: int) -> Shop:
    """The shop with a due date, perhaps past, for most of its jobs."""
    rng = np.random.default_rng(seed)
    dates = [None if rng.random() < 0.2 else int(rng.integers(-5, 30)) for _ in shop.jobs]
    return replace(shop, jobs=tuple(replace(job, due=due) for job, due in zip(shop.jobs, dates, strict=True)))


def _changed(shop: Shop, alternatives: Callable[[Operation], dict[str, int]]) -> Shop:
    jobs = [
        replace(job, operations=tuple(replace(op, alternatives=alternatives(op)) for op in job.operations))
        for job in shop.jobs
    ]
    return replace(shop, jobs=tuple(jobs))


def _lots(seed: int) -> LotPlan:
    """Two to three jobs, the longer ones cut into lots, with set-ups."""
    shop = with_setups(random_shop(seed, jobs=2 + seed % 2, most_operations=2, longest=12), seed)
    return split_lots(shop, 12 / 3600)


KINDS: dict[str, Callable[[int], LotPlan]] = {
    "job shop": lambda seed: split_lots(job_shop(seed, 3 + seed % 3, 3 + seed % 2), None),
    "flexible": lambda seed: split_lots(random_shop(seed, 4, 3, 4, dated=False), None),
    "dated": lambda seed: split_lots(random_shop(seed, 4, 3, 3), None),
    "lots": _lots,
    "idle": lambda seed: split_lots(with_idle_operations(random_shop(seed, 4), seed), None),
    "idle job shop": lambda seed: split_lots(with_idle_operations(job_shop(seed, 4, 3), seed), None),
    "recirculating": lambda seed: split_lots(recirculating_shop(seed), None),
    "due": lambda seed: split_lots(with_due_dates(random_shop(seed, 4), seed), None),
    "one machine": lambda seed: split_lots(random_shop(seed, 4, 1, 2), None),
    "one operation": lambda seed: split_lots(random_shop(seed, 1, 1 + seed % 3, 1), None),
    "one job": lambda seed: split_lots(random_shop(seed, 1, 2, 4), None),
}
"""Small shops of every kind that a search meets, by a seed each; at most twenty operations."""


def small_plans(each: int) -> list[tuple[str, LotPlan]]:
    """So many plans of each of `KINDS`, named."""
    return [(f"{kind} {seed}", make(seed)) for kind, make in KINDS.items() for seed in range(each)]


def tiny_shop() -> Shop:
    """6 machines and 12 jobs of the reference's make."""
    rng = np.random.default_rng(99)
    return generate_shop(rng, random_spec(rng, 6, 12), name="tiny")


def small_shop(jobs: int = 6, machines: int = 3, operations: int = 3, name: str = "small") -> Shop:
    """A shop in which every operation runs on two machines, at different times."""

    def operation(j: int, k: int) -> Operation:
        times = {
            f"M{(j + k) % machines}": 1800 + 97 * ((3 * j + 5 * k) % 11),
            f"M{(j + k + 1) % machines}": 2000 + 89 * ((2 * j + 7 * k) % 13),
        }
        return Operation(f"J{j}/{k}", times, setup=300)

    return Shop(
        name,
        tuple(Machine(f"M{i}", f"C{i % 2}") for i in range(machines)),
        tuple(Job(f"J{j}", tuple(operation(j, k) for k in range(operations))) for j in range(jobs)),
    )


def shop_body(**size: Any) -> dict[str, Any]:
    """The shop file of a small shop."""
    return shop_to_json(small_shop(**size))


def hostile_shop(machines: int = 6, jobs: int = 12, steps: int = 3, name: str = "night shift", **more) -> Shop:
    """A shop of two machines a work centre, with due dates for every second job; some ids are `HOSTILE`."""
    ids = [f"M{i:03d}" for i in range(machines)]
    ids[0] = HOSTILE

    def operation(j: int, k: int) -> Operation:
        first = 2 * ((j + k) % (machines // 2))
        ticks = 3600 + 600 * ((7 * j + 3 * k) % 11)
        return Operation(f"J{j:03d}/{k}", {ids[first]: ticks, ids[first + 1]: ticks}, setup=600)

    return Shop(
        name,
        tuple(Machine(id, f"centre {i // 2}") for i, id in enumerate(ids)),
        tuple(
            Job(
                "=SUM(A1)" if j == 1 else f"J{j:03d}",
                tuple(operation(j, k) for k in range(steps)),
                due=None if j % 2 else 4 * 3600,
            )
            for j in range(jobs)
        ),
        **more,
    )


def example() -> dict:
    """The JSON of a shop with every key in use."""
    return {
        "format": "jaxshop-shop/1",
        "name": "night shift",
        "plan_start": "2026-11-23T06:00:00Z",
        "provenance": {
            "kind": "mariadb",
            "detail": "plant 3",
            "taken_at": "2026-11-23T05:58:00Z",
            "signature": "ab",
        },
        "machines": [
            {"id": "PP09", "work_centre": "press", "available_from": 1.5},
            {"id": "PP10", "work_centre": "press"},
            {"id": "SW01"},
        ],
        "jobs": [
            {
                "id": "JOST0084",
                "quantity": 1200,
                "release": 2.0,
                "due": -96.0,
                "weight": 2.5,
                "operations": [
                    {"id": "JOST0084/1", "setup": 0.25, "alternatives": {"PP09": 2.5, "PP10": 2.75}},
                    {"id": "JOST0084/2", "alternatives": {"SW01": 0.0003}},
                ],
            },
            {"id": "JOST0085", "operations": [{"id": "JOST0085/1", "alternatives": {"PP10": 1}}]},
        ],
    }


def altered(path: str, value: object) -> dict:
    """The example with the value at `path`, written as in the messages, replaced or added."""
    data = example()
    *parents, last = [int(key) if key.isdigit() else key for key in path.replace("]", "").replace("[", ".").split(".")]
    entry = data
    for key in parents:
        entry = entry[key]
    entry[last] = value
    return data
