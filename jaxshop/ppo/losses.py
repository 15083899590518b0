"""The clipped surrogate objective, the critic's loss, and the entropy of masked choices."""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.policies.types import Output


class Batch(NamedTuple):
    """What the loss needs of B decisions besides the network's output."""

    action: Array  # int32 [B] index of the candidate
    log_prob: Array  # float32 [B] under the policy that acted
    advantage: Array  # float32 [B] normalised
    target: Array  # float32 [B] return for the critic
    weight: Array  # float32 [B] 0 where the episode was over


class LossMetrics(NamedTuple):
    """Means over the batch, float32 []."""

    policy_loss: Array
    value_loss: Array
    entropy: Array
    kl: Array
    clip_fraction: Array


def ppo_loss(
    output: Output, mask: Array, batch: Batch, clip: float, entropy: float, value: float
) -> tuple[Array, LossMetrics]:
    """PPO's loss (Schulman et al. 2017, eq. 7 and 9), to be minimised.

    Args:
        output: logits float32 [B, C] and values float32 [B] of the policy being trained.
        mask: bool [B, C], the mask that was stored when the decision was made.
        clip, entropy, value: the clipping range, and the weights of the entropy bonus and of the critic's loss.
    """
    chex.assert_rank([output.logits, mask, batch.action], [2, 2, 1])
    chex.assert_equal_shape([output.value, batch.log_prob, batch.advantage, batch.target, batch.weight])
    total = jnp.maximum(batch.weight.sum(), 1.0)

    def mean(x: Array) -> Array:
        return (x * batch.weight).sum() / total

    log_probs = jax.nn.log_softmax(output.logits)
    log_prob = jnp.take_along_axis(log_probs, batch.action[:, None], axis=1)[:, 0]
    change = log_prob - batch.log_prob
    ratio = jnp.exp(change)
    clipped = jnp.clip(ratio, 1.0 - clip, 1.0 + clip)
    policy_loss = -mean(jnp.minimum(ratio * batch.advantage, clipped * batch.advantage))
    value_loss = 0.5 * mean(jnp.square(output.value - batch.target))
    disorder = -mean((jnp.exp(log_probs) * jnp.where(mask, log_probs, 0.0)).sum(axis=1))
    metrics = LossMetrics(
        policy_loss,
        value_loss,
        disorder,
        kl=mean(ratio - 1.0 - change),
        clip_fraction=mean((jnp.abs(ratio - 1.0) > clip).astype(jnp.float32)),
    )
    return policy_loss + value * value_loss - entropy * disorder, metrics
