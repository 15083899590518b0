"""gymnasium's own checker on the adapter."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from jaxshop.env import make
from jaxshop.env.adapters import to_gymnasium
from jaxshop.shop import split_lots
from tests.oracles import dispatch as oracle
from tests.shops import ft06


@pytest.fixture(scope="module")
def env():
    """ft06 as a gymnasium environment."""
    return to_gymnasium(*make(ft06()), render_mode="rgb_array")


def test_gymnasium_finds_nothing(env):
    """Shows that gymnasium's checker passes, its warnings counted as failures."""
    check_env(env, skip_render_check=True)


def test_an_episode_through_numpy(env):
    """Shows 36 legal steps with masks in both places, and that the longest lot first gives MWKR/active."""
    obs, info = env.reset(seed=0)
    first, total, terminated, steps = None, 0.0, False, 0
    while not terminated:
        legal = np.flatnonzero(info["action_mask"])
        np.testing.assert_array_equal(legal, np.flatnonzero(obs["action_mask"]))
        left = np.zeros(legal.max() + 1)
        competing = obs["candidate_mask"].astype(bool)
        left[obs["candidates"][competing]] = obs["features"][competing, 2]  # remaining work
        obs, reward, terminated, truncated, info = env.step(legal[np.argmax(left[legal])])
        first = info["makespan"] if first is None else first
        total, steps = total + reward, steps + 1
        assert not truncated
        assert not info["illegal"]
    assert steps == 36
    plan = split_lots(ft06(), None)
    assert info["makespan"] == oracle.dispatch(plan, oracle.RULES["MWKR"]).makespan


def test_pictures_by_gymnasium_s_names(env):
    """Shows that `rgb_array` gives pixels of what was dispatched, and that another mode is refused by name."""
    env.reset(seed=0)
    before = env.render()
    env.step(0)
    assert before.shape[2] == 3
    assert before.dtype == np.uint8
    assert (env.render() != before).any()
    with pytest.raises(ValueError, match="'human' is not one of ansi, rgb_array"):
        to_gymnasium(*make(ft06()), render_mode="human")


def test_a_step_before_the_first_reset_is_refused():
    """Shows gymnasium's own error."""
    with pytest.raises(gymnasium.error.ResetNeeded):
        to_gymnasium(*make(ft06())).step(0)
