"""Decisions of schedules that are known to be good, and weights that learn to decide so (behavioural cloning)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams, JobShop
from jaxshop.env.types import NEVER
from jaxshop.policies.types import Network
from jaxshop.ppo.config import ImitationConfig

REPORTED_EVERY = 100


class Choices(NamedTuple):
    """Decisions of the episodes of a bank, [shops * steps]."""

    seen: Any  # what the network stores of them, [B, ...]
    action: Array  # int32 [B] index of the candidate
    real: Array  # bool [B] False once an episode is over


def watch(env: JobShop, network: Network, shops: EnvParams, starts: Array) -> Choices:
    """Play shops as schedules say: of the candidates that one goes which starts first there.

    Its machine is the environment's choice, so the schedule that is played need not be the one that was given.

    Args:
        env: of the shops' sizes.
        network: stores what it is shown.
        shops: stacked, [S, ...].
        starts: ticks, int32 [S, N], of each operation in flat route order.
    """
    key = jax.random.key(0)  # an environment without chance

    def episode(params: EnvParams, planned: Array) -> Choices:
        def body(state: Any, _: None) -> tuple[Any, Choices]:
            obs = env.get_obs(state, params)
            due = jnp.where(obs.candidate_mask, planned[state.lots.op[obs.candidates]], NEVER)
            action, alive = due.argmin().astype(jnp.int32), state.step < params.operations
            state = env.advance(key, state, obs.candidates[action], params)[0]
            return state, Choices(network.stored(obs), action, alive)

        return jax.lax.scan(body, env.begin(key, params), None, env.shape.operations)[1]

    played = jax.jit(jax.vmap(episode))(shops, starts)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), played)


class Imitation(NamedTuple):
    """How weights learn choices; made once, it is compiled once for all runs that learn the same."""

    optimiser: optax.GradientTransformation
    step: Callable[..., tuple[Any, Array]]
    """(weights and optimiser's state, key, banks) -> the same after a gradient step, and the loss; jitted."""
    steps: int


def make_imitation(network: Network, config: ImitationConfig) -> Imitation:
    """Adam with a rate that falls to zero, on `config.decisions` of each bank in a step."""
    rate = optax.linear_schedule(config.learning_rate, 0.0, config.steps)
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(rate))
    step = jax.jit(partial(_step, network, optimiser, config.decisions), donate_argnums=0)
    return Imitation(optimiser, step, config.steps)


def imitate(
    how: Imitation, weights: ArrayTree, banks: Sequence[Choices], key: PRNGKey
) -> Iterator[tuple[ArrayTree, float]]:
    """Learn the choices by cross-entropy, every step from all banks alike.

    Args:
        how: of the network whose weights they are.
        weights: to begin with.
        banks: decisions.
        key: consumed.

    Yields:
        The weights and the mean cross-entropy since, in nats, every `REPORTED_EVERY` steps and at the end.
    """
    carry, losses = (jax.tree.map(jnp.copy, weights), how.optimiser.init(weights)), []  # what was given is kept
    for number in range(1, how.steps + 1):
        carry, loss = how.step(carry, jax.random.fold_in(key, number), banks)
        losses.append(loss)
        if number % REPORTED_EVERY == 0 or number == how.steps:
            yield jax.tree.map(jnp.copy, carry[0]), float(jnp.stack(losses).mean())
            losses.clear()


def _step(
    network: Network,
    optimiser: optax.GradientTransformation,
    decisions: int,
    carry: tuple[ArrayTree, optax.OptState],
    key: PRNGKey,
    banks: Sequence[Choices],
) -> tuple[tuple[ArrayTree, optax.OptState], Array]:
    """One gradient step: the weights and the optimiser's state after it, and the mean loss before it."""
    drawn = []
    for bank, bank_key in zip(banks, jax.random.split(key, len(banks)), strict=True):
        rows = jax.random.randint(bank_key, (decisions,), 0, bank.action.shape[0])
        drawn.append(jax.tree.map(lambda x, rows=rows: x[rows], bank))

    def loss(weights: ArrayTree) -> Array:
        return jnp.stack([_cross_entropy(network, weights, part) for part in drawn]).mean()

    weights, state = carry
    value, gradient = jax.value_and_grad(loss)(weights)
    with jax.numpy_dtype_promotion("standard"):  # optax raises floats to the power of its int32 count
        change, state = optimiser.update(gradient, state, weights)
    return (optax.apply_updates(weights, change), state), value


def _cross_entropy(network: Network, weights: ArrayTree, part: Choices) -> Array:
    logits = network.apply(weights, network.restored(part.seen)).logits
    each = optax.softmax_cross_entropy_with_integer_labels(logits, part.action)
    return jnp.where(part.real, each, 0.0).sum() / jnp.maximum(part.real.sum(), 1).astype(each.dtype)
