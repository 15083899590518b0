"""The policy network: one for every shop, equivariant to the order of lots and machines."""

from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env.types import Observation


class Output(NamedTuple):
    """Scores of the candidates, and what the critic expects of the rest of the episode."""

    logits: Array  # float32 [..., C]; padding holds a large negative number
    value: Array  # float32 [...]


class Network(nn.Module):
    """Scores candidates from their own features, from pools over all of them, and from the shop's context."""

    width: int = 64
    depth: int = 2

    @nn.compact
    def __call__(self, obs: Observation) -> Output:
        """Score the candidates; leading dimensions are batches."""
        mask = obs.candidate_mask[..., None]
        count = jnp.maximum(mask.sum(axis=-2), 1)

        def pooled(x: Array) -> Array:
            mean = jnp.where(mask, x, 0.0).sum(axis=-2) / count
            top = jnp.where(mask, x, 0.0).max(axis=-2)
            return jnp.concatenate([mean, top, obs.context], axis=-1)

        x = nn.relu(nn.Dense(self.width)(obs.features) + nn.Dense(self.width)(obs.context)[..., None, :])
        for _ in range(self.depth - 1):
            summary = nn.Dense(self.width)(pooled(x))
            x = nn.relu(nn.Dense(self.width)(x) + summary[..., None, :])
        score = nn.Dense(1, use_bias=False, kernel_init=nn.initializers.orthogonal(0.1))(x)
        linear = nn.Dense(1, use_bias=False, kernel_init=nn.initializers.normal(0.01))(obs.features)
        logits = jnp.where(obs.candidate_mask, (score + linear)[..., 0], -1e9)

        hidden = nn.relu(nn.Dense(self.width)(pooled(x)))
        value = nn.Dense(1, kernel_init=nn.initializers.zeros)(hidden)[..., 0]
        return Output(logits, value)


def evaluate(network: Network, weights: ArrayTree, obs: Any) -> Output:
    """Apply the network to anything with an observation's `candidate_mask`, `features` and `context`."""
    output = network.apply(weights, obs)
    assert isinstance(output, Output)
    return output


def initial_weights(network: Network, key: PRNGKey, features: int, context: int) -> ArrayTree:
    """Random weights; `key` is consumed."""
    return network.init(key, blank(features, context))


def blank(features: int, context: int) -> Observation:
    """An observation of one candidate, for shapes only."""
    return Observation(
        jnp.ones(1, bool),
        jnp.zeros(1, jnp.int32),
        jnp.ones(1, bool),
        jnp.zeros((1, features)),
        jnp.zeros(context),
    )
