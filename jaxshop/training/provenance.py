"""Where weights come from: what a checkpoint says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from itertools import groupby
from typing import Any

from jaxshop.env import CONTEXT_NAMES, FEATURE_NAMES, PLANT_NAMES
from jaxshop.policies.checkpoint import versions
from jaxshop.shop import LotPlan, fingerprint
from jaxshop.sources.distribution import DISTRIBUTION_VERSION
from jaxshop.training.config import BankConfig, Config, PoolConfig, to_dict
from jaxshop.training.origin import Origin
from jaxshop.training.problem import kept_orders


def describe(config: Config, plan: LotPlan, origin: Origin) -> Callable[[int], dict[str, Any]]:
    """What a run's checkpoints say of themselves, each by its updates: versions, columns, config, what made it."""
    about = {
        "versions": versions(),
        "columns": {"features": list(FEATURE_NAMES), "context": list(CONTEXT_NAMES), "plant": list(PLANT_NAMES)},
        "config": to_dict(config),
        "fingerprint": fingerprint(plan.shop),
        "provenance": asdict(plan.shop.provenance),
        **origin.described(),
    }
    chosen = _chosen_on(config, plan)

    def described(update: int) -> dict[str, Any]:
        practised = _practised_on(config, plan, update, origin)
        return {**about, "update": update, "trained_on": [*practised, *chosen]}

    return described


def _practised_on(config: Config, plan: LotPlan, update: int, origin: Origin) -> Iterator[Mapping[str, Any]]:
    yield from origin.trained_on
    if config.imitation.steps:
        pools = [lesson.pool for lesson in config.lessons() if lesson.pool is not None]
        yield from ({**_about(pool, config.run.seed_of_shops), "use": "imitation of search"} for pool in pools)
    for stage, lessons in groupby(config.lessons(), key=lambda lesson: lesson.stage):
        updates = min(update, getattr(config, stage).updates)
        update -= updates
        for pool in (lesson.pool for lesson in lessons if updates):
            about = _about_shop(plan) if pool is None else _about(pool, config.run.seed_of_shops)
            yield {**about, "updates": updates}


def _chosen_on(config: Config, plan: LotPlan) -> list[Mapping[str, Any]]:
    choice = {"use": "choice of the checkpoint"}
    if config.evaluation.choose_by == "own":
        return [{**_about_shop(plan), **choice}]
    return [{**_about(order.pool, order.seed), **choice} for order in kept_orders(plan, config).values()]


def _about_shop(plan: LotPlan) -> dict[str, Any]:
    shop = plan.shop
    about = {"kind": "shop", "name": shop.name, "fingerprint": fingerprint(shop)}
    return {**about, "provenance": asdict(shop.provenance), "max_lot_hours": plan.max_lot_hours}


def _about(pool: PoolConfig | BankConfig, seed: int) -> dict[str, Any]:
    if isinstance(pool, PoolConfig):
        return {"kind": "generated", "shops": pool.count, "machines": pool.machines, "seed": seed}
    about = {"makes": list(pool.makes), "shops": pool.count, "operations": pool.operations}
    return {"kind": "distribution", "version": DISTRIBUTION_VERSION, **about, "seed": seed}
