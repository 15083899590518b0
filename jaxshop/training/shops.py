"""Generated shops of the reference's make, as arrays: to train on, and to choose a checkpoint on."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import jax
import numpy as np

from jaxshop.env import EnvParams, Shape
from jaxshop.env.packing import pack, pack_stacked, shape_of
from jaxshop.shop import LotPlan, split_lots
from jaxshop.sources.generator import generate_shop, random_spec
from jaxshop.training.config import PoolConfig

SMALL, SELECTION, FULL = 1, 2, 3
"""First words of the seeds: they keep the kinds of generated shops, and the reference's seeds, apart."""
_FEWEST_JOBS = 6
"""Fewer than these cannot share a load like the reference's; shops of one job are trained for with these, too."""


class ShopOrder(NamedTuple):
    """What shops to make. The seed of each depends on the run's seed, the purpose and the shop's index alone."""

    pool: PoolConfig
    purpose: int
    seed: int
    candidates: int


class Outline(NamedTuple):
    """The sizes of ordered shops: all that their updates are compiled for."""

    shape: Shape  # the least that holds all
    shops: EnvParams  # of `jax.ShapeDtypeStruct`, [count, ...]


def outline_shops(order: ShopOrder) -> Outline:
    """How large the shops are, for which none of them has to be certified."""
    plans = _plans(order)
    shape = shape_of(plans, order.candidates)
    one = pack(plans[0], shape, bound=1)
    return Outline(shape, jax.tree.map(lambda x: jax.ShapeDtypeStruct((len(plans), *x.shape), x.dtype), one))


def make_shops(order: ShopOrder) -> EnvParams:
    """The shops as NumPy arrays, [count, ...]; that every one is certified takes seconds."""
    plans = _plans(order)
    return pack_stacked(plans, shape_of(plans, order.candidates))


@lru_cache(maxsize=4)
def _plans(order: ShopOrder) -> tuple[LotPlan, ...]:
    """Kept between the outlines of all of a run's orders and their shops."""
    pool = order.pool
    return tuple(_plan(pool, [order.purpose, order.seed, i]) for i in range(pool.count))


def _plan(pool: PoolConfig, seed: list[int]) -> LotPlan:
    rng = np.random.default_rng(seed)
    jobs = max(_FEWEST_JOBS, round(pool.jobs * rng.uniform(0.85, 1.1)))
    return split_lots(generate_shop(rng, random_spec(rng, pool.machines, jobs)), None)
