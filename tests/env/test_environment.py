"""The environment against hand-computed episodes, the verifier, and its own promises."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.env import JobShop, check_env, environments_last, make, op_ends
from jaxshop.env.packing import pack, shape_of
from jaxshop.env.types import Shape
from jaxshop.schedule import verify
from jaxshop.search.dispatches import dispatch_of, to_schedule
from jaxshop.shop import split_lots
from tests.shops import from_routes, ft06, random_shop

SHAPE = Shape(lots=5, operations=15, choices=4, sets=24, machines=4, pools=5, candidates=5)
"""Holds every small random shop, so that all of them share one compilation."""


GOLDEN = from_routes([[{0: 3}, {1: 2}], [{0: 2, 1: 4}, {0: 1}], [{1: 6}]], 2)
"""Three jobs whose episode can be computed by hand."""


@cache
def stepper(env: JobShop):
    """The jitted reset and step of an environment."""
    return jax.jit(env.reset_env), jax.jit(env.step_env)


def play(env: JobShop, params, choose):
    """An episode by a Python chooser of (mask, state) -> lot; returns the final state and the rewards."""
    reset, step = stepper(env)
    _, state = reset(jax.random.key(0), params)
    rewards = []
    for _ in range(int(params.operations)):
        action = choose(np.asarray(state.mask), state)
        _, state, reward, _, _ = step(jax.random.key(0), state, jnp.int32(action), params)
        rewards.append(float(reward))
    return state, rewards


def test_get_obs_is_what_reset_and_step_return():
    """Shows that a loop may observe at its beginning instead."""
    _, params = padded(3)
    env = JobShop(SHAPE, default_params=params)
    reset, step = stepper(env)
    observe = jax.jit(env.get_obs)
    obs, state = reset(jax.random.key(0), params)
    for _ in range(int(params.operations)):
        chex.assert_trees_all_close(observe(state, params), obs, atol=1e-5)
        obs, state, *_ = step(jax.random.key(0), state, state.first, params)
    chex.assert_trees_all_close(jax.jit(lambda state: env.get_obs(state))(state), obs, atol=1e-5)


def padded(seed: int, **kwargs):
    """A random shop's plan, and its params at the shared shape."""
    return in_shape(random_shop(seed, **kwargs))


def in_shape(shop):
    """A shop's plan, and its params at the shared shape."""
    plan = split_lots(shop, None)
    return plan, jax.tree.map(jnp.asarray, pack(plan, SHAPE))


def test_golden_episode():
    """Shows machine, conflict set, times and rewards of a hand-computed episode with a flexible operation."""
    _, params = in_shape(GOLDEN)
    reset, step = stepper(JobShop(SHAPE))
    _, state = reset(jax.random.key(0), params)
    # Lot 1 completes first: at 2 on machine 0. Lot 0 could start there at 0, before 2.
    assert (int(state.machine), int(state.event), state.mask.tolist()) == (0, 2, [True, True, *[False] * 3])
    assert int(state.estimate) == 6
    seen = []
    # After lot 1 (0 to 2 on machine 0) its second operation is next, at 2 to 3 on machine 0; lot 0 could start at 2.
    # Then lot 0 takes 3 to 6 on machine 0: machine 1 is first to complete, at 6, by lot 2, alone. Lot 0 ends 6 to 8.
    for lot, mask in ((1, [1, 1, 0]), (1, [1, 1, 0]), (0, [1, 0, 0]), (2, [0, 0, 1]), (0, [1, 0, 0])):
        assert state.mask.astype(int).tolist() == [*mask, 0, 0]
        _, state, _, terminated, info = step(jax.random.key(0), state, jnp.int32(lot), params)
        seen.append((int(info["makespan"]), bool(terminated)))
    assert seen == [(6, False), (6, False), (8, False), (8, False), (8, True)]
    assert state.schedule.start[:5].tolist() == [3, 6, 0, 2, 0]
    assert op_ends(state, params)[:5].tolist() == [6, 8, 2, 3, 6]
    assert state.schedule.machine[:5].tolist() == [0, 1, 0, 0, 1]


def test_release_and_availability_are_obeyed():
    """Shows that nothing starts before the lot's release or the machine's first tick."""
    _, params = in_shape(from_routes([[{0: 4}], [{0: 2}]], 1, release=[5, 0], free=[3]))
    state, _ = play(JobShop(SHAPE), params, lambda mask, state: int(mask.argmax()))
    assert state.schedule.start[:2].tolist() == [5, 3]
    assert op_ends(state, params)[:2].tolist() == [9, 5]


def test_zero_duration_stays_in_the_conflict_set():
    """Shows that an operation of no duration can always be dispatched, alone if need be."""
    _, params = in_shape(from_routes([[{0: 0}, {1: 5}], [{0: 3}, {1: 0}]], 2))
    state, _ = play(JobShop(SHAPE), params, lambda mask, state: int(mask.argmax()))
    assert op_ends(state, params)[:4].tolist() == [0, 5, 3, 5]


def test_schedules_of_random_play_are_valid():
    """Shows that the independent verifier accepts every schedule of random legal play, in both decisions."""
    for seed in range(12):
        plan, params = padded(seed, jobs=5, machines=4)
        rng = np.random.default_rng(seed)
        for env in (JobShop(SHAPE), JobShop(SHAPE, non_delay=True)):
            state, _ = play(env, params, lambda mask, state, rng=rng: rng.choice(np.flatnonzero(mask)))
            assert verify(plan, to_schedule(plan, dispatch_of(env, state, params))) == []


@pytest.mark.parametrize("non_delay", [False, True])
def test_check_env(non_delay: bool):
    """Shows that the public conformance check passes on a padded random shop and on ft06."""
    _, params = padded(3, jobs=4, machines=4)
    check_env(JobShop(SHAPE, non_delay), params)
    env, params = make(ft06())
    state = check_env(JobShop(env.shape, non_delay), params)
    assert int(state.estimate) >= 55


def test_check_env_notices_a_broken_environment():
    """Shows that the conformance check can fail: a reward of the wrong sign is caught."""

    class Broken(JobShop):
        def step_env(self, key, state, action, params):
            obs, state, reward, terminated, info = super().step_env(key, state, action, params)
            return obs, state, -reward + 1, terminated, info

    _, params = padded(3, jobs=4, machines=4)
    with pytest.raises(AssertionError, match="reward"):
        check_env(Broken(SHAPE), params)


def test_non_delay_never_idles():
    """Shows that in a non-delay schedule every operation starts at the earliest tick that any machine allowed."""
    env = JobShop(SHAPE, non_delay=True)
    for seed in range(6):
        _, params = padded(seed, jobs=5, machines=4)
        starts = []
        reset, step = stepper(env)
        _, state = reset(jax.random.key(0), params)
        for _ in range(int(params.operations)):
            lot = int(np.flatnonzero(state.mask)[-1])
            op = int(state.lots.op[lot])
            event = int(state.event)
            _, state, *_ = step(jax.random.key(0), state, jnp.int32(lot), params)
            assert int(state.schedule.start[op]) == event
            starts.append(event)
        assert starts == sorted(starts)


def test_an_illegal_action_is_replaced_and_reported():
    """Shows that an action outside the mask dispatches the lot that the machine was chosen for, and says so."""
    _, params = in_shape(GOLDEN)
    reset, step = stepper(JobShop(SHAPE))
    _, state = reset(jax.random.key(0), params)
    _, wrong, _, _, info = step(jax.random.key(0), state, jnp.int32(2), params)
    _, right, _, _, _ = step(jax.random.key(0), state, state.first, params)
    assert bool(info["illegal"])
    chex.assert_trees_all_equal(wrong, right)


@pytest.mark.parametrize("action", [-1, -(2**31), 3, 2**31 - 1])
def test_an_action_that_is_no_lot_is_illegal(action: int):
    """Shows that JAX's way with indices out of range, to clamp or to wrap them, does not make another lot of them."""
    env, params = make(from_routes([[{0: 3}], [{0: 2}], [{0: 4}, {0: 1}]], 1))
    reset, step = stepper(env)
    _, state = reset(jax.random.key(0), params)
    assert np.asarray(state.mask).all()
    _, wrong, _, _, info = step(jax.random.key(0), state, jnp.int32(action), params)
    _, right, _, _, _ = step(jax.random.key(0), state, state.first, params)
    assert bool(info["illegal"])
    chex.assert_trees_all_equal(wrong, right)


def test_a_schedule_may_end_after_the_limit_of_the_horizon():
    """Shows exact times past 2^30: a shop's plain list schedule must end before that tick, a poorer one may not."""
    third = 2**30 // 3
    plan = split_lots(from_routes([[{0: third}, {1: third}], [{1: third}, {0: third - 1}]], 2), None)
    env, params = make(plan)
    machines = params.machines._replace(free=params.machines.free + third + 2)
    late = params._replace(machines=machines)
    state, _ = play(env, late, lambda mask, state: int(mask.argmax()))
    assert int(state.estimate) == 3 * third + 2 >= 2**30
    assert np.asarray(state.schedule.machine).tolist() == [0, 1, 1, 0]


def test_padding_changes_nothing():
    """Shows that the same choices on a padded shop give the same schedule, rewards and observations."""
    plan = split_lots(random_shop(5, jobs=4, machines=3), None)
    tight = shape_of([plan])
    results = []
    for shape in (tight, SHAPE):
        params = jax.tree.map(jnp.asarray, pack(plan, shape))
        state, rewards = play(JobShop(shape), params, lambda mask, state: int(np.flatnonzero(mask)[-1]))
        n = int(params.operations)
        obs, _ = stepper(JobShop(shape))[0](jax.random.key(0), params)
        features = np.asarray(obs.features)[np.asarray(obs.candidate_mask)]
        results.append((state.schedule.start[:n], state.schedule.machine[:n], rewards, features, obs.context))
    chex.assert_trees_all_close(*results, rtol=1e-6, atol=1e-6)


def with_machines(state, known):
    """The state with the machines that `known` knows from the start, as only a job shop leaves no choice."""
    return state._replace(schedule=state.schedule._replace(machine=known.schedule.machine))


@pytest.mark.parametrize("non_delay", [False, True])
def test_a_job_shop_is_the_flexible_shop_that_it_also_is(non_delay):
    """Shows that naming the machine by the lot, where it has but one, changes no state, reward or observation."""
    plan = split_lots(ft06(), None)
    tight = shape_of([plan])
    assert not tight.flexible
    params = jax.tree.map(jnp.asarray, pack(plan, tight))
    alone, general = (JobShop(shape, non_delay) for shape in (tight, replace(tight, flexible=True)))
    rng = np.random.default_rng(0)
    (obs, state), (obs_general, state_general) = (
        stepper(env)[0](jax.random.key(0), params) for env in (alone, general)
    )
    for _ in range(int(params.operations) + 2):  # past the end, too
        known = with_machines(state_general, state)
        chex.assert_trees_all_close((obs, state), (obs_general, known), rtol=1e-5, atol=1e-6)
        action = jnp.int32(rng.choice(np.flatnonzero(state.mask)))
        obs, state, *others = stepper(alone)[1](jax.random.key(0), state, action, params)
        obs_general, state_general, *others_general = stepper(general)[1](
            jax.random.key(0), state_general, action, params
        )
        chex.assert_trees_all_close(others, others_general, rtol=1e-6)
    assert others[1]
    known = with_machines(state_general, state)
    chex.assert_trees_all_close((obs, state), (obs_general, known), rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_equal(state.schedule.machine, state_general.schedule.machine)
    assert verify(plan, to_schedule(plan, dispatch_of(alone, state, params))) == []


def test_padded_job_shops_end_in_observations_that_can_be_learned_from():
    """Shows finite observations, to the end and past it, of a shop with fewer machines than others of its batch."""
    env, stacked = make([from_routes([[{0: 3}, {1: 2}]], 2), from_routes([[{0: 1}, {2: 3}, {3: 1}], [{1: 4}]], 4)])
    assert not env.shape.flexible
    params = jax.tree.map(lambda x: x[0], stacked)
    space = env.observation_space(params)
    obs, state = stepper(env)[0](jax.random.key(0), params)
    for _ in range(int(params.operations) + 2):
        assert bool(space.contains(obs))
        assert int(state.machine) < 2
        obs, state, *_ = stepper(env)[1](jax.random.key(0), state, state.first, params)
    assert bool(space.contains(obs))
    assert np.isfinite(np.asarray(obs.context, np.float16)).all()


def test_a_flexible_plan_does_not_fit_a_job_shops_shape():
    """Shows that packing refuses a plan whose operations have a choice that the shape leaves no room for."""
    plan = split_lots(random_shop(0, jobs=3, machines=3), None)
    with pytest.raises(ValueError, match="several machines"):
        pack(plan, replace(shape_of([plan]), flexible=False))


def test_different_shops_share_one_compilation():
    """Shows that shops of several sizes step in one vmapped call, traced once, as each does alone."""
    shops = [random_shop(seed, jobs=2 + seed % 3, machines=2 + seed % 2) for seed in range(4)]
    env, params = make(shops)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def episode(params):
        _, state = env.reset_env(jax.random.key(0), params)

        def body(state, _):
            _, state, reward, _, _ = env.step_env(jax.random.key(0), state, state.first, params)
            return state, reward

        return jax.lax.scan(body, state, length=env.shape.operations)

    together, rewards = jax.vmap(episode)(params)
    for i in range(len(shops)):
        alone, reward = episode(jax.tree.map(lambda x, i=i: x[i], params))
        chex.assert_trees_all_close(jax.tree.map(lambda x, i=i: x[i], together), alone, rtol=1e-6)
        np.testing.assert_allclose(rewards[i], reward, rtol=1e-6)


def test_equal_environments_are_one_compilation_key():
    """Shows that environments hash and compare by value, so that a fresh one does not compile again."""
    assert JobShop(SHAPE) == JobShop(SHAPE)
    assert hash(JobShop(SHAPE)) == hash(JobShop(SHAPE))
    assert JobShop(SHAPE) != JobShop(SHAPE, non_delay=True)


def test_public_step_starts_the_next_episode():
    """Shows that `step` returns the next episode's first observation and keeps the final one in info."""
    env, _ = make(from_routes([[{0: 3}]], 1))
    first, state = jax.jit(env.reset)(jax.random.key(0))
    obs, state, _, terminated, truncated, info = jax.jit(env.step)(jax.random.key(1), state, jnp.int32(0))
    assert bool(terminated)
    assert not bool(truncated)
    chex.assert_trees_all_equal(obs, first)
    assert int(state.step) == 0
    assert float(info["final_observation"].context[0]) == 1.0


def test_candidates_are_the_ends_of_the_conflict_set():
    """Shows what a cut to fewer candidates keeps: the lots with the most work left, then those with the least."""
    env, params = make(from_routes([[{0: 5}], [{0: 6}], [{0: 7}], [{0: 8}], [{1: 9}]], 2), candidates=3)
    obs, _ = jax.jit(env.reset_env)(jax.random.key(0), params)
    assert obs.action_mask.tolist() == [True, True, True, True, False]
    assert obs.candidates.tolist() == [3, 2, 0]


@pytest.mark.parametrize(
    ("non_delay", "overlap"), [pytest.param(False, 4, marks=pytest.mark.thorough), (True, 0)]
)  # which other functions look at
@pytest.mark.usefixtures("ranks_meet")
def test_environments_last_are_the_same_as_under_vmap(non_delay, overlap):
    """Shows that environments at the end of arrays do as under vmap: illegal actions, padding, past the end."""
    plans = [split_lots(random_shop(seed, jobs=2 + seed % 3), None) for seed in range(6)]
    shape = replace(shape_of(plans), overlap=overlap and shape_of(plans).overlap)
    assert bool(shape.overlap) == bool(overlap)
    env = JobShop(shape, non_delay)
    shops = jax.tree.map(lambda *x: jnp.stack(x), *(pack(plan, shape) for plan in plans))
    last = environments_last(shops)
    key, rng = jax.random.key(0), np.random.default_rng(0)
    under_vmap, at_the_end = jax.jit(jax.vmap(env.step_env, (None, 0, 0, 0))), jax.jit(env.step_env)
    obs, state = jax.jit(jax.vmap(env.reset_env, (None, 0)))(key, shops)
    obs_last, state_last = jax.jit(env.reset_env)(key, last)
    for _ in range(shape.operations + 2):
        chex.assert_trees_all_close((obs_last, state_last), environments_last((obs, state)), rtol=1e-5, atol=1e-6)
        actions = jnp.asarray(rng.integers(shape.lots, size=len(plans)))
        obs, state, *others = under_vmap(key, state, actions, shops)
        obs_last, state_last, *others_last = at_the_end(key, state_last, actions, last)
        chex.assert_trees_all_close(others_last, others, rtol=1e-5, atol=1e-6)
        leaves, expected = jax.tree.leaves(state_last), jax.tree.leaves(environments_last(state))
        exact = [(a, b) for a, b in zip(leaves, expected, strict=True) if a.dtype == jnp.int32]
        assert all(np.array_equal(a, b) for a, b in exact)
    assert others[1].all()
