"""The baseline to be taken seriously: a linear priority tuned on the shop itself by the cross-entropy method."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from chex import PRNGKey

from jaxshop.env import EnvParams, JobShop
from jaxshop.policies.acting import any_linear
from jaxshop.search.compiled import program
from jaxshop.search.priority import POPULATION


class Tuned(NamedTuple):
    """The best priority found."""

    coefficients: np.ndarray  # float32 [F]
    makespan: int  # ticks
    cost: int  # ticks
    generations: int
    seconds: float


def tune_linear(
    env: JobShop,
    params: EnvParams,
    key: PRNGKey,
    seconds: float,
    generations: int = 10_000,
    population: int = POPULATION,
    watch: Callable[[float], None] = lambda seconds: None,
) -> Tuned:
    """Cross-entropy method (Rubinstein 1999) over the coefficients of a linear priority; `key` is consumed.

    Stops after `generations`, or once `seconds` of run time, compilation apart, have passed; one is always done.
    `watch` is told the seconds so far.
    """
    generation = program("tune", env, batch=population)
    mean, spread = any_linear(env.shape)
    jax.block_until_ready(generation(params, mean, spread, key))
    best, makespan, coefficients = math.inf, 0, np.asarray(mean)
    begun, done = time.monotonic(), 0
    while done == 0 or (done < generations and time.monotonic() - begun < seconds):
        mean, spread, top, dispatch = generation(params, mean, spread, jax.random.fold_in(key, done))
        done += 1
        watch(time.monotonic() - begun)
        if float(dispatch.cost) < best:
            best, makespan, coefficients = float(dispatch.cost), int(dispatch.makespan), np.asarray(top)
    return Tuned(coefficients, makespan, int(best), done, time.monotonic() - begun)
