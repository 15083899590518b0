"""How good policies are on validation shops of every make: greedy, mean percent over the makespan's certified bound.

uv run benchmarks/validation.py [--best FOLDER] [--work N] [POLICY]...     # run or checkpoint folders, or shipped

Shops are drawn as those are that a run keeps for choosing a checkpoint, by words of their own: 24 of each plain make,
8 of each plant. By these, policies may be chosen; the shops of the README are for reports.

With `--best` each policy has a second column: percent over the best that search finds for each shop in so many pieces
of work; below 0 a policy is ahead of so short a search. What it found is kept in a file of the folder, by fingerprint,
and not searched for again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from chex import Array

from jaxshop.env import EnvParams, JobShop, Shape
from jaxshop.policies.acting import greedy, play
from jaxshop.policies.checkpoint import Policy, load_policy
from jaxshop.shop import LotPlan, fingerprint
from jaxshop.support.files import read_json, write_atomic
from jaxshop.training.config import SHIPPED_POLICY, load_config
from jaxshop.training.shops import (
    VALIDATION,
    VALIDATION_SEED,
    ShopOrder,
    best_known,
    make_shops,
    outline_shops,
    plans_of,
)

CONFIG = Path(__file__).parent.parent / "configs" / "imitate.toml"
PLAIN, PLANTS, CANDIDATES = 24, 8, 48
WORK = 150
"""Pieces of search for the best known cost of a shop, as `evaluation.kept_work` of the runs whose policies ship."""


def policy_of(name: str) -> Policy:
    """The policy of a folder, or the one that ships."""
    return load_policy(None if name == SHIPPED_POLICY else name)


def greedy_costs(policy: Policy, shape: Shape, shops: EnvParams) -> np.ndarray:
    """Of each shop's greedy schedule, in ticks, float64 [S]."""
    env = JobShop(shape, passing=policy.passing)

    def cost(params: EnvParams) -> Array:
        return env.cost(play(env, params, greedy(policy.network, policy.weights), jax.random.key(0)), params)

    return np.asarray(jax.jit(lambda stacked: jax.lax.map(cost, stacked))(shops), np.float64)


def searched(plans: Sequence[LotPlan], folder: Path, work: int) -> np.ndarray:
    """The best known cost of each shop, in ticks, float64 [S]; the folder's file gets what it lacks."""
    file = folder / f"best-known-{work}.json"
    known: dict[str, int] = read_json(file) if file.exists() else {}
    for plan in plans:
        if (name := fingerprint(plan.shop)) not in known:
            known[name] = best_known(plan, VALIDATION_SEED, work)
            write_atomic(file, json.dumps(known, indent=0) + "\n")
    return np.array([known[fingerprint(plan.shop)] for plan in plans], np.float64)


def percent_over(costs: np.ndarray, least: np.ndarray, kept: int) -> np.ndarray:
    """Mean of each make, float64 [makes]; a make is so many shops, one after the other."""
    return 100.0 * (costs / least - 1.0).reshape(-1, kept).mean(axis=1)


def main() -> None:
    """Print a line a make, as it comes, then the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policies", nargs="*", default=[SHIPPED_POLICY], metavar="POLICY")
    parser.add_argument("--best", type=Path, metavar="FOLDER", help="also percent over the best that search finds")
    parser.add_argument("--work", type=int, default=WORK, help=f"pieces of search for each shop (default {WORK})")
    args = parser.parse_args()
    policies = [policy_of(name) for name in args.policies]
    if args.best:
        args.best.mkdir(parents=True, exist_ok=True)
    means: dict[str, list[list[float]]] = {"plain makes": [], "plants": []}
    for name, bank in load_config(CONFIG, []).mix.banks().items():
        kind, kept = ("plants", PLANTS) if name == "plants" else ("plain makes", PLAIN)
        order = ShopOrder(replace(bank, kept=kept), VALIDATION, VALIDATION_SEED, CANDIDATES)
        shape, shops = outline_shops(order).shape, jax.device_put(make_shops(order))
        least = [np.asarray(shops.bound), *([searched(plans_of(order), args.best, args.work)] if args.best else [])]
        costs = [greedy_costs(policy, shape, shops) for policy in policies]
        found = [percent_over(each, beside, kept) for each in costs for beside in least]
        for make, row in zip(bank.distinct, np.stack(found, axis=1).tolist(), strict=True):
            means[kind].append(row)
            print(f"{make:20}" + "".join(f"{gap:8.2f}" for gap in row), flush=True)
    for kind, rows in means.items():
        print(f"{kind:20}" + "".join(f"{gap:8.2f}" for gap in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
