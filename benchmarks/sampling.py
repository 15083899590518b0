"""What is drawn from a policy, on shops of each family: temperatures, both directions of time, and beam search.

uv run benchmarks/sampling.py [RUN]      # the policy that ships, or that of a run folder

Percent over the certified bound, and seconds of processor time. Seeds from 7 on are free to tune on; shops of the
larger families are made smaller, so that all share a compiled program.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxshop.env import EnvParams, JobShop, Shape
from jaxshop.env.ladder import rung
from jaxshop.env.packing import pack, shape_of
from jaxshop.policies.acting import TEMPERATURES, greedy, play, sampled
from jaxshop.policies.checkpoint import Policy, load_policy
from jaxshop.search.beam import Beam
from jaxshop.search.compiled import CANDIDATES, CompiledRollouts
from jaxshop.search.mirror import mirrored
from jaxshop.search.sampling import Samples
from jaxshop.search.types import Method, Stop, Task
from jaxshop.shop import split_lots
from jaxshop.sources.families import FAMILIES, make_shop

TRIED = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
SAMPLES, SEEDS = 64, (7, 8)
MACHINES, JOBS = (16, 24), (40, 60)


def tasks() -> Iterator[tuple[str, Task]]:
    """Two shops of each family."""
    for name, family in FAMILIES.items():
        small = replace(
            family,
            jobs=JOBS if family.jobs[1] > JOBS[1] else family.jobs,
            machines=MACHINES if family.machines[1] > MACHINES[1] else family.machines,
        )
        for seed in SEEDS:
            yield name, Task.of(split_lots(make_shop(np.random.default_rng([seed, *name.encode()]), small), None))


def common(given: list[Task]) -> Shape:
    """One shape for all, to be compiled once."""
    shapes = [shape_of([task.plan], CANDIDATES) for task in given]
    sizes = ("lots", "operations", "choices", "sets", "machines", "pools", "candidates", "overlap")
    return rung(Shape(*(max(getattr(shape, size) for shape in shapes) for size in sizes)))


def makespans(env: JobShop, policy: Policy) -> Callable[..., Any]:
    """(params, key, temperature) -> those of `SAMPLES` samples, int32 [SAMPLES]."""

    def run(params: EnvParams, key: Any, temperature: Any) -> Any:
        def one(key: Any) -> Any:
            act = sampled(policy.network, policy.weights, temperature)
            return play(env, params, act, key, params.operations).estimate

        return jax.vmap(one)(jax.random.split(key, SAMPLES))

    return jax.jit(run)


def greedy_makespan(env: JobShop, policy: Policy) -> Callable[[EnvParams], Any]:
    """Of the most probable choices."""
    act = greedy(policy.network, policy.weights)
    return jax.jit(lambda params: play(env, params, act, jax.random.key(0), params.operations).estimate)


def interleaved(drawn: dict[float, np.ndarray], temperatures: tuple[float, ...]) -> np.ndarray:
    """As many samples, with the temperatures in turn."""
    count = len(temperatures)
    return np.array([drawn[temperatures[number % count]][number // count] for number in range(SAMPLES)])


def compared(task: Task, env: JobShop, policy: Policy, best: Callable[..., Any], first: Any) -> Iterator[Any]:
    """Name and makespan of each way to draw `SAMPLES` samples."""

    def packed(plan: Any) -> EnvParams:
        return jax.device_put(pack(plan, env.shape, task.certificate.value))

    params = packed(task.plan)
    yield "greedy", int(first(params))
    drawn = {each: np.asarray(best(params, jax.random.key(1), jnp.float32(each))) for each in TRIED}
    for temperature, found in drawn.items():
        yield f"at {temperature}", found.min()
    in_turn = interleaved(drawn, TEMPERATURES)
    yield "in turn", in_turn.min()
    if (plan := mirrored(task.plan)) is not None:
        params = packed(plan)
        back = {each: np.asarray(best(params, jax.random.key(2), jnp.float32(each))) for each in TEMPERATURES}
        both = min(in_turn[::2].min(), interleaved(back, TEMPERATURES)[::2].min())
        yield "in turn, both directions", both
    else:
        yield "in turn, both directions", in_turn.min()


def searched(task: Task, shape: Shape, policy: Policy, warm: bool) -> Iterator[tuple[str, int, float]]:
    """Name, makespan and seconds of samples and beams."""
    rollouts = CompiledRollouts(task, lambda: policy, shape)
    methods: dict[str, Method] = {"128 samples": Samples(rollouts, 128), "160 samples": Samples(rollouts, 160)}
    methods |= {f"beam of {width}, 256": Beam(rollouts, 256, width) for width in (1, 4)}
    if not warm:
        list(Samples(rollouts, 1).search(task, 0, Stop()))
        list(Beam(rollouts, 1).search(task, 0, Stop()))
    for name, method in methods.items():
        began = time.process_time()
        *_, best = method.search(task, 0, Stop())
        yield name, best.cost, time.process_time() - began


def main(run: str | None = None) -> None:
    """Print a line a shop, and the means."""
    policy, given = load_policy(run), list(tasks())
    shape = common([task for _, task in given])
    env = JobShop(shape)
    best, first = makespans(env, policy), greedy_makespan(env, policy)
    gaps: dict[str, list[float]] = {}
    spent: dict[str, list[float]] = {}
    for family, task in given:
        bound = task.certificate.value
        for name, makespan in compared(task, env, policy, best, first):
            gaps.setdefault(name, []).append(100 * (makespan / bound - 1))
        for name, makespan, seconds in searched(task, shape, policy, bool(spent)):
            gaps.setdefault(name, []).append(100 * (makespan / bound - 1))
            spent.setdefault(name, []).append(seconds)
        print(family, *(f"| {name} {found[-1]:.2f}" for name, found in gaps.items()), flush=True)
    for name, found in gaps.items():
        took = f", {np.mean(spent[name]):.2f} s" if name in spent else ""
        print(f"{name}: {np.mean(found):.2f} %{took}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
