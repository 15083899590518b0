"""The choice of machine and conflict set against brute force: some legal play reaches the optimum."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.env import JobShop
from jaxshop.env.packing import pack
from jaxshop.env.types import Shape
from jaxshop.shop import split_lots
from tests.oracles.brute_force import optimum
from tests.shops import random_shop

SHAPE = Shape(lots=3, operations=9, choices=3, sets=8, machines=3, pools=4, candidates=3)
"""Holds every shop of these tests, so that all of them share one compilation."""


@pytest.mark.parametrize("block", [0, *(pytest.param(block, marks=pytest.mark.thorough) for block in (1, 2, 3))])
def test_the_decision_never_loses_the_optimum(block: int):
    """Shows on 50 brute-forced flexible shops with machine-dependent times that some legal play is optimal."""
    for seed in range(50 * block, 50 * (block + 1)):
        shop = random_shop(seed, jobs=3, machines=3, most_operations=2 if seed % 3 else 3, dated=seed % 2 == 0)
        assert _best_reachable(shop) == optimum(shop), seed


def _best_reachable(shop) -> int:
    """The least makespan over every sequence of legal actions of the environment, level by level."""
    plan = split_lots(shop, None)
    params = pack(plan, SHAPE)
    states = jax.tree.map(lambda x: np.asarray(x)[None], _first(params))
    for _ in range(int(params.operations)):
        rows, lots = np.nonzero(states.mask)
        children = _children(jax.tree.map(lambda x, rows=rows: x[rows], states), lots, params)
        keys = np.concatenate(
            [children.lots.left, children.lots.ready, children.machines.free, children.estimate[:, None]], axis=1
        )
        _, kept = np.unique(keys, axis=0, return_index=True)
        states = jax.tree.map(lambda x, kept=kept: x[kept], children)
    return int(states.estimate.min())


@jax.jit
def _first(params):
    return JobShop(SHAPE).reset_env(jax.random.key(0), params)[1]


@jax.jit
def _dispatch_all(states, lots, params):
    return jax.vmap(lambda s, a: JobShop(SHAPE).step_env(jax.random.key(0), s, a, params)[1])(states, lots)


def _children(states, lots, params, chunk: int = 64):
    """Dispatch `lots` in `states`, in chunks of one size so that nothing compiles twice."""
    done = []
    for begin in range(0, len(lots), chunk):
        part = slice(begin, begin + chunk)
        real = len(lots[part])
        rows = np.minimum(np.arange(chunk), real - 1)
        batch = jax.tree.map(lambda x, part=part, rows=rows: x[part][rows], states)
        after = _dispatch_all(batch, jnp.asarray(lots[part][rows], jnp.int32), params)
        done.append(jax.tree.map(lambda x, real=real: np.asarray(x)[:real], after))
    return jax.tree.map(lambda *x: np.concatenate(x), *done)
