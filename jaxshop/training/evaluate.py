"""How good a policy is: on the shop itself, and on shops kept for choosing a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams, JobShop
from jaxshop.policies.acting import greedy, play, rule
from jaxshop.policies.networks.pooled import Network
from jaxshop.policies.rules import RULES
from jaxshop.search.compiled import Dispatch, best_sample, greedy_dispatch
from jaxshop.training.problem import Problem


@dataclass(frozen=True)
class Score:
    """One evaluation of the greedy policy."""

    own: Dispatch
    own_gap: float
    selection_gap: float


class Evaluator:
    """Compiled evaluations of one problem; each takes the weights as an argument."""

    def __init__(self, problem: Problem, network: Network, batch: int):
        self._problem = problem
        self._batch = batch
        self._greedy = jax.jit(partial(greedy_dispatch, problem.own_env, network))
        self._sample = jax.jit(partial(best_sample, problem.own_env, network), static_argnums=4)
        self._gaps = jax.jit(partial(_greedy_gaps, problem.selection.env, network))
        self._beside = jax.local_devices()[-1]  # the two parts of a score run at once where there are two devices
        self._kept = jax.device_put(problem.selection.shops, self._beside)

    def score(self, weights: ArrayTree) -> Score:
        """The greedy policy on the shop itself, and its mean gap on the selection shops."""
        own = self._greedy(weights, self._problem.own)
        gaps = self._gaps(jax.device_put(weights, self._beside), self._kept)
        return Score(own, int(own.makespan) / int(self._problem.own.bound) - 1.0, float(gaps.mean()))

    def best_of(self, weights: ArrayTree, samples: int, seed: int) -> Dispatch:
        """The best of `samples` sampled schedules of the shop itself."""
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
            if best is None or int(found.makespan) < int(best.makespan):
                best = found
        assert best is not None
        return best


def _greedy_gaps(env: JobShop, network: Network, weights: ArrayTree, shops: EnvParams) -> Array:
    def gap(params: EnvParams) -> Array:
        return play(env, params, greedy(network, weights), jax.random.key(0)).estimate / params.bound - 1.0

    return jax.vmap(gap)(shops)


def _rule_makespans(env: JobShop, params: EnvParams, number: Array, keys: PRNGKey) -> Array:
    return jax.vmap(lambda key: play(env, params, rule(number), key).estimate)(keys)


def rule_makespans(env: JobShop, params: EnvParams, seeds: int, with_due: bool) -> dict[str, float]:
    """Ticks of every rule, non-delay (`MWKR`) and active (`MWKR/active`); random is the mean of `seeds` runs.

    Their keys are those of seeds 0, 1 ... in `jaxshop.search.compiled.solve`, so that `jaxshop evaluate` says the same.
    """
    results = {}
    for non_delay in (True, False):
        run = jax.jit(partial(_rule_makespans, JobShop(env.shape, non_delay), params))
        for number, name in enumerate(RULES):
            if name == "EDD" and not with_due:
                continue
            keys = jax.vmap(jax.random.key)(jnp.arange(seeds if name == "random" else 1))
            results[name if non_delay else f"{name}/active"] = float(np.mean(run(jnp.int32(number), keys)))
    return results
