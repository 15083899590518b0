"""How good policies are on validation shops of every make: greedy, mean percent over the makespan's certified bound.

uv run benchmarks/validation.py [POLICY]...     # run or checkpoint folders, or shipped

Shops are drawn as those are that a run keeps for choosing a checkpoint, by a seed of their own: 24 of each plain make,
8 of each plant. By these, policies may be chosen; the shops of the README are for reports.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from chex import Array, ArrayTree

from jaxshop.env import EnvParams, JobShop
from jaxshop.policies import Network
from jaxshop.policies.acting import greedy, play
from jaxshop.policies.checkpoint import load_policy
from jaxshop.training.config import SHIPPED_POLICY, load_config
from jaxshop.training.shops import SELECTION, ShopOrder, make_shops, outline_shops

CONFIG = Path(__file__).parent.parent / "configs" / "imitate.toml"
SEED, PLAIN, PLANTS, CANDIDATES = 1000, 24, 8, 48


def policy_of(name: str) -> tuple[Network, ArrayTree]:
    """The network and the weights of a policy."""
    found = load_policy(None if name == SHIPPED_POLICY else name)
    return found.network, found.weights


def gaps(network: Network, weights: ArrayTree, env: JobShop, shops: EnvParams) -> np.ndarray:
    """Percent over the certified bound of the makespan, float64 [S], of the cost of each shop's greedy schedule."""

    def cost(params: EnvParams) -> Array:
        return env.cost(play(env, params, greedy(network, weights), jax.random.key(0)), params)

    costs = jax.jit(lambda stacked: jax.lax.map(cost, stacked))(shops)
    return 100.0 * (np.asarray(costs, np.float64) / np.asarray(shops.bound) - 1.0)


def main() -> None:
    """Print a line a make, as it comes, then the means."""
    names = sys.argv[1:] or [SHIPPED_POLICY]
    policies = [policy_of(name) for name in names]
    means: dict[str, list[list[float]]] = {"plain makes": [], "plants": []}
    for name, bank in load_config(CONFIG, []).mix.banks().items():
        kind, kept = ("plants", PLANTS) if name == "plants" else ("plain makes", PLAIN)
        order = ShopOrder(replace(bank, kept=kept), SELECTION, SEED, CANDIDATES)
        env, shops = JobShop(outline_shops(order).shape), jax.device_put(make_shops(order))
        found = [gaps(*policy, env, shops).reshape(-1, kept).mean(axis=1) for policy in policies]
        for make, row in zip(bank.distinct, np.stack(found, axis=1).tolist(), strict=True):
            means[kind].append(row)
            print(f"{make:20}" + "".join(f"{gap:8.2f}" for gap in row), flush=True)
    for kind, rows in means.items():
        print(f"{kind:20}" + "".join(f"{gap:8.2f}" for gap in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
