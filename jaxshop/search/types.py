"""What a search is given and what it gives: a task, a stop, rollouts to draw on, and verified incumbents. No JAX."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from jaxshop.bounds import Certificate, certify
from jaxshop.schedule import Schedule, verify
from jaxshop.search.improve.model import Model, model_of
from jaxshop.shop import LotPlan
from jaxshop.shop.objective import Objective
from jaxshop.support.errors import InvalidScheduleError

WRITING, DRAWING = 0.75, 1.5
"""What a caller does with the answer, in times of verifying it: to write and tell it, and to draw it as a page."""

Key = Any
"""A PRNG key of JAX, or the seed to make one of; consumed."""


@dataclass(frozen=True)
class Task:
    """What is to be scheduled, and what is certain about it."""

    plan: LotPlan
    certificate: Certificate

    @classmethod
    def of(cls, plan: LotPlan, allows: Callable[[], bool] = lambda: True) -> Task:
        """The task of a plan, its bound certified here, as far as that goes while `allows()`."""
        return cls(plan, certify(plan, allows))

    def cost(self, schedule: Schedule) -> int:
        """What a search makes small, in ticks."""
        return self.objective.cost(schedule.job_ends, self.plan.shop.jobs)

    @property
    def objective(self) -> Objective:
        """What schedules are compared by: the shop's."""
        return self.plan.shop.objective

    @property
    def with_due(self) -> bool:
        """Whether any job has a due date."""
        return any(job.due is not None for job in self.plan.shop.jobs)

    @property
    def fingerprint(self) -> str:
        """The whole shop's fingerprint."""
        return self.plan.shop.fingerprint

    @cached_property
    def model(self) -> Model:
        """The plan in arrays, which takes its time on a large shop; for plans without rules of the plant."""
        return model_of(self.plan)


@dataclass(frozen=True)
class Incumbent:
    """The best schedule so far, verified."""

    schedule: Schedule
    cost: int  # ticks
    source: str
    seconds: float  # since the search began
    work: int  # pieces done by then


@dataclass
class Stop:
    """When a search ends: by time, work, cost or request, whichever comes first; it alone asks the clock.

    One stop belongs to one search. Methods tell it what they did, so that methods in turn share its limits.
    """

    seconds: float | None = None
    """Since `begun`."""
    work: int | None = None
    """Pieces: a schedule that is built is one, or so much of a search on the graph as its method says."""
    target: int | None = None
    """A cost, in ticks, that is good enough."""
    cancelled: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    begun: float | None = None
    """By the clock; None: now."""
    known: int | None = None
    """The cost of a schedule that is there already: only what is better is wanted."""
    verifying: float = 0.0
    """Seconds that the last verification took."""
    writing: float = WRITING
    """What comes behind the search, in times of verifying."""
    built: Counter[str] = field(default_factory=Counter, init=False)
    """Pieces of work by the name of the step that did them."""

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 <= self.seconds < math.inf:
            raise ValueError(f"seconds: must be >= 0 and finite, not {self.seconds}")
        self.begun = self.clock() if self.begun is None else self.begun

    @property
    def elapsed(self) -> float:
        """Seconds since the search began."""
        assert self.begun is not None
        return self.clock() - self.begun

    @property
    def deadline(self) -> float | None:
        """By the clock; None: as long as it takes."""
        assert self.begun is not None
        return None if self.seconds is None else self.begun + self.seconds

    @property
    def reserved(self) -> float:
        """Seconds that are kept back for what comes behind the search."""
        return self.writing * self.verifying

    @property
    def answer_by(self) -> float | None:
        """By the clock, when the search has to have an answer; None: whenever it has one."""
        return None if self.deadline is None else self.deadline - self.reserved

    @property
    def done(self) -> int:
        """Pieces of work so far."""
        return self.built.total()

    def share(self, count: int) -> int:
        """Of `count` pieces, as many as the work that is left allows."""
        return count if self.work is None else max(0, min(count, self.work - self.done))

    def allows(self, seconds: float = 0.0, cost: int | None = None) -> bool:
        """Whether something that takes so long may begin, where the best schedule costs so much."""
        late = self.seconds is not None and self.elapsed + seconds + self.reserved > self.seconds
        good = self.target is not None and cost is not None and cost <= self.target
        return not (late or good or self.share(1) == 0 or self.cancelled())


class PolicyRollouts(Protocol):
    """Whole schedules of one task by a policy, built wherever; nothing here is verified yet."""

    @property
    def batch(self) -> int:
        """Samples that one call builds at most."""
        ...

    def prepare(self, step: str) -> None:
        """Compile what `step` (`rules`, `rules/active`, `greedy` or `samples`) needs, so that its time can be told."""
        ...

    def greedy(self) -> Schedule:
        """The schedule of the policy's most probable choices."""
        ...

    def samples(self, key: Key, begin: int, count: int) -> Schedule:
        """The best of samples `begin` to `begin + count - 1`; a sample depends on key and number alone.

        `begin` is a multiple of `batch`, which divides `mirror.TURN`.
        """
        ...


class Rollouts(PolicyRollouts, Protocol):
    """Rollouts that can play rules, too."""

    def rules(self, names: Sequence[str], active: bool, keys: Sequence[Key]) -> list[Schedule]:
        """The schedules of rules, as `jaxshop.search.rules.RULES` names them, active or non-delay, with a key each."""
        ...


@dataclass(frozen=True)
class Options:
    """What may be asked of a method; each takes what means something to it.

    Attributes:
        samples: schedules to draw from the policy; None: as many as the stop allows.
        patience: samples in a row that may improve nothing before no more are drawn; None: any number.
        start: a valid schedule to begin with.
        called: what a start that is refused is called.
        from_policy: begin with the policy's greedy schedule.
        threads: searches side by side; None: one for each core.
        claimed: told each lower bound, in ticks, that a solver claims; nothing here checks them.
        writing: what the caller does with the answer, which a time limit counts, in times of verifying it.
    """

    samples: int | None = None
    patience: int | None = None
    start: Schedule | None = None
    called: str = "the start"
    from_policy: bool = False
    threads: int | None = None
    claimed: Callable[[int], None] = lambda bound: None
    writing: float = WRITING


class Method(Protocol):
    """A way to search."""

    @property
    def steps(self) -> tuple[str, ...]:
        """What it will ask its rollouts to `prepare`, in order."""
        ...

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """Yield incumbents, each verified and of less cost than the one before.

        The same task, key and work give the same schedules, whatever the time.

        Raises:
            InvalidScheduleError: a schedule better than the method's own best so far is invalid.
            LateError: the rollouts did not answer by their deadline.
        """
        ...


def require_valid(task: Task, schedule: Schedule, source: str) -> None:
    """Raise InvalidScheduleError where the verifier refuses the schedule."""
    if violations := verify(task.plan, schedule):
        raise InvalidScheduleError(f"the schedule of {source} is invalid: {violations[0]}")


@dataclass
class Best:
    """Lets through what is better than all before it, and than what is known, once it is verified."""

    task: Task
    stop: Stop
    cost: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.cost = self.stop.known

    def offer(self, schedule: Schedule, source: str) -> Iterator[Incumbent]:
        """Yield the schedule as an incumbent, or nothing."""
        cost = self.task.cost(schedule)
        if self.cost is not None and cost >= self.cost:
            return
        began = self.stop.elapsed
        require_valid(self.task, schedule, source)
        self.cost, self.stop.verifying = cost, self.stop.elapsed - began
        yield Incumbent(schedule, cost, source, self.stop.elapsed, self.stop.done)
