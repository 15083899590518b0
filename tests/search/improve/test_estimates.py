"""What moves are expected to cost, compared with schedules computed from scratch."""

from __future__ import annotations

from graphlib import CycleError

import numpy as np
import pytest

from jaxshop.search.improve.blocks import length_before, length_behind, may_follow, may_precede
from jaxshop.search.improve.gaps import NO_COST, best_gap, best_place
from jaxshop.search.improve.graph import take_out
from jaxshop.search.improve.model import AFTER, BEFORE, MACHINE, TIME, Arrays, model_of
from jaxshop.search.improve.prices import PARTS
from jaxshop.search.improve.state import State, forget, take_back
from jaxshop.search.improve.tabu import BANS
from tests.search.improve.walking import begun, longest_ways, step
from tests.shops import KINDS

SEEDS = range(4)


def unlinked(table: np.ndarray, operation: int) -> np.ndarray:
    """A table with an operation off its machine, its heads and tails not followed."""
    table = table.copy()
    before, after = table[operation, [BEFORE, AFTER]]
    if before != len(table) - 1:
        table[before, AFTER], table[after, BEFORE] = after, before
    return table


def linked(arrays: Arrays, table: np.ndarray, operation: int, alternative: int, before: int) -> np.ndarray:
    """A table with an operation that is on no machine behind a node, its heads and tails not followed."""
    table = table.copy()
    after = table[before, AFTER]
    table[before, AFTER] = table[after, BEFORE] = operation
    table[operation, [BEFORE, AFTER]] = before, after
    table[operation, [TIME, MACHINE]] = arrays.takes[alternative], arrays.where[alternative]
    return table


def through(table: np.ndarray, heads: dict[int, int], tails: dict[int, int], node: int) -> int:
    """The longest path through an operation."""
    return heads[node] + int(table[node, TIME]) + tails[node]


def ring(table: np.ndarray, machine: int) -> list[int]:
    """The operations of a machine, in order."""
    found, node = [], int(table[machine, AFTER])
    while node != machine:
        found.append(node)
        node = int(table[node, AFTER])
    return found


def lengths_of_gaps(arrays: Arrays, table: np.ndarray, operation: int, alternative: int) -> dict[int, int]:
    """For every gap of a machine that makes no cycle, the longest path through an operation that would go there."""
    machine, lengths = int(arrays.where[alternative]), {}
    for before in (machine, *ring(table, machine)):
        there = linked(arrays, table, operation, alternative, before)
        try:
            lengths[before] = through(there, *longest_ways(arrays, there), operation)
        except CycleError:
            continue
    return lengths


@pytest.fixture(scope="module", params=KINDS)
def states(request) -> list[tuple[Arrays, State]]:
    """Schedules of some small shops of a kind."""
    models = [model_of(KINDS[request.param](seed)) for seed in SEEDS]
    return [(model.arrays, begun(model, seed)) for seed, model in enumerate(models)]


def test_the_best_gap_for_an_operation_that_is_out_is_the_best_there_is(states):
    """Shows that the length is exact, and that in a rule's schedule no gap on the machine that makes no cycle has a
    shorter one."""
    for arrays, state in states:
        for operation in range(arrays.operations):
            kept = state.table.copy()
            take_out(arrays, state, np.array([operation], np.int32))
            for alternative in range(arrays.begins[operation], arrays.begins[operation + 1]):
                lengths = lengths_of_gaps(arrays, state.table, operation, alternative)
                before, length, ties = best_gap(arrays, state, operation, alternative, NO_COST, 0)
                assert length == lengths[before] == min(lengths.values())
                assert 1 <= ties <= sum(each == length for each in lengths.values())
                none, bar, _ = best_gap(arrays, state, operation, alternative, length - 1, 0)
                assert (none, bar) == (-1, length - 1)
            take_back(state)
            assert (state.table == kept).all()


def test_where_a_gap_was_the_last_time_changes_nothing(states):
    """Shows that after each of many moves the length of the best gap is that of a search from the machine's start."""
    for seed, (arrays, state) in enumerate(states):
        rng, bans = np.random.default_rng(seed), np.zeros((BANS, 3), np.int64)
        ways, promised = np.zeros((4, arrays.operations), np.int64), np.zeros(5, np.int64)
        for _ in range(60):
            step(arrays, state, bans, ways, promised)
            forget(state)
            operation = int(rng.integers(arrays.operations))
            take_out(arrays, state, np.array([operation], np.int32))
            for alternative in range(arrays.begins[operation], arrays.begins[operation + 1]):
                known = best_gap(arrays, state, operation, alternative, NO_COST, 0)
                state.near[alternative] = arrays.where[alternative]
                assert best_gap(arrays, state, operation, alternative, NO_COST, 0)[1:] == known[1:]
            take_back(state)


def test_the_best_place_counts_what_alternatives_waste(states):
    """Shows that of all gaps on all machines the one with the least sum of length and price is taken."""
    for seed, (arrays, state) in enumerate(states):
        priced = arrays._replace(wastes=np.random.default_rng(seed).integers(0, 3 << PARTS, len(arrays.where)))
        for operation in range(0, arrays.operations, 3):
            take_out(priced, state, np.array([operation], np.int32))
            for price in (0, 1, 4):
                costs = {
                    (alternative, before): (length << PARTS) + price * int(priced.wastes[alternative])
                    for alternative in range(arrays.begins[operation], arrays.begins[operation + 1])
                    for before, length in lengths_of_gaps(arrays, state.table, operation, alternative).items()
                }
                assert costs[best_place(priced, state, operation, price)] == min(costs.values())
            take_back(state)


def test_a_gap_on_another_machine_costs_no_more_than_estimated(states):
    """Shows that an operation can go there without a cycle, and that the longest path through it is no longer."""
    for arrays, state in states:
        for operation in range(arrays.operations):
            out = unlinked(state.table, operation)
            for alternative in range(arrays.begins[operation], arrays.begins[operation + 1]):
                if arrays.where[alternative] != state.table[operation, MACHINE]:
                    before, length, _ = best_gap(arrays, state, operation, alternative, NO_COST, 0)
                    if before >= 0:
                        there = linked(arrays, out, operation, alternative, before)
                        assert through(there, *longest_ways(arrays, there), operation) <= length


@pytest.mark.parametrize("column", [AFTER, BEFORE], ids=["behind", "before"])
def test_a_move_along_a_machine_is_possible_and_estimated(states, column: int):
    """Shows that what may follow or precede makes no cycle, that no path through what moves is longer than estimated,
    and that the estimate is exact for neighbours."""
    allowed = may_follow if column == AFTER else may_precede
    estimate = length_behind if column == AFTER else length_before
    for arrays, state in states:
        scratch = np.zeros(arrays.operations, np.int64)
        for operation in range(arrays.operations):
            alternatives = range(arrays.begins[operation], arrays.begins[operation + 1])
            (alternative,) = (a for a in alternatives if arrays.where[a] == state.table[operation, MACHINE])
            moved, other = [operation], int(state.table[operation, column])
            while other < arrays.operations:
                moved.append(other)
                if allowed(arrays, state, operation, other):
                    length = estimate(state, operation, other, scratch)
                    before = other if column == AFTER else int(state.table[other, BEFORE])
                    there = linked(arrays, unlinked(state.table, operation), operation, alternative, before)
                    ways = longest_ways(arrays, there)
                    longest = max(through(there, *ways, node) for node in moved)
                    assert length == longest if len(moved) == 2 else length >= longest
                other = int(state.table[other, column])
