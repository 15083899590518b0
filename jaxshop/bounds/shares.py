"""Divisions of a set's operations of which every machine can run its share: `division` proposes, `exact` answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxshop.bounds.division import divide, division_of
from jaxshop.bounds.exact import MAX_OPERATIONS, NO, OPEN, YES, Tree, plant

_REMEMBERED = 1 << 17
"""Shares whose answers are kept, in some tens of megabytes."""

_STATES = 64
"""Slots of states that the search in one share remembers."""

_ONE = np.ones(1, dtype=np.int64)


class Shares:
    """A search through divisions in which each share is asked about once.

    Args of the constructor: earliest starts and latest ends, int64 [n]; ticks on each machine, int64 [n, m], FAR where
    it cannot run the operation; from when machines may work, and their weights, int64 [m].
    """

    def __init__(self, r: np.ndarray, d: np.ndarray, times: np.ndarray, free: np.ndarray, weights: np.ndarray) -> None:
        self._division, self._free = division_of(r, d, times, free, weights), free
        self._rows = np.argsort(d, kind="stable")
        self._known: dict[tuple[int, bytes], int] = {}
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
        division, share = self._division, self._division.owner == k
        key = k, share.tobytes()
        if len(self._known) == _REMEMBERED:
            self._known.clear()
        if key not in self._known:
            if not share.any():
                self._known[key] = YES
            elif share.sum() > MAX_OPERATIONS:
                self._known[key] = OPEN
            else:
                times, free = division.times[share, k : k + 1], self._free[k : k + 1]
                self._known[key] = searched(plant(division.r[share], division.d[share], times, free, _ONE, _STATES))
        return self._known[key]
