"""Methods in turn: what is done with a time limit and nothing else said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxshop.schedule import Schedule
from jaxshop.search.sampling import Greedy, Samples
from jaxshop.search.types import Incumbent, Key, Method, Options, Rollouts, Stop, Task
from jaxshop.shop import rules_of


@dataclass(frozen=True)
class InTurn:
    """One method after the other under one stop; each has to be better than those before it."""

    methods: tuple[Method, ...]

    @property
    def steps(self) -> tuple[str, ...]:
        """Those of its methods."""
        return tuple(step for method in self.methods for step in method.steps)

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`."""
        cost: int | None = None
        for method in self.methods:
            if cost is not None and not stop.allows(cost=cost):
                return
            for incumbent in method.search(task, key, stop):
                if cost is None or incumbent.cost < cost:
                    cost = incumbent.cost
                    yield incumbent


def policy_first(rollouts: Rollouts, options: Options, rules: Method) -> Method:
    """The greedy schedule, unless one of the rules or of the samples that the options ask for is better."""
    asked = options.samples is not None or options.patience is not None
    drawn = (Samples(rollouts, options.samples, options.patience),) if asked else ()
    return InTurn((Greedy(rollouts), rules, *drawn))


@dataclass(frozen=True)
class Suited:
    """One method for plans that use some of the plant's own rules, another for those that do not."""

    plain: Method
    ruled: Method

    @property
    def steps(self) -> tuple[str, ...]:
        """Those of both."""
        return tuple(dict.fromkeys((*self.plain.steps, *self.ruled.steps)))

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`."""
        yield from (self.ruled if rules_of(task.plan) else self.plain).search(task, key, stop)


def improve(rollouts: Rollouts, options: Options) -> Method:
    """Search from the start that is given, from the policy, or from the best rule."""
    return improving(options.start, Greedy(rollouts) if options.from_policy else None, options.threads)


def improving(start: Schedule | None = None, policy: Method | None = None, threads: int | None = None) -> Method:
    """The search from a start, in kernels of their own for plans with the plant's own rules; loads Numba."""
    from jaxshop.search.improve.method import Improve
    from jaxshop.search.plant.method import Sequences

    return Suited(Improve(start, policy, threads), Sequences(start, policy, threads))


def auto(rollouts: Rollouts, options: Options) -> Method:
    """What measurement found best whatever the time: every rule, and the rest of the time for `improve` on all cores.

    The policy is asked only where the options say so: that takes JAX seconds to start, and search is past its schedule
    after a few hundredths.
    """
    return improve(rollouts, options)
