"""The environment: gymnax 1.x by duck typing, one dispatched operation a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array, PRNGKey

from jaxshop.env.dynamics import dispatch, first_state
from jaxshop.env.observe import observe
from jaxshop.env.packing import pack, shape_of
from jaxshop.env.types import EnvParams, EnvState, Observation, Shape
from jaxshop.lots import LotPlan, split_lots
from jaxshop.shop import Shop


@dataclass(frozen=True)
class JobShop:
    shape: Shape
    non_delay: bool = False

    def reset_env(self, key: PRNGKey, params: EnvParams) -> tuple[Observation, EnvState]:
        del key
        state = first_state(params, self.non_delay)
        return observe(state, params, self.shape.candidates), state

    def step_env(
        self, key: PRNGKey, state: EnvState, action: Array, params: EnvParams
    ) -> tuple[Observation, EnvState, Array, Array, dict[str, Array]]:
        del key
        legal = state.mask[action]
        new = dispatch(state, params, jnp.where(legal, action, state.first), self.non_delay)
        reward = (state.estimate - new.estimate).astype(jnp.float32) / params.bound.astype(jnp.float32)
        terminated = new.step >= params.operations
        info = {"makespan": new.estimate, "illegal": ~legal}
        return observe(new, params, self.shape.candidates), new, reward, terminated, info


def make(shops: Shop | LotPlan | Sequence[Shop | LotPlan], candidates: int | None = None):
    many = not isinstance(shops, Shop | LotPlan)
    plans = [s if isinstance(s, LotPlan) else split_lots(s, None) for s in (shops if many else [shops])]
    shape = shape_of(plans, candidates)
    packed = [pack(p, shape) for p in plans]
    params = (
        jax.tree.map(lambda *x: jnp.asarray(np.stack(x)), *packed)
        if many
        else jax.tree.map(jnp.asarray, packed[0])
    )
    return JobShop(shape), params
