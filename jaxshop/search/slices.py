"""Searches side by side under one stop: slices of work between two looks at the clock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Protocol

import numpy as np

from jaxshop.schedule import Schedule
from jaxshop.search.types import Best, Incumbent, Key, Stop

SLICE_SECONDS = 0.02
"""What passes between two looks at the clock."""

SHOWN_SHARE = 0.1
"""Of the time, what naming and verifying incumbents on the way may take; the last one is shown anyway."""

SHOWING = 1.5
"""What naming and verifying a schedule take together, in times of verifying; until it has been measured."""


class Slices(Protocol):
    """Several searches that go on piece by piece, whatever the clock does."""

    @property
    def name(self) -> str:
        """What the stop counts their work under."""
        ...

    @property
    def source(self) -> str:
        """Of their schedules."""
        ...

    @property
    def left(self) -> int:
        """Pieces until they meet: no more can be asked for at once."""
        ...

    @property
    def cost(self) -> int:
        """Of the best schedule, in ticks."""
        ...

    def advance(self, pieces: int, target: int | None, pool: Executor) -> None:
        """Let each do so many pieces of work, or less where one meets a cost in ticks."""
        ...

    def schedule(self) -> Schedule:
        """The best."""
        ...


def go_on(searches: Slices, stop: Stop, best: Best, seats: int) -> Iterator[Incumbent]:
    """Let searches go on slice by slice, and yield their best from time to time and at the end."""
    assert best.cost is not None
    size, pace, showing, shown = 1, 0.0, SHOWING * stop.verifying, stop.elapsed
    cost = best.cost
    with ThreadPoolExecutor(seats) as pool:
        while stop.allows(pace * size + showing, cost):
            size = stop.share(min(size, searches.left))
            began = stop.elapsed
            searches.advance(size, stop.target, pool)
            stop.built[searches.name] += size
            cost = searches.cost
            pace = max(stop.elapsed - began, 1e-9) / size  # a coarse clock may stand still
            size = max(1, min(2 * size, int(SLICE_SECONDS / pace)))
            if cost < best.cost and showing < SHOWN_SHARE * (stop.elapsed - shown):
                began = stop.elapsed
                yield from best.offer(searches.schedule(), searches.source)
                shown = stop.elapsed
                showing = shown - began
    if cost < best.cost:
        yield from best.offer(searches.schedule(), searches.source)


def seed_of(key: Key) -> int:
    """A number that tells keys apart."""
    if isinstance(key, int):
        return key
    import jax  # a key of its makes sure that it is there

    return int(np.asarray(jax.random.key_data(key)).astype(np.uint64) @ np.array([1 << 32, 1], np.uint64))
