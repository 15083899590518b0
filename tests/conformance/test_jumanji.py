"""Jumanji's own checks on the adapter, with legal play: its default random play would prove little."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jumanji.testing.env_not_smoke import check_env_does_not_smoke, check_env_specs_does_not_smoke

from jaxshop.bounds import certify
from jaxshop.env import make, op_ends
from jaxshop.env.adapters import to_jumanji
from jaxshop.shop import split_lots
from tests.shops import ft06


@pytest.fixture(scope="module")
def env():
    """ft06 as a jumanji environment; jitted, as Jumanji's checks call one of both operation by operation."""
    found = to_jumanji(*make(ft06()))
    found.reset, found.step = jax.jit(found.reset), jax.jit(found.step)
    return found


def test_jumanji_finds_nothing(env):
    """Shows that Jumanji's checks pass over a whole legal episode of 36 steps, specs and finite values included."""
    steps = []

    def legal(key, obs):
        steps.append(obs)
        return jax.random.categorical(key, jnp.where(obs.action_mask, 0.0, -1e9)).astype(jnp.int32)

    check_env_does_not_smoke(env, legal)
    assert len(steps) == 36
    check_env_specs_does_not_smoke(env)


def test_an_episode_is_scanned_with_its_time_steps(env):
    """Shows discount 1 until the end and 0 there, and rewards that add up to the growth of the makespan."""

    @jax.jit
    def play(key):
        state, first = env.reset(key)
        state, steps = jax.lax.scan(lambda state, _: env.step(state, state.inner.first), state, length=36)
        return first, state, steps

    first, state, steps = play(jax.random.key(0))
    assert bool(first.first())
    assert np.asarray(steps.discount).tolist() == [1.0] * 35 + [0.0]
    assert np.asarray(steps.last()).tolist() == [False] * 35 + [True]
    bound = certify(split_lots(ft06(), None)).value
    growth = int(first.extras["makespan"]) - int(state.inner.estimate)
    np.testing.assert_allclose(np.asarray(steps.reward).sum(), growth / bound, rtol=1e-5)
    assert int(steps.extras["makespan"][-1]) == int(op_ends(state.inner, make(ft06())[1]).max())
