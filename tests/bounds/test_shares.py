"""Shares of single machines: what is answered once is remembered, and what cannot be told is left open."""

from __future__ import annotations

import numpy as np

from jaxshop.bounds.exact import MAX_OPERATIONS, NO, OPEN, YES, Tree, advance
from jaxshop.bounds.kernels import FAR
from jaxshop.bounds.shares import Orders


def test_each_share_is_searched_once():
    """Shows that of two operations which both have to be first neither order fits on one machine, but does on one that
    takes less time, and that only what is new is searched."""
    asked = []

    def searched(tree: Tree) -> int:
        asked.append(tree.r.size)
        return int(advance(tree, 100))

    orders = Orders(np.array([0, 1, 0]), np.array([4, 3, 9]))
    for _ in range(2):
        assert orders.answer(0, np.array([0, 1]), np.array([3, 2]), 0, searched) == NO
        assert orders.answer(1, np.array([0, 1]), np.array([1, 2]), 0, searched) == YES
        assert orders.answer(0, np.array([0, 2]), np.array([3, 2]), 0, searched) == YES
        assert orders.answer(0, np.array([], np.int64), np.array([], np.int64), 0, searched) == YES
    assert asked == [2, 2, 2]


def test_what_is_too_much_is_left_open():
    """Shows that neither more operations than the search has bits for, nor times beyond its own, are searched."""

    def never(tree: Tree) -> int:
        raise AssertionError("searched")

    many = np.arange(MAX_OPERATIONS + 1)
    assert Orders(0 * many, 0 * many).answer(0, many, 1 + 0 * many, 0, never) == OPEN
    assert Orders(np.zeros(1, int), np.array([FAR])).answer(0, np.array([0]), np.array([1]), 0, never) == OPEN
