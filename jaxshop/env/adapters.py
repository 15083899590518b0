"""The environment behind other interfaces; each library is imported only when its adapter is made."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array, PRNGKey

from jaxshop.env.environment import JobShop
from jaxshop.env.types import EnvParams, EnvState, Observation


class KeyedState(NamedTuple):
    """The environment's state with the key that jumanji's wrappers expect."""

    inner: EnvState
    key: PRNGKey


RENDER_MODES = ("ansi", "rgb_array")
"""Those of gymnasium that `JobShop.render` knows."""


def to_gymnasium(env: JobShop, params: EnvParams, render_mode: str | None = None) -> Any:
    """A `gymnasium.Env` over one shop: a dict observation with `action_mask`, and numpy in and out.

    `render_mode` is `ansi` or `rgb_array`, as in `JobShop.render`; ValueError for another. None: `render` gives None.
    """
    import gymnasium

    if render_mode not in (None, *RENDER_MODES):
        raise ValueError(f"render mode {render_mode!r} is not one of {', '.join(RENDER_MODES)}")
    reset, step, shown = jax.jit(env.reset_env), jax.jit(env.step_env), render_mode

    class GymnasiumJobShop(gymnasium.Env):
        """One shop, one episode at a time."""

        metadata = {"render_modes": list(RENDER_MODES), "render_fps": 10}  # noqa: RUF012
        render_mode = shown
        action_space = gymnasium.spaces.Discrete(env.shape.lots)
        observation_space = gymnasium.spaces.Dict(
            {
                name: gymnasium.spaces.Box(box.low, box.high, box.shape, np.dtype(box.dtype))
                if np.dtype(box.dtype) != bool
                else gymnasium.spaces.MultiBinary(box.shape[0])
                for name, box in env.observation_space(params).spaces.items()
            }
        )
        _state: EnvState | None = None

        def reset(self, *, seed: int | None = None, options: dict | None = None):
            """Start over; nothing is random, so the seed changes only what gymnasium itself draws."""
            super().reset(seed=seed)
            obs, self._state = reset(jax.random.key(0), params)
            return _numpy(obs), {"action_mask": np.asarray(obs.action_mask)}

        def step(self, action: Any):
            """Dispatch the next operation of lot `action`."""
            if self._state is None:
                raise gymnasium.error.ResetNeeded("call reset before step")
            obs, self._state, reward, terminated, info = step(jax.random.key(0), self._state, jnp.int32(action), params)
            info = {name: np.asarray(value).item() for name, value in info.items()}
            return (
                _numpy(obs),
                float(reward),
                bool(terminated),
                False,
                info | {"action_mask": np.asarray(obs.action_mask)},
            )

        def render(self):
            """The schedule so far, in the mode that the environment was made for."""
            if self._state is None:
                raise gymnasium.error.ResetNeeded("call reset before render")
            return None if shown is None else env.render(self._state, params, shown)

    return GymnasiumJobShop()


def _numpy(obs: Observation) -> dict[str, np.ndarray]:
    """Masks as int8, as gymnasium's MultiBinary wants them."""
    arrays = {name: np.asarray(value) for name, value in obs._asdict().items() if value is not None}
    return {name: a.astype(np.int8) if a.dtype == bool else a for name, a in arrays.items()}


class PlainObservation(NamedTuple):
    """An `Observation` of a shop without rules of its own: Jumanji wants a spec for every field that there is."""

    action_mask: Array
    candidates: Array
    candidate_mask: Array
    features: Array
    context: Array


def _described(obs: Observation) -> Observation | PlainObservation:
    return PlainObservation(*obs[:-1]) if obs.plant is None else obs


def to_jumanji(env: JobShop, params: EnvParams) -> Any:
    """A `jumanji.Environment` over one shop; its state carries a key, and `TimeStep.extras` the info."""
    from jumanji import specs
    from jumanji.env import Environment
    from jumanji.types import TimeStep, restart, termination, transition

    class JumanjiJobShop(Environment):
        """One shop; the action is a lot."""

        def reset(self, key: PRNGKey) -> tuple[Any, TimeStep]:
            """The empty schedule."""
            obs, inner = env.reset_env(key, params)
            extras = {"makespan": inner.estimate, "illegal": jnp.bool_(False)}
            return KeyedState(inner, key), restart(_described(obs), extras)

        def step(self, state: Any, action: Array) -> tuple[Any, TimeStep]:
            """Dispatch the next operation of lot `action`."""
            obs, inner, reward, terminated, extras = env.step_env(state.key, state.inner, action, params)
            timestep = jax.lax.cond(
                terminated,
                lambda: termination(reward, _described(obs), extras),
                lambda: transition(reward, _described(obs), extras=extras),
            )
            return KeyedState(inner, state.key), timestep

        def render(self, state: KeyedState) -> np.ndarray:
            """The schedule so far in pixels, uint8 [height, width, 3]."""
            return env.render(state.inner, params, "rgb_array")

        @cached_property
        def observation_spec(self) -> specs.Spec:
            """The fields of `Observation`."""
            boxes = env.observation_space(params).spaces
            fields = {
                name: specs.BoundedArray(box.shape, np.dtype(box.dtype), box.low, box.high, name)
                for name, box in boxes.items()
            }
            record = Observation if "plant" in fields else PlainObservation
            return specs.Spec(record, "ObservationSpec", **fields)

        @cached_property
        def action_spec(self) -> specs.DiscreteArray:
            """Lots."""
            return specs.DiscreteArray(env.shape.lots, name="action")

    return JumanjiJobShop()
