"""Whole episodes under a policy."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams, EnvState, JobShop, Observation, Shape
from jaxshop.env.features import columns_of
from jaxshop.policies.rules import RULES, highest_priority
from jaxshop.policies.types import Network

Act = Callable[[PRNGKey, Observation, EnvState, EnvParams], Array]
"""(key, observation, state, params) -> lot, int32 []; the key is consumed."""


TEMPERATURES = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Of drawn schedules, in turn; measured by benchmarks/sampling.py on shops of each family."""


def temperature_of(number: Array) -> Array:
    """The temperature of the sample of that number, float32 []."""
    return jnp.asarray(TEMPERATURES)[number % len(TEMPERATURES)]


def rule(number: int | Array) -> Act:
    """The dispatching rule of that number, in the order of `RULES`, as a policy; traced, so all share a compilation."""

    def act(key: PRNGKey, obs: Observation, state: EnvState, params: EnvParams) -> Array:
        return highest_priority(jax.lax.switch(number, list(RULES.values()), key, state, params), state.mask)

    return act


def linear(coefficients: Array) -> Act:
    """The candidate with the highest inner product of coefficients, float32 [`columns_of`], and all of its columns."""

    def act(key: PRNGKey, obs: Observation, state: EnvState, params: EnvParams) -> Array:
        seen = obs.features if obs.plant is None else jnp.concatenate([obs.features, obs.plant], axis=1)
        scores = jnp.where(obs.candidate_mask, seen @ coefficients, -jnp.inf)
        return obs.candidates[scores.argmax()]

    return act


def any_linear(shape: Shape) -> tuple[Array, Array]:
    """Mean and spread of coefficients of which nothing is known, float32 [`columns_of`] each."""
    return jnp.zeros(columns_of(shape)), jnp.ones(columns_of(shape))


def greedy(network: Network, weights: ArrayTree) -> Act:
    """The candidate with the highest logit, ties to the first."""
    return lambda key, obs, state, params: obs.candidates[network.apply(weights, obs).logits.argmax()]


def sampled(network: Network, weights: ArrayTree, temperature: float | Array) -> Act:
    """A candidate drawn from the policy's distribution."""

    def act(key: PRNGKey, obs: Observation, state: EnvState, params: EnvParams) -> Array:
        return obs.candidates[jax.random.categorical(key, network.apply(weights, obs).logits / temperature)]

    return act


def play(env: JobShop, params: EnvParams, act: Act, key: PRNGKey, steps: int | Array | None = None) -> EnvState:
    """The state after a whole episode; `key` is consumed.

    `steps`, the shop's `operations`, spares padded ones; None plays as many as the shape has. Of shops side by side,
    with other numbers of operations, a traced one makes each step look at which of them go on: leave it out there.
    """

    def body(step: Array, state: EnvState) -> EnvState:
        step_key = jax.random.fold_in(key, step)  # of a step alone: however much padding there is, it draws the same
        action = act(step_key, env.get_obs(state, params), state, params)
        return env.advance(step_key, state, action, params)[0]

    return jax.lax.fori_loop(0, env.shape.operations if steps is None else steps, body, env.begin(key, params))


def play_on(
    env: JobShop, params: EnvParams, act: Act, key: PRNGKey, choices: Array, depth: Array
) -> tuple[EnvState, Array]:
    """As `play`, but the first `depth` actions, int32 [], are those of `choices`, int32 [N].

    Returns:
        The last state, and the choices of the whole episode.
    """

    def again(step: Array, state: EnvState) -> EnvState:
        return env.advance(key, state, choices[step], params)[0]

    def body(step: Array, carry: tuple[EnvState, Array]) -> tuple[EnvState, Array]:
        state, made = carry
        step_key = jax.random.fold_in(key, step)
        action = act(step_key, env.get_obs(state, params), state, params)
        return env.advance(step_key, state, action, params)[0], made.at[step].set(action)

    begun = jax.lax.fori_loop(0, depth, again, env.begin(key, params))
    return jax.lax.fori_loop(depth, params.operations, body, (begun, choices))
