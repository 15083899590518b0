"""Pictures of an environment's state."""

from __future__ import annotations

import jax
import pytest

from jaxshop.env import make
from tests.env.test_environment import stepper
from tests.shops import ft06


def test_a_state_can_be_looked_at():
    """Shows names where the environment has them, numbers for another shop's params, and what is refused."""
    env, params = make(ft06())
    reset, step = stepper(env)
    _, state = reset(jax.random.key(0), params)
    assert "A" not in env.render(state, params)
    _, state, *_ = step(jax.random.key(0), state, state.first, params)
    assert env.render(state) == env.render(state, params)
    named, numbered = env.render(state, mode="svg"), env.render(state, params._replace(bound=params.bound + 1), "svg")
    assert f">{env.default_plan.lots[int(state.schedule.start.argmax()) // 6].operations[0].id}, lot 1<" in named
    assert "operation 1 of lot" in numbered
    assert "operation 1 of lot" not in named
    with pytest.raises(ValueError, match="'human' is not one of ansi, svg, rgb_array"):
        env.render(state, mode="human")
    with pytest.raises(ValueError, match="one environment"):
        env.render(jax.tree.map(lambda x: x[None], state))
