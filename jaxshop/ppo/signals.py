"""What tells good decisions from bad ones: the advantages that a policy learns from, and the critic's targets."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.ppo.config import PPOConfig
from jaxshop.ppo.gae import generalised_advantages
from jaxshop.ppo.rollout import Transitions


def advantages(transitions: Transitions, config: PPOConfig) -> tuple[Array, Array]:
    """Advantages by `config.signal`, and the critic's targets, both float32 [T, S, R].

    critic: generalised advantages. Samples of one shop are at the same step together, so the mean over them is
        subtracted as a second baseline. The scale is a shop's own: of a batch's, shops whose makespans vary most would
        have most of the gradient.
    returns: the same without the critic: what is left of the episode's reward against the mean of the shop's samples
        (the shared baseline of Kwon et al. 2020).
    best: every decision of the shop's best sample is right, of the others nothing is known (self-labelling, Corsini et
        al. 2024); of equal ones the first.
    """
    alive, weight = transitions.alive, transitions.alive.astype(jnp.float32)
    value = jnp.where(alive, transitions.value, 0.0)
    raw = _generalised(transitions, value, config)
    targets = raw + value
    if config.signal == "best":
        return _of_the_best(transitions, weight), targets
    if config.signal == "returns":
        raw = _generalised(transitions, jnp.zeros_like(value), config)
    centred = raw - raw.mean(axis=2, keepdims=True)
    decisions = jnp.maximum(weight.sum(axis=(0, 2), keepdims=True), 1.0)
    scale = jnp.sqrt((jnp.square(centred) * weight).sum(axis=(0, 2), keepdims=True) / decisions)
    return centred / (scale + 1e-8), targets


def _generalised(transitions: Transitions, value: Array, config: PPOConfig) -> Array:
    alive = transitions.alive
    following = jnp.concatenate([value[1:], jnp.zeros_like(value[:1])])
    ended = jnp.concatenate([~alive[1:], jnp.ones_like(alive[:1])])
    never = jnp.zeros_like(ended)
    return generalised_advantages(transitions.reward, value, following, ended, never, config.discount, config.trace)


def _of_the_best(transitions: Transitions, weight: Array) -> Array:
    """R in each decision of the best of R samples and 0 elsewhere: the mean over all is that over the best's."""
    samples = transitions.reward.shape[2]
    best = (transitions.reward * weight).sum(axis=0).argmax(axis=1)
    return samples * jax.nn.one_hot(best, samples)[None] * weight
