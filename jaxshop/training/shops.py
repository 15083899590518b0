"""Generated shops as arrays: to train on, and to choose a checkpoint on."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import jax
import numpy as np

from jaxshop.env import EnvParams, Shape
from jaxshop.env.packing import pack, pack_stacked, shape_of
from jaxshop.search.auto import improving
from jaxshop.search.types import Stop, Task
from jaxshop.shop import LotPlan, split_lots
from jaxshop.sources.distribution import draw_shop
from jaxshop.sources.generator import generate_shop, random_spec
from jaxshop.sources.plant import PLANT_VERSION
from jaxshop.training.config import BankConfig, PoolConfig

SMALL, SELECTION, FULL, MIX, VALIDATION = 1, 2, 3, 4, 5
"""What shops are for: the first words of their seeds, which keep them apart, and from the reference's seeds.

Small ones to train on, those of a run for choosing a checkpoint, those of the factory's size and of many makes to train
on, and those that finished policies are compared by.
"""
VALIDATION_SEED = 1000
"""What validation shops were drawn with when they had no word of their own, and their figures rest on them."""
_APART = 2**32 - 1
"""An index that no order counts to."""
_FEWEST_JOBS = 6
"""Fewer than these cannot share a load like the reference's; shops of one job are trained for with these, too."""


class ShopOrder(NamedTuple):
    """What shops to make. The seed of each depends on the run's seed, the purpose and the shop's index alone."""

    pool: PoolConfig | BankConfig
    purpose: int
    seed: int
    candidates: int
    work: int = 0  # pieces of search for the best known cost of each


class Outline(NamedTuple):
    """The sizes of ordered shops: all that their updates are compiled for."""

    shape: Shape  # the least that holds all
    shops: EnvParams  # of `jax.ShapeDtypeStruct`, [count, ...]


class Kept(NamedTuple):
    """Shops to choose a checkpoint on."""

    makes: tuple[str, ...]
    """What they are, each make as often as every other and together."""
    shops: EnvParams  # [count, ...]
    best: np.ndarray  # int32 [count] best known cost, or the certified bound where none was searched for


def outline_shops(order: ShopOrder) -> Outline:
    """How large the shops are, for which none of them has to be certified."""
    plans = plans_of(order)
    shape = shape_of(plans, order.candidates)
    one = pack(plans[0], shape, bound=1)
    return Outline(shape, jax.tree.map(lambda x: jax.ShapeDtypeStruct((len(plans), *x.shape), x.dtype), one))


def make_shops(order: ShopOrder) -> EnvParams:
    """The shops as NumPy arrays, [count, ...]; that every one is certified takes seconds."""
    plans = plans_of(order)
    return pack_stacked(plans, shape_of(plans, order.candidates))


def make_kept(order: ShopOrder) -> Kept:
    """The shops of an order with what is known of their optima, which takes its work for each."""
    shops = make_shops(order)
    makes = order.pool.distinct if isinstance(order.pool, BankConfig) else ("reference",)
    best = [best_known(plan, order.seed, order.work) for plan in plans_of(order)] if order.work else shops.bound
    return Kept(makes, shops, np.asarray(best, np.int32))


def searched_starts(order: ShopOrder) -> np.ndarray:
    """When a schedule that search finds in the order's work starts each operation, in flat route order.

    Returns:
        Ticks, int32 [count, N]; a row ends with zeros where its shop has fewer operations than the largest.
    """
    plans = plans_of(order)
    starts = np.zeros((len(plans), shape_of(plans, order.candidates).operations), np.int32)
    for row, plan in zip(starts, plans, strict=True):
        *_, best = improving().search(Task.of(plan), 0, Stop(work=order.work))
        found = {(each.job, each.lot, each.operation): each.start for each in best.schedule.rows}
        flat = [found[lot.job, lot.index, operation.id] for lot in plan.lots for operation in lot.operations]
        row[: len(flat)] = flat
    return starts


def best_known(plan: LotPlan, seed: int, work: int) -> int:
    """The cost, in ticks, of what search finds in so many pieces of work, or fewer where it meets the bound."""
    task = Task.of(plan)
    stop = Stop(work=work, target=task.certificate.cost(task.objective))
    *_, best = improving().search(task, seed, stop)
    return best.cost


@lru_cache(maxsize=8)
def plans_of(order: ShopOrder) -> tuple[LotPlan, ...]:
    """The shops, uncut; kept between the outlines of all of a run's orders and their shops."""
    pool = order.pool
    if isinstance(pool, PoolConfig):
        return tuple(_plan(pool, seed_words(order, i)) for i in range(pool.count))
    if order.purpose in (SELECTION, VALIDATION):
        drawn = [(make, i) for make in pool.distinct for i in range(pool.kept)]
    else:
        drawn = [(pool.makes[i % len(pool.makes)], i) for i in range(pool.count)]
    return tuple(split_lots(draw_shop(seed_words(order, i), make, pool.operations), None) for make, i in drawn)


def seed_words(order: ShopOrder, index: int) -> list[int]:
    """The words of a shop's seed, before its make: those of no other purpose, run or index, and of no evaluation shop.

    Two runs would break this, and go elsewhere for the shops that do: the one with `VALIDATION_SEED` trades words with
    the validation shops, and the one with the seed `PLANT_VERSION` has the first shop of its pools from another index.
    As NumPy takes zeros at the end for none, (purpose, `PLANT_VERSION`) would draw it, as it does `plant:SHOP:SEED`.
    """
    purpose = order.purpose
    if order.seed == VALIDATION_SEED:
        purpose = {SELECTION: VALIDATION, VALIDATION: SELECTION}.get(purpose, purpose)
    if isinstance(order.pool, PoolConfig) and (order.seed, index) == (PLANT_VERSION, 0):
        index = _APART
    return [purpose, order.seed, index]


def _plan(pool: PoolConfig, seed: list[int]) -> LotPlan:
    rng = np.random.default_rng(seed)
    jobs = max(_FEWEST_JOBS, round(pool.jobs * rng.uniform(0.85, 1.1)))
    return split_lots(generate_shop(rng, random_spec(rng, pool.machines, jobs)), None)
