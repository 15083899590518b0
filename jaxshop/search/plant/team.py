"""Searches side by side, a seat each, which hear of each other's best."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from jaxshop.schedule import Schedule
from jaxshop.search.improve.state import CYCLIC
from jaxshop.search.plant import greedy
from jaxshop.search.plant.cost import cost_of
from jaxshop.search.plant.graph import build, recompute_back
from jaxshop.search.plant.model import UNTIL, Model, to_schedule
from jaxshop.search.plant.state import ALTERNATIVE, END, START, new_state

UNIT = 1 << 15
"""Nodes visited and gaps looked at that count as one piece of work: a few milliseconds."""

EPOCH = 64
"""Pieces of work by each seat after which those that are behind begin with the best."""

FIRST_COOLING = 64 * UNIT
"""Work of the first cooling."""

PENALTIES = (16, 4, 32, 8)
"""What set-ups count more than they take, in quarters, from seat to seat."""

Start = tuple[np.ndarray, np.ndarray, np.ndarray]
"""See `sequences`."""


class Seat:
    """One search that can be continued.

    Attributes:
        best: the table of its best schedule.
        found: the piece of work that led to it.
    """

    def __init__(self, model: Model, start: Start, seed: int, penalty: int):
        self.arrays, self.state = model.arrays, new_state(model.arrays, seed)
        self.memory, self.pieces, self.found = np.zeros(8, np.int64), 0, 0
        build(self.arrays, self.state, *start)
        self.memory[[greedy.CURRENT, greedy.BEST]] = cost_of(self.arrays, self.state)
        self.memory[greedy.CYCLE_LENGTH], self.memory[greedy.PENALTY] = FIRST_COOLING, penalty
        # Against one and the same deadline, the least slack is that of the makespan.
        self.state.deadline[:] = np.minimum(self.state.done.max(), self.arrays.lots[:, UNTIL])
        recompute_back(self.arrays, self.state)
        self.best = self.state.table.copy()

    @property
    def cost(self) -> int:
        """Of its best, as the arrays tell it."""
        return int(self.memory[greedy.BEST])

    def advance(self, pieces: int, target: int) -> None:
        """Go on for so many pieces, one by one: what is found does not hang on how many there are in one call."""
        for _ in range(pieces):
            self.pieces += 1
            before, budget = self.cost, self.pieces * UNIT
            greedy.iterated_greedy(self.arrays, self.state, self.best, self.memory, budget, target)
            if self.cost < before:
                self.found = self.pieces
        if self.state.counters[CYCLIC]:
            raise AssertionError("a move made a cycle: a fault of the search")

    def adopt(self, other: Seat) -> None:
        """Take another's best for its own; the next cooling begins with it."""
        self.best[:], self.found = other.best, other.found
        self.memory[greedy.BEST] = other.cost


def placed(model: Model, start: Start) -> tuple[np.ndarray, int]:
    """The table of a schedule, and what it costs, as the arrays tell it."""
    state = new_state(model.arrays, 0)
    build(model.arrays, state, *start)
    return state.table, int(cost_of(model.arrays, state))


def read(model: Model, table: np.ndarray, fingerprint: str) -> Schedule:
    """The schedule of a table."""
    start, end, alternative = table[: len(model.names), [START, END, ALTERNATIVE]].T
    return to_schedule(model, start, end, alternative, fingerprint)


class Team:
    """Seats under one count of work; see `jaxshop.search.slices.Slices`."""

    name = "improve"
    source = "search:improve"

    def __init__(self, model: Model, fingerprint: str, start: Start, seed: int, seats: int):
        self._model, self._fingerprint, self.left = model, fingerprint, EPOCH
        self._seats = [Seat(model, start, 1000 * seed + k, PENALTIES[k % len(PENALTIES)]) for k in range(seats)]

    @property
    def _winner(self) -> Seat:
        return min(self._seats, key=lambda seat: (seat.cost, seat.found))  # the same, whoever looks when

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
            self.left, winner = EPOCH, self._winner
            for seat in self._seats:
                if seat.cost > winner.cost:
                    seat.adopt(winner)

    def schedule(self) -> Schedule:
        """See `Slices`."""
        return read(self._model, self._winner.best, self._fingerprint)
