"""One shop, one answer: the way from a plan to a verified schedule, which `jaxshop solve` takes.

It imports no JAX: under a time limit that takes place behind the limit, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from jaxshop.schedule import Schedule
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search import background
from jaxshop.search.auto import policy_first
from jaxshop.search.priority import Tunable
from jaxshop.search.registry import method_named
from jaxshop.search.rules import Rules, parse_rule
from jaxshop.search.types import Best, Incumbent, Key, Method, Stop, Task
from jaxshop.shop import LotPlan
from jaxshop.support.errors import LateError, ShopError

if TYPE_CHECKING:
    from jaxshop.policies.checkpoint import Policy
    from jaxshop.search.compiled import CompiledRollouts

T = TypeVar("T")

SAMPLES = 64
"""Drawn where a method that samples is told neither a number nor a time."""


@dataclass(frozen=True)
class Solution:
    """A verified schedule and how it came about."""

    schedule: Schedule
    source: str
    makespan: int
    bound: int
    samples_done: int
    seconds: float
    work_done: int = 0
    trace: tuple[Incumbent, ...] = ()


def shipped() -> Policy:
    """The policy that ships with the package."""
    from jaxshop.policies.checkpoint import load_policy

    return load_policy()


def solve(
    plan: LotPlan,
    policy: Policy | Callable[[], Policy] = shipped,
    rule_name: str | None = None,
    samples: int = 0,
    seed: int = 0,
    time_limit: float | None = None,
    method: str | None = None,
    begun: float | None = None,
) -> Solution:
    """Schedule a plan by a policy, a rule or a method, and verify the result.

    With neither, it is the policy's greedy schedule, or one of its `samples`, unless a rule is better; with nothing
    but a time limit, the method `auto`.

    Args:
        plan: the lots to schedule.
        policy: a policy, or what gives one where it is needed.
        rule_name: a rule such as `MWKR` or `MWKR/active`, to be played alone.
        samples: how many schedules are drawn from the policy.
        seed: of all chance.
        time_limit: seconds, compilation included; whatever cannot be done in them is left out.
        method: a name among `registry.METHODS`.
        begun: what `time.monotonic()` said when the time began; None: now.

    Raises:
        ShopError: the rule or the method is unknown.
        InvalidScheduleError: a schedule is invalid.
    """
    stop = Stop(time_limit, begun=begun)
    make = _method(rule_name, method, samples, time_limit)
    task = Task.of(plan)
    stop.target = task.objective.lower_bound(task.certificate.value)  # nothing is better than what is proven optimal
    load = policy if callable(policy) else lambda: policy
    if time_limit is None:
        rollouts = _compiled(task, load)
        search = make(rollouts)
        rollouts.expect(search.steps)
        trace = tuple(search.search(task, seed, stop))
    else:
        rule_counts = rule_name is None and method in (None, "auto", "rules")
        trace = _within(task, make, load, seed, stop, rule_counts)
    best = trace[-1]
    return Solution(
        best.schedule,
        best.source,
        best.schedule.makespan,
        task.certificate.value,
        stop.built["samples"],
        stop.elapsed,
        stop.done,
        trace,
    )


def _method(
    rule_name: str | None, method: str | None, samples: int, time_limit: float | None
) -> Callable[[Tunable], Method]:
    if rule_name is not None:
        parse_rule(rule_name)
        return lambda rollouts: Rules(rollouts, rule_name)
    if method is None and (samples or time_limit is None):
        return lambda rollouts: policy_first(rollouts, samples)
    if method == "tune" and time_limit is None:
        raise ShopError("method tune: needs a time limit")
    count = samples or (None if time_limit else SAMPLES)
    return lambda rollouts: method_named(method or "auto", rollouts, count)


def _compiled(task: Task, policy: Callable[[], Policy]) -> CompiledRollouts:
    from jaxshop.search.compiled import CompiledRollouts

    return CompiledRollouts(task, policy)


def _within(
    task: Task,
    make: Callable[[Tunable], Method],
    policy: Callable[[], Policy],
    key: Key,
    stop: Stop,
    rule_counts: bool,
) -> tuple[Incumbent, ...]:
    """Search under a time limit. What one rule gives on the host is there first, lest there be no answer at all.

    `rule_counts`: whether that is an answer among others, or only one where the method gives none.
    """
    rollouts = _InTime(lambda: _compiled(task, policy), stop)
    search = make(rollouts)
    rollouts.expect(search.steps)
    name, schedule = best_rule(task.plan, stop.begun)
    best = Best(task, stop)
    first = tuple(best.offer(schedule, f"{'rule' if rule_counts else 'fallback'}:{name}"))
    found: list[Incumbent] = []
    with suppress(LateError):
        for incumbent in search.search(task, key, stop):
            if not rule_counts or incumbent.cost < first[0].cost:
                found.append(incumbent)
    return (*first, *found) if rule_counts else tuple(found) or first


class _InTime:
    """Rollouts that are made beside the caller, and raise LateError where they do not answer in time."""

    def __init__(self, make: Callable[[], CompiledRollouts], stop: Stop):
        self._make, self._stop = make, stop

    def expect(self, steps: Sequence[str]) -> None:
        """See `CompiledRollouts`; also imports JAX, which takes its time as well."""

        def made() -> CompiledRollouts:
            rollouts = self._make()
            rollouts.expect(steps)
            return rollouts

        self._made = background.start(made)

    def _call(self, function: Callable[[CompiledRollouts], T]) -> T:
        rollouts = background.wait(self._made, self._stop.deadline)
        return background.wait(background.start(lambda: function(rollouts)), self._stop.deadline)

    @property
    def batch(self) -> int:
        """See `Rollouts`."""
        return background.wait(self._made, self._stop.deadline).batch

    def prepare(self, step: str) -> None:
        """See `Rollouts`."""
        self._call(lambda rollouts: rollouts.prepare(step))

    def rules(self, names: Sequence[str], active: bool, keys: Sequence[Key]) -> list[Schedule]:
        """See `Rollouts`."""
        return self._call(lambda rollouts: rollouts.rules(names, active, keys))

    def greedy(self) -> Schedule:
        """See `Rollouts`."""
        return self._call(lambda rollouts: rollouts.greedy())

    def samples(self, key: Key, begin: int, count: int) -> Schedule:
        """See `Rollouts`."""
        return self._call(lambda rollouts: rollouts.samples(key, begin, count))

    def generation(self, state: Any, key: Key, number: int) -> tuple[Any, Schedule]:
        """See `priority.Tunable`."""
        return self._call(lambda rollouts: rollouts.generation(state, key, number))
