"""What a run trains on: the shop itself, generated shops of the same make, and shops kept for choosing a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax

from jaxshop.bounds import Certificate, Verdict, certify, verdict
from jaxshop.config import Config, ConfigError, PoolConfig
from jaxshop.env import EnvParams, JobShop
from jaxshop.env.packing import pack, shape_of
from jaxshop.lots import LotPlan, split_lots
from jaxshop.ppo.shops import FULL, SELECTION, SMALL, Make, Order, make_shops
from jaxshop.shop import TICKS_PER_HOUR, Shop, ShopError

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
    whole: Verdict | None  # on the target without lots, where there are both
    own_env: JobShop
    own: EnvParams  # one shop
    banks: Mapping[str, Bank]  # for each stage that has updates
    selection: Bank


def certified(plan: LotPlan, target_hours: float | None) -> Certificate:
    """Certify the bound; refuse a target that it excludes, naming what is in the way and the lot size that would do."""
    if target_hours is None:
        return certify(plan)
    answer = verdict(plan, round(target_hours * TICKS_PER_HOUR))
    if answer.feasible is False:
        raise ShopError(f"{plan.shop.name}: target {target_hours:g} h cannot be reached: {answer.reason}")
    return answer.certificate


def prepare(shop: Shop, config: Config, foresee: Foresee | None = None, make: Make = make_shops) -> Problem:
    """Cut the lots, certify the bound, refuse an impossible target, and have the training shops made by `make`.

    `foresee` hears of each stage with generated shops as soon as their shapes are known.
    """
    seed, purposes, stages = config.run.seed, {"general": SMALL, "full": FULL}, dict(config.stages())
    made = {
        name: make(Order(pool, purposes[name], seed, stages[name].candidates)) for name, pool in config.pools().items()
    }
    plan = split_lots(shop, config.run.max_lot_hours)
    certificate = certified(plan, config.run.target_hours)
    if certificate.value == 0:
        raise ShopError(f"{shop.name}: no job takes any time, so there is nothing to train for")
    kept = PoolConfig(config.evaluation.selection_shops, len(shop.machines), len(plan.lots))
    selection = make(Order(kept, SELECTION, seed, config.own.candidates))
    own_env = JobShop(shape_of([plan], config.own.candidates))
    packed = pack(plan, own_env.shape, certificate.value)
    whole = _without_lots(plan, config.run.target_hours)
    own = jax.device_put(packed)
    banks = {"own": Bank(own_env, jax.device_put(jax.tree.map(lambda x: x[None], packed)))}
    for name, stage in config.stages():
        shape, outline = next(made[name]) if name in made else (own_env.shape, None)
        env = JobShop(shape)
        if (decisions := env.shape.operations * stage.shops * stage.samples) < config.ppo.minibatches:
            raise ConfigError(f"ppo.minibatches: {name} has only {decisions} decisions an update to cut into these")
        if outline is not None:
            if foresee is not None:
                foresee(name, env, outline)
            banks[name] = Bank(env, jax.device_put(next(made[name])))
    kept_shape, _ = next(selection)
    return Problem(
        plan,
        certificate,
        whole,
        own_env,
        own,
        {name: banks[name] for name, _ in config.stages()},
        Bank(JobShop(kept_shape), jax.device_put(next(selection))),
    )


def _without_lots(plan: LotPlan, target_hours: float | None) -> Verdict | None:
    if target_hours is None or plan.max_lot_hours is None:
        return None
    return verdict(split_lots(plan.shop, None), round(target_hours * TICKS_PER_HOUR))
