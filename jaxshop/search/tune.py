"""The baseline to be taken seriously: a linear priority tuned on the shop itself by the cross-entropy method."""

from __future__ import annotations

import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array, PRNGKey

from jaxshop.env import EnvParams, JobShop
from jaxshop.env.features import FEATURES
from jaxshop.policies.acting import linear, play


class Tuned(NamedTuple):
    """The best priority found."""

    coefficients: np.ndarray  # float32 [F]
    makespan: int  # ticks
    generations: int
    seconds: float


def tune_linear(
    env: JobShop,
    params: EnvParams,
    key: PRNGKey,
    seconds: float,
    generations: int = 10_000,
    population: int = 32,
    columns: tuple[int, ...] | None = None,
) -> Tuned:
    """Cross-entropy method (Rubinstein 1999) over the coefficients of a linear priority; `key` is consumed.

    Stops after `generations`, or once `seconds` of run time, compilation apart, have passed; one is always done.
    """
    wanted = np.zeros(FEATURES, np.float32)
    wanted[list(columns if columns is not None else range(FEATURES))] = 1.0
    used = jnp.asarray(wanted)

    @jax.jit
    def generation(mean: Array, spread: Array, key: PRNGKey) -> tuple[Array, Array, Array, Array]:
        draws = mean + spread * used * jax.random.normal(key, (population, FEATURES))
        draws = draws.at[0].set(mean)
        makespans = jax.vmap(lambda c: play(env, params, linear(c), key).estimate)(draws)
        order = jnp.argsort(makespans)
        elite = draws[order[: population // 4]]
        return elite.mean(0), 0.5 * spread + 0.5 * elite.std(0) + 0.02, draws[order[0]], makespans[order[0]]

    mean, spread = jnp.zeros(FEATURES), jnp.ones(FEATURES)
    jax.block_until_ready(generation(mean, spread, key))
    best, coefficients, begun, done = (
        np.iinfo(np.int32).max,
        np.zeros(FEATURES, np.float32),
        time.monotonic(),
        0,
    )
    while done == 0 or (done < generations and time.monotonic() - begun < seconds):
        mean, spread, top, makespan = generation(mean, spread, jax.random.fold_in(key, done))
        done += 1
        if int(makespan) < best:
            best, coefficients = int(makespan), np.asarray(top)
    return Tuned(coefficients, best, done, time.monotonic() - begun)
