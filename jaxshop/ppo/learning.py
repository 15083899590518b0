"""Gradient steps over the experience of an update; each device reads only the decisions that it made itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from jaxshop.ppo.setup import RUNS, Setup


class Trained(NamedTuple):
    """What gradient steps change."""

    weights: ArrayTree
    optimiser: optax.OptState


def learn(
    setups: Sequence[Setup],
    start: Trained,
    seen: Sequence[Any],
    batches: Sequence[Batch],
    keys: PRNGKey,
    pace: Array | None = None,
) -> tuple[Trained, list[LossMetrics], Array]:
    """Passes over decisions [T, S, R, ...] of each setup, `epochs` of them in `minibatches` steps each.

    A step's gradient is the mean over the setups, by their weights. `keys`, one a setup, are consumed. On a mesh, which
    the R samples are spread over, only gradients and means travel: a minibatch takes as many decisions of every sample,
    by an order that depends on the sample's index alone. `pace`, float32 [], multiplies the steps; None leaves them.

    Returns:
        What was trained, each setup's losses and the gradients' global norms, float32 [epochs, minibatches].
    """
    run, samples = partial(_learn, setups, pace), [jnp.arange(batch.action.shape[2]) for batch in batches]
    mesh = setups[0].mesh
    if mesh is None:
        return run(start, seen, batches, samples, keys)
    everywhere, theirs = PartitionSpec(), PartitionSpec(None, None, AXIS)
    shared = jax.shard_map(
        run,
        mesh=mesh,
        in_specs=(everywhere, theirs, theirs, PartitionSpec(AXIS), everywhere),
        out_specs=everywhere,
        check_vma=False,  # gradients are summed by hand, once a minibatch and not once a microbatch
    )
    return shared(start, seen, batches, samples, keys)


Gradients = Callable[[ArrayTree, Microbatches], tuple[ArrayTree, LossMetrics]]
"""(weights, microbatches of a minibatch) -> the loss's gradient and metrics, over all devices."""


def _learn(
    setups: Sequence[Setup],
    pace: Array | None,
    start: Trained,
    seen: Sequence[Any],
    batches: Sequence[Batch],
    samples: Sequence[Array],
    keys: PRNGKey,
) -> tuple[Trained, list[LossMetrics], Array]:
    """What one device does; `samples` are the global indices of its samples."""
    config, optimiser = setups[0].config, setups[0].optimiser
    shares = [setup.weight / sum(setup.weight for setup in setups) for setup in setups]
    flat = [jax.tree.map(lambda x: x.reshape(-1, *x.shape[3:]), each) for each in zip(seen, batches, strict=True)]
    gradients = [_gradients(setup, *each) for setup, each in zip(setups, flat, strict=True)]
    needed = [needed_width(some.candidate_mask) for some, _ in flat]
    widths = [_widths(some, config) for some, _ in flat]

    def step(trained: Trained, dealt: list[Microbatches]) -> tuple[Trained, tuple[list[LossMetrics], Array]]:
        found = [gradient(trained.weights, part) for gradient, part in zip(gradients, dealt, strict=True)]
        mean = jax.tree.map(
            lambda *parts: sum(share * part for share, part in zip(shares, parts, strict=True)),
            *(gradient for gradient, _ in found),
        )
        steps, state = optimiser.update(mean, trained.optimiser, trained.weights)
        if pace is not None:
            steps = jax.tree.map(lambda x: pace * x, steps)
        weights = optax.apply_updates(trained.weights, steps)
        return Trained(weights, state), ([metrics for _, metrics in found], optax.tree.norm(mean))

    def epoch(trained: Trained, keys: PRNGKey) -> tuple[Trained, tuple[list[LossMetrics], Array]]:
        each = zip(keys, samples, needed, widths, strict=True)
        return jax.lax.scan(step, trained, [deal(key, own, need, config, wide) for key, own, need, wide in each])

    passes = jnp.moveaxis(jax.vmap(lambda key: jax.random.split(key, config.epochs))(keys), 0, 1)
    trained, (metrics, norms) = jax.lax.scan(epoch, start, passes)
    return trained, metrics, norms


def _widths(seen: Any, config: PPOConfig) -> tuple[int, ...]:
    return ladder(seen.candidate_mask.shape[-1], config.microbatch)


def _gradients(setup: Setup, seen: Any, batch: Batch) -> Gradients:
    """Of a setup's loss on minibatches of its decisions [decisions, ...]."""
    network, config, widths = setup.network, setup.config, _widths(seen, setup.config)

    def over_devices(tree: Any) -> Any:
        return tree if setup.mesh is None else jax.lax.psum(tree, AXIS)

    def gradients(weights: ArrayTree, microbatches: Microbatches) -> tuple[ArrayTree, LossMetrics]:
        weight = jnp.where(microbatches.real, batch.weight[microbatches.rows], 0.0).sum()
        total = jnp.maximum(over_devices(weight), 1.0)

        def part(columns: int, rows: Array, real: Array) -> tuple[ArrayTree, LossMetrics]:
            some, their = jax.tree.map(lambda x: x[rows], (seen, batch))
            some, their = network.narrowed(some, columns), their._replace(weight=jnp.where(real, their.weight, 0.0))

            def loss(weights: ArrayTree) -> tuple[Array, LossMetrics]:
                output = network.apply(weights, network.restored(some))
                found = ppo_loss(output, some.candidate_mask, their, config.clip, config.entropy, config.value)
                return jax.tree.map(lambda mean: mean * their.weight.sum() / total, found)

            return jax.grad(loss, has_aux=True)(weights)

        if setup.together:  # else each run would compute all branches, to choose among what they give
            microbatches = microbatches._replace(rung=jax.lax.pmax(microbatches.rung, RUNS))
        return over_devices(accumulate(part, microbatches, widths))

    return gradients


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
