"""How good a policy is: on the shop itself, and on shops kept for choosing a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams, JobShop
from jaxshop.policies.acting import greedy, play, rule
from jaxshop.policies.rules import RULES
from jaxshop.policies.types import Network
from jaxshop.schedule import Schedule, verify
from jaxshop.search.compiled import Dispatch, best_sample, greedy_dispatch, to_schedule
from jaxshop.shop import TICKS_PER_HOUR, LotPlan
from jaxshop.support.errors import InvalidScheduleError
from jaxshop.training.problem import TrainingProblem


@dataclass(frozen=True)
class Score:
    """One evaluation of the greedy policy; its schedule of the shop itself is verified."""

    own: Dispatch
    own_gap: float
    kept_gaps: Mapping[str, float]
    """Mean of makespan / best known - 1 by make of the kept shops."""

    @property
    def own_hours(self) -> float:
        """The makespan of the shop itself."""
        return int(self.own.makespan) / TICKS_PER_HOUR

    @property
    def selection_gap(self) -> float:
        """The mean over the makes."""
        return sum(self.kept_gaps.values()) / len(self.kept_gaps)

    def numbers(self) -> dict[str, float]:
        """For metrics.jsonl."""
        found = {"own_hours": self.own_hours, "own_gap": self.own_gap, "selection_gap": self.selection_gap}
        if len(self.kept_gaps) > 1:
            found |= {f"kept/{make}": gap for make, gap in self.kept_gaps.items()}
        return found


class Evaluator:
    """Compiled evaluations of one problem; each takes the weights as an argument, and whose they are for messages."""

    def __init__(self, problem: TrainingProblem, batch: int):
        self._problem = problem
        self._batch = batch
        self._greedy = jax.jit(partial(greedy_dispatch, problem.own_env, problem.network))
        self._sample = jax.jit(partial(best_sample, problem.own_env, problem.network), static_argnums=4)
        self._beside = jax.local_devices()[-1]  # the two parts of a score run at once where there are two devices
        self._kept = [
            (kept, jax.jit(partial(_greedy_makespans, env, problem.network)), jax.device_put(kept.shops, self._beside))
            for env, kept in problem.selections.values()
        ]

    def score(self, weights: ArrayTree, whose: str) -> Score:
        """The greedy policy on the shop itself, and its mean gap on the selection shops; as `greedy` raises."""
        own = self._greedy(weights, self._problem.own)
        beside = jax.device_put(weights, self._beside)
        played = [(kept, play_all(beside, shops)) for kept, play_all, shops in self._kept]
        verified(self._problem.plan, own, f"{whose}: the greedy schedule")
        gaps: dict[str, float] = {}
        for kept, makespans in played:
            by_make = (np.asarray(makespans) / kept.best - 1.0).reshape(len(kept.makes), -1).mean(axis=1)
            gaps |= zip(kept.makes, by_make.tolist(), strict=True)
        return Score(own, int(own.makespan) / int(self._problem.own.bound) - 1.0, gaps)

    def greedy(self, weights: ArrayTree, whose: str) -> Dispatch:
        """The greedy policy's verified schedule of the shop itself; InvalidScheduleError where it is none."""
        own = self._greedy(weights, self._problem.own)
        verified(self._problem.plan, own, f"{whose}: the greedy schedule")
        return own

    def best_of(self, weights: ArrayTree, samples: int, seed: int, whose: str) -> Dispatch:
        """The best of `samples` sampled schedules of the shop itself, verified, as `greedy` is."""
        best: Dispatch | None = None
        for begin in range(0, samples, self._batch):
            found, _ = self._sample(
                weights,
                self._problem.own,
                jax.random.key(seed),
                jnp.int32(begin),
                self._batch,
                jnp.int32(samples),
            )
            if best is None or int(found.cost) < int(best.cost):
                best = found
        assert best is not None
        verified(self._problem.plan, best, f"{whose}: the best of {samples} samples")
        return best


def verified(plan: LotPlan, dispatch: Dispatch, what: str) -> Schedule:
    """The schedule, if the independent verifier accepts it, and if it is as long as the environment says.

    Raises:
        InvalidScheduleError: names `what` and the first violation.
    """
    schedule = to_schedule(plan, dispatch)
    violations: list[str] = [*verify(plan, schedule)]
    if not violations and schedule.makespan != int(dispatch.makespan):
        violations = [f"ends after {schedule.makespan} ticks, not after {int(dispatch.makespan)} as played"]
    if violations:
        raise InvalidScheduleError(f"{what} is invalid: {violations[0]}")
    return schedule


def _greedy_makespans(env: JobShop, network: Network, weights: ArrayTree, shops: EnvParams) -> Array:
    """Ticks of the greedy schedules of stacked shops, int32 [count]."""

    def makespan(params: EnvParams) -> Array:
        return play(env, params, greedy(network, weights), jax.random.key(0)).estimate

    return jax.vmap(makespan)(shops)


def _rule_makespans(env: JobShop, params: EnvParams, number: Array, keys: PRNGKey) -> Array:
    return jax.vmap(lambda key: play(env, params, rule(number), key).estimate)(keys)


class Played(NamedTuple):
    """What a rule came to: ticks, and the seconds that it took, compilation apart."""

    makespan: float
    seconds: float


def rules_played(env: JobShop, params: EnvParams, seeds: int, with_due: bool) -> dict[str, Played]:
    """Every rule, non-delay (`MWKR`) and active (`MWKR/active`); random is the mean of `seeds` runs.

    Their keys are those of seeds 0, 1 ... in `jaxshop.search.solve`, so that `jaxshop evaluate` says the same.
    """
    results = {}
    for non_delay in (True, False):
        run = jax.jit(partial(_rule_makespans, JobShop(env.shape, non_delay), params))
        compiled = set()
        for number, name in enumerate(RULES):
            if name == "EDD" and not with_due:
                continue
            keys = jax.vmap(jax.random.key)(jnp.arange(seeds if name == "random" else 1))
            if len(keys) not in compiled:
                jax.block_until_ready(run(jnp.int32(number), keys))
                compiled.add(len(keys))
            begun = time.monotonic()
            makespan = float(np.mean(run(jnp.int32(number), keys)))
            results[name if non_delay else f"{name}/active"] = Played(makespan, time.monotonic() - begun)
    return results


def rule_makespans(env: JobShop, params: EnvParams, seeds: int, with_due: bool) -> dict[str, float]:
    """The ticks of `rules_played`."""
    return {name: played.makespan for name, played in rules_played(env, params, seeds, with_due).items()}
