"""Lots that look at each other: self-attention over the candidates where `Pooled` has means and maxima of them.

What it is worth is in docs/training-experiments.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
from chex import Array

from jaxshop.policies.networks.pooled import Pooled, Seen, unopinionated
from jaxshop.policies.types import Output
from jaxshop.support.errors import ShopError


@dataclass(frozen=True)
class Attention(Pooled):
    """Scores candidates from their own features, from what they attend to among the others, and from the context."""

    heads: ClassVar[int] = 4
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ShopError(f"network.width: attention needs a multiple of {self.heads}, not {self.width}")

    @property
    def _layers(self) -> nn.Module:
        return _Layers(self.width, self.depth, self.heads)


class _Layers(nn.Module):
    width: int
    depth: int
    heads: int

    @nn.compact
    def __call__(self, seen: Seen) -> Output:
        mask = seen.candidate_mask[..., None]
        whom = seen.candidate_mask[..., None, None, :]
        # Where nothing is real, as after an episode's end, all may be looked at: no softmax is over nothing.
        whom = whom | ~whom.any(axis=-1, keepdims=True)
        x = nn.Dense(self.width)(seen.features) + nn.Dense(self.width)(seen.context)[..., None, :]
        if seen.plant is not None:
            x = x + unopinionated(self.width, "plant")(seen.plant)
        for _ in range(self.depth):
            seen_by = nn.LayerNorm()(x)
            x = x + nn.MultiHeadDotProductAttention(self.heads)(seen_by, seen_by, mask=whom)
            x = x + nn.Dense(self.width)(nn.relu(nn.Dense(self.width)(nn.LayerNorm()(x))))
        x = nn.LayerNorm()(x)
        score = nn.Dense(1, use_bias=False, kernel_init=nn.initializers.orthogonal(0.1))(x)
        linear = nn.Dense(1, use_bias=False, kernel_init=nn.initializers.normal(0.01))(seen.features)
        if seen.plant is not None:
            linear = linear + unopinionated(1, "plant_linear")(seen.plant)
        logits = jnp.where(seen.candidate_mask, (score + linear)[..., 0], -1e9)
        return Output(logits, self._value(x, mask, seen.context))

    def _value(self, x: Array, mask: Array, context: Array) -> Array:
        mean = jnp.where(mask, x, 0.0).sum(axis=-2) / jnp.maximum(mask.sum(axis=-2), 1).astype(jnp.float32)
        hidden = nn.relu(nn.Dense(self.width)(jnp.concatenate([mean, context], axis=-1)))
        return nn.Dense(1, kernel_init=nn.initializers.zeros)(hidden)[..., 0]
