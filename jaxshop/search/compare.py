"""`jaxshop evaluate`: a policy, rules and a tuned priority side by side, on shops and benchmark files."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import jax
import jax.numpy as jnp

from jaxshop.bounds import certify
from jaxshop.env import JobShop
from jaxshop.env.packing import pack, shape_of
from jaxshop.policies.checkpoint import Policy
from jaxshop.policies.rules import RULES
from jaxshop.search.compiled import CANDIDATES, solve
from jaxshop.search.tune import tune_linear
from jaxshop.shop import TICKS_PER_HOUR, split_lots
from jaxshop.sources.report import load_and_report
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_text

RANDOM_SEEDS = 32
"""Runs of the random rule that are averaged; one alone may be 5 % better or worse."""


def read_best_known(path: str) -> dict[str, int]:
    """Upper bounds by instance, from a CSV file with the columns `instance` and `upper_bound`."""
    reader = csv.DictReader(io.StringIO(read_text(path)))
    if not {"instance", "upper_bound"} <= set(reader.fieldnames or ()):
        raise ShopError(f"{path}: must have the columns instance and upper_bound")
    try:
        return {row["instance"]: int(row["upper_bound"]) for row in reader}
    except (TypeError, ValueError):
        raise ShopError(f"{path}: line {reader.line_num}: upper_bound must be an integer") from None


def assess(
    spec: str,
    policy: Policy,
    max_lot_hours: float | None,
    rules: bool,
    samples: int,
    seed: int,
    tuned_seconds: float | None,
    best_known: Mapping[str, int],
) -> dict[str, Any]:
    """One shop's row: makespans in the shop's unit, with their gaps to the certified bound and the best known."""
    shop = load_and_report(spec)
    plan = split_lots(shop, max_lot_hours)
    bound = certify(plan).value
    known = best_known.get(Path(spec).stem)
    scale = TICKS_PER_HOUR if shop.unit == "hours" else 1
    results: dict[str, dict[str, Any]] = {}

    def add(name: str, ticks: float, seconds: float) -> None:
        results[name] = {
            "makespan": ticks / scale,
            "gap_to_bound_percent": 100 * (ticks / bound - 1) if bound else None,
            "gap_to_best_known_percent": 100 * (ticks / known - 1) if known else None,
            "seconds": round(seconds, 3),
        }

    if rules:
        for name in RULES:
            if name == "EDD" and not any(job.due is not None for job in shop.jobs):
                continue
            for suffix in ("", "/active"):
                draws = RANDOM_SEEDS if name == "random" else 1
                found = [solve(plan, rule_name=name + suffix, seed=seed + i) for i in range(draws)]
                add(name + suffix, fmean(s.makespan for s in found), sum(s.seconds for s in found))
    if tuned_seconds is not None:
        shape = shape_of([plan], CANDIDATES)
        params = jax.tree.map(jnp.asarray, pack(plan, shape, bound))
        begun = time.monotonic()
        tuned = tune_linear(JobShop(shape), params, jax.random.key(seed), tuned_seconds)
        add("linear_cem", tuned.makespan, time.monotonic() - begun)
    greedy = solve(plan, policy, seed=seed)
    add("policy:greedy", greedy.makespan, greedy.seconds)
    if samples:
        best = solve(plan, policy, samples=samples, seed=seed)
        add(f"policy:best-of-{samples}", best.makespan, best.seconds)
    return {
        "shop": shop.name,
        "unit": shop.unit,
        "lower_bound": bound / scale,
        "best_known": known / scale if known else None,
        "results": results,
    }
