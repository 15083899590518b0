"""Exchanges between two machines, chosen by what they sum up to.

Where a centre of machines decides the makespan, the last ticks are a matter of dividing its work evenly. Hardly any
move of one operation changes a load by just what is wanted; but among the few operations that change places in one
exchange there are thousands of sums to choose from.
"""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve.gaps import best_gap
from jaxshop.search.improve.graph import cost_of, critical_path, put_in, rest_from, restore, take_out
from jaxshop.search.improve.greedy import rival
from jaxshop.search.improve.model import AFTER, HEAD, MACHINE
from jaxshop.search.improve.state import CYCLIC, OVERFLOWN, ROOM, WORK, draw, forget, take_back
from jaxshop.support.compiling import allocating, compiled, copy

CURRENT, BEST, CYCLE_BEGAN, CYCLE_LENGTH, WIDTH, GOAL = range(6)
"""Of `memory`: costs; the work at which the present cycle began and that it takes; how much worse than the best a
schedule may be at its beginning; a cost that no schedule is below, the same for as long as the search goes on."""

MOST = 12
"""Operations of a machine that are looked at; where it holds more, so many random ones."""

LARGEST = 6
"""Operations of one machine that change in an exchange at most; half of the exchanges take no more than one of
either machine, a quarter no more than two, and so on."""

SUBSETS = 2510
"""Subsets of at most LARGEST among MOST."""

FITS = 64
"""Exchanges that fit among which one is drawn."""

FINEST = 12
"""A cycle begins with schedules that are worse than the best by 2 >> FINEST of it at most, or by twice the gap to the
goal where that is less."""

OPERATION, HERE, THERE = range(3)
"""Rows of what a machine could give away: the operation, its alternative there, and the one on the other machine."""

LEAVES, JOINS, MEMBERS = range(3)
"""Rows of subsets: ticks by which their own machine gets shorter, and the other longer; members as bits."""


@compiled
def keep(state, given, count, seen, operation, here, there):
    """Keep an operation as one of the `seen` so far, of which each is kept as likely; returns how many are kept now."""
    k = count if count < MOST else draw(state.random, seen)
    if k >= MOST:
        return count
    given[OPERATION, k], given[HERE, k], given[THERE, k] = operation, here, there
    return min(count + 1, MOST)


@compiled
def givable(arrays, state, machine, other, given):
    """Fill in what of a machine could run on the other; returns how many, and the longest path through the machine."""
    table = state.table
    count, seen, longest, looked_at = 0, 0, 0, 0
    i = np.int64(table[machine, AFTER])
    while i < arrays.operations:
        longest = max(longest, table[i, HEAD] + rest_from(table, i))
        here, there = -1, -1
        for alternative in range(arrays.begins[i], arrays.begins[i + 1]):
            if arrays.where[alternative] == machine:
                here = alternative
            elif arrays.where[alternative] == other:
                there = alternative
        looked_at += 1
        if there >= 0:
            seen += 1
            count = keep(state, given, count, seen, i, here, there)
        i = np.int64(table[i, AFTER])
    state.counters[WORK] += looked_at
    return count, longest


@compiled
def add_up(arrays, given, count, most, subsets):
    """Fill in the subsets of at most `most` of `count` operations, the empty one first; returns how many there are."""
    subsets[:, 0] = 0
    found, begin = 1, 0
    for _ in range(most):  # the subsets of one more: each with a member above all that it has
        end = found
        for k in range(begin, end):
            for j in range(count):
                if subsets[MEMBERS, k] < 1 << j:
                    subsets[LEAVES, found] = subsets[LEAVES, k] + arrays.takes[given[HERE, j]]
                    subsets[JOINS, found] = subsets[JOINS, k] + arrays.takes[given[THERE, j]]
                    subsets[MEMBERS, found] = subsets[MEMBERS, k] | 1 << j
                    found += 1
        begin = end
    return found


@allocating
def fitting(state, mine, mines, others, theirs, room, other_room):
    """Draw a subset of each of two machines, so that neither gets longer than by its room; -1 if there are none.

    Rooms may be negative: then a machine has to get shorter.
    """
    by_joining = np.argsort(others[JOINS, :theirs])
    first, second, fits = -1, -1, 0
    begin = draw(state.random, mines)
    for k in range(mines):
        a = (begin + k) % mines
        # What joins must not be so little that the other machine gets too long; exact where times are equal.
        least, most = mine[LEAVES, a] - other_room, mine[LEAVES, a] + room
        low, high = 0, theirs
        while low < high:
            middle = (low + high) // 2
            if others[JOINS, by_joining[middle]] < least:
                low = middle + 1
            else:
                high = middle
        while low < theirs and fits < FITS:
            b = by_joining[low]
            if others[JOINS, b] > most:
                break
            if a + b > 0 and mine[JOINS, a] - others[LEAVES, b] <= other_room:
                fits += 1
                if draw(state.random, fits) == 0:
                    first, second = a, b
            low += 1
        if fits == FITS:
            break
    state.counters[WORK] += mines + theirs
    return first, second


@allocating
def put_across(arrays, state, given, members, taken, others, cost):
    """Let the members of both subsets change machines, in random order; False, half done, where that costs more."""
    begin, count = state.path.shape[0] - ROOM, 0
    alternatives = np.empty(2 * MOST, np.int64)
    for side in range(2):
        for j in range(MOST):
            if (members if side == 0 else others) >> j & 1:
                k = draw(state.random, count + 1)
                state.path[begin + count], alternatives[count] = state.path[begin + k], alternatives[k]
                state.path[begin + k] = given[OPERATION, j] if side == 0 else taken[OPERATION, j]
                alternatives[k] = given[THERE, j] if side == 0 else taken[THERE, j]
                count += 1
    take_out(arrays, state, state.path[begin : begin + count])
    for k in range(count):
        operation = np.int64(state.path[begin + k])
        before, _, _ = best_gap(arrays, state, operation, alternatives[k], cost, np.int64(0))
        if before < 0:
            return False
        put_in(arrays, state, operation, alternatives[k], np.int64(before))
    return cost_of(arrays, state.table) <= cost


@compiled
def exchange(arrays, state, best, given, taken, mine, others, memory, budget, target):
    """Go on until so much work is done in all, or the target is met; the better schedule is kept in `best`.

    One of both machines is that of a critical operation or, every other time, of a rival. In each cycle what a schedule
    may cost falls to the best.
    """
    counters, table, path = state.counters, state.table, state.path
    while counters[WORK] < budget and memory[BEST] > target and counters[CYCLIC] == 0:
        begun = counters[WORK] - memory[CYCLE_BEGAN]
        if begun >= memory[CYCLE_LENGTH] or counters[OVERFLOWN]:
            memory[CYCLE_BEGAN], begun = counters[WORK], 0
            restore(arrays, state, best)
            memory[CURRENT] = memory[BEST]
            memory[WIDTH] = draw(state.random, 2 + 2 * min(memory[BEST] - memory[GOAL], memory[BEST] >> FINEST))
        length = critical_path(arrays, state, memory[CURRENT])
        counters[WORK] += length
        operation = np.int64(path[draw(state.random, length)])
        if draw(state.random, 2):
            operation = rival(arrays, state, operation)
            if operation < 0:
                continue
        machine, first = np.int64(table[operation, MACHINE]), arrays.begins[operation]
        other = np.int64(arrays.where[first + draw(state.random, arrays.begins[operation + 1] - first)])
        if other == machine:
            continue
        count, longest = givable(arrays, state, machine, other, given)
        other_count, other_longest = givable(arrays, state, other, machine, taken)
        level = memory[BEST] + max(0, memory[WIDTH] - memory[WIDTH] * 5 * begun // (4 * memory[CYCLE_LENGTH]))
        if 2 * level - 2 < longest + other_longest:
            continue
        most = np.int64(1)
        while most < LARGEST and draw(state.random, 2):
            most += 1
        mines = add_up(arrays, given, count, most, mine)
        theirs = add_up(arrays, taken, other_count, most, others)
        a, b = fitting(state, mine, mines, others, theirs, level - 1 - longest, level - 1 - other_longest)
        if a < 0:
            continue
        allowed = max(level, memory[CURRENT])
        if put_across(arrays, state, given, mine[MEMBERS, a], taken, others[MEMBERS, b], allowed):
            forget(state)
            memory[CURRENT] = cost_of(arrays, table)
            if memory[CURRENT] < memory[BEST]:
                memory[BEST] = memory[CURRENT]
                copy(best, table)
        elif counters[OVERFLOWN] == 0:
            take_back(state)
