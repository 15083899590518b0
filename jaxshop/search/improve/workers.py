"""The kinds of search, each with a state of its own that it can be continued from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from jaxshop.bounds.exact import NO
from jaxshop.bounds.shares import Orders
from jaxshop.search.improve import exchange, greedy, levelling, orders, tabu
from jaxshop.search.improve.graph import build, cost_of, restore
from jaxshop.search.improve.model import HEAD, MACHINE, TIME, Arrays, Model
from jaxshop.search.improve.state import CYCLIC, WORK, draw, new_state

UNIT = 1 << 17
"""Nodes visited and gaps looked at that count as one piece of work: one to three milliseconds."""

FIRST_COOLING = 64 * UNIT
"""Work of the first cooling of iterated greedy."""

LAST = 16 * UNIT
"""Work at the end of a cooling that a meeting of the team may cut off."""

CYCLE = 4 * UNIT
"""Work between two times that exchanges begin with the best."""

STEPS = 2_000
"""Exchanges on loads alone after which levelling begins again."""

SLACK = 12
"""A machine is full where it has no more than bar >> SLACK left: its operations are looked for an order of, and stay
there while orders are mended."""

MENDING = 32 * UNIT
"""Work by which an order must be mended, beside as much as its division took."""

SHARING = 1.5
"""Machines that may run an operation, in the mean, from which on these are said to share the work."""

FEW, SMALL = 3.0, 300
"""Machines an operation, in the mean, below which these are few, and operations up to which a shop is small."""

PRICE = 8
"""How often what an alternative wastes counts."""


class Found(NamedTuple):
    """A schedule that a search found."""

    table: np.ndarray
    cost: int  # ticks
    piece: int  # of work that led to it, as the team counts


def placed(model: Model, order: np.ndarray, choice: np.ndarray) -> Found:
    """A schedule to begin with, as it was found: by no work."""
    state = new_state(model.arrays, 0)
    build(model.arrays, state, order, choice)
    return Found(state.table, model.ticks(cost_of(model.arrays, state.table)), 0)


class Worker(ABC):
    """One search that can be continued; all kinds keep its state, begun with a schedule.

    Attributes:
        found: its best schedule: of those that cost so many ticks, the first.
    """

    found: Found

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        self.model, self.arrays = model, model.arrays
        self.state = new_state(model.arrays, seed)
        build(self.arrays, self.state, order, choice)
        self.table = self.state.table.copy()
        self.memory = np.zeros(16, np.int64)
        self.pieces = 0
        self._take_note(0)

    @abstractmethod
    def _run(self, work: int, target: int) -> None:
        """Go on until so much work is done in all, with the best in `table`."""

    @property
    def amid(self) -> bool:
        """Whether it is amid something that is worth little before its end."""
        return False

    @abstractmethod
    def adopt(self, other: Found) -> None:
        """Take another's best for its own."""

    def advance(self, pieces: int, target: int, done: int) -> None:
        """Go on for so many pieces after those that are done, or until a cost of `target`, as the arrays tell it.

        Piece by piece, so that what is told does not hang on how many there are in one call.
        """
        for piece in range(done + 1, done + pieces + 1):
            self.pieces += 1
            self._run(self.pieces * UNIT, target)
            if self.model.ticks(cost_of(self.arrays, self.table)) < self.found.cost:
                self._take_note(piece)
        if self.state.counters[CYCLIC]:
            raise AssertionError("a move made a cycle: a fault of the search")

    def _take_note(self, piece: int) -> None:
        self.found = Found(self.table.copy(), self.model.ticks(cost_of(self.arrays, self.table)), piece)

    def _adopt(self, other: Found) -> int:
        self.table[:], self.found = other.table, other
        return int(cost_of(self.arrays, self.table))


def price_in(arrays: Arrays) -> int:
    """How often what alternatives waste counts; 0 where none wastes anything."""
    return PRICE if arrays.wastes.any() else 0


def narrow(arrays: Arrays) -> bool:
    """Whether a shop is small and its operations have few machines each: there tabu search comes to rest."""
    return len(arrays.where) < FEW * arrays.operations and arrays.operations <= SMALL


def patience_of(arrays: Arrays) -> tuple[int, int]:
    """Steps without a better schedule after which tabu search restarts, and operations that a restart moves at most.

    Where operations have alternatives, a restart that puts some elsewhere leads on; where they have none, only patience
    does, and where they have few, both.
    """
    if len(arrays.where) == arrays.operations:
        return 16_000, 11
    return (3_000 if narrow(arrays) or len(arrays.where) < SHARING * arrays.operations else 300), 40


class IteratedGreedy(Worker):
    """See `greedy`."""

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        super().__init__(model, order, choice, seed)
        self.memory[[greedy.CURRENT, greedy.BEST]] = cost_of(self.arrays, self.table)
        self.memory[[greedy.CYCLE_LENGTH, greedy.PRICE]] = FIRST_COOLING, price_in(self.arrays)

    def _run(self, work: int, target: int) -> None:
        greedy.iterated_greedy(self.arrays, self.state, self.table, self.memory, work, target)

    @property
    def amid(self) -> bool:
        """See `Worker`: a cooling of which more than half an epoch is left."""
        begun = self.state.counters[WORK] - self.memory[greedy.CYCLE_BEGAN]
        return bool(begun < self.memory[greedy.CYCLE_LENGTH] - LAST)

    def adopt(self, other: Found) -> None:
        """See `Worker`; the next cooling begins with it."""
        self.memory[greedy.BEST] = self._adopt(other)


class Exchange(Worker):
    """See `exchange`; only for plans whose operations have alternatives; `goal`: a cost that no schedule is below."""

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int, goal: int = 0):
        super().__init__(model, order, choice, seed)
        given, subsets = np.zeros((2, 3, exchange.MOST), np.int64), np.zeros((2, 3, exchange.SUBSETS), np.int64)
        self.arguments = (self.arrays, self.state, self.table, *given, *subsets, self.memory)
        self.memory[[exchange.CURRENT, exchange.BEST]] = cost_of(self.arrays, self.table)
        self.memory[exchange.CYCLE_LENGTH], self.memory[exchange.GOAL] = CYCLE, goal

    def _run(self, work: int, target: int) -> None:
        exchange.exchange(*self.arguments, work, target)

    def adopt(self, other: Found) -> None:
        """See `Worker`; the next cycle begins with it."""
        self.memory[exchange.BEST] = self._adopt(other)
        self.memory[exchange.CYCLE_BEGAN] = -CYCLE


class TabuSearch(Worker):
    """See `tabu`."""

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        super().__init__(model, order, choice, seed)
        self.bans, picks = np.zeros((tabu.BANS, 3), np.int64), np.zeros((2, 6), np.int64)
        self.local, self.scratch = self.table.copy(), (picks, np.zeros(self.arrays.operations, np.int64))
        memory = self.memory
        memory[tabu.PATIENCE], memory[tabu.SHAKEN] = patience_of(self.arrays)
        memory[tabu.TENURE], memory[tabu.TENURE_SPREAD] = 10 + self.arrays.machines // 4, 11
        memory[tabu.PRICE] = price_in(self.arrays)
        self.begin(self.arrays)

    def begin(self, arrays: Arrays) -> None:
        """Begin with what is in the state, by arrays that may offer operations fewer machines."""
        self.arguments = arrays, self.state._replace(near=arrays.where.copy())
        self.table[:] = self.local[:] = self.state.table
        self.bans[:] = 0
        self.memory[[tabu.CURRENT, tabu.BEST, tabu.LOCAL]] = cost_of(arrays, self.table)
        self.memory[tabu.LOCAL_AT] = self.memory[tabu.ROUND]

    def _run(self, work: int, target: int) -> None:
        self.go_on(work, target)

    def go_on(self, work: int, target: int) -> int:
        """`_run`; returns the best cost."""
        tabu.tabu_search(*self.arguments, self.table, self.local, self.bans, *self.scratch, self.memory, work, target)
        return int(self.memory[tabu.BEST])

    def adopt(self, other: Found) -> None:
        """See `Worker`; restarts go back to it."""
        self.memory[tabu.BEST] = self._adopt(other)


class Levelling(Worker):
    """See `levelling`; only for plans whose operations take the same time on each of their machines.

    Attributes:
        goal: a cost, as the arrays tell it, that no schedule is below.
    """

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int, goal: int = 0):
        super().__init__(model, order, choice, seed)
        self.goal, self.mender = goal, TabuSearch(model, order, choice, seed)
        self.state, self.mending, self.begun, self.until = self.mender.state, False, 0, 0
        given, subsets = np.zeros((2, 3, exchange.MOST), np.int64), np.zeros((2, 3, exchange.SUBSETS), np.int64)
        self.loads, self.verdicts, self.sides = np.zeros((3, self.arrays.machines), np.int64)
        self.choice, self.moved = np.zeros((2, self.arrays.operations), np.int32)
        self.sums, self.ways = (*given, *subsets), levelling.ways_of(self.arrays)
        self.shared = np.zeros(self.arrays.machines, bool)
        counts = np.diff(self.arrays.begins)
        self.shared[self.arrays.where[np.repeat(counts > 1, counts)] - self.arrays.operations - self.arrays.lots] = True
        self.memory[levelling.BEST] = cost_of(self.arrays, self.table)
        self.aim(int(self.memory[levelling.BEST]))

    def _run(self, work: int, target: int) -> None:
        memory, counters = self.memory, self.state.counters
        least = max(target, self.goal)
        while counters[WORK] < work and memory[levelling.BEST] > least and not counters[CYCLIC]:
            if self.mending:
                self._mend(work)
            else:
                self._level(work)

    def aim(self, bar: int) -> None:
        """Let no machine have more than the bar."""
        self.memory[levelling.BAR], self.memory[levelling.FULL] = bar, bar - (bar >> SLACK)
        self.orders = Orders(self.ways[0], bar - self.ways[1])

    def _level(self, work: int) -> None:
        """Go on with a division, and begin to mend where it is level."""
        memory, random = self.memory, self.state.random
        if memory[levelling.STEPS] == 0:
            restore(self.arrays, self.state, self.table)
            levelling.weigh(self.arrays, self.state, self.loads)
            self.loads[~self.shared] = 0  # no exchange makes them less
            above = memory[levelling.BEST] - self.goal
            self.aim(self.goal + (draw(random, above) if draw(random, 2) else 0))
            memory[levelling.STEPS], memory[levelling.LEAST] = STEPS, 1 + draw(random, 4)
            self.verdicts[:], self.begun = levelling.UNKNOWN, self.state.counters[WORK]
            sides = self.arrays, self.state, self.loads, self.sides
            levelling.change_sides(*sides, *self.sums, memory[levelling.BAR])
        walk = self.arrays, self.state, self.loads, self.verdicts, self.sides, self.ways, *self.sums
        if levelling.level(*walk, memory, work) != levelling.LEVEL:
            return
        unfit = False
        for k in np.flatnonzero(self.loads >= memory[levelling.FULL]):
            if self.state.counters[WORK] >= work:
                return
            if self.answer(int(k)) == NO:
                self.verdicts[k], unfit = levelling.TOO_LONG, True
        if not unfit:
            self.settle()

    def answer(self, k: int) -> int:
        """Whether a machine's operations have an order."""
        n = self.arrays.operations
        machine = n + self.arrays.lots + k
        share = np.flatnonzero(self.state.table[:n, MACHINE] == machine)
        times, free = self.state.table[share, TIME].astype(np.int64), int(self.state.table[machine, HEAD])
        return self.orders.answer(k, share, times, free, lambda tree: levelling.order_of(tree, self.state))

    def settle(self) -> None:
        """End a division, and begin to mend the order."""
        levelling.settle_in(self.arrays, self.state, self.table, self.choice, self.moved)
        self.mender.begin(levelling.kept_apart(self.arrays, self.choice, self.loads >= self.memory[levelling.FULL]))
        self.memory[levelling.STEPS], self.mending = 0, True
        self.until = 2 * self.state.counters[WORK] - self.begun + MENDING

    def _mend(self, work: int) -> None:
        """Go on with the order of a division that is level."""
        memory = self.memory
        cost = self.mender.go_on(min(work, self.until), memory[levelling.BAR])
        if cost < memory[levelling.BEST]:
            memory[levelling.BEST] = cost
            self.table[:] = self.mender.table
        self.mending = cost > memory[levelling.BAR] and self.state.counters[WORK] < self.until

    def adopt(self, other: Found) -> None:
        """See `Worker`; the next division begins with it."""
        self.memory[levelling.BEST] = self._adopt(other)


class OrderSearch(Worker):
    """See `orders`; only for plans that have stages."""

    backward = False

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int):
        super().__init__(model, order, choice, seed)
        stages = orders.stages_of(self.arrays, self.backward)
        assert stages is not None
        self.stages = stages
        self.best, self.order, self.trial, self.scratch = np.zeros((4, self.arrays.lots), np.int32)
        self.adopt(self.found)

    def _run(self, work: int, target: int) -> None:
        before, memory = self.memory[orders.BEST], self.memory
        places = self.best, self.order, self.trial, self.scratch
        orders.search_orders(self.arrays, self.stages, self.state, *places, memory, work, target)
        if memory[orders.BEST] < before:
            orders.play(self.arrays, self.stages, self.state, self.best, self.arrays.lots, memory[orders.BEST])
            build(self.arrays, self.state, self._played(), self.stages.choice)
            self.table[:] = self.state.table

    def _played(self) -> np.ndarray:
        """Operations in an order in which what was played last can run."""
        starts, choice = self.stages.starts, self.stages.choice
        key = -(starts + self.arrays.takes[choice]) if self.backward else starts
        return key.argsort(kind="stable").astype(np.int32)

    def adopt(self, other: Found) -> None:
        """See `Worker`; goes on from the order in which its lots begin, which may well cost more."""
        self.memory[orders.BEST] = self._adopt(other)
        last = self.arrays.last
        if self.backward:
            begins = -(self.table[last, HEAD] + self.table[last, TIME])
        else:
            begins = self.table[np.append(0, last[:-1] + 1), HEAD]
        self.order[:] = begins.argsort(kind="stable")
        played = orders.play(self.arrays, self.stages, self.state, self.order, self.arrays.lots, orders.NO_COST)
        self.memory[[orders.CURRENT, orders.OUT]] = played, 0


class BackwardOrderSearch(OrderSearch):
    """`OrderSearch` in mirrored time: what no order leads to one way, one may the other; only where no machine is free
    late."""

    backward = True
