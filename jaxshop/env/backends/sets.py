"""Which machines a set holds, of one environment or of E at the end of every array."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from chex import Array

from jaxshop.env.backends.vectors import at, each, least
from jaxshop.env.types import NEVER, EnvParams


def free_sets(member: Array, machine_free: Array) -> Array:
    """Tick from which a machine of each set, bool [S, M], is free, int32 [S]; NEVER for an empty set."""
    ticks = jnp.where(member, machine_free, NEVER)
    return jax.vmap(least)(ticks) if ticks.ndim == 2 else ticks.min(axis=1)


def members(sets: Array, params: EnvParams) -> Array:
    """The machines of each of the sets, int32 [k], as bool [k, M]; none for the set -1."""
    if sets.ndim == 1:
        return params.sets.member[sets]
    if params.machines.sets.shape[0] == 0:
        return jax.vmap(lambda member, held: member[held], -1, -1)(params.sets.member, sets)
    return (params.machines.sets == sets[:, None, None]).any(axis=1) & (sets >= 0)[:, None]


def runs_on(sets: Array, params: EnvParams, machine: Array) -> Array:
    """Which of the sets, int32 [...], hold the machine, bool [...].

    Comparing with the few sets around a machine runs in vectors; a gather per lot does not.
    """
    around = at(params.machines.sets, machine)
    if around.size == 0:
        return each(at(params.sets.member, machine), sets)
    on = sets == around[0]
    for other in around[1:]:
        on |= sets == other
    return on
