"""A generation of the method `evolve`, as one program: keys bred, played in batched environments, and selected."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams, EnvState, JobShop, Observation
from jaxshop.policies.acting import Act, play, temperature_of
from jaxshop.policies.types import Network
from jaxshop.search.dispatches import Dispatch, dispatch_of

ON_CPU, ON_ACCELERATOR = 16, 1024
"""Children of a generation."""
ELITE = 4
"""One in so many is kept, and may be the parent of any."""
FRESH = 8
"""One in so many is a draw of its own, of no parents."""
BIAS = 0.7
"""Chance of a key to come from the better one of both parents."""
MUTATION = 0.02
"""Chance of a key to be drawn anew."""


class Elite(NamedTuple):
    """The best keys so far, best first."""

    keys: Array  # float32 [E, N]
    costs: Array  # float32 [E] infinite for none


def nobody(env: JobShop, population: int) -> Elite:
    """What the first generation comes from."""
    kept = population // ELITE
    return Elite(jnp.zeros((kept, env.shape.operations)), jnp.full(kept, jnp.inf))


def keyed(network: Network, weights: ArrayTree, keys: Array) -> Act:
    """The candidate with the highest sum of logit and its next operation's key, float32 [N], ties to the first."""

    def act(key: PRNGKey, obs: Observation, state: EnvState, params: EnvParams) -> Array:
        scores = network.apply(weights, obs).logits + keys[state.lots.op[obs.candidates]]
        return obs.candidates[scores.argmax()]

    return act


def breed(elite: Elite, population: int, key: PRNGKey) -> Array:
    """The keys of a generation, float32 [population, N]; `key` is consumed. Without an elite all are drawn.

    Gumbel's noise, so that a drawn set of keys decides as a sample of the policy does, at a temperature of its own.
    """
    kept, count = elite.keys.shape
    drawing, choosing, mixing, changing = jax.random.split(key, 4)
    numbers = jnp.arange(population, dtype=jnp.int32)
    fresh = temperature_of(numbers)[:, None] * jax.random.gumbel(drawing, (population, count))
    parents = jnp.sort(jax.random.randint(choosing, (population, 2), 0, kept), axis=1)
    from_better = jax.random.uniform(mixing, (population, count)) < BIAS
    child = jnp.where(from_better, elite.keys[parents[:, 0]], elite.keys[parents[:, 1]])
    child = jnp.where(jax.random.uniform(changing, (population, count)) < MUTATION, fresh, child)
    first = jnp.isinf(elite.costs[0])
    drawn = jnp.where((first | (numbers % FRESH == FRESH - 1))[:, None], fresh, child)
    return drawn.at[0].set(jnp.where(first, 0.0, drawn[0]))  # the first of all is greedy


def generation(
    env: JobShop, network: Network, population: int, weights: ArrayTree, params: EnvParams, elite: Elite, key: PRNGKey
) -> tuple[Elite, Dispatch]:
    """Breed, play and select; the next elite, and the best schedule of this generation. `key` is consumed."""
    keys = breed(elite, population, key)

    def schedule(own: Array) -> Dispatch:
        return dispatch_of(env, play(env, params, keyed(network, weights, own), key, params.operations), params)

    played = jax.vmap(schedule)(keys)
    costs = jnp.concatenate([elite.costs, played.cost.astype(jnp.float32)])
    order = jnp.argsort(costs)[: elite.costs.shape[0]]
    best = jax.tree.map(lambda x: x[played.cost.argmin()], played)
    return Elite(jnp.concatenate([elite.keys, keys])[order], costs[order]), best
