"""The objective on the device: what a complete schedule costs, and how far a partial one is bound to go.

Reward, evaluation and search compare these costs and ask no makespan. `jaxshop.shop.objective` is the record and the
host's side, exact in integers; where lateness counts a cost is float32 here, and the host has the last word.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from chex import Array

from jaxshop.env.types import NEVER, EnvParams, EnvState, Lateness
from jaxshop.shop import LotPlan

USUAL = 1 / 16
"""The share of the bound that jobs are late in the mean, roughly: rewards are of the order of 1 for all weights."""


def lateness_of(plan: LotPlan, lots: int, bound: int) -> Lateness:
    """What a plan's objective asks of its jobs, as NumPy arrays [lots]; `bound` of the makespan, in ticks."""
    objective, jobs = plan.shop.objective, plan.shop.jobs
    due, weight = np.full(lots, NEVER, np.int32), np.zeros(lots, np.float32)
    due[: len(jobs)] = [NEVER if job.due is None else job.due for job in jobs]
    weight[: len(jobs)] = [0.0 if job.due is None else objective.tardiness * job.weight for job in jobs]
    scale = bound * (objective.makespan + USUAL * float(weight.sum()))
    return Lateness(due, weight, np.float32(objective.makespan), np.float32(max(scale, 1.0)))


def lower_estimate(state: EnvState, params: EnvParams) -> Array:
    """A cost in ticks, [], under which no schedule ends that goes on from here; it never falls.

    int32 where the makespan alone counts, else float32.
    """
    if params.lateness is None or state.jobs is None:
        return state.estimate
    late = jnp.maximum(state.jobs - params.lateness.due, 0).astype(jnp.float32)
    tardiness = (params.lateness.weight * late).sum(axis=0)
    return params.lateness.makespan * state.estimate.astype(jnp.float32) + tardiness


def cost(state: EnvState, params: EnvParams) -> Array:
    """The cost in ticks, [], of a complete schedule: by then the lower estimate is exact."""
    return lower_estimate(state, params)


def reward_scale(params: EnvParams) -> Array:
    """Ticks, float32 [], that count as 1 in a reward: the certified bound of the makespan, or what is usual."""
    return params.bound.astype(jnp.float32) if params.lateness is None else params.lateness.scale


def reward(before: EnvState, after: EnvState, params: EnvParams) -> Array:
    """The negative growth of the lower estimate over the scale, float32 []."""
    grown = lower_estimate(before, params) - lower_estimate(after, params)
    return grown.astype(jnp.float32) / reward_scale(params)
