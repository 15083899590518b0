"""Lots that know of each other through pools: equivariant to the order of lots and machines, of any number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import Observation
from jaxshop.env.features import CONTEXT, FEATURES, PLANT_FEATURES
from jaxshop.policies.types import Output


class Seen(NamedTuple):
    """The part of an observation that the network reads."""

    candidate_mask: Array  # bool [..., C]
    features: Array  # float16 [..., C, F] as stored, which halves the memory; float32 when applied
    context: Array  # [..., X], alike
    plant: Array | None = None  # [..., C, P], alike; None where a shop has no rules of its own


@dataclass(frozen=True)
class Pooled:
    """Scores candidates from their own features, from pools over all of them, and from the shop's context.

    Its hidden layers compute in `dtype`, `float32` or `bfloat16`. What reads the features, weights, logits and values
    are float32 in both: 8 bits of a feature are too few to learn from.
    """

    width: int = 64
    depth: int = 2
    dtype: str = "float32"
    gates: ClassVar[bool] = False
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "bfloat16")

    def initialise(self, key: PRNGKey, obs: Observation | None = None) -> ArrayTree:
        """Random weights; only the widths of features and context count. The plant's columns have theirs always."""
        seen = _blank() if obs is None else _seen(obs)
        seen = seen._replace(plant=jnp.zeros((*seen.features.shape[:-1], PLANT_FEATURES)))
        return cast(ArrayTree, self._layers.init(key, seen))

    def apply(self, weights: ArrayTree, seen: Any) -> Output:
        """Score anything with an observation's `candidate_mask`, `features` and `context`."""
        return cast(Output, self._layers.apply(weights, _seen(seen)))

    def stored(self, obs: Observation) -> Seen:
        """Features and context as float16."""
        return _as_type(_seen(obs), jnp.float16)

    def restored(self, stored: Seen) -> Seen:
        """Features and context as float32."""
        return _as_type(stored, jnp.float32)

    def narrowed(self, stored: Seen, columns: int) -> Seen:
        """The context is of all candidates and stays."""
        mask, features, plant = stored.candidate_mask, stored.features, stored.plant
        plant = None if plant is None else plant[..., :columns, :]
        return Seen(mask[..., :columns], features[..., :columns, :], stored.context, plant)

    @property
    def _layers(self) -> nn.Module:
        return _Layers(self.width, self.depth, self.gates, self.dtype)


class _Layers(nn.Module):
    width: int
    depth: int
    gates: bool
    dtype: str

    @nn.compact
    def __call__(self, seen: Seen) -> Output:
        dense = partial(nn.Dense, dtype=self.dtype)
        situation = nn.relu(dense(self.width)(seen.context)) if self.gates else None

        def gated(x: Array) -> Array:
            """Each column times a gate of its own, from 0 to 2 and near 1 before anything is learned."""
            if situation is None:
                return x
            opening = dense(x.shape[-1], kernel_init=nn.initializers.normal(0.02))(situation)
            return x * (2 * nn.sigmoid(opening))[..., None, :].astype(x.dtype)

        mask = seen.candidate_mask[..., None]
        count = jnp.maximum(mask.sum(axis=-2), 1).astype(self.dtype)

        def pooled(x: Array) -> Array:
            mean = jnp.where(mask, x, 0.0).sum(axis=-2) / count
            top = jnp.where(mask, x, 0.0).max(axis=-2)
            return jnp.concatenate([mean, top, seen.context.astype(self.dtype)], axis=-1)

        features = gated(seen.features)
        own = nn.Dense(self.width)(features) + nn.Dense(self.width)(seen.context)[..., None, :]
        own = own if seen.plant is None else own + unopinionated(self.width, "plant")(seen.plant)
        x = gated(nn.relu(own).astype(self.dtype))
        for _ in range(self.depth - 1):
            summary = dense(self.width)(pooled(x))
            x = gated(nn.relu(dense(self.width)(x) + summary[..., None, :]))
        # Scores are float32: in 8 bits of mantissa the best of many candidates would often be one of several.
        orthogonal = nn.initializers.orthogonal(0.1)
        score = dense(1, use_bias=False, kernel_init=orthogonal, dot_general=_summed_in_float32)(x)
        linear = nn.Dense(1, use_bias=False, kernel_init=nn.initializers.normal(0.01))(features)
        if seen.plant is not None:
            linear = linear + unopinionated(1, "plant_linear")(seen.plant)
        logits = jnp.where(seen.candidate_mask, (score + linear)[..., 0], -1e9)

        hidden = nn.relu(dense(self.width)(pooled(x)))
        value = nn.Dense(1, dtype=jnp.float32, kernel_init=nn.initializers.zeros)(hidden)[..., 0]
        return Output(logits, value)


_summed_in_float32 = partial(jax.lax.dot_general, preferred_element_type=jnp.float32)


def unopinionated(units: int, name: str) -> nn.Dense:
    """A layer that adds nothing before it has learned: what was learned without its columns holds."""
    return nn.Dense(units, use_bias=False, kernel_init=nn.initializers.zeros, name=name)


def _seen(obs: Any) -> Seen:
    return Seen(obs.candidate_mask, obs.features, obs.context, obs.plant)


def _as_type(seen: Seen, dtype: Any) -> Seen:
    plant = None if seen.plant is None else seen.plant.astype(dtype)
    return Seen(seen.candidate_mask, seen.features.astype(dtype), seen.context.astype(dtype), plant)


def _blank() -> Seen:
    """An observation of one candidate, for shapes only."""
    return Seen(jnp.ones(1, bool), jnp.zeros((1, FEATURES)), jnp.zeros(CONTEXT))
