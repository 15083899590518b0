"""Gradient steps over the experience of an update; each device reads only the decisions that it made itself."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import Array, ArrayTree, PRNGKey
from jax.sharding import PartitionSpec

from jaxshop.parallel.mesh import AXIS
from jaxshop.ppo.config import PPOConfig
from jaxshop.ppo.losses import Batch, LossMetrics, ppo_loss
from jaxshop.ppo.microbatches import Microbatches, accumulate, cut, ladder, needed_width
from jaxshop.ppo.setup import Setup


class Trained(NamedTuple):
    """What gradient steps change."""

    weights: ArrayTree
    optimiser: optax.OptState


def learn(setup: Setup, start: Trained, seen: Any, batch: Batch, key: PRNGKey) -> tuple[Trained, LossMetrics, Array]:
    """Passes over decisions [T, S, R, ...], `epochs` of them in `minibatches` steps each; `key` is consumed.

    On a mesh, which the R samples are spread over, only gradients and means travel: a minibatch takes as many
    decisions of every sample, by an order that depends on the sample's index alone.

    Returns:
        What was trained, the losses and the gradients' global norms, float32 [epochs, minibatches].
    """
    run, samples = partial(_learn, setup), jnp.arange(batch.action.shape[2])
    if setup.mesh is None:
        return run(start, seen, batch, samples, key)
    everywhere, theirs = PartitionSpec(), PartitionSpec(None, None, AXIS)
    shared = jax.shard_map(
        run,
        mesh=setup.mesh,
        in_specs=(everywhere, theirs, theirs, PartitionSpec(AXIS), everywhere),
        out_specs=everywhere,
        check_vma=False,  # gradients are summed by hand, once a minibatch and not once a microbatch
    )
    return shared(start, seen, batch, samples, key)


def _learn(
    setup: Setup, start: Trained, seen: Any, batch: Batch, samples: Array, key: PRNGKey
) -> tuple[Trained, LossMetrics, Array]:
    """What one device does; `samples` are the global indices of its samples."""
    network, config, optimiser = setup.network, setup.config, setup.optimiser
    widths = ladder(seen.candidate_mask.shape[-1], config.microbatch)
    seen, batch = jax.tree.map(lambda x: x.reshape(-1, *x.shape[3:]), (seen, batch))
    needed = needed_width(seen.candidate_mask)

    def over_devices(tree: Any) -> Any:
        return tree if setup.mesh is None else jax.lax.psum(tree, AXIS)

    def step(trained: Trained, microbatches: Microbatches) -> tuple[Trained, tuple[LossMetrics, Array]]:
        weight = jnp.where(microbatches.real, batch.weight[microbatches.rows], 0.0).sum()
        total = jnp.maximum(over_devices(weight), 1.0)

        def part(columns: int, rows: Array, real: Array) -> tuple[ArrayTree, LossMetrics]:
            some, their = jax.tree.map(lambda x: x[rows], (seen, batch))
            some, their = network.narrowed(some, columns), their._replace(weight=jnp.where(real, their.weight, 0.0))

            def loss(weights: ArrayTree) -> tuple[Array, LossMetrics]:
                output = network.apply(weights, network.restored(some))
                found = ppo_loss(output, some.candidate_mask, their, config.clip, config.entropy, config.value)
                return jax.tree.map(lambda mean: mean * their.weight.sum() / total, found)

            return jax.grad(loss, has_aux=True)(trained.weights)

        gradients, metrics = over_devices(accumulate(part, microbatches, widths))
        steps, state = optimiser.update(gradients, trained.optimiser, trained.weights)
        weights = optax.apply_updates(trained.weights, steps)
        return Trained(weights, state), (metrics, optax.tree.norm(gradients))

    def epoch(trained: Trained, key: PRNGKey) -> tuple[Trained, tuple[LossMetrics, Array]]:
        return jax.lax.scan(step, trained, deal(key, samples, needed, config, widths))

    trained, (metrics, norms) = jax.lax.scan(epoch, start, jax.random.split(key, config.epochs))
    return trained, metrics, norms


def deal(key: PRNGKey, samples: Array, needed: Array, config: PPOConfig, widths: tuple[int, ...]) -> Microbatches:
    """An epoch's microbatches, with a leading axis of minibatches; `key` is consumed.

    `needed`, int32 [decisions * R], are the columns that each decision needs; see `minibatch_rows` for the rest.
    """
    rows, real = minibatch_rows(key, samples, needed.size // samples.size, config.minibatches)
    return jax.vmap(lambda rows, real: cut(rows, real, needed[rows], widths, config.microbatch))(rows, real)


def minibatch_rows(key: PRNGKey, samples: Array, decisions: int, count: int) -> tuple[Array, Array]:
    """Deal the decisions of each sample, in an order of its own, to `count` minibatches; `key` is consumed.

    Args:
        samples: global indices int32 [R] of the samples at hand.
        decisions: how many each made.

    Returns:
        Row numbers int32 [count, N] of decisions laid out as [decisions, R], and bool [count, N], False for rows that
        only fill up; each decision is in one place.
    """
    each = -(-decisions // count)
    order = jax.vmap(lambda sample: jax.random.permutation(jax.random.fold_in(key, sample), each * count))(samples)
    real = order < decisions
    rows = jnp.where(real, order, 0) * samples.size + jnp.arange(samples.size)[:, None]
    rows, real = (jnp.moveaxis(x.reshape(samples.size, count, each), 1, 0).reshape(count, -1) for x in (rows, real))
    return rows, real
