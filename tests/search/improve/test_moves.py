"""Moves on the graph of a schedule: heads and tails stay exact, no move makes a cycle or costs more than estimated,
and all can be taken back."""

from __future__ import annotations

import numpy as np
import pytest

from jaxshop.search.improve.greedy import choose_lot
from jaxshop.search.improve.model import HEAD, TAIL, model_of
from jaxshop.search.improve.state import ROOM
from jaxshop.search.improve.tabu import BANS
from jaxshop.shop import LotPlan, split_lots
from tests.search.improve.walking import SOUND, begun, finds_best_gaps, longest_ways, walk
from tests.shops import job_shop, random_shop, recirculating_shop, with_idle_operations

MOVES = 1_000_000

LARGER = {
    "job shop": split_lots(job_shop(0, 8, 6, 40), None),
    "flexible": split_lots(random_shop(1, 12, 5, 5, 40), None),
    "idle": split_lots(with_idle_operations(random_shop(2, 10, 4, 5), 2), None),
    "recirculating": split_lots(recirculating_shop(3, 8, 3, 6), None),
}


@pytest.mark.parametrize("kind", LARGER)
def test_heads_and_tails_follow_each_of_a_million_moves(kind: str):
    """Shows that after every single move the table holds the longest paths, no cycle, and whole sequences, and that no
    path through what moved is longer than was estimated, or another where an estimate is exact."""
    assert_exact_after(LARGER[kind], MOVES // len(LARGER))


def assert_exact_after(plan: LotPlan, moves: int) -> None:
    """Table and estimate are looked at after each of so many random moves, and the table once more by other code."""
    model = model_of(plan)
    state, bans = begun(model), np.zeros((BANS, 3), np.int64)
    fault, made = walk(model.arrays, state, bans, moves)
    assert fault == SOUND
    assert made >= moves
    heads, tails = longest_ways(model.arrays, state.table)
    n = model.arrays.operations
    assert state.table[:n, HEAD].tolist() == [heads[i] for i in range(n)]
    assert state.table[:n, TAIL].tolist() == [tails[i] for i in range(n)]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", LARGER)
def test_no_gap_is_better_than_the_best_one(kind: str):
    """Shows for an operation after every 250 of 100,000 moves that no gap which heads prove to be possible makes a
    cycle, or a shorter path than the one that was found."""
    model = model_of(LARGER[kind])
    state, bans = begun(model), np.zeros((BANS, 3), np.int64)
    ways, rng = np.zeros((4, model.arrays.operations), np.int64), np.random.default_rng(0)
    for _ in range(100_000 // len(LARGER) // 250):
        assert walk(model.arrays, state, bans, 250)[0] == SOUND
        assert finds_best_gaps(model.arrays, state, int(rng.integers(model.arrays.operations)), ways)


def test_a_lot_is_taken_out_once_along_its_route_and_no_further_than_is_asked_for():
    """Shows that the lots of three operations, two of one lot, are chosen from their first operations on, that one
    twice is one, and that the last of them is cut off where enough are chosen."""
    model = model_of(LARGER["flexible"])
    state, last = begun(model), model.arrays.last.tolist()
    lots = [list(range(first, end + 1)) for first, end in zip([0, *(i + 1 for i in last)], last, strict=False)]
    one, other = [lot for lot in lots if len(lot) > 2][:2]
    count, begin, chosen = len(one) + 2, len(state.path) - ROOM, 0
    for operation in (one[1], one[-1], other[2]):
        chosen = choose_lot(model.arrays, state, np.int64(operation), begin, chosen, count)
    assert state.path[begin : begin + chosen].tolist() == one + other[:2]
