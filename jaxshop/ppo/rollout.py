"""Experience: every sample of every shop plays one whole episode."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from chex import Array, ArrayTree, PRNGKey
from jax.sharding import Mesh, PartitionSpec

from jaxshop.env import EnvParams, JobShop
from jaxshop.parallel.mesh import AXIS
from jaxshop.policies.networks.pooled import Network, evaluate


class Seen(NamedTuple):
    """The part of an observation that the network reads; stored as float16 to halve the memory."""

    candidate_mask: Array  # bool [..., C]
    features: Array  # float16 [..., C, F]
    context: Array  # float16 [..., X]


class Transitions(NamedTuple):
    """T steps of S shops, R samples of each."""

    seen: Seen  # [T, S, R, ...]
    action: Array  # int32 [T, S, R] index of the candidate
    log_prob: Array  # float32 [T, S, R]
    value: Array  # float32 [T, S, R]
    reward: Array  # float32 [T, S, R]
    alive: Array  # bool [T, S, R] False once the episode is over: shops of a batch differ in length


def collect(
    env: JobShop,
    network: Network,
    weights: ArrayTree,
    shops: EnvParams,
    samples: int,
    key: PRNGKey,
    mesh: Mesh | None = None,
) -> tuple[Transitions, Array]:
    """Play `samples` episodes of each of the stacked shops [S, ...]; `key` is consumed.

    Every environment draws from its own key, made from its global index: the same episodes whatever the batch's layout.
    The samples are spread over the mesh, whose size divides their number. No device hears of another: left to XLA, each
    step gathered the lots of all devices to pick the candidates, 48 of 600 ms of an update on 2 CPU cores.

    Returns:
        The transitions, and the makespans in ticks, int32 [S, R].
    """
    count = shops.operations.shape[0]
    indices = jnp.arange(count * samples).reshape(count, samples)
    run = partial(_collect, env, network)
    if mesh is None:
        return run(weights, shops, indices, key)
    everywhere, theirs = PartitionSpec(), PartitionSpec(None, AXIS)
    shared = jax.shard_map(
        run,
        mesh=mesh,
        in_specs=(everywhere, everywhere, theirs, everywhere),
        out_specs=(PartitionSpec(None, None, AXIS), theirs),
        check_vma=False,
    )
    return shared(weights, shops, indices, key)


def _collect(
    env: JobShop, network: Network, weights: ArrayTree, shops: EnvParams, indices: Array, key: PRNGKey
) -> tuple[Transitions, Array]:
    """What one device plays; `indices`, int32 [S, R], are its environments' in the whole batch."""
    keys = jax.vmap(jax.vmap(jax.random.fold_in, (None, 0)), (None, 0))(key, indices)
    begin = jax.vmap(jax.vmap(env.begin, (0, None)), (0, 0))
    observe = jax.vmap(jax.vmap(env.get_obs, (0, None)), (0, 0))
    advance = jax.vmap(jax.vmap(env.advance, (0, 0, 0, None)), (0, 0, 0, 0))
    # All of an episode's noise at once (Gumbel's: the largest of logits + noise is a draw of their softmax): a draw by
    # itself is two loops of threefry for a few words, an eighth of a step.
    steps = env.shape.operations
    noise = jax.vmap(jax.vmap(lambda k: jax.random.gumbel(k, (steps, env.shape.candidates))))(keys)
    noise = jnp.moveaxis(noise, 2, 0)

    def body(state, noise):
        obs = observe(state, shops)
        seen = Seen(obs.candidate_mask, obs.features.astype(jnp.float16), obs.context.astype(jnp.float16))
        output = evaluate(network, weights, as_float32(seen))
        action = (output.logits + noise).argmax(axis=-1)
        log_prob = jnp.take_along_axis(jax.nn.log_softmax(output.logits), action[..., None], axis=-1)[..., 0]
        lot = jnp.take_along_axis(obs.candidates, action[..., None], axis=-1)[..., 0]
        alive = state.step < shops.operations[:, None]
        state, reward, _, _ = advance(keys, state, lot, shops)
        return state, Transitions(seen, action, log_prob, output.value, reward, alive)

    state, transitions = jax.lax.scan(body, begin(keys, shops), noise)
    return transitions, state.estimate


def as_float32(seen: Seen) -> Seen:
    """What the network is applied to, in acting and in the loss alike."""
    return seen._replace(features=seen.features.astype(jnp.float32), context=seen.context.astype(jnp.float32))
