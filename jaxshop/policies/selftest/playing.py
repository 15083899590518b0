"""Whole episodes of every player side by side, with all that was decided on the way: one program for a shop's shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from chex import Array, PRNGKey
from jax.sharding import Mesh, PartitionSpec

from jaxshop.env import EnvParams, EnvState, JobShop
from jaxshop.parallel.mesh import AXIS
from jaxshop.policies.rules import RULES, highest_priority
from jaxshop.policies.types import Network
from jaxshop.policies.words import pick

Layout = Literal["vmapped", "environments last", "sharded"]
LAYOUTS: tuple[Layout, ...] = ("vmapped", "environments last", "sharded")

WORDS, POLICY = 0, 1 + len(RULES)
"""Numbers of the players; those between are the rules."""


class Roles(NamedTuple):
    """Who plays in each of B environments, and with what."""

    player: Array  # int32 [B]
    shop: Array  # int32 [B] which of the stacked shops
    words: Array  # uint32 [B, T]
    given: Array  # int32 [B, T] the lots that the policy has to take, -1 where it is free to choose


class Played(NamedTuple):
    """B episodes of T steps; `jax.tree` paths of these name what differs."""

    lot: Array  # int32 [T, B]
    machine: Array  # int32 [T, B]
    event: Array  # int32 [T, B]
    mask: Array  # bool [T, B, J]
    candidates: Array  # int32 [T, B, C]
    candidate_mask: Array  # bool [T, B, C]
    logits: Array  # float32 [T, B, C]
    state: EnvState  # [B, ...]


def playing(env: JobShop, network: Network, layout: Layout, mesh: Mesh | None, count: int) -> Callable[..., Played]:
    """(params [S, ...], weights, roles, key) -> what was played; `key` is consumed.

    A single shop, `count` 1, is shared by all environments where they are vmapped. `mesh` is for `sharded`.
    """
    if layout == "sharded":
        assert mesh is not None
        spread, everywhere = PartitionSpec(AXIS), PartitionSpec()
        steps = PartitionSpec(None, AXIS)
        return jax.shard_map(
            partial(_play, env, network, count, False),
            mesh=mesh,
            in_specs=(everywhere, everywhere, spread, everywhere),
            out_specs=Played._make([*[steps] * 7, spread]),
            check_vma=False,
        )
    return partial(_play, env, network, count, layout == "environments last")


def _play(
    env: JobShop, network: Network, count: int, last: bool, params: EnvParams, weights: Any, roles: Roles, key: PRNGKey
) -> Played:
    axis = -1 if last else 0
    shared = count == 1 and not last
    shops = jax.tree.map(lambda x: x[0] if shared else jnp.moveaxis(x[roles.shop], 0, axis), params)
    of_shop = None if shared else axis
    begin, advance = env.begin, env.advance
    if not last:
        begin = jax.vmap(begin, (None, of_shop), axis_size=roles.player.size)
        advance = jax.vmap(advance, (None, 0, 0, of_shop))

    def choose(state: EnvState, params: EnvParams, player: Array, word: Array, given: Array, key: PRNGKey) -> Any:
        obs = env.get_obs(state, params)
        logits = network.apply(weights, obs).logits
        rules = [highest_priority(priority(key, state, params), state.mask) for priority in RULES.values()]
        lot = jnp.stack([pick(word, state.legal), *rules, obs.candidates[logits.argmax()]])[player]
        return jnp.where(given >= 0, given, lot), obs, logits

    choosing = jax.vmap(choose, (axis, of_shop, 0, 0, 0, None))

    def body(state: EnvState, step: tuple[Array, Array, Array]) -> tuple[EnvState, Any]:
        number, word, given = step
        lot, obs, logits = choosing(state, shops, roles.player, word, given, jax.random.fold_in(key, number))
        decided = lot, state.machine, state.event, obs.action_mask, obs.candidates, obs.candidate_mask, logits
        return advance(key, state, lot, shops)[0], decided

    steps = jnp.arange(env.shape.operations), roles.words.T, roles.given.T
    state, decided = jax.lax.scan(body, begin(key, shops), steps)
    return Played._make([*decided, jax.tree.map(lambda x: jnp.moveaxis(x, axis, 0), state)])
