"""`jaxshop evaluate`: a policy, rules and a tuned priority side by side, on shops and benchmark files."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import jax

from jaxshop.policies.checkpoint import Policy
from jaxshop.search.compiled import NUMBERS, RULE_BATCH, CompiledRollouts
from jaxshop.search.registry import method_named
from jaxshop.search.rules import applicable
from jaxshop.search.solver import solve
from jaxshop.search.tune import tune_linear
from jaxshop.search.types import Method, Stop, Task, require_valid
from jaxshop.shop import TICKS_PER_HOUR, gap_percent, split_lots
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


@dataclass(frozen=True)
class Comparison:
    """What is put side by side on every shop."""

    policy: Policy
    rules: bool = False
    """Every dispatching rule by itself."""
    samples: int = 0
    """Also the best of so many samples; for `methods` that sample as well."""
    tuned_seconds: float | None = None
    """Also a linear priority tuned for so long."""
    methods: tuple[str, ...] = ()
    """Also these, by name, each for `time_limit` seconds."""
    time_limit: float | None = None
    max_lot_hours: float | None = None
    seed: int = 0


def assess(spec: str, comparison: Comparison, best_known: Mapping[str, int]) -> dict[str, Any]:
    """One shop's row: makespans in the shop's unit, with their gaps to the certified bound and the best known."""
    shop = load_and_report(spec)
    task = Task.of(split_lots(shop, comparison.max_lot_hours))
    bound, known = task.certificate.value, best_known.get(Path(spec).stem)
    scale = TICKS_PER_HOUR if shop.unit == "hours" else 1
    return {
        "shop": shop.name,
        "unit": shop.unit,
        "lower_bound": bound / scale,
        "best_known": known / scale if known else None,
        "results": {
            name: {
                "makespan": ticks / scale,
                "gap_to_bound_percent": gap_percent(ticks, bound),
                "gap_to_best_known_percent": gap_percent(ticks, known) if known else None,
                "seconds": round(seconds, 3),
            }
            for name, ticks, seconds in _results(task, comparison)
        },
    }


def _results(task: Task, comparison: Comparison) -> Iterator[tuple[str, float, float]]:
    """(name, makespan in ticks, seconds) of everything that is compared."""
    rollouts = CompiledRollouts(task, lambda: comparison.policy)
    if comparison.rules:
        yield from _rule_results(task, rollouts, comparison.seed)
    if comparison.tuned_seconds is not None:
        begun = time.monotonic()
        key = jax.random.key(comparison.seed)
        tuned = tune_linear(rollouts.env, rollouts.params, key, comparison.tuned_seconds)
        yield "linear_cem", tuned.makespan, time.monotonic() - begun

    def found(name: str, method: Method, stop: Stop) -> tuple[str, float, float]:
        *_, best = method.search(task, comparison.seed, stop)
        return name, best.schedule.makespan, stop.elapsed

    yield found("policy:greedy", method_named("greedy", rollouts, None), Stop())
    if comparison.samples:
        name = f"policy:best-of-{comparison.samples}"
        yield found(name, method_named("samples", rollouts, comparison.samples), Stop())
    for name in comparison.methods:
        solution = solve(
            task.plan,
            comparison.policy,
            samples=comparison.samples,
            seed=comparison.seed,
            time_limit=comparison.time_limit,
            method=name,
        )
        yield name, solution.makespan, solution.seconds


def _rule_results(task: Task, rollouts: CompiledRollouts, seed: int) -> Iterator[tuple[str, float, float]]:
    """Every rule that applies, non-delay and active; random is the mean of `RANDOM_SEEDS` runs."""
    for rule in (rule for rule in NUMBERS if rule in applicable(task)):
        seeds = [seed + i for i in range(RANDOM_SEEDS if rule == "random" else 1)]
        for suffix in ("", "/active"):
            begun = time.monotonic()
            schedules = [
                schedule
                for some in batched(seeds, RULE_BATCH)
                for schedule in rollouts.rules([rule] * len(some), bool(suffix), some)
            ]
            for schedule in schedules:
                require_valid(task, schedule, f"rule:{rule}{suffix}")
            yield rule + suffix, fmean(s.makespan for s in schedules), time.monotonic() - begun


def batched(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Cut into runs of at most `size`."""
    return (items[i : i + size] for i in range(0, len(items), size))
