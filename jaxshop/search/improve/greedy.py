"""Iterated greedy: some operations are taken out and put back where they cost least (Ruiz and Stuetzle 2007)."""

from __future__ import annotations

import math

import numpy as np

from jaxshop.search.improve.gaps import best_place
from jaxshop.search.improve.graph import cost_of, critical_path, put_in, restore, take_out
from jaxshop.search.improve.model import AFTER, MACHINE, NEXT, PREVIOUS
from jaxshop.search.improve.state import CYCLIC, OVERFLOWN, ROOM, WORK, draw, forget, take_back
from jaxshop.support.compiling import compiled, copy

CURRENT, BEST, CYCLE_BEGAN, CYCLE_LENGTH, PRICE = range(5)
"""Of `memory`: costs; the work at which the present cooling began and that it takes; how often what an alternative
wastes counts."""

REMOVED = 10
FOCUSED = 4
"""One round in so many is about one critical operation and its rivals alone."""
WHOLE = 4
"""One round in so many takes out the lots of what it draws, each from its first operation on."""
HOT, COLD = 0.01, 0.0007
"""Temperatures at the ends of a cooling, as shares of the best cost."""


@compiled
def rival(arrays, state, operation):
    """A random operation of a random machine that could run this one; -1 where it holds none."""
    first = arrays.begins[operation]
    node = np.int64(arrays.where[first + draw(state.random, arrays.begins[operation + 1] - first)])
    held = state.table[node, MACHINE]
    if held == 0:
        return -1
    for _ in range(1 + draw(state.random, held)):
        node = np.int64(state.table[node, AFTER])
    return node


@compiled
def choose_lot(arrays, state, operation, begin, chosen, count):
    """Add an operation's lot, from its first operation on, to those in `path` from `begin` on, up to `count`.

    Returns how many are chosen then: as many as before where the lot is among them.
    """
    n, table, path = arrays.operations, state.table, state.path
    i = operation
    while table[i, PREVIOUS] < n:
        i = np.int64(table[i, PREVIOUS])
    for k in range(chosen):
        if path[begin + k] == i:
            return chosen
    while i < n and chosen < count:
        path[begin + chosen] = i
        chosen += 1
        i = np.int64(table[i, NEXT])
    return chosen


@compiled
def choose(arrays, state, cost, count):
    """Draw operations to take out into the end of `path`, in random order; returns how many.

    Half of them from a critical path, most others from machines that could have run an operation of it or one before.
    In some rounds all are rivals of one critical operation: a centre of few machines is divided anew by nothing less.
    In some they are whole lots: from a bad order of two machines single operations lead out over worse ones alone.
    """
    n, table, path = arrays.operations, state.table, state.path
    length = critical_path(arrays, state, cost)
    focus = np.int64(path[draw(state.random, length)])
    focused = draw(state.random, FOCUSED) == 0
    whole = draw(state.random, WHOLE) == 0
    begin, chosen = path.shape[0] - ROOM, 0
    for _ in range(2 * count):
        if chosen == count:
            break
        i = np.int64(path[draw(state.random, length)])
        if focused:
            i = rival(arrays, state, focus)
        elif draw(state.random, 2):
            if draw(state.random, 8) == 0:
                i = draw(state.random, n)
            else:
                while draw(state.random, 2) and table[i, PREVIOUS] < n:
                    i = np.int64(table[i, PREVIOUS])
                i = rival(arrays, state, i)
        if whole and i >= 0:
            chosen = choose_lot(arrays, state, i, begin, chosen, count)
            continue
        known = i < 0
        for k in range(chosen):
            known |= path[begin + k] == i
        if not known:
            path[begin + chosen] = i
            chosen += 1
    for k in range(chosen - 1, 0, -1):
        j = draw(state.random, k + 1)
        path[begin + k], path[begin + j] = path[begin + j], path[begin + k]
    return chosen


@compiled
def ruin_and_recreate(arrays, state, cost, count, price):
    """Take some operations out and put each back where it costs least; returns the cost."""
    begin = state.path.shape[0] - ROOM
    chosen = choose(arrays, state, cost, count)
    take_out(arrays, state, state.path[begin : begin + chosen])
    for k in range(chosen):
        operation = state.path[begin + k]
        alternative, before = best_place(arrays, state, operation, price)
        put_in(arrays, state, operation, alternative, before)
    return cost_of(arrays, state.table)


@compiled
def iterated_greedy(arrays, state, best, memory, budget, target):
    """Go on until so much work is done in all, or the target is met; the better schedule is kept in `best`.

    A worse schedule is accepted with the chance of simulated annealing; each cooling takes twice the work of the one
    before and begins with the best.
    """
    counters = state.counters
    while counters[WORK] < budget and memory[BEST] > target and counters[CYCLIC] == 0:
        begun = counters[WORK] - memory[CYCLE_BEGAN]
        if begun >= memory[CYCLE_LENGTH]:
            memory[CYCLE_BEGAN], begun = counters[WORK], 0
            memory[CYCLE_LENGTH] *= 2
            restore(arrays, state, best)
            memory[CURRENT] = memory[BEST]
        current = memory[CURRENT]
        cost = ruin_and_recreate(arrays, state, current, REMOVED, memory[PRICE])
        if cost > current:
            warmth = memory[BEST] * HOT * (COLD / HOT) ** (begun / memory[CYCLE_LENGTH])
            chance = math.exp((current - cost) / warmth)
            if draw(state.random, 1 << 30) >= chance * (1 << 30) and counters[OVERFLOWN] == 0:
                take_back(state)
                continue
        forget(state)
        memory[CURRENT] = cost
        if cost < memory[BEST]:
            memory[BEST] = cost
            copy(best, state.table)
