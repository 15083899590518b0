"""Divisions of a set's operations of which every machine can run its share: `division` proposes, `exact` answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxshop.bounds.division import divide, division_of
from jaxshop.bounds.exact import MAX_OPERATIONS, NO, OPEN, YES, Tree, plant
from jaxshop.bounds.kernels import FAR

_REMEMBERED = 1 << 17
"""Shares whose answers are kept, in some tens of megabytes."""

_STATES = 64
"""Slots of states that the search in one share remembers."""

_ONE = np.ones(1, dtype=np.int64)


class Orders:
    """Whether single machines can run what they are given, each question searched once; r, d: earliest starts and
    latest ends of all operations, int64 [n]."""

    def __init__(self, r: np.ndarray, d: np.ndarray) -> None:
        self._r, self._d = r, d
        self._known: dict[tuple[int, bytes], int] = {}

    def answer(
        self, machine: int, share: np.ndarray, times: np.ndarray, free: int, searched: Callable[[Tree], int]
    ) -> int:
        """YES, NO or OPEN, as far as `searched` answers.

        Args:
            machine: a number that tells it from others.
            share: int64 [k], operations.
            times: int64 [k], their ticks.
            free: the tick from which the machine may work.
            searched: what searches in one machine's share.
        """
        if len(share) == 0:
            return YES
        if len(share) > MAX_OPERATIONS or self._d[share].max() >= FAR:
            return OPEN
        key = machine, share.astype(np.int32).tobytes()
        if len(self._known) == _REMEMBERED:
            self._known.clear()
        if key not in self._known:
            r, d, begin = self._r[share], self._d[share], np.array([free], dtype=np.int64)
            self._known[key] = searched(plant(r, d, times[:, None], begin, _ONE, _STATES))
        return self._known[key]


class Shares:
    """A search through divisions in which each share is asked about once.

    Args of the constructor: earliest starts and latest ends, int64 [n]; ticks on each machine, int64 [n, m], FAR where
    it cannot run the operation; from when machines may work, and their weights, int64 [m].
    """

    def __init__(self, r: np.ndarray, d: np.ndarray, times: np.ndarray, free: np.ndarray, weights: np.ndarray) -> None:
        self._division, self._free = division_of(r, d, times, free, weights), free
        self._rows = np.argsort(d, kind="stable")
        self._orders = Orders(self._division.r, self._division.d)
        self._blamed = 0

    @property
    def owner(self) -> np.ndarray:
        """The machine of each operation in the division that was found last, int64 [n]."""
        owner = np.empty_like(self._division.owner)
        owner[self._rows] = self._division.owner
        return owner

    def divide(self, nodes: int) -> int:
        """Search on for so many nodes; says what `division.divide` says."""
        return int(divide(self._division, self._blamed, nodes))

    def ordered(self, searched: Callable[[Tree], int]) -> int:
        """Whether all machines can run their shares, as far as `searched` answers; the next division has another share
        for one that cannot, or else for each in turn."""
        answers = [self._answer(k, searched) for k in range(len(self._free))]
        if NO in answers:
            self._blamed = answers.index(NO)
            return NO
        held = np.unique(self._division.owner)
        self._blamed = int(held[(np.searchsorted(held, self._blamed, "right")) % len(held)])
        return OPEN if OPEN in answers else YES

    def _answer(self, k: int, searched: Callable[[Tree], int]) -> int:
        share = np.flatnonzero(self._division.owner == k)
        return self._orders.answer(k, share, self._division.times[share, k], int(self._free[k]), searched)
