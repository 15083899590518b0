"""Experience: what is stored about each decision is what the policy did there."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest

from jaxshop.env import make
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.ppo.config import PPOConfig, StageConfig
from jaxshop.ppo.rollout import collect
from jaxshop.ppo.setup import Setup
from tests.shops import random_shop

NETWORK = make_network(NetworkConfig(width=8, depth=2))
SAMPLES = 16


@pytest.fixture(scope="module")
def shops():
    """Three shops of different lengths, stacked."""
    return make([random_shop(seed, jobs=2 + seed, machines=3) for seed in range(3)])


@pytest.fixture(scope="module")
def weights():
    """Random weights, scaled up so that choices are not all alike."""
    drawn = jax.jit(NETWORK.initialise)(jax.random.key(0))
    return jax.tree.map(lambda x: 3 * np.asarray(x), drawn)


@pytest.fixture(scope="module")
def roll(shops, weights):
    """16 episodes on each shop for a key, compiled once."""
    env, params = shops
    run = jax.jit(partial(collect, Setup(env, NETWORK, PPOConfig(), StageConfig(samples=SAMPLES))))
    return lambda seed: run(weights, params, jax.random.key(seed))


@pytest.fixture(scope="module")
def played(shops, weights, roll):
    """(params, weights, transitions, makespans)."""
    return shops[1], weights, *roll(1)


def test_stored_probabilities_and_values_are_the_policys(played):
    """Shows that the network, applied again to what was stored, gives the same log-probabilities and values."""
    _, weights, transitions, _ = played
    output = jax.jit(NETWORK.apply)(weights, NETWORK.restored(transitions.seen))
    log_probs = np.asarray(output.logits) - np.asarray(jax.nn.logsumexp(output.logits, axis=-1, keepdims=True))
    chosen = np.take_along_axis(log_probs, np.asarray(transitions.action)[..., None], axis=-1)[..., 0]
    alive = np.asarray(transitions.alive)
    np.testing.assert_allclose(transitions.log_prob[alive], chosen[alive], atol=1e-5)
    np.testing.assert_allclose(transitions.value, output.value, atol=1e-5)
    assert np.ptp(chosen[alive]) > 0.1


def test_only_legal_candidates_are_chosen(played):
    """Shows that every action of a living episode is a candidate."""
    _, _, transitions, _ = played
    legal = np.take_along_axis(
        np.asarray(transitions.seen.candidate_mask), np.asarray(transitions.action)[..., None], axis=-1
    )[..., 0]
    assert legal[np.asarray(transitions.alive)].all()


def test_episodes_live_as_long_as_their_shop_has_operations(played):
    """Shows that shorter shops of a batch go quiet: alive for their operations, then no reward."""
    params, _, transitions, _ = played
    alive = np.asarray(transitions.alive)
    assert len(set(params.operations.tolist())) > 1
    np.testing.assert_array_equal(alive.sum(axis=0), np.repeat(params.operations[:, None], SAMPLES, axis=1))
    assert (np.diff(alive.astype(int), axis=0) <= 0).all()
    assert not np.asarray(transitions.reward)[~alive].any()


def test_rewards_add_up_to_the_makespan(played):
    """Shows that episodes of one shop with the same return have the same makespan, and that samples differ."""
    params, _, transitions, makespans = played
    total = np.asarray(transitions.reward).sum(axis=0) * np.asarray(params.bound)[:, None]
    first = np.asarray(makespans) + total  # the estimate of the empty schedule
    np.testing.assert_allclose(first, np.repeat(first[:, :1], SAMPLES, axis=1), atol=1e-3)
    assert (np.asarray(makespans).std(axis=1) > 0).any()


def test_actions_follow_the_policys_probabilities(weights, roll):
    """Shows on 1,920 first decisions of a shop that choices come as often as the policy says."""
    rolls = [roll(seed)[0] for seed in range(120)]
    seen = jax.tree.map(lambda x: x[0, 2, 0], rolls[0].seen)
    expected = np.asarray(jax.nn.softmax(NETWORK.apply(weights, NETWORK.restored(seen)).logits))
    actions = np.concatenate([np.asarray(transitions.action)[0, 2] for transitions in rolls])
    found = np.bincount(actions, minlength=len(expected)) / len(actions)
    assert (expected > 0.05).sum() > 1
    np.testing.assert_allclose(found, expected, atol=0.05)
