"""Methods in turn: what is done with a time limit and nothing else said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxshop.search.rules import Rules
from jaxshop.search.sampling import Greedy, Samples
from jaxshop.search.types import Incumbent, Key, Method, Rollouts, Stop, Task


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


def policy_first(rollouts: Rollouts, samples: int) -> Method:
    """The greedy schedule, unless a rule or one of so many samples is better."""
    drawn = (Samples(rollouts, samples),) if samples else ()
    return InTurn((Greedy(rollouts), Rules(rollouts), *drawn))


def auto(rollouts: Rollouts, samples: int | None) -> Method:
    """Rules, then greedy, then samples while time is left."""
    return InTurn((Rules(rollouts), Greedy(rollouts), Samples(rollouts, samples)))
