"""What `beam` is worth against samples of the same policy: a shop of each family, percent over the bound, CPU seconds.

uv run benchmarks/beam.py [RUN]      # the policy that ships, or that of a run folder; seeds from 7 on, free to tune on
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np

from jaxshop.env import Shape
from jaxshop.env.ladder import rung
from jaxshop.env.packing import shape_of
from jaxshop.policies.checkpoint import load_policy
from jaxshop.search.beam import Beam
from jaxshop.search.compiled import CANDIDATES, CompiledRollouts
from jaxshop.search.sampling import Samples
from jaxshop.search.types import Method, Stop, Task
from jaxshop.shop import split_lots
from jaxshop.sources.families import FAMILIES, make_shop

SEED = 8
MACHINES, JOBS = (20, 30), (60, 64)
"""Of the families whose shops are larger: all six then share a rung, but for job shops."""


def tasks() -> dict[str, Task]:
    """A shop of each family."""
    found = {}
    for name, family in FAMILIES.items():
        if family.jobs[1] > JOBS[1]:
            family = replace(family, jobs=JOBS)
        if family.machines[1] > MACHINES[1]:
            family = replace(family, machines=MACHINES)
        shop = make_shop(np.random.default_rng([SEED, *name.encode()]), family, name)
        found[name] = Task.of(split_lots(shop, None))
    return found


def common(shapes: list[Shape]) -> Shape:
    """One shape for all, to be compiled once."""
    sizes = ("lots", "operations", "choices", "sets", "machines", "pools", "candidates", "overlap")
    return rung(Shape(*(max(getattr(shape, size) for shape in shapes) for size in sizes)))


def main(run: str | None = None) -> None:
    """Print a row a family, and the means."""
    policy, given = load_policy(run), tasks()
    shape = common([shape_of([task.plan], CANDIDATES) for task in given.values()])
    means: dict[str, list[tuple[float, float]]] = {}
    for name, task in given.items():
        rollouts = CompiledRollouts(task, lambda: policy, shape)
        methods: dict[str, Method] = {
            "128 samples": Samples(rollouts, 128),
            "160 samples": Samples(rollouts, 160),
            "beam 1 x 256": Beam(rollouts, 256, 1),
            "beam 4 x 256": Beam(rollouts, 256, 4),
        }
        if not means:
            for method in (Samples(rollouts, 1), Beam(rollouts, 1)):  # compiles
                list(method.search(task, 0, Stop()))
        for label, method in methods.items():
            began = time.process_time()
            *_, best = method.search(task, 0, Stop())
            gap = 100 * (best.cost / task.certificate.value - 1)
            means.setdefault(label, []).append((gap, time.process_time() - began))
        print(name, *(f"| {label} {found[-1][0]:.2f} %" for label, found in means.items()), flush=True)
    for label, found in means.items():
        gap, seconds = np.mean(found, axis=0)
        print(f"{label}: {gap:.2f} %, {seconds:.2f} s")


if __name__ == "__main__":
    main(*sys.argv[1:2])
