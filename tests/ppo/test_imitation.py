"""Imitation: decisions are read off schedules, and weights learn them."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.env import EnvParams, JobShop, make
from jaxshop.policies.acting import greedy, play
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.ppo.config import ImitationConfig
from jaxshop.ppo.imitation import Choices, imitate, make_imitation, watch
from jaxshop.schedule.dispatch import dispatch_by_rule
from jaxshop.shop import split_lots
from tests.shops import job_shop

NETWORK = make_network(NetworkConfig(width=16, depth=1))
CONFIG = ImitationConfig(steps=150, decisions=32, learning_rate=1e-2)


class Watched(NamedTuple):
    """Job shops of unlike sizes, and what SPT decides on them, always the shortest of those that compete."""

    env: JobShop
    shops: EnvParams
    makespans: list[int]
    choices: Choices


@pytest.fixture(scope="module")
def watched() -> Watched:
    """Six of them."""
    plans = [split_lots(job_shop(seed, jobs=4 + seed % 3, longest=99), None) for seed in range(6)]
    env, shops = make(plans)
    schedules = [dispatch_by_rule(plan, lambda rivals: -rivals.time, True) for plan in plans]
    starts = np.zeros((len(plans), env.shape.operations), np.int32)
    for row, plan, schedule in zip(starts, plans, schedules, strict=True):
        found = {(each.job, each.operation): each.start for each in schedule.rows}
        flat = [found[lot.job, operation.id] for lot in plan.lots for operation in lot.operations]
        row[: len(flat)] = flat
    return Watched(env, shops, [s.makespan for s in schedules], watch(env, NETWORK, shops, jnp.asarray(starts)))


def test_choices_lead_to_the_schedule_that_they_were_read_off(watched: Watched):
    """Shows that what was watched, played again, ends with the rule's makespans, each shop after its own steps."""
    env, shops, makespans, choices = watched
    actions = choices.action.reshape(len(makespans), -1)

    def again(params: EnvParams, row: jax.Array) -> jax.Array:
        def body(state, action):
            lot = env.get_obs(state, params).candidates[action]
            return env.advance(jax.random.key(0), state, lot, params)[0], None

        return env.cost(jax.lax.scan(body, env.begin(jax.random.key(0), params), row)[0], params)

    assert jax.jit(jax.vmap(again))(shops, actions).tolist() == makespans
    assert choices.real.reshape(len(makespans), -1).sum(1).tolist() == shops.operations.tolist()


def test_weights_learn_what_was_watched(watched: Watched):
    """Shows that cross-entropy falls, that greedy play is nearer to the schedules, and the first weights are kept."""
    env, shops, makespans, choices = watched
    begun = jax.jit(NETWORK.initialise)(jax.random.key(0))
    kept = jax.tree.map(np.asarray, begun)
    told = list(imitate(make_imitation(NETWORK, CONFIG), begun, [choices], jax.random.key(1)))
    assert len(told) == 2  # after 100 steps and at the end
    assert told[1][1] < told[0][1] < 0.6
    jax.tree.map(np.testing.assert_array_equal, begun, kept)

    def costs(weights) -> list[int]:
        def one(params):
            return env.cost(play(env, params, greedy(NETWORK, weights), jax.random.key(0)), params)

        return jax.jit(jax.vmap(one))(shops).tolist()

    far = [np.abs(np.subtract(costs(weights), makespans)).sum() for weights in (begun, told[1][0])]
    assert far[1] < far[0]


def test_steps_after_an_episode_teach_nothing(watched: Watched):
    """Shows the same weights whatever the choices say where a shorter shop has no operation left."""
    choices = watched.choices
    other = choices._replace(action=jnp.where(choices.real, choices.action, 1))
    begun, config = jax.jit(NETWORK.initialise)(jax.random.key(0)), ImitationConfig(steps=3, decisions=32)
    how = make_imitation(NETWORK, config)
    (mine, _), (theirs, _) = (list(imitate(how, begun, [bank], jax.random.key(1)))[-1] for bank in (choices, other))
    jax.tree.map(np.testing.assert_array_equal, mine, theirs)
