"""Annealings side by side, a seat each, which hear of each other's best."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from jaxshop.schedule import Schedule
from jaxshop.search.decoding.annealing import BEST, CYCLE_BEGAN, CYCLE_LENGTH, PENALTY, anneal, begin_with
from jaxshop.search.decoding.decode import exact
from jaxshop.search.decoding.model import Model, to_schedule
from jaxshop.search.decoding.state import ALTERNATIVE, END, START, new_state

UNIT = 1 << 14
"""Operations placed that count as one piece of work: some milliseconds."""

EPOCH = 64
"""Pieces of work by each seat after which those that are behind begin with the best."""

FIRST_COOLING = 128 * UNIT
"""Work of the first cooling."""

PENALTIES = (0, 2, 4, 1)
"""What set-ups count more than they take, in quarters, from seat to seat."""

Start = tuple[np.ndarray, np.ndarray]
"""A list of operations and what alternatives are prescribed (-1: none), int64 [operations]."""


class Seat:
    """One annealing that can be continued.

    Attributes:
        best: int64 [2, operations], the list and the machines of its best.
    """

    def __init__(self, model: Model, start: Start, seed: int, penalty: int):
        self.arrays, self.state = model.arrays, new_state(model.arrays, seed)
        self.best, self.memory = np.stack(start), np.zeros(8, np.int64)
        self.memory[PENALTY], self.memory[CYCLE_LENGTH], self.pieces = penalty, FIRST_COOLING // 2, 0
        self.memory[CYCLE_BEGAN] = -FIRST_COOLING  # so that the first one begins at once
        begin_with(self.arrays, self.state, *start, penalty, 0)
        self.memory[BEST] = exact(self.arrays, self.state.marks[-1])

    @property
    def cost(self) -> int:
        """Of its best, as the arrays tell it."""
        return int(self.memory[BEST])

    def advance(self, pieces: int, target: int) -> None:
        """Go on for so many pieces, one by one: what is found does not hang on how many there are in one call."""
        for _ in range(pieces):
            self.pieces += 1
            anneal(self.arrays, self.state, self.best, self.memory, self.pieces * UNIT, target)


@dataclass(frozen=True)
class Placement:
    """A schedule in the arrays: starts, ends and alternatives, int64 [operations], and what it costs there."""

    start: np.ndarray
    end: np.ndarray
    alternative: np.ndarray
    cost: int


def place(model: Model, sequence: Start, penalty: int = 0) -> Placement:
    """Decode a list."""
    state = new_state(model.arrays, 0)
    begin_with(model.arrays, state, *sequence, penalty, 0)
    cost = int(exact(model.arrays, state.marks[-1]))
    start, end, alternative = state.held[:, [START, END, ALTERNATIVE]].T.copy()
    return Placement(start, end, alternative, cost)


class Team:
    """Seats under one count of work; see `jaxshop.search.slices.Slices`."""

    name = "improve"
    source = "search:improve"

    def __init__(self, model: Model, fingerprint: str, start: Start, seed: int, seats: int):
        self._model, self._fingerprint, self.left = model, fingerprint, EPOCH
        self._seats = [Seat(model, start, 1000 * seed + k, PENALTIES[k % len(PENALTIES)]) for k in range(seats)]

    @property
    def _winner(self) -> Seat:
        return min(self._seats, key=lambda seat: seat.cost)

    @property
    def cost(self) -> int:
        """See `Slices`."""
        return self._model.ticks(self._winner.cost)

    def advance(self, pieces: int, target: int | None, pool: Executor) -> None:
        """See `Slices`."""
        goal = -1 if target is None else self._model.scaled(target)
        for advanced in [pool.submit(seat.advance, pieces, goal) for seat in self._seats]:
            advanced.result()
        self.left -= pieces
        if self.left == 0:
            self.left = EPOCH

    def schedule(self) -> Schedule:
        """See `Slices`."""
        winner = self._winner
        found = place(self._model, (winner.best[0], winner.best[1]), int(winner.memory[PENALTY]))
        return to_schedule(self._model, found.start, found.end, found.alternative, self._fingerprint)
