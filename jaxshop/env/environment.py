"""The environment: gymnax 1.x by duck typing, one dispatched operation a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from chex import Array, PRNGKey

from jaxshop.env import objective
from jaxshop.env.decision import resolve_action
from jaxshop.env.features import CONTEXT, FEATURES, PLANT_FEATURES, columns_of, observe
from jaxshop.env.packing import pack_stacked, shape_of
from jaxshop.env.rendering import render
from jaxshop.env.spaces import Box, Dict, Discrete
from jaxshop.env.transition import first_state, transition
from jaxshop.env.types import Decision, EnvParams, EnvState, Observation, Shape
from jaxshop.shop import LotPlan, Shop, split_lots

Info = dict[str, Any]


@dataclass(frozen=True)
class JobShop:
    """The flexible job shop with lots, as a pure-functional environment.

    Action: `Discrete(J)`, the lot whose next operation goes to the machine in question. An action outside the mask is
    replaced by the lot that the machine was chosen for, and `info["illegal"]` says so.

    Observation: `Observation`; `action_mask` is the conflict set of Giffler and Thompson (1960): the machine that can
    complete an operation first, and the lots whose next operation could start there before that. Dispatching within
    it reaches exactly the active schedules of each assignment that it makes; on small shops with machine-dependent
    times it never lost the optimum against brute force (tests/env/test_decision.py). `non_delay` narrows it to
    the lots that can start first anywhere: non-delay schedules, which may all miss the optimum.

    With closed time, set-ups by sequence and lags (docs/architecture.md) completions and starts are those that these
    give; fixed work is placed before the first decision, with what it has to wait for, and operations run in the
    first gap between it into which they fit. Set-ups make active schedules lose optima: how often is in
    docs/architecture.md. With `passing` a second machine is in question where the first completion would set the
    first one up for something else; lots that go to the second pass the first over for the next decision. Of tiny
    shops that loses a fourth as many optima. Rules choose within the first machine's conflict set all the same, and
    `non_delay` has no second machine.

    Reward: float32, the negative growth of a lower estimate of the objective's cost over the certified bound. Of the
    makespan it is the latest of the lots' ready times plus the least times of their rests; an episode's sum is
    -(makespan - first estimate) / bound. Weighted tardiness adds what jobs cost that cannot be done in time any more.

    Episode: exactly as many steps as the shop has operations that are not placed so; it never truncates, and no mask is
    ever empty. Past the end the state stays as it is, with reward 0.

    State: `EnvState` holds start and machine of every operation, in exact int32 ticks; `op_ends` adds the ends.

    Many environments: by `jax.vmap` as usual, shops shared or stacked; or with one more axis at the end of every array
    (`environments_last` makes such params), which `reset_env` and `step_env` take as they are. The second way keeps
    environments side by side in CPU vectors, which makes small shops faster (docs/profiling.md); but `vmap` holds a
    shared shop only once.
    """

    shape: Shape
    non_delay: bool = False
    passing: bool = False
    """Whether a machine may be passed over that would be set up for something else; matters with set-ups alone."""
    default_params: EnvParams | None = field(default=None, compare=False, repr=False)
    """The shop that `make` was called with (the first of several)."""
    default_plan: LotPlan | None = field(default=None, compare=False, repr=False)
    """What that shop's arrays number: names for `render`."""

    @property
    def name(self) -> str:
        """The environment's name."""
        return "JobShop-v1"

    @property
    def num_actions(self) -> int:
        """J."""
        return self.shape.lots

    def reset_env(self, key: PRNGKey, params: EnvParams) -> tuple[Observation, EnvState]:
        """The empty schedule. Nothing here is random: `key` is there for the interface."""
        state = self.begin(key, params)
        return self.get_obs(state, params), state

    def step_env(
        self, key: PRNGKey, state: EnvState, action: Array, params: EnvParams
    ) -> tuple[Observation, EnvState, Array, Array, Info]:
        """Dispatch one operation, without resetting at the end.

        Returns:
            observation, state, reward float32 [], terminated bool [], and info with `makespan` (the lower estimate,
            exact at the end; int32 ticks) and `illegal` (bool).
        """
        new, *rest = self.advance(key, state, action, params)
        return self.get_obs(new, params), new, *rest

    def begin(self, key: PRNGKey, params: EnvParams) -> EnvState:
        """`reset_env` without the observation: a loop that observes at its beginning traces that once, not thrice."""
        del key
        return first_state(params, self._decision)

    def advance(
        self, key: PRNGKey, state: EnvState, action: Array, params: EnvParams
    ) -> tuple[EnvState, Array, Array, Info]:
        """`step_env` without the observation."""
        del key
        lot, legal = resolve_action(state, params, action)
        new = transition(state, params, lot, self._decision)
        reward = objective.reward(state, new, params)
        terminated = new.step >= params.operations
        return new, reward, terminated, {"makespan": new.estimate, "illegal": ~legal}

    def cost(self, state: EnvState, params: EnvParams) -> Array:
        """What a complete schedule costs, in ticks: what schedules are compared by.

        int32 [], or float32 [] where the shop's objective is more than the makespan.
        """
        return objective.cost(state, params)

    def render(self, state: EnvState, params: EnvParams | None = None, mode: str = "ansi") -> Any:
        """The schedule so far, with the certified bound, as a picture: outside jit, of one environment.

        Args:
            state: of any step.
            params: of the same shop. Without them, or with those of `make`, machines and operations have their names,
                and fixed work is shown; else they are numbered.
            mode: `ansi`, a str of a line a machine, letters standing for jobs; `svg`, a str; `rgb_array`,
                uint8 [height, width, 3].

        Raises:
            ValueError: another mode, or a batch of states.
        """
        shop = self._params(params)
        return render(state, shop, mode, self.default_plan if shop is self.default_params else None)

    def reset(self, key: PRNGKey, params: EnvParams | None = None) -> tuple[Observation, EnvState]:
        """`reset_env`, with the default shop where none is given."""
        return self.reset_env(key, self._params(params))

    def step(
        self, key: PRNGKey, state: EnvState, action: Array, params: EnvParams | None = None
    ) -> tuple[Observation, EnvState, Array, Array, Array, Info]:
        """Dispatch one operation, and start the next episode at the end.

        Returns:
            observation, state, reward, terminated, truncated (always False), info; the observation and the state are
            the next episode's at an end, and `info["final_observation"]` is the one that ended it.
        """
        params = self._params(params)
        step_key, reset_key = jax.random.split(key)
        last, ended, reward, terminated, info = self.step_env(step_key, state, action, params)
        obs, fresh = self.reset_env(reset_key, params)
        truncated = jnp.zeros_like(terminated)

        def pick(new: Array, old: Array) -> Array:
            return jnp.where(terminated, new, old)

        info |= {"terminated": terminated, "truncated": truncated, "final_observation": last}
        return (
            jax.tree.map(pick, obs, last),
            jax.tree.map(pick, fresh, ended),
            reward,
            terminated,
            truncated,
            info,
        )

    def get_obs(self, state: EnvState, params: EnvParams | None = None, key: PRNGKey | None = None) -> Observation:
        """What `reset` and `step` return beside this state."""
        del key
        params = self._params(params)
        if state.step.ndim:
            return jax.vmap(lambda s, p: observe(s, p, self.shape.candidates), -1, -1)(state, params)
        return observe(state, params, self.shape.candidates)

    def action_space(self, params: EnvParams | None = None) -> Discrete:
        """Lots."""
        del params
        return Discrete(self.shape.lots)

    def observation_space(self, params: EnvParams | None = None) -> Dict:
        """The fields of `Observation`; features are clipped to -5 ... 5."""
        del params
        lots, shown = self.shape.lots, self.shape.candidates
        spaces = {
            "action_mask": Box(0, 1, (lots,), jnp.bool_),
            "candidates": Box(0, lots - 1, (shown,), jnp.int32),
            "candidate_mask": Box(0, 1, (shown,), jnp.bool_),
            "features": Box(-5.0, 5.0, (shown, FEATURES)),
            "context": Box(-1e6, 1e6, (CONTEXT,)),
        }
        if columns_of(self.shape) > FEATURES:
            spaces["plant"] = Box(-5.0, 5.0, (shown, PLANT_FEATURES))
        return Dict(spaces)

    @property
    def _decision(self) -> Decision:
        setups = self.shape.plant is not None and self.shape.plant.families > 1
        return Decision(self.shape.flexible, self.non_delay, self.passing and setups and not self.non_delay)

    def _params(self, params: EnvParams | None) -> EnvParams:
        chosen = params if params is not None else self.default_params
        if chosen is None:
            raise ValueError("this environment has no default shop: pass params")
        return chosen


def environments_last(params: EnvParams) -> EnvParams:
    """Stacked params, [E, ...], with that axis at the end, as `reset_env` and `step_env` take them without vmap."""
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), params)


def make(
    shops: Shop | LotPlan | Sequence[Shop | LotPlan], candidates: int | None = None, passing: bool = False
) -> tuple[JobShop, EnvParams]:
    """The environment for a shop (whole jobs), a plan (its lots), or several of them, padded to one shape and stacked.

    Args:
        shops: one shop or plan, or a sequence.
        candidates: lots that an observation describes at most; None describes all.
        passing: whether machines may be passed over, see `JobShop`.

    Returns:
        The environment, and its params; with a leading axis where a sequence was given.
    """
    single = isinstance(shops, Shop | LotPlan)
    given: list[Shop | LotPlan] = [shops] if isinstance(shops, Shop | LotPlan) else list(shops)
    plans = [s if isinstance(s, LotPlan) else split_lots(s, None) for s in given]
    shape = shape_of(plans, candidates)
    packed = pack_stacked(plans, shape)
    first = jax.device_put(jax.tree.map(lambda x: x[0], packed))  # `jnp.asarray` would compile a program for each shape
    env = JobShop(shape, passing=passing, default_params=first, default_plan=plans[0])
    return env, first if single else jax.device_put(packed)
