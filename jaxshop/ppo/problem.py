"""What a run trains on: the shop itself, generated shops of the same make, and shops kept for choosing a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np

from jaxshop.bounds import Certificate, certify, verdict
from jaxshop.config import Config, ConfigError, PoolConfig
from jaxshop.env import EnvParams, JobShop, make
from jaxshop.env.packing import pack, pack_stacked, shape_of
from jaxshop.env.types import Shape
from jaxshop.lots import LotPlan, split_lots
from jaxshop.shop import TICKS_PER_HOUR, Shop, ShopError
from jaxshop.sources.reference import generate_shop, random_spec

_SMALL, _SELECTION, _FULL = 1, 2, 3
"""First words of the seeds: they keep the kinds of generated shops, and the reference's seeds, apart."""
_FEWEST_JOBS = 6
"""Fewer than these cannot share a load like the reference's; shops of one job are trained for with these, too."""


Foresee = Callable[[str, JobShop, EnvParams], None]
"""(stage, environment, shapes and dtypes of its shops): called before the shops are certified, which takes seconds."""


class Bank(NamedTuple):
    """Shops of one shape: an environment and their params, stacked [count, ...]."""

    env: JobShop
    shops: EnvParams


@dataclass(frozen=True)
class Problem:
    """A shop cut into lots, its certificate, and the compiled-for environments with their shops as arrays."""

    plan: LotPlan
    certificate: Certificate
    own_env: JobShop
    own: EnvParams  # one shop
    banks: Mapping[str, Bank]  # for each stage that has updates
    selection: Bank


def check_target(plan: LotPlan, target_hours: float | None) -> None:
    """Refuse a target that is proven impossible, naming what stands in the way and the lot size that would do."""
    if target_hours is None:
        return
    answer = verdict(plan, round(target_hours * TICKS_PER_HOUR))
    if answer.feasible is False:
        raise ShopError(f"{plan.shop.name}: target {target_hours:g} h cannot be reached: {answer.reason}")


def prepare(shop: Shop, config: Config, foresee: Foresee | None = None) -> Problem:
    """Cut the lots, certify the bound, refuse an impossible target, and generate the training shops.

    `foresee` hears of each stage with generated shops as soon as their shapes are known.
    """
    plan = split_lots(shop, config.run.max_lot_hours)
    check_target(plan, config.run.target_hours)
    certificate = certify(plan)
    if certificate.value == 0:
        raise ShopError(f"{shop.name}: no job takes any time, so there is nothing to train for")
    shape = shape_of([plan], config.own.candidates)
    packed = pack(plan, shape, certificate.value)
    own = jax.device_put(packed)
    banks = {"own": Bank(JobShop(shape), jax.device_put(jax.tree.map(lambda x: x[None], packed)))}
    pools = {"general": (config.pool, _SMALL), "full": (config.full_pool, _FULL)}
    for name, stage in config.stages():
        plans = _plans(*pools[name], config.run.seed) if name in pools else [plan]
        env = JobShop(shape_of(plans, stage.candidates))
        if (decisions := env.shape.operations * stage.shops * stage.samples) < config.ppo.minibatches:
            raise ConfigError(f"ppo.minibatches: {name} has only {decisions} decisions an update to cut into these")
        if name in pools:
            if foresee is not None:
                foresee(name, env, _outline(plans, env.shape))
            banks[name] = Bank(env, jax.device_put(pack_stacked(plans, env.shape)))
    kept = PoolConfig(config.evaluation.selection_shops, len(shop.machines), len(plan.lots))
    return Problem(
        plan,
        certificate,
        JobShop(shape),
        own,
        {name: banks[name] for name, _ in config.stages()},
        Bank(*make(_plans(kept, _SELECTION, config.run.seed), config.own.candidates)),
    )


def _outline(plans: Sequence[LotPlan], shape: Shape) -> EnvParams:
    """Shapes and dtypes of the stacked shops."""
    one = pack(plans[0], shape, bound=1)
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((len(plans), *x.shape), x.dtype), one)


def _plans(pool: PoolConfig, purpose: int, seed: int) -> list[LotPlan]:
    """Shops of the reference's make; the seed of each depends on the run's seed, the purpose and its index alone."""
    return [_generated(pool, [purpose, seed, i]) for i in range(pool.count)]


def _generated(pool: PoolConfig, seed: list[int]) -> LotPlan:
    rng = np.random.default_rng(seed)
    jobs = max(_FEWEST_JOBS, round(pool.jobs * rng.uniform(0.85, 1.1)))
    return split_lots(generate_shop(rng, random_spec(rng, pool.machines, jobs)), None)
