"""The PPO loss against a plain version: one decision at a time, float64, only the legal candidates."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.policies.types import Output
from jaxshop.ppo.losses import Batch, ppo_loss

CLIP, ENTROPY, VALUE = 0.2, 0.03, 0.5


def plain_loss(logits, value, mask, batch):
    """Schulman et al. (2017), written down decision by decision; returns the loss and the five metrics."""
    policy = critic = disorder = kl = clipped = 0.0
    for i in np.flatnonzero(batch.weight):
        legal = np.flatnonzero(mask[i])
        z = logits[i, legal] - logits[i, legal].max()
        p = np.exp(z) / np.exp(z).sum()
        new = np.log(p[list(legal).index(batch.action[i])])
        ratio = np.exp(new - batch.log_prob[i])
        bounded = min(max(ratio, 1 - CLIP), 1 + CLIP)
        policy -= min(ratio * batch.advantage[i], bounded * batch.advantage[i])
        critic += 0.5 * (value[i] - batch.target[i]) ** 2
        disorder -= (p * np.log(p)).sum()
        kl += ratio - 1 - np.log(ratio)
        clipped += abs(ratio - 1) > CLIP
    policy, critic, disorder, kl, clipped = np.array([policy, critic, disorder, kl, clipped]) / batch.weight.sum()
    return policy + VALUE * critic - ENTROPY * disorder, (policy, critic, disorder, kl, clipped)


@pytest.fixture
def decisions():
    """40 decisions of 1 to 6 candidates, a fifth of them without weight, under an old policy close to the new one."""
    rng = np.random.default_rng(2)
    mask = rng.random((40, 6)) < 0.5
    mask[np.arange(40), rng.integers(0, 6, 40)] = True
    mask[:8] = np.eye(6, dtype=bool)[rng.integers(0, 6, 8)]  # a single candidate
    logits = np.where(mask, rng.normal(size=(40, 6)), -1e9).astype(np.float32)
    old = np.where(mask, logits + 0.3 * rng.normal(size=(40, 6)), -np.inf)
    old -= np.log(np.exp(old).sum(axis=1, keepdims=True))
    action = np.array([rng.choice(np.flatnonzero(row)) for row in mask], np.int32)
    advantage, target, value = rng.normal(size=(3, 40)).astype(np.float32)
    weight = (np.arange(40) % 5 > 0).astype(np.float32)
    batch = Batch(action, old[np.arange(40), action].astype(np.float32), advantage, target, weight)
    return logits, value, mask, batch


@jax.jit
def loss_of(logits, value, mask, batch):
    """The loss as a function of what the network puts out."""
    return ppo_loss(Output(jnp.asarray(logits), jnp.asarray(value)), mask, batch, CLIP, ENTROPY, VALUE)


@jax.jit
def gradients(logits, value, mask, batch):
    """Of the loss, by logits and values."""
    return jax.grad(lambda *x: loss_of(*x, mask, batch)[0], argnums=(0, 1))(logits, value)


def test_loss_and_metrics_equal_the_plain_version(decisions):
    """Shows policy loss, critic's loss, masked entropy, KL estimate and clip fraction, and how they are weighed."""
    loss, metrics = loss_of(*decisions)
    expected, parts = plain_loss(*decisions)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(metrics, parts, rtol=1e-5)
    assert 0 < metrics.clip_fraction < 1, "the case must hold clipped and unclipped decisions"


def test_gradients_equal_finite_differences(decisions):
    """Shows that what autodiff follows is the gradient of the plain version, in logits and values."""
    logits, value, mask, batch = decisions
    by_logits, by_value = gradients(*decisions)
    step = 1e-5
    for i, c in np.argwhere(mask):
        ends = []
        for sign in (1, -1):
            moved = logits.astype(np.float64)
            moved[i, c] += sign * step
            ends.append(plain_loss(moved, value, mask, batch)[0])
        np.testing.assert_allclose(by_logits[i, c], (ends[0] - ends[1]) / (2 * step), atol=1e-5)
    np.testing.assert_allclose(by_value, VALUE * batch.weight * (value - batch.target) / 32, rtol=1e-4, atol=1e-7)


def test_masked_candidates_and_finished_episodes_have_no_gradient(decisions):
    """Shows exact zeros where nothing may be learned, and no NaN anywhere, single candidates included."""
    *_, mask, batch = decisions
    by_logits, by_value = gradients(*decisions)
    assert np.isfinite(by_logits).all()
    assert np.isfinite(by_value).all()
    assert not np.asarray(by_logits)[~mask].any()
    assert not np.asarray(by_logits)[batch.weight == 0].any()
    np.testing.assert_allclose(np.asarray(by_logits)[:8], 0.0, atol=1e-7)  # a forced choice teaches the actor nothing


def test_a_clipped_decision_stops_pushing():
    """Shows that beyond the clip nothing pushes further along the advantage, but still against it."""
    mask, logits = np.ones((1, 2), bool), np.array([[1.0, 0.0]], np.float32)
    of_policy = jax.jit(jax.grad(lambda x, *rest: ppo_loss(Output(x, jnp.zeros(1)), *rest, CLIP, 0.0, 0.0)[0]))
    for advantage, zero in ((1.0, True), (-1.0, False)):
        batch = Batch(np.array([0]), np.log([0.5], dtype=np.float32), np.float32([advantage]), np.zeros(1), np.ones(1))
        gradient = of_policy(logits, mask, batch)
        assert (not gradient.any()) == zero


def test_a_batch_without_living_decisions_is_harmless(decisions):
    """Shows that weights of zero give a loss of zero, not a division by it."""
    logits, value, mask, batch = decisions
    loss, metrics = loss_of(logits, value, mask, batch._replace(weight=np.zeros(40, np.float32)))
    assert float(loss) == 0.0
    assert np.isfinite(metrics).all()
