"""The objective on the device: what a complete schedule costs, and how far a partial one is bound to go.

Reward, evaluation and search compare these costs and ask no makespan. `jaxshop.shop.objective` is the record and the
host's side. Total tardiness will read `params.lots` here (due, weight, job): a lot is done at `lots.ready + lots.tail`
at the earliest, and its job with the last of its lots.
"""

from __future__ import annotations

import jax.numpy as jnp
from chex import Array

from jaxshop.env.types import EnvParams, EnvState
from jaxshop.shop import Objective


def lower_estimate(objective: Objective, state: EnvState, params: EnvParams) -> Array:
    """A cost in ticks, int32 [], under which no schedule ends that goes on from here; it never falls."""
    del objective, params  # the makespan alone, which `Objective` sees to
    return state.estimate


def cost(objective: Objective, state: EnvState, params: EnvParams) -> Array:
    """The cost in ticks, int32 [], of a complete schedule: by then the lower estimate is exact."""
    return lower_estimate(objective, state, params)


def reward_scale(objective: Objective, params: EnvParams) -> Array:
    """Ticks, float32 [], that count as 1 in a reward: the certified bound of the cost."""
    del objective
    return params.bound.astype(jnp.float32)


def reward(objective: Objective, before: EnvState, after: EnvState, params: EnvParams) -> Array:
    """The negative growth of the lower estimate, in bounds, float32 []."""
    grown = lower_estimate(objective, before, params) - lower_estimate(objective, after, params)
    return grown.astype(jnp.float32) / reward_scale(objective, params)
