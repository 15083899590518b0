"""Whole episodes under a policy."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams, EnvState, JobShop, Observation
from jaxshop.policies.rules import RULES, highest_priority
from jaxshop.policies.types import Network

Act = Callable[[PRNGKey, Observation, EnvState, EnvParams], Array]
"""(key, observation, state, params) -> lot, int32 []; the key is consumed."""


TEMPERATURE = 0.5
"""Of drawn schedules; measured by benchmarks/temperature.py over policies and shops."""


def rule(number: int | Array) -> Act:
    """The dispatching rule of that number, in the order of `RULES`, as a policy; traced, so all share a compilation."""

    def act(key: PRNGKey, obs: Observation, state: EnvState, params: EnvParams) -> Array:
        return highest_priority(jax.lax.switch(number, list(RULES.values()), key, state, params), state.mask)

    return act


def linear(coefficients: Array) -> Act:
    """The candidate with the highest inner product of features and coefficients, float32 [F]."""

    def act(key: PRNGKey, obs: Observation, state: EnvState, params: EnvParams) -> Array:
        scores = jnp.where(obs.candidate_mask, obs.features @ coefficients, -jnp.inf)
        return obs.candidates[scores.argmax()]

    return act


def greedy(network: Network, weights: ArrayTree) -> Act:
    """The candidate with the highest logit, ties to the first."""
    return lambda key, obs, state, params: obs.candidates[network.apply(weights, obs).logits.argmax()]


def sampled(network: Network, weights: ArrayTree, temperature: float = TEMPERATURE) -> Act:
    """A candidate drawn from the policy's distribution."""

    def act(key: PRNGKey, obs: Observation, state: EnvState, params: EnvParams) -> Array:
        return obs.candidates[jax.random.categorical(key, network.apply(weights, obs).logits / temperature)]

    return act


def play(env: JobShop, params: EnvParams, act: Act, key: PRNGKey) -> EnvState:
    """The state after a whole episode; `key` is consumed."""

    def body(state: EnvState, step_key: PRNGKey) -> tuple[EnvState, None]:
        action = act(step_key, env.get_obs(state, params), state, params)
        state, *_ = env.advance(step_key, state, action, params)
        return state, None

    return jax.lax.scan(body, env.begin(key, params), jax.random.split(key, env.shape.operations))[0]
