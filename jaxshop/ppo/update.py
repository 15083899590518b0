"""One PPO update: roll out, estimate advantages, take gradient steps. Pure, and jitted as a whole."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams
from jaxshop.ppo.learning import Trained, learn
from jaxshop.ppo.losses import Batch, LossMetrics
from jaxshop.ppo.rollout import Transitions, collect
from jaxshop.ppo.setup import Setup
from jaxshop.ppo.signals import advantages


class Learner(NamedTuple):
    """Everything that training changes."""

    weights: ArrayTree
    averaged: ArrayTree  # exponential moving average of the weights: what is evaluated and shipped
    optimiser: optax.OptState
    key: PRNGKey
    update: Array  # int32 []


class UpdateMetrics(NamedTuple):
    """Scalars of one update, float32 []."""

    loss: LossMetrics
    gap: Array  # mean of makespan / bound - 1 over all episodes
    best_gap: Array  # the same for the best sample of each shop
    explained_variance: Array
    gradient_norm: Array
    steps: Array  # operations dispatched


def begin(weights: ArrayTree, optimiser: optax.GradientTransformation, key: PRNGKey) -> Learner:
    """The learner with these weights before its first update; `key` is kept."""
    return Learner(weights, weights, optimiser.init(weights), key, jnp.int32(0))


class Experience(NamedTuple):
    """What a setup's episodes of an update came to."""

    transitions: Transitions
    batch: Batch
    gaps: Array  # float32 [S, R] of makespan / bound - 1


def update(setup: Setup, learner: Learner, bank: EnvParams) -> tuple[Learner, UpdateMetrics]:
    """`update_together` for one setup and its bank."""
    learner, (metrics,) = update_together((setup,), learner, (bank,))
    return learner, metrics


def update_together(
    setups: tuple[Setup, ...], learner: Learner, banks: tuple[EnvParams, ...], pace: Array | None = None
) -> tuple[Learner, tuple[UpdateMetrics, ...]]:
    """Improve the learner on as many shops as each stage draws from its stacked bank, by its episodes of each.

    Every gradient step learns from all setups: in turns, what one teaches undoes what the others taught, as a step that
    is small on the decisions that it is made from may be large on theirs. `pace`, float32 [], multiplies the learning
    rate.

    On a mesh, learner and banks are replicated, samples and minibatches are spread. Keys and minibatches are made from
    global indices, so that the update is the same on any number of devices but for the order of float sums.
    """
    config = setups[0].config
    keys = jax.random.split(jax.random.fold_in(learner.key, learner.update), (len(setups), 3))
    gathered = [
        experience(setup, learner.weights, bank, draw_key, play_key)
        for setup, bank, (draw_key, play_key, _) in zip(setups, banks, keys, strict=True)
    ]
    start = Trained(learner.weights, learner.optimiser)
    seen, batches = [x.transitions.seen for x in gathered], [x.batch for x in gathered]
    (weights, state), losses, norms = learn(setups, start, seen, batches, keys[:, 2], pace)
    done = learner.update.astype(jnp.float32)
    decay = jnp.minimum(config.averaging, (1.0 + done) / (10.0 + done))
    averaged = optax.incremental_update(weights, learner.averaged, 1.0 - decay)
    metrics = tuple(_measured(x, loss, norms) for x, loss in zip(gathered, losses, strict=True))
    return Learner(weights, averaged, state, learner.key, learner.update + 1), metrics


def experience(setup: Setup, weights: ArrayTree, bank: EnvParams, draw_key: PRNGKey, play_key: PRNGKey) -> Experience:
    """Draw shops from a bank and play them; both keys are consumed."""
    shops, available = setup.stage.shops, bank.operations.shape[0]
    drawn = jax.random.choice(draw_key, available, (shops,), replace=shops > available)
    batch_shops = jax.tree.map(lambda x: x[drawn], bank)
    transitions, makespans = collect(setup, weights, batch_shops, play_key)
    advantage, target = advantages(transitions, setup.config)
    alive = transitions.alive.astype(jnp.float32)
    batch = Batch(transitions.action, transitions.log_prob, advantage, target, alive)
    gaps = makespans.astype(jnp.float32) / batch_shops.bound[:, None].astype(jnp.float32) - 1.0
    return Experience(transitions, batch, gaps)


def _measured(gathered: Experience, losses: LossMetrics, norms: Array) -> UpdateMetrics:
    transitions, batch, gaps = gathered
    alive, target = batch.weight, batch.target
    error = jnp.square(target - transitions.value)
    variance = jnp.square(target - (target * alive).sum() / alive.sum())
    return UpdateMetrics(
        jax.tree.map(jnp.mean, losses)._replace(kl=losses.kl[-1].mean()),
        gap=gaps.mean(),
        best_gap=gaps.min(axis=1).mean(),
        explained_variance=1.0 - (error * alive).sum() / jnp.maximum((variance * alive).sum(), 1e-8),
        gradient_norm=norms.mean(),
        steps=transitions.alive.sum(),
    )
