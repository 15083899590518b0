"""Generated shops of the reference's make, as arrays: to train on, and to choose a checkpoint on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxshop.env.packing import pack, pack_stacked, shape_of
from jaxshop.shop import LotPlan, split_lots
from jaxshop.sources.generator import generate_shop, random_spec
from jaxshop.training.config import PoolConfig

SMALL, SELECTION, FULL = 1, 2, 3
"""First words of the seeds: they keep the kinds of generated shops, and the reference's seeds, apart."""
_FEWEST_JOBS = 6
"""Fewer than these cannot share a load like the reference's; shops of one job are trained for with these, too."""


class Order(NamedTuple):
    """What shops to make. The seed of each depends on the run's seed, the purpose and the shop's index alone."""

    pool: PoolConfig
    purpose: int
    seed: int
    candidates: int


Make = Callable[[Order], Iterator[Any]]
"""Gives two things, one after the other, as `make_shops` does."""


def make_shops(order: Order) -> Iterator[Any]:
    """Make the shops.

    Yields:
        first: the least Shape that holds all, and EnvParams of `jax.ShapeDtypeStruct`, [count, ...].
        then: EnvParams of NumPy arrays, [count, ...], for which every shop is certified. That takes seconds.
    """
    plans = [_plan(order.pool, [order.purpose, order.seed, i]) for i in range(order.pool.count)]
    shape = shape_of(plans, order.candidates)
    one = pack(plans[0], shape, bound=1)
    yield shape, jax.tree.map(lambda x: jax.ShapeDtypeStruct((len(plans), *x.shape), x.dtype), one)
    yield pack_stacked(plans, shape)


def _plan(pool: PoolConfig, seed: list[int]) -> LotPlan:
    rng = np.random.default_rng(seed)
    jobs = max(_FEWEST_JOBS, round(pool.jobs * rng.uniform(0.85, 1.1)))
    return split_lots(generate_shop(rng, random_spec(rng, pool.machines, jobs)), None)
