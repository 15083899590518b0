"""`jaxshop evaluate`: a policy, rules, a tuned priority and methods side by side, on shops and benchmark files.

JAX is imported where something needs it: a method that does without starts at once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from jaxshop.schedule import Schedule
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.registry import method_named
from jaxshop.search.rules import applicable, host_rules, rule_schedules, runs_of
from jaxshop.search.solver import solve
from jaxshop.search.types import Options, Task, require_valid
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, fingerprint, operation_count, rules_of, split_lots
from jaxshop.sources.report import load_and_report
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_rows
from jaxshop.views.evaluation import Line

if TYPE_CHECKING:
    from jaxshop.policies.checkpoint import Policy
    from jaxshop.search.compiled import CompiledRollouts

RANDOM_SEEDS = 32
"""Runs of the random rule that are averaged; one alone may be 5 % better or worse."""

OF_POLICY = ("greedy", "samples", "beam", "evolve")
"""Methods that play the policy."""

ON_DEVICE = (*OF_POLICY, "rules", "tune")
"""Methods that are nothing without compiled programs; `rules` of a plant's own kind the host plays."""


class Known(NamedTuple):
    """What a benchmark's table says of an instance."""

    upper_bound: int
    family: str | None = None


def read_best_known(path: str) -> dict[str, Known]:
    """Upper bounds by instance, from a CSV file with the columns `instance`, `upper_bound` and perhaps `family`."""
    header, rows = read_rows(path)
    if not {"instance", "upper_bound"} <= set(header):
        raise ShopError(f"{path}: must have the columns instance and upper_bound")
    known = {}
    for line, row in rows:
        try:
            upper_bound = int(row["upper_bound"])
        except (TypeError, ValueError):
            upper_bound = -1
        if not 0 <= upper_bound < 2**63:
            raise ShopError(f"{path}: line {line}: upper_bound must be an integer from 0 to 2^63 - 1")
        known[row["instance"]] = Known(upper_bound, row.get("family") or None)
    return known


@dataclass(frozen=True)
class Comparison:
    """What is put side by side on every shop."""

    policy: Callable[[], Policy]
    """Called where a policy is needed; the same one each time."""
    checkpoint: str | None = None
    """Where the policy comes from; None: it ships with the package."""
    rules: bool = False
    """Every dispatching rule by itself."""
    samples: int = 0
    """Also the best of so many samples; for `methods` that sample as well."""
    patience: int | None = None
    """Samples in a row that may improve nothing before no more are drawn."""
    tuned_seconds: float | None = None
    """Also a linear priority tuned for so long."""
    methods: tuple[str, ...] = ()
    """Also these, by name, each for `time_limit` seconds; alone, they need no policy beside them."""
    time_limit: float | None = None
    max_lot_hours: float | None = None
    seed: int = 0
    seeds: int = 1
    """What draws by chance is run with so many seeds, from `seed` on."""

    @property
    def with_policy(self) -> bool:
        """Whether the policy stands among the results by itself."""
        return not self.methods or self.samples > 0 or self.checkpoint is not None

    @cached_property
    def settings(self) -> str:
        """What a result depends on beside shop and method; results of other settings are other results.

        A policy is told by its weights: those at the same place may be others tomorrow.
        """
        names = ("max_lot_hours", "time_limit", "seed", "seeds", "samples", "patience", "tuned_seconds", "checkpoint")
        given = {name: getattr(self, name) for name in names}
        if self.with_policy or set(OF_POLICY) & set(self.methods):
            given["policy"] = self.policy().id[:12]
        return " ".join(f"{name}={value}" for name, value in given.items() if value is not None)


@dataclass(frozen=True)
class Instance:
    """A shop that was named, cut into lots."""

    spec: str
    plan: LotPlan
    known: Known | None = None

    @classmethod
    def load(cls, spec: str, max_lot_hours: float | None, best_known: Mapping[str, Known]) -> Instance:
        """Read a shop; raises ShopError where it, or its lots, cannot be."""
        return cls(spec, split_lots(load_and_report(spec), max_lot_hours), best_known.get(Path(spec).stem))

    @cached_property
    def fingerprint(self) -> str:
        """The first 16 digits: a file that was changed is another shop."""
        return fingerprint(self.plan.shop)[:16]

    @property
    def best_known(self) -> float | None:
        """In the shop's unit."""
        scale = TICKS_PER_HOUR if self.plan.shop.unit == "hours" else 1
        return None if self.known is None else self.known.upper_bound / scale

    @property
    def family(self) -> str:
        """What its results are averaged with."""
        if self.known is not None and self.known.family:
            return self.known.family
        source, colon, detail = self.spec.partition(":")
        if colon:
            return detail.partition(":")[0] if source == "family" else source
        return re.sub(r"\d+", "", Path(self.spec).stem) or "(no name)"


def assess(instance: Instance, comparison: Comparison, done: Collection[str] = ()) -> Iterator[Line]:
    """One shop's results, each as soon as it is there; those named in `done` are left out."""
    task, shop = Task.of(instance.plan), instance.plan.shop
    scale = TICKS_PER_HOUR if shop.unit == "hours" else 1
    for name, runs in _entries(task, comparison):
        if name in done:
            continue
        found = list(runs)
        makespans, costs = [each.makespan / scale for each in found], [each.cost / scale for each in found]
        yield Line(
            shop=instance.spec,
            fingerprint=instance.fingerprint,
            settings=comparison.settings,
            method=name,
            name=shop.name,
            family=instance.family,
            jobs=len(instance.plan.lots),
            machines=len(shop.machines),
            operations=operation_count(instance.plan),
            unit=shop.unit,
            lower_bound=max(task.certificate.cost(task.objective), *(each.bound for each in found)) / scale,
            best_known=instance.best_known,
            makespan=median(makespans),
            makespan_min=min(makespans),
            makespan_max=max(makespans),
            objective=str(task.objective),
            cost=median(costs),
            cost_max=max(costs),
            seeds=len(found),
            seconds=round(median(each.seconds for each in found), 3),
        )


class _Found(NamedTuple):
    makespan: float  # ticks
    cost: float  # ticks
    seconds: float
    bound: int = 0  # ticks of the cost; what is known better than the certificate


def _entries(task: Task, comparison: Comparison) -> Iterator[tuple[str, Iterator[_Found]]]:
    """By name, what is compared; nothing runs before its results are asked for."""
    seeds = range(comparison.seed, comparison.seed + comparison.seeds)
    if comparison.rules or comparison.tuned_seconds is not None:
        from jaxshop.search.compiled import CompiledRollouts

        rollouts = CompiledRollouts(task, comparison.policy)
    if comparison.rules:
        yield from _rule_entries(task, rollouts, comparison.seed)
    if comparison.tuned_seconds is not None:
        yield "linear_cem", _tuned(rollouts, seeds, comparison.tuned_seconds)
    if comparison.with_policy:
        yield "policy:greedy", _solved(task, comparison, "greedy", seeds[:1], 0, None)
    if comparison.samples:
        name = f"policy:best-of-{comparison.samples}"
        yield name, _solved(task, comparison, "samples", seeds, comparison.samples, None)
    for name in comparison.methods:
        yield name, _solved(task, comparison, name, seeds, comparison.samples, comparison.time_limit)


def _solved(
    task: Task, comparison: Comparison, method: str, seeds: Sequence[int], samples: int, time_limit: float | None
) -> Iterator[_Found]:
    if method in ON_DEVICE and not (method == "rules" and rules_of(task.plan)):
        _compile(task, comparison, method)
    options = Options(patience=comparison.patience)
    for seed in seeds:
        solution = solve(
            task.plan,
            comparison.policy,
            samples=samples,
            seed=seed,
            time_limit=time_limit,
            method=method,
            options=options,
        )
        bound = solution.certificate.cost(task.objective)
        yield _Found(solution.makespan, task.cost(solution.schedule), solution.seconds, bound)


def _compile(task: Task, comparison: Comparison, method: str) -> None:
    """Have what the method plays compiled before its time begins: once for all shops of a rung of the ladder."""
    from jaxshop.search.compiled import CompiledRollouts

    rollouts = CompiledRollouts(task, comparison.policy)
    steps = method_named(method, rollouts).steps
    rollouts.expect(steps)
    for step in steps:
        rollouts.prepare(step)


def _tuned(rollouts: CompiledRollouts, seeds: Sequence[int], seconds: float) -> Iterator[_Found]:
    import jax

    from jaxshop.search.tune import tune_linear

    for seed in seeds:
        begun = time.monotonic()
        tuned = tune_linear(rollouts.env, rollouts.params, jax.random.key(seed), seconds)
        yield _Found(tuned.makespan, tuned.cost, time.monotonic() - begun)


def _rule_entries(task: Task, rollouts: CompiledRollouts, seed: int) -> Iterator[tuple[str, Iterator[_Found]]]:
    """Every rule that applies, non-delay and active; random is the mean of `RANDOM_SEEDS` runs."""
    from jaxshop.search.compiled import NUMBERS, RULE_BATCH

    def on_device(rule: str, active: bool) -> list[Schedule]:
        runs = runs_of(rule, range(seed, seed + RANDOM_SEEDS))
        return list(rule_schedules(rollouts, active, runs, RULE_BATCH))

    def on_host(rule: str, active: bool) -> list[Schedule]:
        return [dispatch_by_rule(task.plan, RULES[rule], active)]

    def played(play: Callable[[str, bool], list[Schedule]], rule: str, active: bool) -> Iterator[_Found]:
        begun = time.monotonic()
        schedules = play(rule, active)
        for schedule in schedules:
            require_valid(task, schedule, f"rule:{rule}{'/active' * active}")
        makespan, cost = fmean(each.makespan for each in schedules), fmean(map(task.cost, schedules))
        yield _Found(makespan, cost, time.monotonic() - begun)

    ways = {rule: on_device for rule in NUMBERS if rule in applicable(task)} | dict.fromkeys(host_rules(task), on_host)
    for rule, play in ways.items():
        for active in (False, True):
            yield f"{rule}{'/active' * active}", played(play, rule, active)
