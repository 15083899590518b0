"""Small shops for tests, written out or drawn at random."""

from __future__ import annotations

import numpy as np

from jaxshop.shop import Job, Machine, Operation, Provenance, Shop

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
