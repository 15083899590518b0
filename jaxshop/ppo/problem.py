"""What a run trains on: the shop itself, generated shops of the same make, and shops kept for choosing a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from jaxshop.bounds import Certificate, certify, verdict
from jaxshop.config import Config
from jaxshop.env import EnvParams, JobShop, make
from jaxshop.env.packing import pack, shape_of
from jaxshop.lots import LotPlan, split_lots
from jaxshop.shop import TICKS_PER_HOUR, Shop, ShopError
from jaxshop.sources.reference import generate_shop, random_spec

_TRAINING, _SELECTION = 1, 2
"""Spawn keys that keep the two kinds of generated shops, and the reference's seeds, apart."""


@dataclass(frozen=True)
class Problem:
    """A shop cut into lots, its certificate, and the compiled-for environments with their shops as arrays."""

    plan: LotPlan
    certificate: Certificate
    own_env: JobShop
    own: EnvParams  # one shop
    pool_env: JobShop
    pool: EnvParams  # stacked [count, ...]
    selection_env: JobShop
    selection: EnvParams  # stacked [selection_shops, ...]

    @property
    def own_bank(self) -> EnvParams:
        """The shop itself, stacked as a bank of one."""
        return jax.tree.map(lambda x: x[None], self.own)


def check_target(plan: LotPlan, target_hours: float | None) -> None:
    """Refuse a target that is proven impossible, naming what stands in the way and the lot size that would do."""
    if target_hours is None:
        return
    answer = verdict(plan, round(target_hours * TICKS_PER_HOUR))
    if answer.feasible is False:
        raise ShopError(f"{plan.shop.name}: target {target_hours:g} h cannot be reached: {answer.reason}")


def prepare(shop: Shop, config: Config) -> Problem:
    """Cut the lots, certify the bound, refuse an impossible target, and generate the training shops."""
    plan = split_lots(shop, config.run.max_lot_hours)
    check_target(plan, config.run.target_hours)
    certificate = certify(plan)
    shape = shape_of([plan], config.own.candidates)
    own = jax.tree.map(jax.numpy.asarray, pack(plan, shape, certificate.value))
    pool = [_generated(config, _TRAINING, i) for i in range(config.pool.count)]
    kept = [_generated(config, _SELECTION, i) for i in range(config.evaluation.selection_shops)]
    return Problem(
        plan,
        certificate,
        JobShop(shape),
        own,
        *make(pool, config.general.candidates),
        *make(kept, config.general.candidates),
    )


def _generated(config: Config, purpose: int, index: int) -> LotPlan:
    """A shop of the reference's make; its seed depends on the run's seed, the purpose and the index alone."""
    rng = np.random.default_rng([purpose, config.run.seed, index])
    jobs = max(2, round(config.pool.jobs * rng.uniform(0.85, 1.1)))
    return split_lots(generate_shop(rng, random_spec(rng, config.pool.machines, jobs)), None)
