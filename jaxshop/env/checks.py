"""`check_env`: the promises of the interface, checked on a real episode. For our tests and for wrappers by others."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxshop.env import objective
from jaxshop.env.environment import JobShop
from jaxshop.env.transition import op_ends
from jaxshop.env.types import EnvParams, EnvState


def check_env(env: JobShop, params: EnvParams, seed: int = 0) -> EnvState:
    """Play one random legal episode and check every promise on the way.

    Returns:
        The final state, for further checks.

    Raises:
        AssertionError: names the promise that was broken.
    """
    reset, step = jax.jit(env.reset_env), jax.jit(env.step_env)
    space = env.observation_space(params)
    rng = np.random.default_rng(seed)
    length, bound = int(params.operations), int(params.bound)
    obs, state = reset(jax.random.key(seed), params)
    first, total = float(objective.lower_estimate(state, params)), 0.0
    structure = str(jax.tree.structure(state))
    assert length > 0, "an episode must have a step"
    for i in range(length):
        assert bool(space.contains(obs)), f"step {i}: the observation is not in its space"
        mask = np.asarray(obs.action_mask)
        assert mask.any(), f"step {i}: no action is legal"
        shown = np.asarray(obs.candidates)[np.asarray(obs.candidate_mask)]
        assert mask[shown].all(), f"step {i}: a candidate is not legal"
        assert len(shown) == min(mask.sum(), env.shape.candidates), f"step {i}: a candidate is missing"
        before = state
        obs, state, reward, terminated, info = step(
            jax.random.key(i), state, jnp.int32(rng.choice(np.flatnonzero(mask))), params
        )
        total += float(reward)
        assert str(jax.tree.structure(state)) == structure, f"step {i}: the state changed its structure"
        assert _dtypes(state) == _dtypes(before), f"step {i}: the state changed a dtype or shape"
        assert float(reward) <= 0, f"step {i}: the reward is positive"
        assert not bool(info["illegal"]), f"step {i}: a legal action was called illegal"
        assert bool(terminated) == (i == length - 1), f"step {i}: the episode must end after {length} steps"
    real = np.asarray(params.lots.count).sum()
    ends = np.asarray(op_ends(state, params))[:real]
    assert (ends >= 0).all(), "an operation was not scheduled"
    begun = 0 if params.plant is None else int(params.plant.begun)
    assert int(state.estimate) == max(ends.max(), begun), "the estimate must end as the makespan"
    assert max(ends.max(), begun) >= bound or bound == 1, "the makespan is under the certified bound"
    expected = (first - float(env.cost(state, params))) / float(objective.reward_scale(params))
    assert abs(total - expected) < 1e-4 * max(1.0, abs(expected)), "the rewards do not add up to the cost"
    _, after, reward, terminated, _ = step(jax.random.key(0), state, jnp.int32(0), params)
    assert bool(terminated), "past the end the episode stays over"
    assert float(reward) == 0, "past the end there is no reward"
    assert np.array_equal(after.schedule.start, state.schedule.start), "past the end the schedule may not change"
    return state


def _dtypes(state: EnvState) -> list[tuple]:
    return [(x.dtype, x.shape) for x in jax.tree.leaves(state)]
