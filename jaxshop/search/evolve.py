"""The method `evolve`: keys that are added to the policy's scores, bred by the schedules that they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from jaxshop.schedule import Schedule
from jaxshop.search.beam import Guided
from jaxshop.search.types import Best, Incumbent, Key, Stop, Task


class Evolvable(Guided, Protocol):
    """Rollouts that can play keys, too."""

    @property
    def population(self) -> int:
        """Schedules of a generation: as many as the device plays side by side in about the time of one."""
        ...

    def offspring(self, state: Any, key: Key, number: int) -> tuple[Any, Schedule]:
        """Breed and play generation `number`; the state to go on from (None: the start) and its best schedule."""
        ...


@dataclass(frozen=True)
class Evolve:
    """A biased random-key genetic algorithm (Goncalves and Resende 2011), generation after generation while one fits.

    The environment is the decoder: an operation's key is added to the policy's score whenever its lot competes, and the
    highest goes first. The first generation are draws from the policy, its greedy schedule among them.
    """

    rollouts: Evolvable
    steps = ("evolve",)

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`."""
        best, took, number, state = Best(task, stop), 0.0, 0, None
        self.rollouts.prepare("evolve")
        while stop.allows(took, best.cost):
            began = stop.elapsed
            state, schedule = self.rollouts.offspring(state, key, number)
            took, number = stop.elapsed - began, number + 1
            stop.built["evolve"] += self.rollouts.population
            yield from best.offer(schedule, "search:evolve")
