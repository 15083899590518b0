"""Tiny environments of known answers, learned through the same `update` as a factory, so that a fault of PPO shows.

Each probe adds one thing that has to work: a constant value, a value that depends on the observation, discounting, a
choice, a choice that depends on the observation, credit for a choice that pays later. Then what an update keeps and
reports besides: averaged weights, explained variance, the optimiser's rate.
"""

from __future__ import annotations

from functools import cache, partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxshop.env import Observation
from jaxshop.env.types import Shape
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.ppo.config import PPOConfig, StageConfig
from jaxshop.ppo.setup import Setup, make_optimiser
from jaxshop.ppo.update import begin, update

NETWORK = make_network(NetworkConfig(width=16, depth=2))
CONFIG = PPOConfig(learning_rate=1e-2, epochs=4, minibatches=4, discount=0.5, trace=0.9, entropy=0.0)
UPDATES, SAMPLES = 60, 64
STAGE = StageConfig(updates=UPDATES, shops=1, samples=SAMPLES)


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

    def begin(self, key, params):
        """Flip the coin."""
        return Situation(jnp.int32(0), jax.random.bernoulli(key).astype(jnp.int32), jnp.int32(1))

    def get_obs(self, state, params):
        """The step and the coin."""
        return see(state.step, state.sign)

    def advance(self, key, state, action, params):
        """Pay what the table says."""
        reward = params.reward[jnp.minimum(state.step, 1), state.sign, action]
        reward = jnp.where(state.step < params.operations, reward, 100.0)  # past the end nothing may count
        state = state._replace(step=state.step + 1, sign=jnp.where(params.remembers, action, state.sign))
        return state, reward, state.step >= params.operations, {}


def see(step, sign) -> Observation:
    """The choice itself, the choice in the light of the situation, and the situation."""
    choice, side = jnp.array([-1.0, 1.0]), 2.0 * sign.astype(jnp.float32) - 1.0
    lots, both = jnp.arange(2), jnp.ones(2, bool)
    context = jnp.stack([step.astype(jnp.float32), side])
    return Observation(both, lots, both, jnp.stack([choice, choice * side], axis=1), context)


@cache
def compiled():
    """One update, compiled once for every probe."""
    return jax.jit(partial(update, Setup(Probe(), NETWORK, CONFIG, STAGE)))


def started(reward, steps: int = 1, remembers: bool = False):
    """A learner with random weights, and a bank of the one probe."""
    table = Table(np.int32(steps), np.int32(1), np.broadcast_to(np.float32(reward), (2, 2, 2)), np.bool_(remembers))
    return untaught(jax.random.key(1), jax.random.key(0)), jax.tree.map(lambda x: x[None], table)


@jax.jit
def untaught(of_weights, key):
    """A learner with random weights."""
    weights = NETWORK.initialise(of_weights, see(jnp.int32(0), jnp.int32(0)))
    return begin(weights, make_optimiser(CONFIG, STAGE), key)


@jax.jit
def told(weights):
    """Value and probability of choice 1 by step and situation."""
    output = NETWORK.apply(weights, jax.vmap(jax.vmap(see))(*np.meshgrid([0, 1], [0, 1], indexing="ij")))
    return output.value, jax.nn.softmax(output.logits)[..., 1]


def learn(reward, steps: int = 1, remembers: bool = False):
    """Train from scratch; returns value [step, situation] and probability of choice 1 [step, situation]."""
    learner, bank = started(reward, steps, remembers)
    for _ in range(UPDATES):
        learner, metrics = compiled()(learner, bank)
        assert float(metrics.steps) == steps * SAMPLES
    return jax.device_get(told(learner.weights))


def test_a_constant_reward_is_valued():
    """Shows that the critic learns a constant, in both situations, and nothing of the 100 paid after the end."""
    value, _ = learn(1.0)
    np.testing.assert_allclose(value[0], 1.0, atol=0.1)
    assert np.abs(value[1]).max() < 3


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


def test_every_update_draws_anew():
    """Shows that an update's number, and nothing else, decides what the same learner experiences in it."""
    learner, bank = started([[[2.0, 2.0], [4.0, 4.0]]])
    seen = [compiled()(learner._replace(update=jnp.int32(i)), bank)[1].explained_variance for i in (7, 7, 8)]
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


@pytest.mark.parametrize(("update", "decay"), [(0, 0.1), (1000, CONFIG.averaging)])
def test_the_averaged_weights_follow_the_weights(update: int, decay: float):
    """Shows the moving average: what it keeps of itself, little at first and `averaging` later, the rest is new."""
    learner, bank = started(1.0)
    old = jax.tree.map(lambda x: x + 1.0, learner.averaged)
    after, _ = compiled()(learner._replace(averaged=old, update=jnp.int32(update)), bank)
    expected = jax.tree.map(lambda a, w: decay * a + (1 - decay) * w, old, after.weights)
    chex.assert_trees_all_close(after.averaged, expected, atol=1e-6)


def test_explained_variance_tells_a_good_critic_from_none():
    """Shows 1 - 10 / 1 for a critic that says 0 where returns are 2 or 4, and nearly 1 once it has learned them."""
    learner, bank = started([[[2.0, 2.0], [4.0, 4.0]]])
    found = []
    for _ in range(UPDATES):
        learner, metrics = compiled()(learner, bank)
        found.append(float(metrics.explained_variance))
    assert -11 < found[0] < -7
    assert 0.9 < found[-1] <= 1


def test_the_rate_falls_over_the_stage_and_gradients_are_clipped():
    """Shows Adam's steps under a constant gradient, which are the rate: from that of the stage down to a tenth of it.

    Adam's first moment after one step is a tenth of the gradient, so its norm tells what the gradient was clipped to.
    """
    config = PPOConfig(final_rate=0.1, epochs=2, minibatches=5, max_grad_norm=0.5)
    optimiser = make_optimiser(config, StageConfig(updates=4, learning_rate=0.02))
    weights, gradient = jnp.zeros(2), jnp.array([30.0, 40.0])
    state = optimiser.init(weights)
    rates = []
    for _ in range(4 * 2 * 5 + 1):
        steps, state = optimiser.update(gradient, state, weights)
        rates.append(-np.asarray(steps))
        if len(rates) == 1:
            np.testing.assert_allclose(optax.tree.get(state, "mu"), 0.1 * np.array([0.3, 0.4]), rtol=1e-5)
    expected = np.linspace(0.02, 0.002, len(rates))
    np.testing.assert_allclose(rates, np.stack([expected, expected], axis=1), rtol=1e-3)
