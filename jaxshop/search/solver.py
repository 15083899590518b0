"""One shop, one answer: the way from a plan to a verified schedule, which `jaxshop solve` takes.

It imports no JAX: under a time limit that takes place behind the limit, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from jaxshop.bounds import Certificate
from jaxshop.schedule import Schedule, verify
from jaxshop.schedule.dispatch import best_first, best_rule
from jaxshop.search import background, warming
from jaxshop.search.auto import policy_first
from jaxshop.search.beam import Way
from jaxshop.search.cpsat import CpSat
from jaxshop.search.evolve import Evolvable
from jaxshop.search.proof import Prover, Watched
from jaxshop.search.registry import method_named
from jaxshop.search.rules import HOST_RULES, HostRules, Rules, parse_rule
from jaxshop.search.types import Best, Incumbent, Key, Method, Options, Stop, Task
from jaxshop.shop import MAKESPAN, LotPlan, Objective, rules_of
from jaxshop.support.errors import LateError, ShopError

if TYPE_CHECKING:
    from jaxshop.policies.checkpoint import Policy
    from jaxshop.search.compiled import CompiledRollouts

T = TypeVar("T")

ENDLESS = ("auto", "improve", "tune", "evolve")
"""Methods that go on until they are stopped."""

NO_OPTIONS = Options()

PATIENCE = 64
"""Samples in a row that may improve nothing, where `samples` is told neither a number nor a time."""

BOUNDING = 0.25
"""Of a time limit, what the bound may take before the search begins; on a large shop it is left as it is then."""

BEAM = 128
"""Samples of `beam` where it is told neither."""


@dataclass(frozen=True)
class Solution:
    """A verified schedule and how it came about."""

    schedule: Schedule
    source: str
    certificate: Certificate
    samples_done: int
    seconds: float
    work_done: int = 0
    trace: tuple[Incumbent, ...] = ()
    interrupted: bool = False
    claimed: int | None = None
    """The best lower bound that CP-SAT claims, where it took part; nothing here checks it."""
    objective: Objective = MAKESPAN

    @property
    def makespan(self) -> int:
        """In ticks."""
        return self.schedule.makespan

    @property
    def bound(self) -> int:
        """The certified lower bound of the makespan, in ticks."""
        return self.certificate.value

    @property
    def proven_optimal(self) -> bool:
        """Whether no schedule is better."""
        cost = self.trace[-1].cost if self.trace else self.makespan
        return cost <= self.certificate.cost(self.objective)


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
    options: Options = NO_OPTIONS,
    work: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    watch: Callable[[Watched], None] = lambda watched: None,
    certificate: Certificate | None = None,
) -> Solution:
    """Schedule a plan by a policy, a rule or a method, and verify the result.

    With neither, it is the policy's greedy schedule, or one of its `samples`, unless a rule is better; with nothing
    but a time limit or work, the method `auto`.

    Args:
        plan: the lots to schedule.
        policy: a policy, or what gives one where it is needed.
        rule_name: a rule such as `MWKR` or `MWKR/active`, to be played alone.
        samples: how many schedules are drawn from the policy.
        seed: of all chance.
        time_limit: seconds, compilation included; whatever cannot be done in them is left out.
        method: a name among `registry.METHODS`.
        begun: what `time.monotonic()` said when the time began; None: now.
        options: of the method, but for the samples.
        work: an end by work done, as a solution tells it.
        cancelled: looked at now and then; True ends the search with the best so far.
        watch: called with each incumbent and each better bound, from whatever thread finds it.
        certificate: of the plan's bound; None: made here, as far as a part of the time limit goes.

    Raises:
        ShopError: the rule or the method is unknown, or the start is no schedule of the plan.
        InvalidScheduleError: a schedule is invalid.
    """
    stop = Stop(time_limit, work, begun=begun, cancelled=cancelled, writing=options.writing)
    claims: list[int] = []
    options = replace(options, samples=samples or None, claimed=claims.append)
    endless = time_limit is None and work is None
    make = _method(plan, rule_name, method, options, endless)
    if options.start is not None and (violations := verify(plan, options.start)):
        raise ShopError(f"{options.called}: is no schedule of {plan.shop.name}: {violations[0]}")
    task = (
        Task.of(plan, lambda: time_limit is None or stop.elapsed < BOUNDING * time_limit)
        if certificate is None
        else Task(plan, certificate)
    )
    load = policy if callable(policy) else lambda: policy
    trace: tuple[Incumbent, ...] = ()
    rule_counts = rule_name is None and method in (None, "auto", "improve", "rules", "cpsat")
    with Prover(task, stop, watch, not endless) as prover:
        if endless:
            search = make(_InTime(lambda: _compiled(task, load), stop))
            if search.steps:  # without them nothing is asked of rollouts
                rollouts = _compiled(task, load)
                search = make(rollouts)
                rollouts.expect(search.steps)
            with suppress(LateError):  # cancelled before anything was done
                trace = tuple(prover.seen(search.search(task, seed, stop)))
            trace = trace or tuple(prover.seen(_at_once(task, stop, options.start, rule_counts)))
        else:
            trace = _within(task, make, load, seed, stop, options.start, rule_counts, prover)
    best = trace[-1]
    return Solution(
        best.schedule,
        best.source,
        prover.certificate,
        stop.built["samples"],
        stop.elapsed,
        stop.done,
        trace,
        cancelled(),
        claims[-1] if claims else None,
        task.objective,
    )


def polish(
    plan: LotPlan,
    found: Solution,
    seconds: float,
    options: Options = NO_OPTIONS,
    cancelled: Callable[[], bool] = lambda: False,
    watch: Callable[[Watched], None] = lambda watched: None,
) -> Solution:
    """Let CP-SAT go on from a solution for so many seconds; what it does not improve stays.

    Raises:
        ShopError: OR-Tools is missing.
    """
    claims: list[int] = []
    task, stop = Task(plan, found.certificate), Stop(seconds, cancelled=cancelled, writing=options.writing)
    method = CpSat(found.schedule, found.source, options.threads, claims.append)
    with Prover(task, stop, watch, beside=True) as prover:
        tuple(prover.seen(found.trace[-1:]))
        better = [each for each in prover.seen(method.search(task, 0, stop)) if each.cost < found.trace[-1].cost]
    best = better[-1] if better else found.trace[-1]
    later = tuple(replace(each, seconds=found.seconds + each.seconds) for each in better)
    return replace(
        found,
        schedule=best.schedule,
        source=best.source,
        certificate=prover.certificate,
        seconds=found.seconds + stop.elapsed,
        work_done=found.work_done + stop.done,
        trace=(*found.trace, *later),
        interrupted=cancelled(),
        claimed=claims[-1] if claims else found.claimed,
    )


def _method(
    plan: LotPlan, rule_name: str | None, method: str | None, options: Options, endless: bool
) -> Callable[[Evolvable], Method]:
    if rule_name is not None and (parse_rule(rule_name)[0] in HOST_RULES or rules_of(plan)):
        return lambda rollouts: HostRules(rule_name)
    if method in ENDLESS and endless:
        raise ShopError(f"method {method}: needs a time limit")
    if rule_name is not None:
        return lambda rollouts: Rules(rollouts, rule_name)
    if rules_of(plan) and method == "rules":
        return lambda rollouts: HostRules()
    if method is None and (options.samples or options.patience or endless):
        return lambda rollouts: policy_first(rollouts, options, HostRules() if rules_of(plan) else Rules(rollouts))
    if endless and options.samples is None:
        options = replace(options, patience=options.patience or PATIENCE, samples=BEAM if method == "beam" else None)
    name = method or "auto"
    if name in ("auto", "improve"):
        warming.begin(plan)
    return lambda rollouts: method_named(name, rollouts, options)


def _compiled(task: Task, policy: Callable[[], Policy]) -> CompiledRollouts:
    from jaxshop.search.compiled import CompiledRollouts

    return CompiledRollouts(task, policy)


def _within(
    task: Task,
    make: Callable[[Evolvable], Method],
    policy: Callable[[], Policy],
    key: Key,
    stop: Stop,
    start: Schedule | None,
    rule_counts: bool,
    prover: Prover,
) -> tuple[Incumbent, ...]:
    """Search under a time limit. What one rule gives on the host is there first, lest there be no answer at all.

    `rule_counts`: whether that is an answer among others, or only one where the method gives none.
    """
    rollouts = _InTime(lambda: _compiled(task, policy), stop)
    search = make(rollouts)
    if search.steps:
        rollouts.expect(search.steps)
    first = tuple(prover.seen(_at_once(task, stop, start, rule_counts)))
    stop.known = first[0].cost if rule_counts else None
    found: list[Incumbent] = []
    with suppress(LateError):
        found.extend(prover.seen(search.search(task, key, stop)))
    return (*first, *found) if rule_counts else tuple(found) or first


def _at_once(task: Task, stop: Stop, start: Schedule | None, rule_counts: bool) -> Iterator[Incumbent]:
    """What there is whatever the limit: the start, or the first rule, by the kernels if they are there."""
    best = Best(task, stop)
    if start is not None:
        return best.offer(start, "start")
    (name, active), *_ = best_first(task.plan, task.objective)
    schedule = warming.play(task, name, active)  # compiled, where the kernels are there already
    if schedule is None:
        name, schedule = best_rule(task.plan, stop.begun)
    return best.offer(schedule, f"{'rule' if rule_counts else 'fallback'}:{name}")


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

    def _wait(self, future: Future[T]) -> T:
        return background.wait(future, self._stop.answer_by, self._stop.cancelled)

    def _call(self, function: Callable[[CompiledRollouts], T]) -> T:
        rollouts = self._wait(self._made)
        return self._wait(background.start(lambda: function(rollouts)))

    @property
    def batch(self) -> int:
        """See `Rollouts`."""
        return self._wait(self._made).batch

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

    def guided(self, ways: Sequence[Way], depth: int, key: Key, begin: int, count: int) -> tuple[Schedule, list[Way]]:
        """See `beam.Guided`."""
        return self._call(lambda rollouts: rollouts.guided(ways, depth, key, begin, count))

    def generation(self, state: Any, key: Key, number: int) -> tuple[Any, Schedule]:
        """See `priority.Tunable`."""
        return self._call(lambda rollouts: rollouts.generation(state, key, number))

    @property
    def population(self) -> int:
        """See `evolve.Evolvable`."""
        return self._wait(self._made).population

    def offspring(self, state: Any, key: Key, number: int) -> tuple[Any, Schedule]:
        """See `evolve.Evolvable`."""
        return self._call(lambda rollouts: rollouts.offspring(state, key, number))
