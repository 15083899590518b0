"""Reducing and indexing arrays of one environment, [..., n], or of E at the end of every array, [..., n, E]."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.env.types import NEVER

FEW = 32
"""Up to so many rows, a look at each in vectors of environments is faster than an indexed one in each environment."""


SHORT = 16
"""Up to so many numbers, a row is reduced as it is."""


def least(values: Array) -> Array:
    """The minimum over the first axis of int32 [n, ...]."""
    return _reduced(values, jnp.minimum, lambda x: x.min(axis=0))


def greatest(values: Array) -> Array:
    """The maximum over the first axis of int32 [n, ...]; not `-least(-values)`, of which GPU compilers lose a sign."""
    return _reduced(values, jnp.maximum, lambda x: x.max(axis=0))


def _reduced(values: Array, combine: Callable[[Array, Array], Array], reduce: Callable[[Array], Array]) -> Array:
    """By halves where a CPU reduces one environment's row; elsewhere each halving would be a kernel of its own."""
    if values.ndim > 1 or values.shape[0] <= SHORT:
        return reduce(values)
    return jax.lax.platform_dependent(values, cpu=lambda x: reduce(_halved(x, combine)), default=reduce)


def _halved(values: Array, combine: Callable[[Array, Array], Array]) -> Array:
    """Of one environment, the few values that its halves, which overlap where n is odd, were combined to.

    Vectors all the way down: XLA reduces a row on CPU element by element, and one of more than 32 elements in several
    passes over memory.
    """
    while values.shape[0] > SHORT:
        half = (values.shape[0] + 1) // 2
        values = combine(values[:half], values[-half:])
    return values


def numbered(count: int, index: Array) -> Array:
    """0 ... count - 1 along an axis before those of `index`, int32 [count, *1]."""
    return jnp.arange(count, dtype=jnp.int32).reshape(count, *(1,) * index.ndim)


def at(values: Array, index: Array) -> Array:
    """`values[..., index]`, index int32 []; of [..., n, E] each environment's own, index int32 [E]."""
    if _few(values, index):
        here = numbered(values.shape[-2], index) == index
        if values.dtype == bool:
            return (values & here).any(axis=-2)
        return jnp.where(here, values, 0).sum(axis=-2, dtype=values.dtype)
    return values[..., *_slot(index)]


def put(values: Array, index: Array, new: Array) -> Array:
    """`values`, int32 of at least -1, with `new` at `[..., index]`, as `at` reads it; past the end nothing is written.

    A scatter changes one element in place; a `where` would copy them all.
    """
    if _few(values, index):
        # In place a `where` becomes a conditional store, which no vector makes: 7 times as long on CPU.
        here = numbered(values.shape[-2], index) == index
        new = jnp.expand_dims(new, -2)
        return jnp.minimum(jnp.maximum(values, jnp.where(here, new, -1)), jnp.where(here, new, NEVER))
    return values.at[..., *_slot(index)].set(new, mode="drop")


def put_fresh(values: Array, index: Array, new: Array) -> Array:
    """`put` into values that were just computed: all are written, which a GPU does once; a CPU scatters sooner."""
    return jax.lax.platform_dependent(values, index, new, cpu=put, default=put_by_look)


def put_by_look(values: Array, index: Array, new: Array) -> Array:
    """`put` by a look at every element."""
    here = numbered(values.shape[-1 - index.ndim], index) == index
    return jnp.where(here, jnp.expand_dims(new, new.ndim - index.ndim), values)


def put_each(values: Array, indices: Array, new: Array) -> Array:
    """`put` of several, indices int32 [k] or [k, E], in one scatter; where an index comes twice, so does its value."""
    if _few(values, indices[0]):
        for index, value in zip(indices, new, strict=True):
            values = put(values, index, value)
        return values
    slots = (indices,) if indices.ndim == 1 else (indices, jnp.arange(indices.shape[1], dtype=jnp.int32))
    return values.at[slots].set(new, mode="drop")


def row(values: Array, index: Array) -> Array:
    """`values[index]` of [n, m], index int32 []; of [n, m, E] with int32 [E]."""
    return values[index] if index.ndim == 0 else at(values.swapaxes(0, 1), index)


def each(values: Array, indices: Array) -> Array:
    """`values[indices]` of [n], indices int32 [...]; of [n, E] with int32 [..., E]."""
    if values.ndim == 1:
        return values[indices]
    if indices.ndim == 2 and _few(values, indices[0]):
        return jnp.stack([at(values, index) for index in indices])
    return jax.vmap(lambda v, i: v[i], -1, -1)(values, indices)


def _few(values: Array, index: Array) -> bool:
    return index.ndim == 1 and values.shape[-2] <= FEW


def _slot(index: Array) -> tuple[Array, ...]:
    return (index,) if index.ndim == 0 else (index, jnp.arange(index.size, dtype=jnp.int32))
