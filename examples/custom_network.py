"""A network of one's own, trained by the package's PPO on shops of one make: `uv run examples/custom_network.py`.

To have it in `train.py` and checkpoints, give it a name in `jaxshop/policies/registry.py` (docs/contributing.md).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import jaxshop
from jaxshop.env import FEATURES
from jaxshop.policies import Output, greedy, play
from jaxshop.ppo import Learner, PPOConfig, Setup, StageConfig, begin
from jaxshop.ppo.update import update
from jaxshop.sources.generator import generate_shop, random_spec


class Seen(NamedTuple):
    """What this network reads of an observation."""

    candidate_mask: jax.Array  # bool [..., C]
    features: jax.Array  # [..., C, F]


class Attention(nn.Module):
    """Candidates look at each other by one layer of attention; no size of it depends on how many there are."""

    width: int

    @nn.compact
    def __call__(self, seen: Seen) -> Output:
        """Scores and value; leading dimensions are batches."""
        mask = seen.candidate_mask
        x = nn.relu(nn.Dense(self.width)(seen.features))
        query, key = nn.Dense(self.width)(x), nn.Dense(self.width)(x)
        likeness = jnp.where(mask[..., None, :], query @ jnp.swapaxes(key, -1, -2) / self.width**0.5, -1e9)
        x = x + nn.softmax(likeness) @ x
        logits = jnp.where(mask, nn.Dense(1, use_bias=False)(nn.relu(x))[..., 0], -1e9)
        mean = jnp.where(mask[..., None], x, 0).sum(-2) / jnp.maximum(mask.sum(-1), 1)[..., None]
        return Output(logits, nn.Dense(1)(nn.relu(mean))[..., 0])


@dataclass(frozen=True)
class AttentionNetwork:
    """Keeps the protocol `jaxshop.policies.Network`."""

    width: int = 32

    def initialise(self, key: jax.Array, obs: Any = None) -> Any:
        """Random weights."""
        return Attention(self.width).init(key, Seen(jnp.ones(1, bool), jnp.zeros((1, FEATURES))))

    def apply(self, weights: Any, seen: Any) -> Output:
        """Scores and value."""
        return Attention(self.width).apply(weights, Seen(seen.candidate_mask, seen.features))

    def stored(self, obs: Any) -> Seen:
        """Kept until it is learned from, at half the size."""
        return Seen(obs.candidate_mask, obs.features.astype(jnp.float16))

    def restored(self, stored: Seen) -> Seen:
        """As it is computed with."""
        return stored._replace(features=stored.features.astype(jnp.float32))

    def narrowed(self, stored: Seen, columns: int) -> Seen:
        """The first candidates only."""
        return Seen(stored.candidate_mask[..., :columns], stored.features[..., :columns, :])


def lesson(updates: int, machines: int = 6, jobs: int = 10, shops: int = 16) -> tuple[Setup, Learner, Any, Any]:
    """What an update is compiled for, the untrained learner, the shops to learn from, and one that is kept."""
    rng = np.random.default_rng(0)
    made = [generate_shop(rng, random_spec(rng, machines, jobs), f"made {i}", "example") for i in range(shops + 1)]
    env, bank = jaxshop.make(made, candidates=12)
    stage = StageConfig(updates=updates, shops=4, samples=8, candidates=12)
    setup = Setup(env, AttentionNetwork(), PPOConfig(learning_rate=3e-3, minibatches=4, microbatch=None), stage)
    learner = begin(jax.jit(setup.network.initialise)(jax.random.key(0)), setup.optimiser, jax.random.key(1))
    return setup, learner, jax.tree.map(lambda x: x[:-1], bank), jax.tree.map(lambda x: x[-1], bank)


def gap(setup: Setup, weights: Any, shop: Any) -> float:
    """How far the greedy policy's makespan is over the certified bound, as a share."""
    act = greedy(setup.network, weights)
    state = jax.jit(lambda key: play(setup.env, shop, act, key))(jax.random.key(0))
    return float(state.estimate / shop.bound - 1)


def main() -> None:
    """Train and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=20)
    updates = parser.parse_args().updates
    setup, learner, bank, kept = lesson(updates)
    step = jax.jit(partial(update, setup))
    for number in range(1, updates + 1):
        learner, metrics = step(learner, bank)
        if number % 5 == 0 or number in (1, updates):
            print(f"update {number}/{updates}  samples {100 * metrics.gap:.1f} % over the bound", flush=True)
    print(f"greedy, on a shop that it never saw: {100 * gap(setup, learner.averaged, kept):.1f} % over the bound")


if __name__ == "__main__":
    main()
