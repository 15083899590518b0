"""Which of the competing lots a policy is shown, in which order."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array

from jaxshop.env.types import EnvParams, EnvState

WORD = 32
"""Places in a word of a bitmap."""


def candidates(state: EnvState, params: EnvParams, count: int) -> tuple[Array, Array]:
    """Indices int32 [C] and mask bool [C] of the conflict set; padding has index 0.

    First the lots with most work left, the longest first, as many as half of C, rounded up; then the others, the
    shortest first. So where more than C lots compete, as before the first stage of a flow shop, both ends are shown,
    and those between are not. Of equally long lots the lowest is the longer one, wherever the padding is. A CPU selects
    the ends of a row; a GPU would sort all of it.
    """
    on_gpu = partial(ends_by_place, count=count)
    return jax.lax.platform_dependent(
        state, params, cuda=on_gpu, rocm=on_gpu, default=partial(ends_by_selection, count=count)
    )


def ends_by_selection(state: EnvState, params: EnvParams, count: int) -> tuple[Array, Array]:
    """`candidates` as `top_k` finds them."""
    del params
    longest, last = -(-count // 2), state.legal.shape[0] - 1
    key = jnp.where(state.legal, state.lots.tail.astype(jnp.float32) + 1.0, 0.0)
    _, first = jax.lax.top_k(key, longest)
    _, rest = jax.lax.top_k(jnp.where(state.legal, -key, -jnp.inf)[::-1], count - longest)  # of equal ones the highest
    mask = jnp.arange(count) < state.legal.sum()
    return jnp.where(mask, jnp.concatenate([first, last - rest]), 0), mask


def ends_by_place(state: EnvState, params: EnvParams, count: int) -> tuple[Array, Array]:
    """`candidates` without a sort: their order is known before anything is dispatched (`OperationParams.place`).

    Lots set bits at their places, and each candidate looks for its own among them. One reduction finds the word that
    holds it, the bits before that word, and the word, as each gather would be a kernel.
    """
    size = -(-params.ops.lot_at.shape[0] // WORD)
    place = params.ops.place[state.lots.op]
    slot = jnp.where(state.legal, jax.lax.div(place, WORD), size)  # of no negative numbers, which `//` looks for
    bit = jnp.uint32(1) << jax.lax.rem(place, WORD).astype(jnp.uint32)
    words = jnp.zeros(size, jnp.uint32).at[slot].add(bit, mode="drop")
    held = jax.lax.population_count(words).astype(jnp.int32)
    # Of the first 0, 1, ... words, in one kernel; a cumsum would be three.
    sums = jnp.where(np.tri(size + 1, size, -1, bool), held[None], 0).sum(axis=1, dtype=jnp.int32)
    ahead, upto, total = sums[:-1], sums[1:], sums[-1]

    number, longest = np.arange(count, dtype=np.int32), -(-count // 2)
    mask = number < total
    rank = jnp.where(number < longest, number, total - (number + 1 - longest))
    passed = upto[None] <= rank[:, None]
    here = ~passed & (ahead[None] <= rank[:, None])
    index = passed.sum(axis=1, dtype=jnp.int32)
    before = jnp.where(passed, upto[None], 0).max(axis=1)
    word = jnp.where(here, words[None], jnp.uint32(0)).sum(axis=1, dtype=jnp.uint32)
    found = jnp.where(mask, index * WORD + _nth_bit(word, rank - before), 0)
    return jnp.where(mask, params.ops.lot_at[found], 0), mask


def _nth_bit(words: Array, n: Array) -> Array:
    """Where the bit of each word, uint32, is that has `n` set ones below it, int32, by halves."""
    place, width = jnp.zeros_like(n), WORD // 2
    while width:
        low = jax.lax.population_count(words & jnp.uint32((1 << width) - 1)).astype(jnp.int32)
        above = n >= low
        n = jnp.where(above, n - low, n)
        place = jnp.where(above, place + width, place)
        words = jnp.where(above, words >> jnp.uint32(width), words)
        width //= 2
    return place
