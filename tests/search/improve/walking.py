"""Random walks over schedules, compiled, and what a table should hold, computed from scratch by code of its own."""

from __future__ import annotations

from graphlib import TopologicalSorter

import numpy as np

from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.improve.blocks import may_follow, may_precede
from jaxshop.search.improve.gaps import NO_COST, best_gap, best_place
from jaxshop.search.improve.graph import STALE_AFTER, build, put_in, renew, take_out
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

SOUND, CYCLE, WRONG_HEAD, WRONG_TAIL, BROKEN_RING, NOT_TAKEN_BACK = range(6)
"""What a walk ends with."""


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
def audit(arrays, table, heads, tails, order, degree):
    """Compare a table with longest paths from scratch; the rings of machines are looked at as well."""
    n, nowhere = arrays.operations, table.shape[0] - 1
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
            return WRONG_HEAD
    for k in range(n - 1, -1, -1):
        i = order[k]
        tails[i] = 0
        for column in (NEXT, AFTER):
            j = table[i, column]
            if j < n:
                tails[i] = max(tails[i], tails[j] + table[j, TIME])
        if tails[i] != table[i, TAIL]:
            return WRONG_TAIL
    return SOUND


@allocating
def step(arrays, state, bans):
    """One random move: along a machine, to another one, or out and in again; returns how many were made."""
    table, n = state.table, arrays.operations
    operation = draw(state.random, n)
    kind = draw(state.random, 3)
    if kind == 0:
        column = AFTER if draw(state.random, 2) else BEFORE
        other = np.int64(table[operation, column])
        while other < n and draw(state.random, 3) and table[other, column] < n:
            other = np.int64(table[other, column])
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
        move_along(arrays, state, bans, operation, other, column, np.int64(0))
        return 1
    if kind == 1:
        first = arrays.begins[operation]
        alternative = np.int64(first + draw(state.random, arrays.begins[operation + 1] - first))
        if arrays.where[alternative] == table[operation, MACHINE]:
            return 0
        before, _, _ = best_gap(arrays, state, operation, alternative, NO_COST, np.int64(0))
        if before < 0:
            return 0
        if state.counters[STALE] >= STALE_AFTER and not renew(arrays, state):
            return 1
        move_to(arrays, state, operation, alternative, np.int64(before))
        return 1
    other = draw(state.random, n)
    take_out(arrays, state, np.array([operation]))
    if other != operation:
        take_out(arrays, state, np.array([other]))
        alternative, before = best_place(arrays, state, other, np.int64(0))
        put_in(arrays, state, other, np.int64(alternative), np.int64(before))
    alternative, before = best_place(arrays, state, operation, np.int64(0))
    put_in(arrays, state, operation, np.int64(alternative), np.int64(before))
    return 2


@allocating
def walk(arrays, state, bans, moves, every):
    """Make random moves and audit the table after `every` so many; now and then a few of them are taken back."""
    n, table = arrays.operations, state.table
    heads, tails = np.zeros(n, np.int64), np.zeros(n, np.int64)
    order, degree = np.zeros(n, np.int64), np.zeros(n, np.int64)
    made, audited, tries = 0, 0, 0
    while made < moves and tries < 8 * moves:
        tries += 1
        if draw(state.random, 16) == 0:
            forget(state)
            kept = table.copy()
            for _ in range(1 + draw(state.random, 4)):
                made += step(arrays, state, bans)
            take_back(state)
            if not (table == kept).all():
                return NOT_TAKEN_BACK, made
        else:
            made += step(arrays, state, bans)
            forget(state)
        if made - audited >= every:
            audited = made
            fault = audit(arrays, table, heads, tails, order, degree)
            if fault:
                return fault, made
    return SOUND, made
