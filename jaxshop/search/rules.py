"""The method `rules`: every dispatching rule that applies, non-delay and active."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jaxshop.schedule import Schedule
from jaxshop.schedule.dispatch import RULES as PRIORITIES
from jaxshop.schedule.dispatch import Rule, best_first, dispatch_by_rule
from jaxshop.schedule.dispatch import applicable as host_applicable
from jaxshop.search.types import Best, Incumbent, Key, Rollouts, Stop, Task
from jaxshop.support.errors import ShopError

HOST_RULES = ("ATC", "CR", "SST")
"""Rules that the host alone plays so far."""

RULES = ("MWKR", "MOR", "FIFO", "LPT", "SPT", "EDD", "LWKR", "random")
"""In the order of what they reach on shops of the factory's kind."""


def parse_rule(name: str) -> tuple[str, bool]:
    """The rule of a name such as `MWKR` or `mwkr/active`, and whether it is active; ShopError if there is none."""
    bare, slash, decision = name.partition("/")
    known = {rule.upper(): rule for rule in (*RULES, *HOST_RULES)}
    if bare.upper() not in known or (slash and decision != "active"):
        raise ShopError(f"rule {name!r}: known are {', '.join(f'{rule}, {rule}/active' for rule in known.values())}")
    return known[bare.upper()], bool(slash)


def applicable(task: Task) -> tuple[str, ...]:
    """The rules that mean something for the task: EDD needs due dates."""
    return tuple(rule for rule in RULES if rule != "EDD" or task.with_due)


def host_rules(task: Task) -> tuple[str, ...]:
    """Those of `HOST_RULES` that mean something for the task, which needs due dates or set-ups by sequence."""
    return tuple(rule for rule in host_applicable(task.plan) if rule in HOST_RULES)


def runs_of(rule: str, seeds: Sequence[int]) -> list[tuple[str, int]]:
    """What a rule is played with: `random` with every seed, any other with the first."""
    return [(rule, seed) for seed in (seeds if rule == "random" else seeds[:1])]


def rule_schedules(
    rollouts: Rollouts, active: bool, runs: Sequence[tuple[str, int]], at_once: int
) -> Iterator[Schedule]:
    """The schedules of rules with a seed each, built `at_once` in a call."""
    for i in range(0, len(runs), at_once):
        rules, seeds = zip(*runs[i : i + at_once], strict=True)
        yield from rollouts.rules(rules, active, seeds)


@dataclass(frozen=True)
class Rules:
    """Every rule that applies, or the one that is named; `random` draws from the search's key."""

    rollouts: Rollouts
    only: str | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """A program a decision."""
        if self.only is None:
            return "rules", "rules/active"
        return ("rules/active",) if parse_rule(self.only)[1] else ("rules",)

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`; all rules of one decision are built at once."""
        best, took = Best(task, stop), 0.0
        for step in self.steps:
            self.rollouts.prepare(step)
            if not stop.allows(took, best.cost):
                return
            began, active = stop.elapsed, step == "rules/active"
            rules = applicable(task) if self.only is None else (parse_rule(self.only)[0],)
            rules = rules[: stop.share(len(rules))]
            schedules = self.rollouts.rules(rules, active, [key] * len(rules))
            took = stop.elapsed - began
            for rule, schedule in zip(rules, schedules, strict=True):
                stop.built["rules"] += 1
                name = self.only or (f"{rule}/active" if active else rule)
                yield from best.offer(schedule, f"rule:{name}")


@dataclass(frozen=True)
class HostRules:
    """Every rule that applies, or the one that is named, played by the host.

    For the rules that it alone has, and for plans with the plant's own rules: their environment takes longer to compile
    than all rules take to play.
    """

    only: str | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """None: it needs no rollouts."""
        return ()

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`; rules that serve the objective come first."""
        best, took = Best(task, stop), 0.0
        for rule, active in self._tried(task):
            if not stop.allows(took, best.cost):
                return
            began = stop.elapsed
            schedule = dispatch_by_rule(task.plan, _random(int(key)) if rule == "random" else PRIORITIES[rule], active)
            stop.built["rules"] += 1
            took = stop.elapsed - began
            yield from best.offer(schedule, f"rule:{self.only or (f'{rule}/active' if active else rule)}")

    def _tried(self, task: Task) -> tuple[tuple[str, bool], ...]:
        if self.only is not None:
            return (parse_rule(self.only),)
        every = ((rule, active) for rule in (*host_applicable(task.plan), "random") for active in (False, True))
        return tuple(dict.fromkeys((*best_first(task.plan, task.objective), *every)))


def _random(seed: int) -> Rule:
    """Priorities by chance."""
    draw = np.random.default_rng(seed)
    return lambda rivals: draw.integers(0, 2**31, len(rivals.time))
