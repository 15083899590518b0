"""How fast random play of a plant is beside the plain shop that it was made of, by turns in one process on all cores.

uv run benchmarks/plant_play.py [TURNS]     # lots of 60 h, 64 environments; the issue asks for half
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import jax

from jaxshop.env import make
from jaxshop.parallel.devices import start_devices
from jaxshop.profiling.measure import copies, on_devices, sharing
from jaxshop.profiling.workloads import random_rollout
from jaxshop.shop import split_lots
from jaxshop.sources import load_shop

SHOPS = ("reference", "plant:reference:0")
ENVIRONMENTS, STEPS = 64, 256


def player(name: str) -> Callable[[], float]:
    """A call that plays the shop once, compiled already, and returns its seconds."""
    env, params = make(split_lots(load_shop(name), 60))
    devices = sharing(ENVIRONMENTS)
    run = on_devices(random_rollout(env, ENVIRONMENTS // devices, STEPS), devices)
    given = copies((jax.random.key(0), params), devices)
    jax.block_until_ready(run(*given))

    def play() -> float:
        begun = time.perf_counter()
        jax.block_until_ready(run(*given))
        return time.perf_counter() - begun

    return play


def main() -> None:
    """Print operations per second of both, by their medians, and the median ratio of a turn."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    start_devices()
    players = [player(name) for name in SHOPS]
    seconds = [[play() for play in players] for _ in range(turns)]
    for name, column in zip(SHOPS, zip(*seconds, strict=True), strict=True):
        print(f"{name:20}{ENVIRONMENTS * STEPS / median(column):12,.0f} operations/s")
    ratios = sorted(plain / plant for plain, plant in seconds)
    tenth = turns // 10
    print(f"of the plain one's speed: {median(ratios):.2f} (tenths {ratios[tenth]:.2f} to {ratios[-1 - tenth]:.2f})")


if __name__ == "__main__":
    main()
