"""Legal actions from random words: integers alone, so that every device draws the same."""

from __future__ import annotations

import jax.numpy as jnp
from chex import Array

from jaxshop.env.backends import numbered


def mix(word: Array) -> Array:
    """A hash of uint32 words, by two multiplications."""
    hashed = word * jnp.uint32(0x9E3779B1)
    return (hashed ^ (hashed >> 15)) * jnp.uint32(0x85EBCA77)


def pick(word: Array, mask: Array) -> Array:
    """A legal action from one random word, uint32 []: each action's hash, and the largest of the legal, int32 [].

    Takes a mask bool [J], or [J, E] with words [E]. The cheapest sampler that we know, so that the sampler is not what
    is measured: `max` costs an eighth of `argmax` on CPU, which is why the index is in the low bits of the hash.
    """
    count = mask.shape[0]
    ranked = jnp.where(mask, rank(word, numbered(count, word), count), 0)
    return (ranked.max(axis=0) & jnp.uint32(_low(count))).astype(jnp.int32)


def rank(word: Array, index: Array, count: int) -> Array:
    """By what `pick` compares actions of so many, uint32; the low bits are the action itself, int32."""
    number = index.astype(jnp.uint32)
    return (mix(number + word) & jnp.uint32(~_low(count) & 0xFFFFFFFF)) | number


def _low(count: int) -> int:
    return (1 << (count - 1).bit_length()) - 1
