"""Iterated greedy: some operations are taken out and put back where they cost least (Ruiz and Stuetzle 2007)."""

from __future__ import annotations

import math

import numpy as np

from jaxshop.search.improve.gaps import NO_COST
from jaxshop.search.improve.state import CYCLIC, OVERFLOWN, ROOM, WORK, draw, forget, take_back
from jaxshop.search.plant.cost import cost_of
from jaxshop.search.plant.gaps import best_gap, best_place
from jaxshop.search.plant.graph import put_in, ready_of, restore, take_out
from jaxshop.search.plant.model import (
    BEGIN,
    BEHIND,
    COUNT,
    DUE,
    FIRST,
    JOB,
    PARTS_LATE,
    PREVIOUS,
    WHERE,
)
from jaxshop.search.plant.state import AFTER, ALTERNATIVE, BEFORE, END
from jaxshop.support.compiling import compiled, copy

CURRENT, BEST, CYCLE_BEGAN, CYCLE_LENGTH, PENALTY = range(5)
"""Of `memory`: costs, the work at which the present cooling began and that it takes, and what set-ups count more than
they take, in quarters."""

REMOVED = 4
"""Operations that are taken out at a time."""

EXCHANGED = 3
"""One round in so many lets two operations change machines."""

FOCUSED = 4
"""One round in so many is about one critical operation and its rivals alone."""
HOT, COLD = 0.01, 0.0007
"""Temperatures at the ends of a cooling, as shares of the best cost."""


@compiled
def costly_lot(arrays, state):
    """A lot that the cost hangs on: the last of a late job, drawn by what that costs, or the last of all.

    `state.done` must be of the schedule.
    """
    jobs, done = arrays.jobs, state.done
    latest, late = np.int64(0), 0.0
    for j in range(jobs.shape[0]):
        latest = max(latest, done[j])
        late += jobs[j, PARTS_LATE] * float(max(0, done[j] - jobs[j, DUE]))
    share = draw(state.random, 1 << 30) / (1 << 30) * (late + arrays.makespan * float(latest))
    job = -1
    if share < late:
        for j in range(jobs.shape[0]):
            if done[j] > jobs[j, DUE]:
                job = j
                share -= jobs[j, PARTS_LATE] * float(done[j] - jobs[j, DUE])
                if share < 0:
                    break
    last, seen, lot = -1 << 50, 0, -1
    for k in range(arrays.lots.shape[0]):
        if arrays.lots[k, COUNT] > 0 and (job < 0 or arrays.lots[k, JOB] == job):
            until = state.table[arrays.lots[k, FIRST] + arrays.lots[k, COUNT] - 1, END]
            if until > last:
                last, seen, lot = until, 1, k
            elif until == last:
                seen += 1
                if draw(state.random, seen) == 0:
                    lot = k
    return lot


@compiled
def critical_path(arrays, state, lot):
    """Follow back why a lot is done so late, into `path`, from its last operation on; returns how many there are."""
    n, table, path = arrays.operations.shape[0], state.table, state.path
    i, length = arrays.lots[lot, FIRST] + arrays.lots[lot, COUNT] - 1, 0
    while True:
        path[length] = i
        length += 1
        before, previous = table[i, BEFORE], arrays.operations[i, PREVIOUS]
        ready = ready_of(arrays, table, i)
        free = table[before, END]
        if before < n and (free > ready or (free == ready and (previous < 0 or draw(state.random, 2)))):
            i = before
        elif previous >= 0 and ready >= free:
            i = previous
        else:
            return length


@compiled
def rival(arrays, state, i):
    """A random operation of a random machine that could run this one; -1 where it holds none."""
    first = arrays.operations[i, BEGIN]
    a = first + draw(state.random, arrays.operations[i, BEHIND] - first)
    node = arrays.operations.shape[0] + arrays.alternatives[a, WHERE]
    held, other = 0, state.table[node, AFTER]
    while other != node:
        held += 1
        other = state.table[other, AFTER]
    if held == 0:
        return np.int64(-1)
    for _ in range(1 + draw(state.random, held)):
        node = state.table[node, AFTER]
    return node


@compiled
def choose(arrays, state, count):
    """Draw operations to take out into the end of `path`, in random order; returns how many.

    Half of them from a critical path, most others from machines that could have run an operation of it or one before.
    In some rounds all are rivals of one critical operation: a centre of few machines is divided anew by nothing less.
    """
    n, path = arrays.operations.shape[0], state.path
    lot = costly_lot(arrays, state)
    if lot < 0:
        return 0
    length = critical_path(arrays, state, lot)
    focus = path[draw(state.random, length)]
    focused = draw(state.random, FOCUSED) == 0
    begin, chosen = path.shape[0] - ROOM, 0
    for _ in range(2 * count):
        if chosen == count:
            break
        i = path[draw(state.random, length)]
        if focused:
            i = rival(arrays, state, focus)
        elif draw(state.random, 2):
            if draw(state.random, 8) == 0:
                i = draw(state.random, n)
            else:
                while draw(state.random, 2) and arrays.operations[i, PREVIOUS] >= 0:
                    i = arrays.operations[i, PREVIOUS]
                i = rival(arrays, state, i)
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
def alternative_on(arrays, i, machine):
    """The alternative of an operation on a machine, -1 where there is none."""
    for a in range(arrays.operations[i, BEGIN], arrays.operations[i, BEHIND]):
        if arrays.alternatives[a, WHERE] == machine:
            return a
    return np.int64(-1)


@compiled
def exchange(arrays, state, penalty):
    """Let a critical operation and one of another machine that could run it change machines, where both can."""
    table, path = state.table, state.path
    lot = costly_lot(arrays, state)
    if lot < 0:
        return
    i = path[draw(state.random, critical_path(arrays, state, lot))]
    j = rival(arrays, state, i)
    if j < 0:
        return
    here = arrays.alternatives[table[i, ALTERNATIVE], WHERE]
    there = arrays.alternatives[table[j, ALTERNATIVE], WHERE]
    back = alternative_on(arrays, j, here)
    if here == there or back < 0:
        return
    begin = path.shape[0] - ROOM
    path[begin], path[begin + 1] = i, j
    take_out(arrays, state, path[begin : begin + 2])
    for k in range(2):
        alternative = back if k else alternative_on(arrays, i, there)
        before, past, _, _ = best_gap(arrays, state, path[begin + k], alternative, penalty, False, NO_COST, 0)
        put_in(arrays, state, path[begin + k], alternative, before, past)


@compiled
def ruin_and_recreate(arrays, state, count, penalty):
    """Take some operations out and put each back where it costs least; returns the cost."""
    begin = state.path.shape[0] - ROOM
    state.counters[WORK] += 8
    if draw(state.random, EXCHANGED) == 0:
        exchange(arrays, state, penalty)
        return cost_of(arrays, state)
    chosen = choose(arrays, state, count)
    take_out(arrays, state, state.path[begin : begin + chosen])
    for k in range(chosen):
        i = state.path[begin + k]
        alternative, before, past = best_place(arrays, state, i, penalty)
        put_in(arrays, state, i, alternative, before, past)
    return cost_of(arrays, state)


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
            memory[CURRENT] = cost_of(arrays, state)
        current = memory[CURRENT]
        cost = ruin_and_recreate(arrays, state, REMOVED, memory[PENALTY])
        if cost > current:
            warmth = memory[BEST] * HOT * (COLD / HOT) ** (begun / memory[CYCLE_LENGTH])
            chance = math.exp((current - cost) / warmth)
            if draw(state.random, 1 << 30) >= chance * (1 << 30) and counters[OVERFLOWN] == 0:
                take_back(state)
                cost_of(arrays, state)
                continue
        forget(state)
        memory[CURRENT] = cost
        if cost < memory[BEST]:
            memory[BEST] = cost
            copy(best, state.table)
