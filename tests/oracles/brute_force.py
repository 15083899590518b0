"""The optimum of a tiny shop, by enumerating every order of dispatches and every machine."""

from __future__ import annotations

from functools import cache

from jaxshop.shop import Shop


def optimum(shop: Shop) -> int:
    """The least makespan over all semi-active schedules, which hold an optimal one; exponential."""
    machine_index = {m.id: i for i, m in enumerate(shop.machines)}
    routes = tuple(
        tuple(tuple((machine_index[m], op.setup + t) for m, t in op.alternatives.items()) for op in job.operations)
        for job in shop.jobs
    )

    @cache
    def best(done: tuple[int, ...], ready: tuple[int, ...], free: tuple[int, ...]) -> int:
        if all(d == len(r) for d, r in zip(done, routes, strict=True)):
            return max(ready)
        least = 1 << 60
        for j, route in enumerate(routes):
            if done[j] == len(route):
                continue
            for machine, ticks in route[done[j]]:
                end = max(ready[j], free[machine]) + ticks
                least = min(
                    least,
                    best(
                        (*done[:j], done[j] + 1, *done[j + 1 :]),
                        (*ready[:j], end, *ready[j + 1 :]),
                        (*free[:machine], end, *free[machine + 1 :]),
                    ),
                )
        return least

    started = tuple(job.release if job.operations else 0 for job in shop.jobs)
    return best((0,) * len(routes), started, tuple(m.available_from for m in shop.machines))
