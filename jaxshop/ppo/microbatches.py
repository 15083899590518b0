"""Sums over the rows of a minibatch, a microbatch at a time, each as wide as its rows need.

What a layer gives for a whole minibatch is larger than a CPU's caches, and most of it belongs to padding. Sorted by
their width, the rows of a microbatch need much the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from chex import Array

Tree = TypeVar("Tree")


class Microbatches(NamedTuple):
    """K times P rows of a minibatch, narrow ones first."""

    rows: Any  # int32 [K, P] places in the experience, or a tree of what stands there, [K, P, ...]
    real: Array  # bool [K, P] False for rows that only fill up
    rung: Array  # int32 [K] index into `ladder` of the width that holds all rows of a microbatch


def needed_width(mask: Array) -> Array:
    """The number of columns up to the last candidate, int32 [...], of a mask bool [..., C]."""
    return jnp.where(mask, jnp.arange(1, mask.shape[-1] + 1, dtype=jnp.int32), 0).max(axis=-1)


def ladder(columns: int, microbatch: int | None) -> tuple[int, ...]:
    """The widths that are compiled: a quarter, half and all of the columns; only all where minibatches stay whole."""
    return (columns,) if microbatch is None else tuple(sorted({-(-columns // share) for share in (1, 2, 4)}))


def cut(rows: Array, real: Array, needed: Array, widths: tuple[int, ...], microbatch: int | None) -> Microbatches:
    """Cut a minibatch, int32 [R], whose rows need so many columns, int32 [R], into parts of one size.

    A part has at most `microbatch` rows, or all (None). Rows that are not `real`, bool [R], stay so.
    """
    count = -(-rows.size // min(microbatch or rows.size, rows.size))
    size = -(-rows.size // count)
    place = jnp.arange(count * size)
    fits = place < rows.size
    place = jnp.where(fits, place, 0)  # the first row fills up: a row must fit its width, even where it weighs nothing
    if count > 1:
        order = jnp.argsort(needed[place])
        place, fits = place[order], fits[order]
    place, fits = place.reshape(count, size), fits.reshape(count, size)
    widest = needed[place].max(axis=1)
    rung = (widest[:, None] > jnp.array(widths[:-1], jnp.int32)[None]).sum(axis=1, dtype=jnp.int32)
    return Microbatches(rows[place], fits & real[place], rung)


def accumulate(
    function: Callable[[int, Any, Array], Tree], microbatches: Microbatches, widths: tuple[int, ...]
) -> Tree:
    """The sum over all microbatches of `function(columns, rows, real)`, a tree of arrays."""
    branches = [lambda rows, real, columns=columns: function(columns, rows, real) for columns in widths]

    def add(total: Tree, microbatch: Microbatches) -> tuple[Tree, None]:
        part = jax.lax.switch(microbatch.rung, branches, microbatch.rows, microbatch.real)
        return jax.tree.map(jnp.add, total, part), None

    one = jax.tree.map(lambda x: x[0], microbatches)
    shapes = jax.eval_shape(branches[0], one.rows, one.real)
    return jax.lax.scan(add, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes), microbatches)[0]
