"""How cost grows with the number of environments and the size of the shop."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxshop.env import make
from jaxshop.profiling.measure import copies, measure, on_devices, sharing
from jaxshop.profiling.workloads import random_rollout
from jaxshop.shop import Job, LotPlan, Machine, Operation, Provenance, Shop, split_lots
from jaxshop.sources.reference import reference_shop
from jaxshop.support.machine import free_memory

ENVIRONMENTS = (1, 16, 256, 4096, 16384, 65536, 262144)
STEPS = 32
"""Steps of each run: a rate needs no whole episode, and none of these shops ends before."""
LONGEST = 20.0
"""Seconds; a run that would take longer, by the rate of the one before, is left out."""


def sweep_plans() -> dict[str, LotPlan]:
    """The shops of the sweep, smallest first."""
    shops = {
        "10 x 10": job_shop(10, 10, 10, 99),
        "20 x 10 x 8": job_shop(20, 10, 8, 6),
        "100 x 20": job_shop(100, 20, 20, 99),
    }
    plans = {name: split_lots(shop, None) for name, shop in shops.items()}
    return plans | {"reference, 60 h lots": split_lots(reference_shop(), 60.0)}


def job_shop(jobs: int, machines: int, operations: int, longest: int, seed: int = 0) -> Shop:
    """A shop without flexibility: machines and durations of 1 to `longest` ticks drawn uniformly."""
    rng = np.random.default_rng(seed)
    on = rng.integers(machines, size=(jobs, operations))
    ticks = rng.integers(1, longest + 1, size=(jobs, operations))
    return shop_of(on, ticks, machines)


def shop_of(on: np.ndarray, ticks: np.ndarray, machines: int) -> Shop:
    """The job shop of two int arrays [jobs, operations]: machine and ticks; a machine of -1 ends a route."""
    jobs = tuple(
        Job(
            f"J{j}",
            tuple(
                Operation(f"J{j}/{k}", {f"M{m}": int(t)})
                for k, (m, t) in enumerate(zip(on[j], ticks[j], strict=True))
                if m >= 0
            ),
        )
        for j in range(len(on))
    )
    lines = tuple(Machine(f"M{m}") for m in range(machines))
    return Shop("drawn", lines, jobs, provenance=Provenance("generated", "for profiling"), unit="ticks")


def sweep(environments: tuple[int, ...] = ENVIRONMENTS) -> list[dict[str, Any]]:
    """Random legal rollouts of every shop at every number of environments that memory and `LONGEST` allow.

    On all devices, or on one where they cannot share the environments evenly.
    """
    rows = []
    for name, plan in sweep_plans().items():
        env, params = make(plan)
        rate = None
        for count in environments:
            if rate is not None and count * STEPS / rate > LONGEST:
                break
            devices = sharing(count)
            run = on_devices(random_rollout(env, count // devices, STEPS), devices)
            arguments = copies((jax.random.key(0), params), devices)
            free = free_bytes()
            at_most = None if free is None else free // 2 // devices
            measured = measure(run, *arguments, at_most=at_most, name=f"{name}, {count}")
            if measured is None:
                break
            rate = count * STEPS / measured.seconds
            rows.append(
                {
                    "shop": name,
                    "lots": len(plan.lots),
                    "environments": count,
                    "operations_per_second": rate,
                    "bytes_per_environment": devices * measured.peak_bytes / count,
                    "compile_seconds": measured.compile_seconds,
                }
            )
    return rows


def free_bytes() -> int | None:
    """Memory that is free on the device, on CPU on the machine or to its container; None: it does not tell."""
    stats = jax.devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return free_memory()
