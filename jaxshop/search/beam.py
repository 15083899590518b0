"""The method `beam`: samples of the policy that begin where the best samples so far led, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from jaxshop.schedule import Schedule
from jaxshop.search.priority import Tunable
from jaxshop.search.types import Best, Incumbent, Key, Stop, Task
from jaxshop.shop import operation_count

WIDTH = 4
"""Ways that are followed side by side."""

LEVELS = 8
"""Batches of the first pass, where nobody says how many samples there are."""


class Way(NamedTuple):
    """A complete schedule as the policy made it."""

    cost: int  # ticks
    choices: np.ndarray  # int32 [N], the lot of each step


class Guided(Tunable, Protocol):
    """Rollouts that can go on from the middle of an episode, too."""

    def guided(self, ways: Sequence[Way], depth: int, key: Key, begin: int, count: int) -> tuple[Schedule, list[Way]]:
        """Draw samples `begin` to `begin + count - 1`; the best of them, and all as ways.

        The first `depth` choices are those of `ways`, in turn; with none of these, nothing is given.
        """
        ...


@dataclass(frozen=True)
class Beam:
    """Simulation-guided beam search over the policy's samples.

    A pass has a number of levels, evenly spread over the schedule. At each, a batch of samples goes on from the `width`
    best ways so far, which all differ by then; the next level begins further along the best of them all. So samples are
    spent where the best ones led, on what is still open. (With greedy rollouts in their place: Choo et al. 2022; with
    a single way: Pirnay and Grimm 2024.) There is one pass of `count` samples, or pass after pass, each of twice as
    many levels.
    """

    rollouts: Guided
    count: int | None = None
    width: int = WIDTH
    steps = ("guided",)

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`."""
        best, took, done = Best(task, stop), 0.0, 0
        self.rollouts.prepare("guided")
        batch, operations = self.rollouts.batch, operation_count(task.plan)
        levels = LEVELS if self.count is None else max(1, -(-self.count // batch))
        while True:
            ways: list[Way] = []
            for depth in (level * operations // levels for level in range(levels)):
                if done == self.count or not stop.allows(took, best.cost):
                    return
                share = stop.share(batch if self.count is None else min(batch, self.count - done))
                began = stop.elapsed
                schedule, drawn = self.rollouts.guided(leading(ways, depth, self.width), depth, key, done, share)
                took, done = stop.elapsed - began, done + share
                ways = [*leading(ways, depth, self.width), *drawn]
                stop.built["samples"] += share
                yield from best.offer(schedule, "policy:beam")
            levels *= 2


def leading(ways: Iterable[Way], depth: int, width: int) -> list[Way]:
    """The `width` best ways, the first of equal ones, of which no two begin with the same `depth` choices."""
    ranked = sorted(ways, key=lambda way: way.cost)
    distinct = {way.choices[:depth].tobytes(): way for way in reversed(ranked)}
    return list(islice((way for way in ranked if distinct[way.choices[:depth].tobytes()] is way), width))
