"""Where weights come from: what a checkpoint says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from jaxshop.env import CONTEXT_NAMES, FEATURE_NAMES
from jaxshop.policies.checkpoint import versions
from jaxshop.shop import LotPlan, fingerprint
from jaxshop.training.config import Config, to_dict


def describe(config: Config, plan: LotPlan) -> Callable[[int], dict[str, Any]]:
    """What a run's checkpoints say of themselves, each by its updates: versions, columns, config, what made it."""
    about = {
        "versions": versions(),
        "columns": {"features": list(FEATURE_NAMES), "context": list(CONTEXT_NAMES)},
        "config": to_dict(config),
        "fingerprint": fingerprint(plan.shop),
        "provenance": asdict(plan.shop.provenance),
        "initialised_from": None,  # from random weights
    }
    return lambda update: {**about, "update": update, "trained_on": trained_on(config, plan, update)}


def trained_on(config: Config, plan: LotPlan, update: int) -> list[dict[str, Any]]:
    """The shops that weights after `update` updates have seen, the last entry those that chose them."""
    pools = config.pools()
    shop = {
        **{"kind": "shop", "name": plan.shop.name, "fingerprint": fingerprint(plan.shop)},
        "provenance": asdict(plan.shop.provenance),
    }
    seen: list[dict[str, Any]] = []
    for name, stage in config.stages():
        updates = min(update, stage.updates)
        update -= updates
        if updates and name in pools:
            about = {"shops": pools[name].count, "machines": pools[name].machines, "seed": config.run.seed}
            seen.append({"kind": "generated", **about, "updates": updates})
        elif updates:
            seen.append({**shop, "max_lot_hours": plan.max_lot_hours, "updates": updates})
    choice = {"use": "choice of the checkpoint"}
    if config.evaluation.choose_by == "own":
        seen.append({**shop, "max_lot_hours": plan.max_lot_hours, **choice})
    else:
        kept = {"shops": config.evaluation.selection_shops, "machines": len(plan.shop.machines)}
        seen.append({"kind": "generated", **kept, "seed": config.run.seed, **choice})
    return seen
