"""Pooled lots whose features and units are weighed by what the shop is like: one set of weights for unlike shops.

Without the gates, shops of one make unlearn what those of another have taught: trained in turn on job shops, flexible
shops and work centres, see docs/training.md for the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from chex import Array

from jaxshop.policies.networks.pooled import Pooled, Seen
from jaxshop.policies.types import Output


@dataclass(frozen=True)
class Gated(Pooled):
    """Scores candidates as `Pooled` does; a layer's features and units are scaled by gates that read the context."""

    @property
    def _layers(self) -> nn.Module:
        return _Gates(self.width, self.depth)


class _Gates(nn.Module):
    width: int
    depth: int

    @nn.compact
    def __call__(self, seen: Seen) -> Output:
        mask = seen.candidate_mask[..., None]
        count = jnp.maximum(mask.sum(axis=-2), 1)
        situation = nn.relu(nn.Dense(self.width)(seen.context))

        def gate(units: int) -> Array:
            # From 0 to 2, and near 1 before anything is learned.
            return 2 * nn.sigmoid(nn.Dense(units, kernel_init=nn.initializers.normal(0.02))(situation))[..., None, :]

        def pooled(x: Array) -> Array:
            mean = jnp.where(mask, x, 0.0).sum(axis=-2) / count
            top = jnp.where(mask, x, 0.0).max(axis=-2)
            return jnp.concatenate([mean, top, seen.context], axis=-1)

        features = seen.features * gate(seen.features.shape[-1])
        x = nn.Dense(self.width)(features) + nn.Dense(self.width)(seen.context)[..., None, :]
        x = nn.relu(x) * gate(self.width)
        for _ in range(self.depth - 1):
            summary = nn.Dense(self.width)(pooled(x))
            x = nn.relu(nn.Dense(self.width)(x) + summary[..., None, :]) * gate(self.width)
        score = nn.Dense(1, use_bias=False, kernel_init=nn.initializers.orthogonal(0.1))(x)
        linear = nn.Dense(1, use_bias=False, kernel_init=nn.initializers.normal(0.01))(features)
        logits = jnp.where(seen.candidate_mask, (score + linear)[..., 0], -1e9)

        hidden = nn.relu(nn.Dense(self.width)(pooled(x)))
        value = nn.Dense(1, kernel_init=nn.initializers.zeros)(hidden)[..., 0]
        return Output(logits, value)
