"""Searches side by side, a seat each: they hear of each other's best, and the kind that finds more gets more seats."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from jaxshop.search.improve.model import Model
from jaxshop.search.improve.workers import UNIT, IteratedGreedy, TabuSearch, Worker

EPOCH = 64
"""Pieces of work by each seat after which the team meets."""

MEMORY = 0.8
"""What a gain still counts at the next meeting."""

LEAST_SHARE = 0.15
"""Of the seats, for the kind that finds less: shops change their nature as they get better."""


class Team:
    """A worker of each kind on every seat, of which one is at work in an epoch.

    Whatever the clock does, the same work gives the same schedule: what a kind gets depends on what it found.
    """

    def __init__(self, model: Model, begin: tuple[np.ndarray, np.ndarray], seed: int, seats: int):
        """Begin with an order of operations and the alternative of each."""
        flexible = len(model.arrays.where) > model.arrays.operations
        # Without alternatives, to take operations out and put them back leads nowhere that tabu search does not.
        kinds: tuple[type[TabuSearch] | type[IteratedGreedy], ...] = (TabuSearch, IteratedGreedy)[: 1 + flexible]
        self._seats: list[list[Worker]] = [
            [kind(model, *begin, 1000 * seed + 10 * seat + k) for k, kind in enumerate(kinds)] for seat in range(seats)
        ]
        self._gains, self._owed = np.zeros(len(kinds)), np.zeros(len(kinds))
        self._left = EPOCH
        self._cost = self._seats[0][0].cost
        self._at_work = self._assigned()

    @property
    def winner(self) -> Worker:
        """The one with the best schedule."""
        return min(self._at_work, key=lambda worker: worker.cost)

    @property
    def left(self) -> int:
        """Pieces of work until the next meeting: no more can be asked for at once."""
        return self._left

    def advance(self, pieces: int, target: int, pool: Executor) -> None:
        """Let each seat do so many pieces of work, or less where one meets a cost, as the arrays tell it."""
        for done in [pool.submit(worker.advance, pieces * UNIT, target) for worker in self._at_work]:
            done.result()
        self._left -= pieces
        if self._left == 0:
            self._meet()

    def _meet(self) -> None:
        winner = self.winner
        self._gains *= MEMORY
        for seat, worker in zip(self._seats, self._at_work, strict=True):
            self._gains[seat.index(worker)] += max(0, self._cost - worker.cost)
        self._cost = winner.cost
        for worker in (worker for seat in self._seats for worker in seat):
            if worker.cost > winner.cost:
                worker.adopt(winner.best, winner.cost)
        self._left = EPOCH
        self._at_work = self._assigned()

    def _assigned(self) -> list[Worker]:
        """Who works next: each kind is owed its share of every seat, and the kind that is owed most gets it."""
        kinds, total = len(self._gains), self._gains.sum()
        shares = self._gains / total if total > 0 else np.full(kinds, 1 / kinds)
        shares = np.clip(shares, LEAST_SHARE, 1.0)
        workers = []
        for seat in self._seats:
            self._owed += shares / shares.sum()
            kind = int(self._owed.argmax())
            self._owed[kind] -= 1.0
            workers.append(seat[kind])
        return workers
