"""Tiny environments of known answers, learned through the same `update` as a factory, so that a fault of PPO shows.

Each probe adds one thing that has to work: a constant value, a value that depends on the observation, discounting, a
choice, a choice that depends on the observation, credit for a choice that pays later.
"""

from __future__ import annotations

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxshop.config import PPOConfig, StageConfig
from jaxshop.env import Observation
from jaxshop.env.types import Shape
from jaxshop.policies.network import Network, evaluate, initial_weights
from jaxshop.ppo.update import Learner, make_optimiser, update

FEATURES, CONTEXT = 2, 2
NETWORK = Network(width=16, depth=2)
CONFIG = PPOConfig(learning_rate=1e-2, epochs=4, minibatches=4, discount=0.5, trace=0.9, entropy=0.0)
UPDATES, SAMPLES = 60, 64
OPTIMISER = make_optimiser(CONFIG, StageConfig(updates=UPDATES))


class Table(NamedTuple):
    """Two situations and two choices, for two steps at most; stands for EnvParams."""

    operations: jax.Array  # int32 [] steps of an episode
    bound: jax.Array  # int32 []
    reward: jax.Array  # float32 [step, situation, choice]
    remembers: jax.Array  # bool [] whether the first choice becomes the second situation


class Situation(NamedTuple):
    """Stands for EnvState."""

    step: jax.Array
    sign: jax.Array  # int32 [] 0 or 1
    estimate: jax.Array


class Probe:
    """Stands for JobShop: a coin decides the first situation."""

    shape = Shape(lots=2, operations=2, choices=1, sets=1, machines=1, pools=1, candidates=2)

    def reset_env(self, key, params):
        """Flip the coin."""
        state = Situation(jnp.int32(0), jax.random.bernoulli(key).astype(jnp.int32), jnp.int32(1))
        return see(state.step, state.sign), state

    def step_env(self, key, state, action, params):
        """Pay what the table says."""
        reward = params.reward[jnp.minimum(state.step, 1), state.sign, action]
        reward = jnp.where(state.step < params.operations, reward, 100.0)  # past the end nothing may count
        state = state._replace(step=state.step + 1, sign=jnp.where(params.remembers, action, state.sign))
        return see(state.step, state.sign), state, reward, state.step >= params.operations, {}


def see(step, sign) -> Observation:
    """The choice itself, the choice in the light of the situation, and the situation."""
    choice, side = jnp.array([-1.0, 1.0]), 2.0 * sign - 1.0
    lots, both = jnp.arange(2), jnp.ones(2, bool)
    context = jnp.stack([step.astype(jnp.float32), side])
    return Observation(both, lots, both, jnp.stack([choice, choice * side], axis=1), context)


@cache
def compiled():
    """One update, compiled once for every probe."""
    fixed = {"env": Probe(), "network": NETWORK, "optimiser": OPTIMISER, "config": CONFIG}
    return jax.jit(partial(update, **fixed, shops=1, samples=SAMPLES))


def learn(reward, steps: int = 1, remembers: bool = False):
    """Train from scratch; returns value [step, situation] and probability of choice 1 [step, situation]."""
    table = Table(np.int32(steps), np.int32(1), np.broadcast_to(np.float32(reward), (2, 2, 2)), np.bool_(remembers))
    bank = jax.tree.map(lambda x: x[None], table)
    weights = jax.jit(initial_weights, static_argnums=(0, 2, 3))(NETWORK, jax.random.key(1), FEATURES, CONTEXT)
    learner = Learner(weights, weights, OPTIMISER.init(weights), jax.random.key(0), jnp.int32(0))
    for _ in range(UPDATES):
        learner, metrics = compiled()(learner, bank)
        assert float(metrics.steps) == steps * SAMPLES
    steps_, signs = np.meshgrid([0, 1], [0, 1], indexing="ij")
    output = evaluate(NETWORK, learner.weights, jax.vmap(jax.vmap(see))(steps_, signs))
    return np.asarray(output.value), np.asarray(jax.nn.softmax(output.logits)[..., 1])


def test_a_constant_reward_is_valued():
    """Shows that the critic learns a constant, in both situations."""
    value, _ = learn(1.0)
    np.testing.assert_allclose(value[0], 1.0, atol=0.1)


def test_a_reward_that_depends_on_the_situation_is_valued():
    """Shows that the critic tells situations apart: +1 in one, -1 in the other."""
    value, _ = learn([[[-1.0, -1.0], [1.0, 1.0]]])
    np.testing.assert_allclose(value[0], [-1.0, 1.0], atol=0.1)


def test_a_delayed_reward_is_discounted():
    """Shows that a reward of 1 at the second step is worth 1 there and 0.5 one step earlier."""
    value, _ = learn([[[0.0]], [[1.0]]], steps=2)
    np.testing.assert_allclose(value, [[0.5, 0.5], [1.0, 1.0]], atol=0.1)


def test_the_better_choice_is_learned():
    """Shows that the actor learns to take the choice that pays."""
    _, chosen = learn([[[0.0, 1.0]]])
    assert (chosen[0] > 0.95).all()


def test_the_better_choice_depends_on_the_situation():
    """Shows that the actor learns to take the choice that fits the situation."""
    _, chosen = learn([[[1.0, 0.0], [0.0, 1.0]]])
    assert chosen[0, 0] < 0.05
    assert chosen[0, 1] > 0.95


def test_credit_goes_to_the_choice_that_pays_later():
    """Shows that a first choice is learned whose reward comes a step later, whatever is chosen then."""
    _, chosen = learn([[[0.0], [0.0]], [[-1.0], [1.0]]], steps=2, remembers=True)
    assert (chosen[0] > 0.95).all()
