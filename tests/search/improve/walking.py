"""Random walks over schedules, compiled, and what a table should hold, computed from scratch by code of its own."""

from __future__ import annotations

from graphlib import TopologicalSorter

import numpy as np

from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.improve.blocks import length_before, length_behind, may_follow, may_precede
from jaxshop.search.improve.gaps import NO_COST, best_gap, best_place
from jaxshop.search.improve.graph import STALE_AFTER, build, end_of, link, put_in, renew, take_out
from jaxshop.search.improve.model import (
    AFTER,
    BEFORE,
    HEAD,
    MACHINE,
    NEXT,
    PREVIOUS,
    TAIL,
    TIME,
    Arrays,
    Model,
    sequences,
)
from jaxshop.search.improve.state import STALE, State, draw, forget, new_state, take_back
from jaxshop.search.improve.tabu import move_along, move_to
from jaxshop.support.compiling import allocating, compiled

SOUND, CYCLE, WRONG_HEAD, WRONG_TAIL, BROKEN_RING, NOT_TAKEN_BACK, WRONG_LENGTH = range(7)
"""What a walk ends with."""

HEADS, TAILS, ORDER, DEGREE = range(4)
"""Rows of `ways`, int64 [4, operations]: longest ways from scratch, and what they are computed with."""

LENGTH, EXACT, OPERATION, COLUMN, OTHERS = range(5)
"""Of a promise: the estimated length of the longest path through what moves; whether it is exact, else it is an upper
bound; what moves (-1: nothing was promised), and along which column how many others stand behind it that move, too."""


def begun(model: Model, seed: int = 0) -> State:
    """A state with a rule's schedule in it."""
    state = new_state(model.arrays, seed)
    rule = RULES[("MWKR", "SPT", "FIFO")[seed % 3]]
    build(model.arrays, state, *sequences(model, dispatch_by_rule(model.plan, rule, active=bool(seed % 2))))
    return state


def longest_ways(arrays: Arrays, table: np.ndarray) -> tuple[dict[int, int], dict[int, int]]:
    """Heads and tails of all operations by plain recursion over the arcs of a table; CycleError where there is a cycle.

    What is out has no arc on a machine.
    """
    n, nowhere = arrays.operations, len(table) - 1
    before = {
        i: [int(table[i, column]) for column in (PREVIOUS, BEFORE) if table[i, column] != nowhere] for i in range(n)
    }
    after = {i: [j for j in range(n) if i in before[j]] for i in range(n)}
    order = [i for i in TopologicalSorter(before).static_order() if i < n]
    heads = {i: int(table[i, HEAD]) for i in range(n, nowhere)}  # releases, and ticks from which machines may work
    for i in order:
        heads[i] = max(heads[j] + int(table[j, TIME] if j < n else 0) for j in before[i])
    tails: dict[int, int] = {}
    for i in reversed(order):
        tails[i] = max((tails[j] + int(table[j, TIME]) for j in after[i]), default=0)
    return heads, tails


@compiled
def audit(arrays, table, ways):
    """Compare a table with longest paths from scratch, which `ways` holds then unless a ring of a machine is broken or
    there is a cycle."""
    n, nowhere = arrays.operations, table.shape[0] - 1
    heads, tails, order, degree = ways[HEADS], ways[TAILS], ways[ORDER], ways[DEGREE]
    for machine in range(n + arrays.lots, nowhere):
        count, i = 0, machine
        while True:
            j = table[i, AFTER]
            if table[j, BEFORE] != i or (j != machine and table[j, MACHINE] != machine) or count > n:
                return BROKEN_RING
            if j == machine:
                break
            count, i = count + 1, j
        if count != table[machine, MACHINE]:
            return BROKEN_RING
    found = 0
    for i in range(n):
        degree[i] = 0
        for column in (PREVIOUS, BEFORE):
            if table[i, column] < n:
                degree[i] += 1
        if degree[i] == 0:
            order[found] = i
            found += 1
    k = 0
    while k < found:
        i = order[k]
        k += 1
        for column in (NEXT, AFTER):
            j = table[i, column]
            if j < n:
                degree[j] -= 1
                if degree[j] == 0:
                    order[found] = j
                    found += 1
    if found < n:
        return CYCLE
    fault = SOUND
    for k in range(n):
        i = order[k]
        heads[i] = 0
        for column in (PREVIOUS, BEFORE):
            j = table[i, column]
            if j < n:
                heads[i] = max(heads[i], heads[j] + table[j, TIME])
            elif j < nowhere:
                heads[i] = max(heads[i], table[j, HEAD])
        if heads[i] != table[i, HEAD]:
            fault = WRONG_HEAD
    for k in range(n - 1, -1, -1):
        i = order[k]
        tails[i] = 0
        for column in (NEXT, AFTER):
            j = table[i, column]
            if j < n:
                tails[i] = max(tails[i], tails[j] + table[j, TIME])
        if tails[i] != table[i, TAIL]:
            fault = WRONG_TAIL
    return fault


@compiled
def through(table, ways, node):
    """The longest path through an operation, from scratch."""
    return ways[HEADS, node] + table[node, TIME] + ways[TAILS, node]


@compiled
def promise(promised, length, exact, operation, column, others):
    """Note what a move is estimated to give."""
    promised[LENGTH], promised[EXACT], promised[OPERATION] = length, exact, operation
    promised[COLUMN], promised[OTHERS] = column, others


@compiled
def kept(table, ways, promised):
    """Whether a move has given what was promised of it."""
    node = promised[OPERATION]
    if node < 0:
        return True
    length = through(table, ways, node)
    for _ in range(promised[OTHERS]):
        node = np.int64(table[node, promised[COLUMN]])
        length = max(length, through(table, ways, node))
    return length == promised[LENGTH] if promised[EXACT] else length <= promised[LENGTH]


@allocating
def step(arrays, state, bans, ways, promised):
    """One random move: along a machine, to another one, or out and in again; returns how many were made.

    `promised` then holds what the last of them is estimated to give; `ways` is scratch.
    """
    table, n = state.table, arrays.operations
    operation = draw(state.random, n)
    kind = draw(state.random, 3)
    promised[OPERATION] = -1
    if kind == 0:
        column = AFTER if draw(state.random, 2) else BEFORE
        other, others = np.int64(table[operation, column]), 1
        while other < n and draw(state.random, 3) and table[other, column] < n:
            other, others = np.int64(table[other, column]), others + 1
        if other >= n:
            return 0
        allowed = (
            may_follow(arrays, state, operation, other)
            if column == AFTER
            else may_precede(arrays, state, operation, other)
        )
        if not allowed:
            return 0
        if state.counters[STALE] >= STALE_AFTER and not renew(arrays, state):
            return 1
        length = (
            length_behind(state, operation, other, ways[HEADS])
            if column == AFTER
            else length_before(state, operation, other, ways[HEADS])
        )
        move_along(arrays, state, bans, operation, other, column, np.int64(0))
        promise(promised, length, others == 1, operation, BEFORE if column == AFTER else AFTER, others)
        return 1
    if kind == 1:
        first = arrays.begins[operation]
        alternative = np.int64(first + draw(state.random, arrays.begins[operation + 1] - first))
        if arrays.where[alternative] == table[operation, MACHINE]:
            return 0
        before, length, _ = best_gap(arrays, state, operation, alternative, NO_COST, np.int64(0))
        if before < 0:
            return 0
        if state.counters[STALE] >= STALE_AFTER and not renew(arrays, state):
            return 1
        move_to(arrays, state, operation, alternative, np.int64(before))
        promise(promised, length, False, operation, AFTER, 0)
        return 1
    other = draw(state.random, n)
    out = np.array([operation]) if other == operation else np.array([operation, other])
    take_out(arrays, state, out)
    for k in range(len(out) - 1, -1, -1):
        alternative, _ = best_place(arrays, state, out[k], np.int64(0))
        before, length, _ = best_gap(arrays, state, out[k], np.int64(alternative), NO_COST, np.int64(0))
        put_in(arrays, state, out[k], np.int64(alternative), np.int64(before))
    promise(promised, length, True, operation, AFTER, 0)
    return 2


@compiled
def by_heads(table, operations, operation, before):
    """Whether heads prove that an operation that is out can go behind the node `before`."""
    previous, following, after = table[operation, PREVIOUS], table[operation, NEXT], table[before, AFTER]
    late = table[before, HEAD] >= end_of(table, following) or before == following
    if following < operations and before < operations and late:
        return False
    if previous < operations and after < operations:
        return after != previous and end_of(table, after) > table[previous, HEAD]
    return True


@allocating
def finds_best_gaps(arrays, state, operation, ways):
    """Take an operation out and in again: whether no gap that heads prove to be possible makes a cycle, or has a
    shorter path than the best one of its machine."""
    table = state.table
    take_out(arrays, state, np.array([operation]))
    forget(state)
    for alternative in range(arrays.begins[operation], arrays.begins[operation + 1]):
        _, length, _ = best_gap(arrays, state, operation, alternative, NO_COST, np.int64(0))
        machine, least = np.int64(arrays.where[alternative]), NO_COST
        before = machine
        while True:
            if by_heads(table, arrays.operations, operation, before):
                link(arrays, state, operation, alternative, before)
                if audit(arrays, table, ways) in (CYCLE, BROKEN_RING):
                    return False
                least = min(least, through(table, ways, operation))
                take_back(state)
            before = np.int64(table[before, AFTER])
            if before == machine:
                break
        if length != least:
            return False
    alternative, before = best_place(arrays, state, operation, np.int64(0))
    put_in(arrays, state, operation, np.int64(alternative), np.int64(before))
    forget(state)
    return True


@allocating
def walk(arrays, state, bans, moves):
    """Make random moves and audit the table and the estimate after each; now and then a few of them are taken back."""
    n, table = arrays.operations, state.table
    ways, promised = np.zeros((4, n), np.int64), np.zeros(5, np.int64)
    made, audited, tries = 0, 0, 0
    while made < moves and tries < 8 * moves:
        tries += 1
        if draw(state.random, 16) == 0:
            forget(state)
            before = table.copy()
            for _ in range(1 + draw(state.random, 4)):
                made += step(arrays, state, bans, ways, promised)
            take_back(state)
            if not (table == before).all():
                return NOT_TAKEN_BACK, made
            promised[OPERATION] = -1
        else:
            made += step(arrays, state, bans, ways, promised)
            forget(state)
        if made > audited:
            audited = made
            fault = audit(arrays, table, ways)
            if fault:
                return fault, made
            if not kept(table, ways, promised):
                return WRONG_LENGTH, made
    return SOUND, made
