"""How good the best of 64 drawn schedules is at several temperatures, against the greedy one, over policies and shops.

uv run benchmarks/temperature.py [RUN ...]      # the shipped policy, and those of run folders
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxshop.bounds import certify
from jaxshop.env import EnvParams, JobShop
from jaxshop.env.packing import pack, shape_of
from jaxshop.policies.acting import greedy, play, sampled
from jaxshop.policies.checkpoint import load_policy
from jaxshop.search.compiled import CANDIDATES
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, split_lots
from jaxshop.sources import load_shop
from jaxshop.sources.generator import generate_shop, random_spec

TEMPERATURES = (0.1, 0.25, 0.35, 0.5, 0.7, 1.0)
SEEDS, SAMPLES = 4, 64


def job_shop(seed: int, jobs: int, machines: int) -> Shop:
    """Random routes over every machine, times from 1 to 99."""
    rng = np.random.default_rng(seed)

    def route(j: int) -> Job:
        steps = rng.permutation(machines)
        return Job(
            f"J{j}", tuple(Operation(f"J{j}/{k}", {f"M{m}": int(rng.integers(1, 100))}) for k, m in enumerate(steps))
        )

    return Shop(
        f"job shop {jobs} x {machines}",
        tuple(Machine(f"M{m}") for m in range(machines)),
        tuple(route(j) for j in range(jobs)),
    )


def made(seed: int, machines: int, jobs: int) -> Shop:
    """A shop of the reference's make."""
    rng = np.random.default_rng(seed)
    return generate_shop(rng, random_spec(rng, machines, jobs), name=f"made {jobs} x {machines}")


def plans() -> Iterator[LotPlan]:
    """The reference and two siblings in lots, and others without lots."""
    for name in ("reference", "reference:1", "reference:2"):
        yield split_lots(load_shop(name), 60.0)
    for shop in (made(5, 20, 40), made(6, 40, 80), job_shop(1, 15, 15), job_shop(2, 30, 15)):
        yield split_lots(shop, None)


def makespans(env: JobShop, network: Any) -> Callable[..., Any]:
    """(weights, params) -> greedy makespan, int32 [], and those of samples, int32 [temperatures, seeds, samples]."""

    def run(weights: Any, params: EnvParams) -> Any:
        def sample(temperature: Any, seed: Any, number: Any) -> Any:
            key = jax.random.fold_in(jax.random.key(seed), number)
            return play(env, params, sampled(network, weights, temperature), key).estimate

        every = jax.vmap(sample, (None, None, 0))
        every = jax.vmap(jax.vmap(every, (None, 0, None)), (0, None, None))
        drawn = every(jnp.array(TEMPERATURES), jnp.arange(SEEDS), jnp.arange(SAMPLES))
        return play(env, params, greedy(network, weights), jax.random.key(0)).estimate, drawn

    return jax.jit(run)


def main(runs: list[str]) -> None:
    """Print a line a policy and shop, and the means over all."""
    policies = [("shipped", load_policy()), *((run, load_policy(run)) for run in runs)]
    network, weights = policies[0][1].network, policies[0][1].weights

    def prepare(plan: LotPlan) -> tuple[str, int, EnvParams, Any]:
        bound, shape = certify(plan).value, shape_of([plan], CANDIDATES)
        params = jax.device_put(pack(plan, shape, bound))
        return plan.shop.name, bound, params, makespans(JobShop(shape), network).lower(weights, params).compile()

    with ThreadPoolExecutor() as pool:
        shops = list(pool.map(prepare, plans()))
    gaps = []
    print("percent over the bound: greedy | mean best of 64 at", *TEMPERATURES, "| seeds of 4 longer than greedy")
    for name, policy in policies:
        for shop, bound, params, run in shops:
            first, drawn = map(np.asarray, run(policy.weights, params))
            best = drawn.min(axis=2)
            gap = 100 * (best.mean(axis=1) / bound - 1)
            own = 100 * (first / bound - 1)
            told = " ".join(f"{x:.2f}" for x in gap)
            print(f"{name[-8:]} {shop}: {own:.2f} | {told} |", *(best > first).sum(axis=1), flush=True)
            gaps.append([own, *gap])
    print("mean:", " ".join(f"{x:.2f}" for x in np.mean(gaps, axis=0)))


if __name__ == "__main__":
    main(sys.argv[1:])
