"""One PPO update: roll out, estimate advantages, take gradient steps. Pure, and jitted as a whole."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import Array, ArrayTree, PRNGKey
from jax.sharding import Mesh

from jaxshop.config import PPOConfig, StageConfig
from jaxshop.distributed import spread
from jaxshop.env import EnvParams, JobShop
from jaxshop.policies.network import Network, evaluate
from jaxshop.ppo.gae import generalised_advantages
from jaxshop.ppo.gradients import accumulate, cut, ladder, narrowed, needed_width
from jaxshop.ppo.losses import Batch, LossMetrics, ppo_loss
from jaxshop.ppo.rollout import Transitions, as_float32, collect


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
    decisions = (
        transitions.seen,
        Batch(transitions.action, transitions.log_prob, advantage, target, alive.astype(jnp.float32)),
    )
    needed = needed_width(transitions.seen.candidate_mask)
    widths = ladder(env.shape.candidates, config.microbatch)
    rows_each = alive.size // config.minibatches

    def minibatch(carry, rows: Array):
        weights, averaged, state = carry
        # Indexed as [T, S, R], not flattened: a device then picks from its own samples, and only rows travel.
        where = jnp.unravel_index(rows, alive.shape)
        total = jnp.maximum(alive[where].sum(), 1)

        def part(columns: int, rows: Array, real: Array) -> tuple[ArrayTree, LossMetrics]:
            where = jnp.unravel_index(rows, alive.shape)
            seen, batch = spread(jax.tree.map(lambda x: x[where], decisions), mesh, axis=0)
            seen, batch = narrowed(seen, columns), batch._replace(weight=jnp.where(real, batch.weight, 0.0))

            def loss(weights: ArrayTree) -> tuple[Array, LossMetrics]:
                output = evaluate(network, weights, as_float32(seen))
                found = ppo_loss(output, seen.candidate_mask, batch, config.clip, config.entropy, config.value)
                return jax.tree.map(lambda mean: mean * batch.weight.sum() / total, found)

            return jax.grad(loss, has_aux=True)(weights)

        microbatches = cut(rows, needed[where], widths, config.microbatch, 1 if mesh is None else mesh.size)
        gradients, metrics = accumulate(part, microbatches, widths)
        steps, state = optimiser.update(gradients, state, weights)
        weights = optax.apply_updates(weights, steps)
        return (weights, averaged, state), (metrics, optax.tree.norm(gradients))

    def epoch(carry, key: PRNGKey):
        rows = jax.random.permutation(key, alive.size)
        rows = rows[: rows_each * config.minibatches].reshape(config.minibatches, -1)
        return jax.lax.scan(minibatch, carry, rows)

    carry = (learner.weights, learner.averaged, learner.optimiser)
    (weights, averaged, state), (metrics, norms) = jax.lax.scan(
        epoch, carry, jax.random.split(order_key, config.epochs)
    )
    decay = jnp.minimum(config.averaging, (1.0 + learner.update) / (10.0 + learner.update))
    averaged = optax.incremental_update(weights, averaged, 1.0 - decay)
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
