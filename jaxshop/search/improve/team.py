"""Searches side by side, a seat each: they hear of each other's best, and the kind that finds more gets more seats."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from jaxshop.search.improve.model import Model
from jaxshop.search.improve.workers import IteratedGreedy, TabuSearch, Worker

EPOCH = 64
"""Pieces of work by each seat after which the team meets."""

MEMORY = 0.8
"""What a gain still counts at the next meeting."""

LEAST_SHARE = 0.15
"""Of the seats, for the kind that finds less: shops change their nature as they get better."""


Start = tuple[np.ndarray, np.ndarray]
"""Operations in an order of their starts, and the alternative of each, int32 [operations]."""


class Team:
    """A worker of each kind on every seat, of which one is at work in an epoch.

    Whatever the clock does, the same work gives the same schedule: what a kind gets depends on what it found.
    """

    def __init__(self, model: Model, begin: Start, seed: int, seats: int, divided: Start | None = None):
        """Begin with a start, and beside it, where it is given, with one whose work is divided by loads alone."""
        flexible = len(model.arrays.where) > model.arrays.operations
        # Without alternatives, to take operations out and put them back leads nowhere that tabu search does not.
        kinds = [(TabuSearch, begin), (IteratedGreedy, begin)] if flexible else [(TabuSearch, begin)]
        kinds += [(TabuSearch, divided)] if divided is not None else []
        self._seats: list[list[Worker]] = [
            [kind(model, *start, 1000 * seed + 10 * seat + k) for k, (kind, start) in enumerate(kinds)]
            for seat in range(seats)
        ]
        self._gains, self._owed = np.zeros(len(kinds)), np.zeros(len(kinds))
        self._done, self._left = 0, EPOCH
        self._cost = min(worker.cost for worker in self._seats[0])
        self._at_work = self._assigned()

    @property
    def winner(self) -> Worker:
        """The one with the best schedule."""
        return min(self._at_work, key=lambda worker: (worker.cost, worker.found))  # the same, whoever looks when

    @property
    def left(self) -> int:
        """Pieces of work until the next meeting: no more can be asked for at once."""
        return self._left

    def advance(self, pieces: int, target: int, pool: Executor) -> None:
        """Let each seat do so many pieces of work, or less where one meets a cost, as the arrays tell it."""
        for advanced in [pool.submit(worker.advance, pieces, target, self._done) for worker in self._at_work]:
            advanced.result()
        self._done += pieces
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
                worker.adopt(winner)
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
