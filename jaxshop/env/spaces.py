"""The spaces that gymnax's users expect, as plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from chex import Array, PRNGKey


@dataclass(frozen=True)
class Discrete:
    """Integers from 0 to n - 1."""

    n: int
    dtype: Any = jnp.int32
    shape: tuple[int, ...] = ()

    def sample(self, key: PRNGKey) -> Array:
        """Draw an element; `key` is consumed."""
        return jax.random.randint(key, self.shape, 0, self.n, self.dtype)

    def contains(self, x: Array) -> Array:
        """Whether `x` is an element, bool []."""
        x = jnp.asarray(x)
        fits = x.shape == self.shape and jnp.issubdtype(x.dtype, jnp.integer)
        return jnp.logical_and(fits, jnp.all((x >= 0) & (x < self.n)))


@dataclass(frozen=True)
class Box:
    """Arrays of one shape and dtype between two numbers."""

    low: float
    high: float
    shape: tuple[int, ...]
    dtype: Any = jnp.float32

    def sample(self, key: PRNGKey) -> Array:
        """Draw an element; `key` is consumed."""
        if self.dtype == jnp.bool_:
            return jax.random.bernoulli(key, shape=self.shape)
        return jax.random.uniform(key, self.shape, minval=self.low, maxval=self.high).astype(self.dtype)

    def contains(self, x: Array) -> Array:
        """Whether `x` is an element, bool []."""
        x = jnp.asarray(x)
        fits = x.shape == self.shape and x.dtype == self.dtype
        number = x.astype(jnp.float32) if x.dtype == jnp.bool_ else x
        return jnp.logical_and(fits, jnp.all((number >= self.low) & (number <= self.high)))


@dataclass(frozen=True)
class Dict:
    """A record with a space for each field."""

    spaces: Mapping[str, Box]

    def sample(self, key: PRNGKey) -> dict[str, Array]:
        """Draw an element; `key` is consumed."""
        keys = jax.random.split(key, len(self.spaces))
        return {name: space.sample(k) for (name, space), k in zip(self.spaces.items(), keys, strict=True)}

    def contains(self, x: Any) -> Array:
        """Whether every field of a mapping or NamedTuple, but for None, is an element of its space, bool []."""
        fields = {
            name: value for name, value in (x._asdict() if hasattr(x, "_asdict") else x).items() if value is not None
        }
        if set(fields) != set(self.spaces):
            return jnp.bool_(False)
        return jnp.all(jnp.stack([space.contains(fields[name]) for name, space in self.spaces.items()]))
