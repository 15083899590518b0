"""What is measured: the environment alone, with the network, a whole PPO update, and the network's passes alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams, EnvState, JobShop, make
from jaxshop.policies.types import Network
from jaxshop.policies.words import mix, pick, rank
from jaxshop.ppo.config import StageConfig
from jaxshop.ppo.learning import deal
from jaxshop.ppo.microbatches import Microbatches, accumulate, ladder, needed_width
from jaxshop.ppo.rollout import Transitions
from jaxshop.shop import split_lots
from jaxshop.sources.distribution import draw_shop
from jaxshop.sources.generator import generate_shop, random_spec
from jaxshop.training.config import BankConfig, Config, PoolConfig


def random_words(seeds: Array, step: Array) -> Array:
    """One word per environment, uint32 [count], hashed from a word of its own, uint32 [count], and the step.

    Seeds are drawn once, before the steps: threefry took an eighth of a small shop's step, and a GPU a kernel a step.
    """
    word = mix(seeds + jnp.uint32(step))
    return word ^ (word >> 16)


class Schedules(NamedTuple):
    """What a random rollout leaves, in ticks; of stacked shops with environments last."""

    start: Array  # int32 [B, N] and so, with the shop, each end
    machine: Array  # int32 [B, N]
    estimate: Array  # int32 [B]


def random_rollout(
    env: JobShop, count: int, steps: int, stacked: bool = False, unroll: int = 1
) -> Callable[..., Schedules]:
    """(key, params) -> schedules after `steps` random legal steps, of which the loop takes `unroll` at a time.

    Params are shared by all environments; `stacked`, each has its own, in `environments_last`.

    All of the schedule is returned, or XLA would leave out recording it; sums that only an observation reads are not,
    as Jumanji's environment and the Numba loop keep nothing of the kind.
    """
    if stacked:
        reset, step, sample = env.reset_env, env.step_env, pick
    else:
        reset = jax.vmap(env.reset_env, (None, None), axis_size=count)
        step = jax.vmap(env.step_env, (None, 0, 0, None))
        sample = jax.vmap(pick)

    def run(key: PRNGKey, params: EnvParams) -> Schedules:
        def body(state, t):
            with jax.named_scope("sample"):
                action = sample(random_words(seeds, t), state.mask)
            with jax.named_scope("step"):
                _, state, *_ = step(key, state, action, params)
            return state, None

        seeds = jax.random.bits(key, (count,), jnp.uint32)
        _, state = reset(key, params)
        state, _ = jax.lax.scan(body, state, jnp.arange(steps), unroll=unroll)
        return Schedules(state.schedule.start, state.schedule.machine, state.estimate)

    return run


def kernel_rollout(env: JobShop, count: int, steps: int) -> Callable[..., Schedules]:
    """The very schedules of `random_rollout`, of one shop, with environments last and whole episodes in one kernel.

    On a CPU the kernel is interpreted, which is for tests alone.
    """
    from jaxshop.env.backends.episodes import Chance, play  # its compiler is deprecated: a JAX may come without

    chance = Chance(random_words, partial(rank, count=env.shape.lots))

    def run(key: PRNGKey, params: EnvParams) -> Schedules:
        seeds = jax.random.bits(key, (count,), jnp.uint32)
        played = play(env.begin(key, params), params, seeds, steps, chance, jax.default_backend() == "cpu")
        return Schedules(played.op_start, played.op_machine, played.estimate)

    return run


def policy_rollout(env: JobShop, network: Network, count: int, steps: int, unroll: int = 1) -> Callable[..., EnvState]:
    """(key, params, weights) -> states [count, ...] after `steps` steps drawn from the network; none is stored.

    The noise of all steps is drawn at once, as in training: a draw by itself is loops of threefry for a few words.
    """
    begin = jax.vmap(env.begin, (None, None), axis_size=count)
    observe = jax.vmap(env.get_obs, (0, None))
    advance = jax.vmap(env.advance, (None, 0, 0, None))

    def run(key: PRNGKey, params: EnvParams, weights: ArrayTree) -> EnvState:
        def body(state, noise):
            obs = observe(state, params)
            with jax.named_scope("network"):
                logits = network.apply(weights, obs).logits
            with jax.named_scope("sample"):
                shown = (logits + noise).argmax(axis=1)
                action = jnp.take_along_axis(obs.candidates, shown[:, None], axis=1)[:, 0]
            with jax.named_scope("step"):
                state, *_ = advance(key, state, action, params)
            return state, None

        noise = jax.random.gumbel(key, (steps, count, env.shape.candidates))
        return jax.lax.scan(body, begin(key, params), noise, unroll=unroll)[0]

    return run


def laid_out(transitions: Transitions, samples: Array, config: Config) -> Microbatches:
    """The microbatches of an epoch, with a leading axis of minibatches, and what was seen in place of row numbers."""
    seen = jax.tree.map(lambda x: x.reshape(-1, *x.shape[3:]), transitions.seen)
    widths = ladder(seen.candidate_mask.shape[-1], config.ppo.microbatch)
    parts = deal(jax.random.key(3), samples, needed_width(seen.candidate_mask), config.ppo, widths)
    return parts._replace(rows=jax.tree.map(lambda x: x[parts.rows], seen))


def network_passes(network: Network, config: Config) -> Callable[..., Any]:
    """(weights, seen, epoch) -> gradients and outputs: only the network's passes of one update, on its very arrays.

    A forward pass per step of the rollout, over `transitions.seen`, then forward and backward per minibatch and epoch,
    over `laid_out`: what an update would cost if environment, sampling, permuting, gathering rows, loss and optimiser
    were free.
    """
    ppo = config.ppo

    def run(weights: ArrayTree, seen: Any, epoch: Microbatches) -> Any:
        widths = ladder(seen.candidate_mask.shape[-1], ppo.microbatch)

        def act(_, seen):
            output = network.apply(weights, network.restored(seen))
            return None, (output.logits.max(axis=-1), output.value)

        def total(weights, seen) -> Array:
            output = network.apply(weights, network.restored(seen))
            return jnp.where(seen.candidate_mask, output.logits, 0.0).sum() + output.value.sum()

        def part(columns: int, seen: Any, real: Array) -> ArrayTree:
            return jax.grad(total)(weights, network.narrowed(seen, columns))

        def learn(gradients, microbatches):
            return jax.tree.map(jnp.add, gradients, accumulate(part, microbatches, widths)), None

        def play(gradients, _):
            return jax.lax.scan(learn, gradients, epoch)[0], None

        _, acted = jax.lax.scan(act, None, seen)
        gradients = jax.tree.map(jnp.zeros_like, weights)
        gradients = jax.lax.scan(play, gradients, None, length=ppo.epochs)[0]
        return jax.tree.map(lambda x: x[None], gradients), acted  # not added up over devices

    return run


def training_bank(
    pool: PoolConfig | BankConfig, stage: StageConfig, passing: bool = False
) -> tuple[JobShop, EnvParams]:
    """Shops like those that a stage of training plays on, as many as one update draws."""
    shops = []
    for i in range(stage.shops):
        if isinstance(pool, BankConfig):
            shops.append(draw_shop([i], pool.makes[i % len(pool.makes)], pool.operations))
        else:
            rng = np.random.default_rng([i])
            shops.append(generate_shop(rng, random_spec(rng, pool.machines, pool.jobs)))
    return make([split_lots(shop, None) for shop in shops], stage.candidates, passing)
