"""gymnax's own registration, wrappers and rollouts, used on our environment as they come."""

from __future__ import annotations

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnax.experimental import RolloutWrapper
from gymnax.wrappers import LogWrapper

from jaxshop.env import make
from tests.shops import ft06, random_shop

STEPS = 36
"""Operations of ft06: the length of every episode."""


@pytest.fixture(scope="module")
def env():
    """ft06, through gymnax's registry."""
    env_id = "JaxshopFT06-v1"
    if env_id not in gymnax.registered_envs:
        gymnax.register(env_id, lambda: make(ft06())[0])
    made, params = gymnax.make(env_id)
    assert params is made.default_params
    return made


def legal(weights, obs, key):
    """A random legal action, with the signature that RolloutWrapper wants."""
    return jax.random.categorical(key, jnp.where(obs.action_mask, 0.0, -1e9))


def test_a_registered_environment_resets_and_steps_when_jitted(env):
    """Shows that structure, shapes and dtypes of observation and state stay over steps, and that spaces hold them."""
    obs, state = jax.jit(env.reset)(jax.random.key(0))
    action = env.action_space().sample(jax.random.key(1))
    after = jax.jit(env.step)(jax.random.key(2), state, action)
    assert jax.tree.map(jnp.shape, (obs, state)) == jax.tree.map(jnp.shape, after[:2])
    assert jax.tree.map(lambda x: x.dtype, (obs, state)) == jax.tree.map(lambda x: x.dtype, after[:2])
    assert bool(env.observation_space().contains(obs))
    assert bool(env.action_space().contains(action))


@pytest.mark.usefixtures("numbers_convert")
def test_rollouts_by_gymnax(env):
    """Shows returns, lengths and the end of an episode in gymnax's batched rollouts of random legal play."""
    rollout = RolloutWrapper(legal, env=env, num_env_steps=2 * STEPS)
    obs, action, reward, _, done, total = rollout.batch_rollout(jax.random.split(jax.random.key(0), 4), None)
    assert np.flatnonzero(done[0]).tolist() == [STEPS - 1, 2 * STEPS - 1]
    assert (np.asarray(done) == np.asarray(done[0])).all()
    np.testing.assert_allclose(np.asarray(total)[:, 0], np.asarray(reward)[:, :STEPS].sum(axis=1), rtol=1e-5)
    assert len(set(np.asarray(total)[:, 0].tolist())) > 1
    assert np.take_along_axis(np.asarray(obs.action_mask), np.asarray(action)[..., None], axis=2).all()


@pytest.mark.usefixtures("numbers_convert")
def test_the_log_wrapper_counts_episodes(env):
    """Shows that the wrapper's state keeps its dtypes through a scan, and logs length and return of each episode."""
    wrapped = LogWrapper(env)

    @jax.jit
    def play(key):
        def body(carry, key):
            obs, state = carry
            obs, state, reward, terminated, truncated, info = wrapped.step(key, state, legal(None, obs, key))
            return (obs, state), (reward, terminated, truncated, info)

        return jax.lax.scan(body, wrapped.reset(key), jax.random.split(key, 2 * STEPS))[1]

    reward, terminated, truncated, info = play(jax.random.key(3))
    ends = np.flatnonzero(terminated)
    assert ends.tolist() == [STEPS - 1, 2 * STEPS - 1]
    assert not np.asarray(truncated).any()
    assert np.asarray(info["returned_episode_lengths"])[ends].tolist() == [STEPS, STEPS]
    expected = [np.asarray(reward)[:STEPS].sum(), np.asarray(reward)[STEPS:].sum()]
    np.testing.assert_allclose(np.asarray(info["returned_episode_returns"])[ends], expected, rtol=1e-5)


def test_the_end_of_an_episode():
    """Shows gymnax 1.x's contract: flags, the final observation in info, the next episode's first one returned."""
    env, params = make([random_shop(1), random_shop(2)])
    step = jax.jit(jax.vmap(env.step, (0, 0, 0, 0)))
    keys = jax.random.split(jax.random.key(0), 2)
    first, state = jax.jit(jax.vmap(env.reset))(keys, params)
    ended = np.zeros(2, int)
    for t in range(1, env.shape.operations + 1):
        obs, state, _, terminated, truncated, info = step(keys, state, state.first, params)
        for i in np.flatnonzero(terminated):
            ended[i] = ended[i] or t
            for new, fresh in zip(jax.tree.leaves(obs), jax.tree.leaves(first), strict=True):
                np.testing.assert_allclose(new[i], fresh[i], atol=1e-5)
            assert float(info["final_observation"].context[i, 0]) == 1.0
        np.testing.assert_array_equal(info["terminated"], terminated)
        np.testing.assert_array_equal(info["truncated"], truncated)
        assert not np.asarray(truncated).any()
    assert ended.tolist() == params.operations.tolist()
