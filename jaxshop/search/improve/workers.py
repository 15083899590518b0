"""The two kinds of search, each with a state of its own that it can be continued from."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from jaxshop.search.improve import greedy, tabu
from jaxshop.search.improve.graph import CYCLIC, State, build, cost_of, new_state
from jaxshop.search.improve.model import Arrays, Model

UNIT = 1 << 17
"""Nodes visited and gaps looked at that count as one piece of work: one to three milliseconds."""

FIRST_COOLING = 64 * UNIT
"""Work of the first cooling of iterated greedy."""


class Worker(Protocol):
    """One search that can be continued."""

    best: np.ndarray
    """The table of its best schedule."""

    def advance(self, work: int, target: int) -> None:
        """Go on for so many nodes and gaps, or until a cost of `target`, as the arrays tell it, is reached."""
        ...

    @property
    def cost(self) -> int:
        """Of its best schedule, as the arrays tell it."""
        ...

    def adopt(self, table: np.ndarray, cost: int) -> None:
        """Take another's schedule for its best."""
        ...


class _Kernel:
    """What both kinds share: the state, begun with a schedule."""

    arrays: Arrays
    state: State
    best: np.ndarray
    memory: np.ndarray

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        self.arrays = model.arrays
        self.state = new_state(model.arrays, seed)
        build(self.arrays, self.state, order, choice)
        self.best = self.state.table.copy()
        self.memory = np.zeros(16, np.int64)
        self._budget = 0

    @property
    def cost(self) -> int:
        """See `Worker`."""
        return cost_of(self.arrays, self.best)

    def _require_acyclic(self) -> None:
        if self.state.counters[CYCLIC]:
            raise AssertionError("a move made a cycle: a fault of the search")


class IteratedGreedy(_Kernel):
    """See `greedy`."""

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        super().__init__(model, order, choice, seed)
        self.memory[greedy.CURRENT] = self.memory[greedy.BEST] = self.cost
        self.memory[greedy.CYCLE_LENGTH] = FIRST_COOLING

    def advance(self, work: int, target: int) -> None:
        """See `Worker`."""
        self._budget += work  # kept exactly, so that a search does not depend on how its work is sliced
        greedy.iterated_greedy(self.arrays, self.state, self.best, self.memory, self._budget, target)
        self._require_acyclic()

    def adopt(self, table: np.ndarray, cost: int) -> None:
        """See `Worker`; the next cooling begins with it."""
        self.best[:] = table
        self.memory[greedy.BEST] = cost


class TabuSearch(_Kernel):
    """See `tabu`."""

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        super().__init__(model, order, choice, seed)
        bans, picks = np.zeros((tabu.BANS, 3), np.int64), np.zeros((2, 6), np.int64)
        scratch = np.zeros(self.arrays.operations, np.int64)
        self._arguments = (self.arrays, self.state, self.best, self.best.copy(), bans, picks, scratch, self.memory)
        flexible = len(self.arrays.where) > self.arrays.operations
        memory = self.memory
        memory[[tabu.CURRENT, tabu.BEST, tabu.LOCAL]] = self.cost
        # Where operations have alternatives, a restart that puts some elsewhere leads on; where they have none, only
        # patience does.
        memory[tabu.PATIENCE], memory[tabu.SHAKEN] = (300, 40) if flexible else (16_000, 11)
        memory[tabu.TENURE], memory[tabu.TENURE_SPREAD] = 10 + self.arrays.machines // 4, 11

    def advance(self, work: int, target: int) -> None:
        """See `Worker`."""
        self._budget += work
        tabu.tabu_search(*self._arguments, self._budget, target)
        self._require_acyclic()

    def adopt(self, table: np.ndarray, cost: int) -> None:
        """See `Worker`; restarts go back to it."""
        self.best[:] = table
        self.memory[tabu.BEST] = cost
