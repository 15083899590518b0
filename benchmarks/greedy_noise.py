"""How far one greedy schedule of a policy is from the next: weights moved a little, temperatures, candidates.

`python benchmarks/greedy_noise.py [--shop reference --max-lot-hours 60 --checkpoint DIR]`: a line each of 16 schedules.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

import jaxshop
from jaxshop.env import JobShop
from jaxshop.env.packing import pack, shape_of
from jaxshop.parallel.mesh import cap_instructions
from jaxshop.policies.acting import play, sampled
from jaxshop.policies.checkpoint import Policy, load_policy
from jaxshop.shop import LotPlan

SCHEDULES = 16
GREEDY = 1e-6
"""A temperature at which the most probable lot is drawn."""

TRIES = {
    48: [(0.0, GREEDY), (1e-3, GREEDY), (1e-2, GREEDY), *((0.0, t) for t in (0.03, 0.1, 0.25, 0.5, 1.0))],
    16: [(0.0, GREEDY), (1e-3, GREEDY)],
    96: [(0.0, GREEDY), (1e-3, GREEDY)],
}
"""By candidates: how far each weight is moved, as a share of it, and the temperature."""


def player(plan: LotPlan, policy: Policy, candidates: int) -> Callable[[float, float], jax.Array]:
    """(share, temperature) -> gaps to the certified bound, float32 [SCHEDULES], each with draws of its own."""
    shape = shape_of([plan], candidates)
    env, params = JobShop(shape, passing=policy.passing), jax.device_put(pack(plan, shape))

    def one(share: jax.Array, temperature: jax.Array, key: jax.Array) -> jax.Array:
        leaves, tree = jax.tree.flatten(policy.weights)
        play_key, *keys = jax.random.split(key, len(leaves) + 1)
        moved = [x * (1 + share * jax.random.normal(k, x.shape)) for x, k in zip(leaves, keys, strict=True)]
        act = sampled(policy.network, tree.unflatten(moved), temperature)
        return env.cost(play(env, params, act, play_key, params.operations), params) / params.bound - 1.0

    play_all = jax.jit(jax.vmap(one, (None, None, 0)))
    return lambda *tried: play_all(*map(jnp.float32, tried), jax.random.split(jax.random.key(0), SCHEDULES))


def lines(plan: LotPlan, policy: Policy) -> Iterator[str]:
    """A line for each try."""
    for candidates, tries in TRIES.items():
        gaps_of = player(plan, policy, candidates)
        for share, temperature in tries:
            gaps = 100 * np.asarray(gaps_of(share, temperature))
            how = "greedy" if temperature == GREEDY else f"temperature {temperature:g}"
            found = f"mean {gaps.mean():5.2f}  std {gaps.std(ddof=1):4.2f}  {gaps.min():5.2f} to {gaps.max():5.2f} %"
            yield f"{candidates} candidates, {how}, weights moved by {100 * share:g} %: {found}"


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shop", default="reference")
    parser.add_argument("--max-lot-hours", type=float, default=60.0)
    parser.add_argument("--checkpoint")
    args = parser.parse_args()
    cap_instructions()
    plan = jaxshop.split_lots(jaxshop.load_shop(args.shop), args.max_lot_hours)
    for line in lines(plan, load_policy(args.checkpoint)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
