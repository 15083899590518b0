"""Generalised advantage estimation."""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp
from chex import Array


def generalised_advantages(
    rewards: Array,
    values: Array,
    next_values: Array,
    terminated: Array,
    truncated: Array,
    discount: float,
    trace: float,
) -> Array:
    """Advantages of Schulman et al. (2016, eq. 16), with time limits handled.

    A termination ends the return; a truncation ends the trace, but bootstraps from the value of the state it cut off.

    Args:
        rewards, values: float32 [T, ...].
        next_values: float32 [T, ...], the value of the state that each step led to, before any reset.
        terminated, truncated: bool [T, ...].
        discount, trace: gamma and lambda.

    Returns:
        float32 [T, ...]; add `values` for the critic's targets.
    """
    chex.assert_equal_shape([rewards, values, next_values, terminated, truncated])
    errors = rewards + discount * jnp.where(terminated, 0.0, next_values) - values
    carries = jnp.where(terminated | truncated, 0.0, discount * trace)

    def backward(advantage: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        error, carry = step
        advantage = error + carry * advantage
        return advantage, advantage

    return jax.lax.scan(backward, jnp.zeros_like(errors[0]), (errors, carries), reverse=True)[1]
