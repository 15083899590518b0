"""One PPO update: roll out, estimate advantages, take gradient steps. Pure, and jitted as a whole."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import Array, ArrayTree, PRNGKey
from jax.sharding import Mesh

from jaxshop.env import EnvParams, JobShop
from jaxshop.policies.networks.pooled import Network
from jaxshop.ppo.config import PPOConfig, StageConfig
from jaxshop.ppo.gae import generalised_advantages
from jaxshop.ppo.learning import Trained, learn
from jaxshop.ppo.losses import Batch, LossMetrics
from jaxshop.ppo.rollout import Transitions, collect


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


def make_optimiser(config: PPOConfig, stage: StageConfig) -> optax.GradientTransformation:
    """Adam with the gradient clipped by global norm and the rate annealed linearly over the stage."""
    steps = max(1, stage.updates * config.epochs * config.minibatches)
    rate = config.learning_rate if stage.learning_rate is None else stage.learning_rate
    schedule = optax.linear_schedule(rate, rate * config.final_rate, steps)
    return optax.chain(optax.clip_by_global_norm(config.max_grad_norm), optax.adam(schedule, eps=1e-5))


def advantages(transitions: Transitions, config: PPOConfig) -> tuple[Array, Array]:
    """Normalised advantages and the critic's targets, both float32 [T, S, R].

    Samples of one shop are at the same step together, so the mean over them is subtracted as a second baseline;
    the scale is that of the whole batch.
    """
    alive = transitions.alive
    value = jnp.where(alive, transitions.value, 0.0)
    following = jnp.concatenate([value[1:], jnp.zeros_like(value[:1])])
    ended = jnp.concatenate([~alive[1:], jnp.ones_like(alive[:1])])
    raw = generalised_advantages(
        transitions.reward, value, following, ended, jnp.zeros_like(ended), config.discount, config.trace
    )
    centred = raw - raw.mean(axis=2, keepdims=True)
    scale = jnp.sqrt((jnp.square(centred) * alive).sum() / jnp.maximum(alive.sum(), 1))
    return centred / (scale + 1e-8), raw + value


def update(
    learner: Learner,
    bank: EnvParams,
    env: JobShop,
    network: Network,
    optimiser: optax.GradientTransformation,
    config: PPOConfig,
    shops: int,
    samples: int,
    mesh: Mesh | None = None,
) -> tuple[Learner, UpdateMetrics]:
    """Improve the learner on `shops` shops drawn from the stacked `bank`, `samples` episodes each.

    On a mesh, learner and bank are replicated, samples and minibatches are spread. Keys and minibatches are made from
    global indices, so that the update is the same on any number of devices but for the order of float sums.
    """
    draw_key, play_key, order_key = jax.random.split(jax.random.fold_in(learner.key, learner.update), 3)
    available = bank.operations.shape[0]
    drawn = jax.random.choice(draw_key, available, (shops,), replace=shops > available)
    batch_shops = jax.tree.map(lambda x: x[drawn], bank)
    transitions, makespans = collect(env, network, learner.weights, batch_shops, samples, play_key, mesh)
    advantage, target = advantages(transitions, config)
    alive = transitions.alive
    batch = Batch(transitions.action, transitions.log_prob, advantage, target, alive.astype(jnp.float32))
    start = Trained(learner.weights, learner.optimiser)
    (weights, state), metrics, norms = learn(
        start, transitions.seen, batch, order_key, network, optimiser, config, mesh
    )
    decay = jnp.minimum(config.averaging, (1.0 + learner.update) / (10.0 + learner.update))
    averaged = optax.incremental_update(weights, learner.averaged, 1.0 - decay)
    gaps = makespans / batch_shops.bound[:, None] - 1.0
    error = jnp.square(target - transitions.value)
    variance = jnp.square(target - (target * alive).sum() / alive.sum())
    report = UpdateMetrics(
        jax.tree.map(jnp.mean, metrics)._replace(kl=metrics.kl[-1].mean()),
        gap=gaps.mean(),
        best_gap=gaps.min(axis=1).mean(),
        explained_variance=1.0 - (error * alive).sum() / jnp.maximum((variance * alive).sum(), 1e-8),
        gradient_norm=norms.mean(),
        steps=alive.sum(),
    )
    return Learner(weights, averaged, state, learner.key, learner.update + 1), report
