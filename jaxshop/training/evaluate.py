"""How good a policy is: on the shop itself, and on shops kept for choosing a checkpoint.

On the shop itself by the methods of `jaxshop.search`, so that `jaxshop solve` and `jaxshop evaluate` say the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from statistics import fmean

import jax
import numpy as np
from chex import ArrayTree

from jaxshop.env.packing import shape_of
from jaxshop.policies.checkpoint import Policy, load_policy
from jaxshop.schedule import Schedule
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.compiled import CANDIDATES, RULE_BATCH, CompiledRollouts, program
from jaxshop.search.registry import method_named
from jaxshop.search.rules import applicable, host_rules, rule_schedules, runs_of
from jaxshop.search.tune import Tuned, tune_linear
from jaxshop.search.types import Incumbent, Method, Options, Stop, require_valid
from jaxshop.shop import TICKS_PER_HOUR
from jaxshop.support.errors import InvalidScheduleError
from jaxshop.training.config import STAGES, Config
from jaxshop.training.problem import TrainingProblem


@dataclass(frozen=True)
class Score:
    """One evaluation of the greedy policy; its schedule of the shop itself is verified."""

    own_cost: int  # ticks
    own_gap: float
    kept_gaps: Mapping[str, float]
    """Mean of cost / best known - 1 by make of the kept shops."""

    @property
    def selection_gap(self) -> float:
        """The mean over the makes."""
        return sum(self.kept_gaps.values()) / len(self.kept_gaps)

    def numbers(self) -> dict[str, float]:
        """For metrics.jsonl."""
        hours = self.own_cost / TICKS_PER_HOUR
        found = {"own_hours": hours, "own_gap": self.own_gap, "selection_gap": self.selection_gap}
        if len(self.kept_gaps) > 1:
            found |= {f"kept/{make}": gap for make, gap in self.kept_gaps.items()}
        return found


def rank(score: Score, config: Config, stage: str) -> float:
    """What checkpoints are chosen by, the least first: a gap, behind those of every later stage.

    A resumed run may go on to stages that it did not have.
    """
    gap = score.own_gap if config.evaluation.choose_by == "own" else score.selection_gap
    return gap + 1e3 * (len(STAGES) - 1 - STAGES.index(stage))


@dataclass(frozen=True)
class Ruled:
    """What a rule gives: its cost in ticks, of `random` the mean, the best of its schedules, and what they took."""

    cost: float
    best: Schedule
    seconds: float  # compilation apart


class Evaluator:
    """Evaluations of one problem; each takes the weights, and whose they are for messages."""

    def __init__(self, problem: TrainingProblem):
        self._problem = problem
        # One shop for a whole run: padding it would cost more than the program that it might share with others.
        self._rollouts = CompiledRollouts(problem.task, load_policy, shape_of([problem.plan], CANDIDATES))
        self._beside = jax.local_devices()[-1]  # the two parts of a score run at once where there are two devices
        self._kept = [
            (kept, program("greedy of many", env, problem.network), jax.device_put(kept.shops, self._beside))
            for env, kept in problem.selections.values()
        ]

    def score(self, weights: ArrayTree, whose: str) -> Score:
        """The greedy policy on the shop itself, and its mean gap on the selection shops; as `greedy` raises."""
        beside = jax.device_put(weights, self._beside)
        played = [(kept, play_all(beside, shops)) for kept, play_all, shops in self._kept]
        own = self.greedy(weights, whose)
        gaps: dict[str, float] = {}
        for kept, costs in played:
            by_make = (np.asarray(costs) / kept.best - 1.0).reshape(len(kept.makes), -1).mean(axis=1)
            gaps |= zip(kept.makes, by_make.tolist(), strict=True)
        return Score(own.cost, own.cost / self._problem.bound - 1.0, gaps)

    def greedy(self, weights: ArrayTree, whose: str) -> Incumbent:
        """The greedy policy's verified schedule of the shop itself; InvalidScheduleError where it is none."""
        return self._found(method_named("greedy", self._of(weights)), 0, whose)

    def best_of(self, weights: ArrayTree, samples: int, seed: int, whose: str) -> Incumbent:
        """The best of the greedy and `samples` sampled schedules of the shop itself, verified, as `greedy` is."""
        return self._found(method_named("samples", self._of(weights), Options(samples=samples)), seed, whose)

    def rules(self, seeds: int) -> dict[str, Ruled]:
        """Every rule, non-delay (`MWKR`) and active (`MWKR/active`), verified; random is played with so many seeds."""
        task, rollouts = self._problem.task, self._rollouts
        found: dict[str, Ruled] = {}
        rollouts.expect(("rules", "rules/active"))
        for active, step in ((False, "rules"), (True, "rules/active")):
            rollouts.prepare(step)
            for rule in applicable(task):
                name, begun = f"{rule}/active" if active else rule, time.monotonic()
                schedules = list(rule_schedules(rollouts, active, runs_of(rule, range(seeds)), RULE_BATCH))
                took = time.monotonic() - begun
                for schedule in schedules:
                    require_valid(task, schedule, f"rule:{name}")
                found[name] = Ruled(fmean(map(task.cost, schedules)), min(schedules, key=task.cost), took)
        for rule, active in product(host_rules(task), (False, True)):
            name, begun = f"{rule}/active" if active else rule, time.monotonic()
            schedule = dispatch_by_rule(task.plan, RULES[rule], active)
            require_valid(task, schedule, f"rule:{name}")
            found[name] = Ruled(task.cost(schedule), schedule, time.monotonic() - begun)
        return found

    def tuned(self, seed: int, seconds: float, watch: Callable[[float], None]) -> Tuned:
        """The linear priority that is tuned on the shop itself for so long; `watch` is told the seconds so far."""
        return tune_linear(self._rollouts.env, self._rollouts.params, jax.random.key(seed), seconds, watch=watch)

    def _of(self, weights: ArrayTree) -> CompiledRollouts:
        return self._rollouts.by(Policy(self._problem.network, weights, {}, "training", self._problem.passing))

    def _found(self, method: Method, seed: int, whose: str) -> Incumbent:
        try:
            *_, best = method.search(self._problem.task, seed, Stop())
        except InvalidScheduleError as error:
            raise InvalidScheduleError(f"{whose}: {error}") from None
        return best
