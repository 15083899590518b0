"""Schedules crossed: a few good ones that are unlike each other, and children of two, which tabu search improves.

What many good schedules have in common is mostly right, and what a child has from neither parent is little; so tabu
search begins near a good schedule, but not in what either parent was stuck in (Peng, Lue and Cheng 2015).
"""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve import tabu
from jaxshop.search.improve.graph import build, cost_of
from jaxshop.search.improve.greedy import ruin_and_recreate
from jaxshop.search.improve.model import BEFORE, HEAD, MACHINE, Model
from jaxshop.search.improve.state import CYCLIC, WORK, forget
from jaxshop.search.improve.workers import UNIT, Found, TabuSearch, Worker, price_in

ELITE = 16
"""Schedules that are kept."""

ALONE = 64 * UNIT
"""Work of tabu search by itself at the beginning, which finds more in so little."""

PATIENCE = 300
"""Steps without a better schedule after which a child is as good as it gets."""

UNLIKE = 0.15
"""Of the operations, that stand behind another one on their machine in any two that are kept."""

SHAKEN, OFTEN = 40, 16
"""At the beginning so many operations are put elsewhere at once, and so often at most, twice for each that there is
where that is less."""

BEGINNING = 1 << 14
"""Work as which it counts to begin a run, or a piece of work on a tiny shop would take many times as long."""


class Crossing(Worker):
    """See above; only for plans whose operations have alternatives."""

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        super().__init__(model, order, choice, seed)
        self.start, self.climber = (order, choice), TabuSearch(model, order, choice, seed)
        self.state, self.random = self.climber.state, np.random.default_rng(seed)
        self.elite: list[np.ndarray] = []
        self.runs = 0
        arrays = self.arrays
        self.owner = np.repeat(np.arange(arrays.operations), np.diff(arrays.begins))
        self.lot = np.searchsorted(arrays.last, np.arange(arrays.operations))

    def _run(self, work: int, target: int) -> None:
        counters, least = self.state.counters, cost_of(self.arrays, self.table)
        while counters[WORK] < work and least > target and not counters[CYCLIC]:
            cost = self.climber.go_on(work if self.runs else min(work, ALONE), target)
            if cost < least:
                least = cost
                self.table[:] = self.climber.table
            if counters[WORK] < work and cost > target:
                self.runs += 1
                self._keep(self.climber.table)
                self.begin()

    def begin(self) -> None:
        """Begin with a child of two, or, until there are enough runs, with the start shaken."""
        arrays, state = self.arrays, self.state
        if self.runs < ELITE or len(self.elite) < 2:
            build(arrays, state, *self.start)
            cost = cost_of(arrays, state.table)
            for _ in range(min(1 + 2 * arrays.operations // SHAKEN, OFTEN)):
                cost = ruin_and_recreate(arrays, state, cost, SHAKEN, price_in(arrays))
        else:
            build(arrays, state, *self.child(*self.random.choice(len(self.elite), 2, replace=False)))
        forget(state)
        state.counters[WORK] += BEGINNING
        self.climber.begin(arrays)
        self.climber.memory[[tabu.PATIENCE, tabu.SHAKEN]] = PATIENCE, 0

    def child(self, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
        """Order and alternatives of a child: each lot runs where and when it does in one of both.

        Heads grow along each route, so that no order of theirs makes a cycle.
        """
        of_first = (self.random.random(self.arrays.lots) < self.random.uniform(0.3, 0.7))[self.lot]
        n = self.arrays.operations
        rows = np.where(of_first[:, None], self.elite[first][:n], self.elite[second][:n])
        choice = np.flatnonzero(self.arrays.where == rows[self.owner, MACHINE])
        return rows[:, HEAD].argsort(kind="stable").astype(np.int32), choice.astype(np.int32)

    def _keep(self, table: np.ndarray) -> None:
        """Keep a schedule in the place of one that is like it, or else of the worst, unless that is better."""
        n, costs = self.arrays.operations, [cost_of(self.arrays, kept) for kept in self.elite]
        differs = [np.mean(table[:n, BEFORE] != kept[:n, BEFORE]) for kept in self.elite]
        if differs and min(differs) < UNLIKE:
            place = int(np.argmin(differs))
        elif len(self.elite) < ELITE:
            self.elite.append(table.copy())
            return
        else:
            place = int(np.argmax(costs))
        if cost_of(self.arrays, table) <= costs[place]:
            self.elite[place] = table.copy()

    def adopt(self, other: Found) -> None:
        """See `Worker`; it is one of those that are kept."""
        self._adopt(other)
        self._keep(other.table)
