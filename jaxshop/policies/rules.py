"""Dispatching rules: priorities over the conflict set of the same environment."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from chex import Array, PRNGKey

from jaxshop.env import plant
from jaxshop.env.types import EnvParams, EnvState

Priority = Callable[[PRNGKey, EnvState, EnvParams], Array]
"""(key, state, params) -> [J]; of the lots that compete, the highest goes first, ties to the lowest index."""


def _time(state: EnvState, params: EnvParams) -> Array:
    """Ticks of every lot's next operation on the machine in question, set-up by sequence included, int32 [J]."""
    if params.plant is not None:
        return plant.run_on(plant.waiting(state.lots), state, params, state.machine).time
    on = params.sets.member[:, state.machine][state.lots.set]
    return jnp.where(on, state.lots.time, 0).sum(axis=0, dtype=jnp.int32)


def _least_first(values: Array) -> Array:
    """Priorities that fall as int32 values rise; of a negation GPU compilers lose the sign before a maximum."""
    return ~values


RULES: dict[str, Priority] = {
    "SPT": lambda key, state, params: _least_first(_time(state, params)),
    "LPT": lambda key, state, params: _time(state, params),
    "MWKR": lambda key, state, params: state.lots.tail,
    "LWKR": lambda key, state, params: _least_first(state.lots.tail),
    "MOR": lambda key, state, params: state.lots.left,
    "FIFO": lambda key, state, params: _least_first(state.lots.ready),
    "EDD": lambda key, state, params: _least_first(params.lots.due),
    "random": lambda key, state, params: jax.random.randint(key, state.mask.shape, 0, 1 << 30),
}
"""Shortest and longest processing time, most and least work remaining, most operations remaining, first come first
served, earliest due date, and uniformly random."""


def highest_priority(priority: Array, mask: Array) -> Array:
    """Index of the highest priority among the masked lots, int32 []; ties go to the lowest index."""
    worst = jnp.iinfo(jnp.int32).min
    best = jnp.where(mask, priority, worst)
    lots = jnp.arange(mask.shape[0], dtype=jnp.int32)
    return jnp.where(mask & (best == best.max()), lots, mask.shape[0]).min()
