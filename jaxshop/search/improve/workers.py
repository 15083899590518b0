"""Searches side by side, a thread each: every one has its own state, kind and chance, and hears of the others' best."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np

from jaxshop.search.improve import greedy, tabu
from jaxshop.search.improve.graph import CYCLIC, build, cost_of, new_state
from jaxshop.search.improve.model import Model

UNIT = 1 << 17
"""Nodes visited and gaps looked at that count as one piece of work: one to three milliseconds."""

FIRST_COOLING = 64 * UNIT
"""Work of the first cooling of iterated greedy."""


class Worker(Protocol):
    """One search that can be continued."""

    best: np.ndarray
    """The table of its best schedule: of those that cost so many ticks, the first."""
    cost: int
    """Of its best schedule, in ticks."""
    found: int
    """The piece of work that led to it."""

    def advance(self, pieces: int, target: int) -> None:
        """Go on until so many pieces are done in all, or a cost of `target`, as the arrays tell it, is reached."""
        ...

    def adopt(self, table: np.ndarray) -> None:
        """Take another's schedule for its best."""
        ...


class _Kernel(ABC):
    """What both kinds share: the state, begun with a schedule."""

    best: np.ndarray
    cost: int
    found = 0

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        self.model, self.arrays = model, model.arrays
        self.state = new_state(model.arrays, seed)
        build(self.arrays, self.state, order, choice)
        self.table = self.state.table.copy()
        self.memory = np.zeros(16, np.int64)
        self.pieces = 0
        self._take_note()

    @abstractmethod
    def _run(self, work: int, target: int) -> None:
        """Go on until so much work is done in all, with the best in `table`."""

    def advance(self, pieces: int, target: int) -> None:
        """See `Worker`; piece by piece, so that what is told does not hang on how many there are in one call."""
        while self.pieces < pieces:
            self.pieces += 1
            self._run(self.pieces * UNIT, target)
            if self.model.ticks(cost_of(self.arrays, self.table)) < self.cost:
                self._take_note()
        if self.state.counters[CYCLIC]:
            raise AssertionError("a move made a cycle: a fault of the search")

    def _take_note(self) -> None:
        self.best, self.found = self.table.copy(), self.pieces
        self.cost = self.model.ticks(cost_of(self.arrays, self.table))

    def _adopt(self, table: np.ndarray) -> int:
        self.table[:] = table
        self._take_note()
        return int(cost_of(self.arrays, table))


class IteratedGreedy(_Kernel):
    """See `greedy`."""

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        super().__init__(model, order, choice, seed)
        self.memory[[greedy.CURRENT, greedy.BEST]] = cost_of(self.arrays, self.table)
        self.memory[greedy.CYCLE_LENGTH] = FIRST_COOLING

    def _run(self, work: int, target: int) -> None:
        greedy.iterated_greedy(self.arrays, self.state, self.table, self.memory, work, target)

    def adopt(self, table: np.ndarray) -> None:
        """See `Worker`; the next cooling begins with it."""
        self.memory[greedy.BEST] = self._adopt(table)


class TabuSearch(_Kernel):
    """See `tabu`."""

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        super().__init__(model, order, choice, seed)
        bans, picks = np.zeros((tabu.BANS, 3), np.int64), np.zeros((2, 6), np.int64)
        scratch = np.zeros(self.arrays.operations, np.int64)
        self.arguments = (self.arrays, self.state, self.table, self.table.copy(), bans, picks, scratch, self.memory)
        flexible = len(self.arrays.where) > self.arrays.operations
        memory = self.memory
        memory[[tabu.CURRENT, tabu.BEST, tabu.LOCAL]] = cost_of(self.arrays, self.table)
        # Where operations have alternatives, a restart that puts some elsewhere leads on; where they have none, only
        # patience does.
        memory[tabu.PATIENCE], memory[tabu.SHAKEN] = (300, 40) if flexible else (16_000, 11)
        memory[tabu.TENURE], memory[tabu.TENURE_SPREAD] = 10 + self.arrays.machines // 4, 11

    def _run(self, work: int, target: int) -> None:
        tabu.tabu_search(*self.arguments, work, target)

    def adopt(self, table: np.ndarray) -> None:
        """See `Worker`; restarts go back to it."""
        self.memory[tabu.BEST] = self._adopt(table)
