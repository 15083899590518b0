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
    low = (1 << (count - 1).bit_length()) - 1
    index = numbered(count, word).astype(jnp.uint32)
    ranked = jnp.where(mask, (mix(index + word) & jnp.uint32(~low & 0xFFFFFFFF)) | index, 0)
    return (ranked.max(axis=0) & jnp.uint32(low)).astype(jnp.int32)
