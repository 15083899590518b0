"""Experience: every sample of every shop plays one whole episode."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from chex import Array, ArrayTree, PRNGKey
from jax.sharding import PartitionSpec

from jaxshop.env import EnvParams
from jaxshop.parallel.mesh import AXIS
from jaxshop.ppo.setup import Setup


class Transitions(NamedTuple):
    """T steps of S shops, R samples of each."""

    seen: Any  # what the network stores of the observations, [T, S, R, ...]
    action: Array  # int32 [T, S, R] index of the candidate
    log_prob: Array  # float32 [T, S, R]
    value: Array  # float32 [T, S, R]
    reward: Array  # float32 [T, S, R]
    alive: Array  # bool [T, S, R] False once the episode is over: shops of a batch differ in length


def collect(setup: Setup, weights: ArrayTree, shops: EnvParams, key: PRNGKey) -> tuple[Transitions, Array]:
    """Play a stage's episodes of each of the stacked shops [S, ...]; `key` is consumed.

    Every environment draws from its own key, made from its global index: the same episodes whatever the batch's layout.
    On a mesh no device hears of another: left to XLA, each step would gather the lots of all devices to pick the
    candidates.

    Returns:
        The transitions, and the makespans in ticks, int32 [S, R].
    """
    count, samples = shops.operations.shape[0], setup.stage.samples
    indices = jnp.arange(count * samples).reshape(count, samples)
    run = partial(_collect, setup)
    if setup.mesh is None:
        return run(weights, shops, indices, key)
    everywhere, theirs = PartitionSpec(), PartitionSpec(None, AXIS)
    shared = jax.shard_map(
        run,
        mesh=setup.mesh,
        in_specs=(everywhere, everywhere, theirs, everywhere),
        out_specs=(PartitionSpec(None, None, AXIS), theirs),
        check_vma=False,
    )
    return shared(weights, shops, indices, key)


def _collect(
    setup: Setup, weights: ArrayTree, shops: EnvParams, indices: Array, key: PRNGKey
) -> tuple[Transitions, Array]:
    """What one device plays; `indices`, int32 [S, R], are its environments' in the whole batch."""
    env, network = setup.env, setup.network
    keys = jax.vmap(jax.vmap(jax.random.fold_in, (None, 0)), (None, 0))(key, indices)
    begin = jax.vmap(jax.vmap(env.begin, (0, None)), (0, 0))
    observe = jax.vmap(jax.vmap(env.get_obs, (0, None)), (0, 0))
    advance = jax.vmap(jax.vmap(env.advance, (0, 0, 0, None)), (0, 0, 0, 0))
    # All of an episode's noise at once (Gumbel's: the largest of logits + noise is a draw of their softmax): a draw by
    # itself is two loops of threefry for a few words.
    steps = env.shape.operations
    noise = jax.vmap(jax.vmap(lambda k: jax.random.gumbel(k, (steps, env.shape.candidates))))(keys)
    noise = jnp.moveaxis(noise, 2, 0)

    def body(state, noise):
        obs = observe(state, shops)
        seen = network.stored(obs)
        output = network.apply(weights, network.restored(seen))
        action = (output.logits + noise).argmax(axis=-1)
        log_prob = jnp.take_along_axis(jax.nn.log_softmax(output.logits), action[..., None], axis=-1)[..., 0]
        lot = jnp.take_along_axis(obs.candidates, action[..., None], axis=-1)[..., 0]
        alive = state.step < shops.operations[:, None]
        state, reward, _, _ = advance(keys, state, lot, shops)
        return state, Transitions(seen, action, log_prob, output.value, reward, alive)

    state, transitions = jax.lax.scan(body, begin(keys, shops), noise)
    return transitions, state.estimate
