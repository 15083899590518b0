"""The work of the centre that decides is divided anew, for a makespan that it could have; then the order is mended.

A few machines whose work cannot leave them mostly say how short a schedule can be. What `bounds` looks for to exclude a
makespan, a division of that work of which each machine can run its share, is half a schedule where it is there; and
tabu search is quick to mend an order as long as it leaves the division alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.bounds.division import FOUND, NONE
from jaxshop.bounds.exact import MAX_MACHINES, NO
from jaxshop.bounds.kernels import FAR
from jaxshop.bounds.shares import Shares
from jaxshop.bounds.windows import MAX_POOL, Pool
from jaxshop.search.improve.graph import cost_of
from jaxshop.search.improve.levelling import CHUNK, NODE, kept_apart, move_to, order_of, ways_of
from jaxshop.search.improve.model import HEAD, MACHINE, Arrays, Model
from jaxshop.search.improve.state import CYCLIC, WORK
from jaxshop.search.improve.workers import UNIT, Found, TabuSearch, Worker

PROBLEM = 4 * UNIT
"""Work that it counts as to begin with divisions for another makespan."""

NODES, MENDING = 1 << 16, 16 * UNIT
"""Nodes after which a division is no longer looked for, and work by which its order must be mended, at first."""

PATIENCE = 8
"""Makespans given up after which both are doubled."""

TRIES = 3
"""Divisions for one makespan whose orders are mended."""


class Centre(NamedTuple):
    """Machines, and the operations that run nowhere else."""

    pool: Pool
    alternatives: np.ndarray  # int64 [n, m]: that of each operation on each machine, -1 where there is none
    heads: np.ndarray  # int64 [n]: what goes before on the route at least, releases included
    tails: np.ndarray  # int64 [n]


def centre_of(arrays: Arrays, machines: tuple[int, ...]) -> Centre | None:
    """The centre of some machines; None where it is too large to divide, or has nothing to divide, or where times need
    more than 32 bits: `FAR` is a time there."""
    first, begins = arrays.operations + arrays.lots, arrays.begins
    inside = np.isin(arrays.where - first, machines)
    bound = np.flatnonzero(np.logical_and.reduceat(inside, begins[:-1]))
    if not 1 < len(machines) <= MAX_MACHINES or not len(machines) < len(bound) <= MAX_POOL:
        return None
    if arrays.takes.dtype != np.int32:
        return None
    column = {machine: k for k, machine in enumerate(sorted(machines))}
    alternatives = np.full((len(bound), len(machines)), -1)
    for row, i in enumerate(bound):
        for a in range(begins[i], begins[i + 1]):
            alternatives[row, column[int(arrays.where[a]) - first]] = a
    times = np.where(alternatives >= 0, arrays.takes[alternatives].astype(np.int64), FAR)
    nodes = np.array(sorted(machines))
    available = arrays.blank[first + nodes, HEAD].astype(np.int64)
    heads, tails = ways_of(arrays)[:, bound]
    return Centre(Pool(nodes, bound, times, available), alternatives, heads, tails)


class Dividing(Worker):
    """See above; only for plans that have a centre; `goal`: a cost in the arrays that no schedule is below."""

    def __init__(self, model: Model, order: np.ndarray, choice: np.ndarray, seed: int, goal: int, centre: Centre):
        super().__init__(model, order, choice, seed)
        self.centre, self.mender = centre, TabuSearch(model, order, choice, seed)
        self.state, self.random = self.mender.state, np.random.default_rng(seed)
        self.choice, self.moved = np.zeros((2, self.arrays.operations), np.int32)
        self.full = np.zeros(self.arrays.machines, bool)
        self.full[centre.pool.machines] = True
        self.shares: Shares | None = None
        self.best, self.goal = int(cost_of(self.arrays, self.table)), goal
        self.bar, self.nodes, self.tries, self.given_up, self.until = 0, 0, 0, 0, 0

    def _run(self, work: int, target: int) -> None:
        counters = self.state.counters
        while counters[WORK] < work and self.best > max(target, self.goal) and not counters[CYCLIC]:
            if counters[WORK] < self.until:
                self._mend(work)
            elif self.shares is not None:
                self._divide(self.shares)
            else:
                self._ask()

    @property
    def proven(self) -> bool:
        """Whether no schedule is shorter than the best."""
        return self.goal >= self.best

    def shares_of(self, bar: int) -> Shares:
        """A search for divisions under which a schedule may cost so much."""
        pool, heads, tails = self.centre.pool, self.centre.heads, self.centre.tails
        return Shares(heads, bar - tails, pool.times, pool.available, pool.weights)

    def _ask(self) -> None:
        """Begin to look for divisions for a makespan below the best."""
        self.bar = int(self.random.integers(self.goal, self.best))
        self.shares = self.shares_of(self.bar)
        self.nodes, self.tries = NODES << self.given_up // PATIENCE, TRIES
        self.state.counters[WORK] += PROBLEM

    def _divide(self, shares: Shares) -> None:
        """Go on to look for a division, and begin to mend the order of one whose shares have orders by themselves."""
        answer = shares.divide(CHUNK)
        self.state.counters[WORK] += CHUNK * NODE
        self.nodes -= CHUNK
        if answer == NONE:
            if self.tries == TRIES:  # no schedule is as short
                self.goal, self.shares = self.bar + 1, None
            else:
                self._give_up()
        elif answer == FOUND and shares.ordered(lambda tree: order_of(tree, self.state)) != NO:
            self.tries -= 1
            self.place(shares.owner)
        elif self.nodes <= 0:
            self._give_up()

    def _give_up(self) -> None:
        self.shares, self.given_up = None, self.given_up + 1

    def place(self, owner: np.ndarray) -> None:
        """Put the centre's work where a division has it, all else that is there elsewhere, and mend the order."""
        arrays, pool, n = self.arrays, self.centre.pool, self.arrays.operations
        counts = np.diff(arrays.begins)
        inside = self.full[arrays.where - n - arrays.lots]
        choice = np.flatnonzero(arrays.where == np.repeat(self.table[:n, MACHINE], counts))
        elsewhere = np.where(inside, FAR, arrays.takes)
        for i in np.flatnonzero(inside[choice]):
            choice[i] = arrays.begins[i] + elsewhere[arrays.begins[i] : arrays.begins[i + 1]].argmin()
        choice[pool.operations] = self.centre.alternatives[np.arange(len(owner)), owner]
        self.choice[:] = choice
        move_to(arrays, self.state, self.table, self.choice, self.moved)
        self.mender.begin(kept_apart(arrays, self.choice, self.full))
        self.until = int(self.state.counters[WORK]) + (MENDING << self.given_up // PATIENCE)

    def _mend(self, work: int) -> None:
        """Go on with the order of a division."""
        cost = self.mender.go_on(min(work, self.until), self.bar)
        if cost < self.best:
            self.best = cost
            self.table[:] = self.mender.table
        if cost <= self.bar:
            self.shares, self.until = None, 0
        elif self.state.counters[WORK] >= self.until and self.tries == 0:
            self._give_up()

    def adopt(self, other: Found) -> None:
        """See `Worker`; the next division begins with it."""
        self.best = self._adopt(other)
        if self.best <= self.bar:
            self.shares, self.until = None, 0
