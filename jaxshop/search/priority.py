"""The method `tune`: a linear priority tuned on the shop itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from jaxshop.schedule import Schedule
from jaxshop.search.types import Best, Incumbent, Key, Rollouts, Stop, Task

POPULATION = 32
"""Priorities that a generation plays."""


class Tunable(Rollouts, Protocol):
    """Rollouts that can play priorities, too."""

    def generation(self, state: Any, key: Key, number: int) -> tuple[Any, Schedule]:
        """Play one generation of the cross-entropy method; the state to go on from (None: the start) and its best."""
        ...


@dataclass(frozen=True)
class Tune:
    """Generation after generation of the cross-entropy method (Rubinstein 1999) while another one fits."""

    rollouts: Tunable
    steps = ("tune",)

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`."""
        best, took, number, state = Best(task, stop), 0.0, 0, None
        self.rollouts.prepare("tune")
        while stop.allows(took, best.cost):
            began = stop.elapsed
            state, schedule = self.rollouts.generation(state, key, number)
            took, number = stop.elapsed - began, number + 1
            stop.built["tune"] += POPULATION
            yield from best.offer(schedule, "search:tune")
