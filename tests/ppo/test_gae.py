"""Generalised advantages against tables worked out by hand."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from jaxshop.ppo import gae, signals
from jaxshop.ppo.config import PPOConfig
from jaxshop.ppo.rollout import Transitions

generalised_advantages = jax.jit(gae.generalised_advantages)
advantages = jax.jit(signals.advantages, static_argnums=1)


def column(*values):
    """One sequence as an array [T, 1]."""
    return np.array(values, np.float32 if isinstance(values[0], float) else bool)[:, None]


def hand_case(terminated, truncated):
    """Every reward 1; values 5, 6, 2, 3; the second step leads to a state of value 7, the last to one of value 4."""
    values, next_values = column(5.0, 6.0, 2.0, 3.0), column(6.0, 7.0, 3.0, 4.0)
    flags = column(*terminated), column(*truncated)
    return generalised_advantages(np.ones((4, 1), np.float32), values, next_values, *flags, 0.9, 0.95)[:, 0]


# With gamma 0.9 and gamma * lambda 0.855, the errors r + gamma V' - V are
#   1 + 5.4 - 5 = 1.4,   1 + 6.3 - 6 = 1.3,   1 + 2.7 - 2 = 1.7,   1 + 3.6 - 3 = 1.6;
# so the last two advantages are 1.7 + 0.855 * 1.6 = 3.068 and 1.6, whatever ended before them.
NEVER, SECOND = (False,) * 4, (False, True, False, False)


def test_a_truncation_bootstraps_but_ends_the_trace():
    """Shows 1.3 at the truncated step, not 1 - 6 = -5 as for a termination, and nothing from the episode after it."""
    np.testing.assert_allclose(hand_case(NEVER, SECOND), [1.4 + 0.855 * 1.3, 1.3, 3.068, 1.6], rtol=1e-6)


def test_a_termination_ends_the_return():
    """Shows that the value behind a termination does not count: 1 - 6 = -5 there, 1.4 + 0.855 * -5 = -2.875 before."""
    np.testing.assert_allclose(hand_case(SECOND, NEVER), [-2.875, -5.0, 3.068, 1.6], rtol=1e-6)


def test_an_episode_that_goes_on_passes_its_trace_back():
    """Shows the plain recursion: 1.3 + 0.855 * 3.068 = 3.92314, and 1.4 + 0.855 * 3.92314 = 4.7542847."""
    np.testing.assert_allclose(hand_case(NEVER, NEVER), [4.7542847, 3.92314, 3.068, 1.6], rtol=1e-6)


def test_lambda_one_gives_returns_and_lambda_zero_gives_errors():
    """Shows both ends of the trace on random numbers: return-to-go minus value, and the one-step error."""
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(2, 6, 3)).astype(np.float32)
    following = np.concatenate([values[1:], np.zeros((1, 3), np.float32)])
    ended, never = np.zeros((6, 3), bool), np.zeros((6, 3), bool)
    ended[-1] = True
    returns = np.cumsum(rewards[::-1], axis=0)[::-1]
    full = generalised_advantages(rewards, values, following, ended, never, 1.0, 1.0)
    np.testing.assert_allclose(full, returns - values, rtol=1e-5, atol=1e-5)
    short = generalised_advantages(rewards, values, following, ended, never, 1.0, 0.0)
    np.testing.assert_allclose(short, rewards + following - values, rtol=1e-5, atol=1e-5)


def test_shapes_must_agree():
    """Shows that a shape that would broadcast silently is refused."""
    with pytest.raises(AssertionError):
        generalised_advantages(np.ones((4, 1)), np.ones((4, 2)), *[np.zeros((4, 2), bool)] * 3, 0.9, 0.9)


def test_advantages_of_a_batch_of_unequal_episodes():
    """Shows centring over the samples of a shop, a scale of its own, and that neither sees what comes after an end."""
    rng = np.random.default_rng(1)
    lengths, shape = (5, 3), (5, 2, 4)  # T, shops, samples
    reward, value = rng.normal(size=(2, *shape)).astype(np.float32)
    alive = np.broadcast_to(np.arange(5)[:, None, None] < np.array(lengths)[None, :, None], shape)
    reward = np.where(alive, reward, 0.0)
    seen = (None, None, None)
    transitions = Transitions(seen, None, None, value, reward, alive)
    found, target = advantages(transitions, PPOConfig(discount=0.9, trace=0.8))

    raw = np.zeros(shape)
    for s, length in enumerate(lengths):
        for r in range(4):
            ahead = 0.0
            for t in reversed(range(length)):
                behind = value[t + 1, s, r] if t + 1 < length else 0.0
                ahead = reward[t, s, r] + 0.9 * behind - value[t, s, r] + 0.9 * 0.8 * ahead
                raw[t, s, r] = ahead
    centred = raw - raw.mean(axis=2, keepdims=True)
    for s in range(2):
        own = centred[:, s] / centred[:, s][alive[:, s]].std()
        np.testing.assert_allclose(found[:, s], own, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.asarray(target)[alive], (raw + value)[alive], rtol=1e-4, atol=1e-5)


def test_signals_without_the_critic():
    """Shows returns against their mean over samples, and that the best sample's decisions alone are right."""
    reward = np.zeros((3, 1, 3), np.float32)
    reward[:, 0] = [[-1, 0, -1], [0, 0, -3], [-1, -1, 0]]
    alive = np.ones((3, 1, 3), bool)
    alive[2, 0, 2] = False
    value = np.full_like(reward, 7.0)
    transitions = Transitions((None, None, None), None, None, value, reward, alive)
    returns, _ = advantages(transitions, PPOConfig(signal="returns"))
    left = np.array([[-2, -1, -4], [-1, -1, -3], [-1, -1, 0]], np.float32)
    centred = left - left.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(
        returns[:, 0], centred / np.sqrt(np.square(centred[alive[:, 0]]).mean()), rtol=1e-4, atol=1e-5
    )
    best, targets = advantages(transitions, PPOConfig(signal="best"))
    np.testing.assert_array_equal(best[:, 0], [[0, 3, 0]] * 3)
    np.testing.assert_allclose(np.asarray(targets)[alive], left[:, None][alive], atol=1e-5)
