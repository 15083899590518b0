"""Tabu search over moves on a critical path: within blocks, and to other machines (Nowicki and Smutnicki 1996;
Mastrolilli and Gambardella 2000)."""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve.blocks import length_before, length_behind, may_follow, may_precede
from jaxshop.search.improve.gaps import NO_COST, best_priced_gap
from jaxshop.search.improve.graph import (
    cost_of,
    critical_path,
    link,
    mark,
    renew,
    restore,
    settle,
    stale,
    unlink,
)
from jaxshop.search.improve.greedy import ruin_and_recreate
from jaxshop.search.improve.model import AFTER, BEFORE, MACHINE, NEXT, PREVIOUS
from jaxshop.search.improve.prices import PARTS
from jaxshop.search.improve.state import CYCLIC, STALE, WORK, draw, forget
from jaxshop.support.compiling import compiled, copy

CURRENT, BEST, LOCAL, LOCAL_AT, ROUND, PATIENCE, SHAKEN, TENURE, TENURE_SPREAD, PRICE = range(10)
"""Of `memory`: costs at present, ever, and since the last restart; the iteration of the latter; iterations so far;
iterations without a better one after which the search restarts; operations that a restart takes out at most, 0 where it
ends instead; iterations for which a move is forbidden at least, and how many more at most; how often what an
alternative wastes counts."""

LENGTH, TIES, KIND, OPERATION, TO, BEHIND = range(6)
"""Of a pick: the estimated length of the longest path, prices included, 1 << PARTS to a tick; how many moves have it;
AFTER, BEFORE or ELSEWHERE; what moves; the operation it goes next to, or the alternative and the node behind which it
goes there."""
ELSEWHERE = -1

FIRST, SECOND, UNTIL = range(3)
"""Of a ban: the pair, and the iteration that it ends with."""

BANS = 1 << 12
"""Places of the table of bans; where two share one, the later ban stands."""


@compiled
def slot(first, second):
    """The place of a pair in the table of bans."""
    mixed = (np.uint64(first) * np.uint64(0x9E3779B97F4A7C15)) ^ (np.uint64(second) * np.uint64(0xC2B2AE3D27D4EB4F))
    return np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(BANS - 1))


@compiled
def ban(bans, first, second, until):
    """Forbid a pair until an iteration."""
    k = slot(first, second)
    bans[k, FIRST], bans[k, SECOND], bans[k, UNTIL] = first, second, until


@compiled
def banned(bans, first, second, now):
    """Whether a pair is forbidden."""
    k = slot(first, second)
    return bans[k, UNTIL] > now and bans[k, FIRST] == first and bans[k, SECOND] == second


@compiled
def reverses_banned(state, bans, operation, other, column, now):
    """Whether a move along `column` (AFTER or BEFORE) to `other` brings back an order that is forbidden."""
    i = operation
    while i != other:
        i = state.table[i, column]
        if banned(bans, i, operation, now) if column == AFTER else banned(bans, operation, i, now):
            return True
    return False


@compiled
def move_along(arrays, state, bans, operation, other, column, until):
    """Put `operation` right behind `other` (column AFTER) or before it (BEFORE); bans the orders that it leaves."""
    table, n = state.table, arrays.operations
    machine, alternative = table[operation, MACHINE], arrays.begins[operation]
    while arrays.where[alternative] != machine:
        alternative += 1
    low, high = state.place[operation], state.place[operation]
    i = operation
    while i != other:
        i = table[i, column]
        if column == AFTER:
            ban(bans, operation, i, until)
        else:
            ban(bans, i, operation, until)
        low, high = min(low, state.place[i]), max(high, state.place[i])
    before, after = unlink(state, operation)
    link(arrays, state, operation, alternative, other if column == AFTER else table[other, BEFORE])
    state.counters[STALE] += 1
    # Every operation between both places is looked at, in either direction.
    forward, backward = np.int64(low >> 6), np.int64(high >> 6)
    i = operation
    mark(state.forward, state.place[i])
    mark(state.backward, state.place[i])
    last = before if column == AFTER else after
    back = BEFORE if column == AFTER else AFTER
    while i != last:
        i = table[i, back]
        if i < n:
            forward = min(forward, mark(state.forward, state.place[i]))
            backward = max(backward, mark(state.backward, state.place[i]))
    end = table[operation, AFTER] if column == AFTER else table[operation, BEFORE]
    if end < n:
        forward = min(forward, mark(state.forward, state.place[end]))
        backward = max(backward, mark(state.backward, state.place[end]))
    settle(arrays, state, forward, backward)


@compiled
def move_to(arrays, state, operation, alternative, before):
    """Put an operation on another machine, behind the node `before`."""
    n, table = arrays.operations, state.table
    left, right = unlink(state, operation)
    link(arrays, state, operation, alternative, before)
    after = table[operation, AFTER]
    forward, backward = mark(state.forward, state.place[operation]), mark(state.backward, state.place[operation])
    for k in range(3):
        i = after if k == 0 else (right if k == 1 else table[operation, NEXT])
        if i < n:
            forward = min(forward, mark(state.forward, state.place[i]))
        i = before if k == 0 else (left if k == 1 else table[operation, PREVIOUS])
        if i < n:
            backward = max(backward, mark(state.backward, state.place[i]))
    state.counters[STALE] += 1
    settle(arrays, state, forward, backward)


@compiled
def offer(pick, random, length, move):
    """Keep a move where it is the best so far; among equals each has the same chance."""
    if length > pick[LENGTH]:
        return
    pick[TIES] = pick[TIES] + 1 if length == pick[LENGTH] else 1
    pick[LENGTH] = length
    if draw(random, pick[TIES]) == 0:
        pick[KIND], pick[OPERATION], pick[TO], pick[BEHIND] = move


@compiled
def try_along(arrays, state, bans, memory, scratch, picks, operation, other, column):
    """Offer the move of an operation right behind another (column AFTER) or right before it (BEFORE)."""
    if column == AFTER:
        if not may_follow(arrays, state, operation, other):
            return
        length = length_behind(state, operation, other, scratch)
    else:
        if not may_precede(arrays, state, operation, other):
            return
        length = length_before(state, operation, other, scratch)
    forbidden = length >= memory[BEST] and reverses_banned(state, bans, operation, other, column, memory[ROUND])
    move = (np.int64(column), operation, other, np.int64(-1))
    offer(picks[1 if forbidden else 0], state.random, 0 if forbidden else length << PARTS, move)


@compiled
def try_block(arrays, state, bans, memory, scratch, picks, begin, end):
    """Offer the moves within path[begin], ..., path[end], which follow each other on a machine from last to first."""
    last, first = np.int64(state.path[begin]), np.int64(state.path[end])
    for k in range(begin, end + 1):
        i = np.int64(state.path[k])
        if i != last:
            try_along(arrays, state, bans, memory, scratch, picks, i, last, AFTER)
            if k > begin + 1:  # a swap of neighbours is one move
                try_along(arrays, state, bans, memory, scratch, picks, last, i, BEFORE)
        if i != first:
            if k < end - 1:
                try_along(arrays, state, bans, memory, scratch, picks, i, first, BEFORE)
            if i != last:
                try_along(arrays, state, bans, memory, scratch, picks, first, i, AFTER)


@compiled
def try_machines(arrays, state, bans, memory, picks, operation):
    """Offer the best gap on each other machine that may run an operation."""
    pick, here = picks[0], arrays.begins[operation]
    while memory[PRICE] > 0 and arrays.where[here] != state.table[operation, MACHINE]:
        here += 1
    for alternative in range(arrays.begins[operation], arrays.begins[operation + 1]):
        machine = arrays.where[alternative]
        if machine == state.table[operation, MACHINE]:
            continue
        forbidden = banned(bans, operation, machine, memory[ROUND])
        price = memory[PRICE] * (arrays.wastes[alternative] - arrays.wastes[here])
        bar = min(pick[LENGTH], ((memory[BEST] - 1) << PARTS) + price) if forbidden else pick[LENGTH]
        before, length, ties = best_priced_gap(arrays, state, operation, alternative, price, bar, pick[TIES])
        if before >= 0:
            pick[LENGTH], pick[TIES], pick[KIND] = length, ties, ELSEWHERE
            pick[OPERATION], pick[TO], pick[BEHIND] = operation, alternative, before


@compiled
def look_around(arrays, state, bans, memory, scratch, picks):
    """Find the best move off a random critical path that is allowed, or any if none is; False where there is none."""
    table, path = state.table, state.path
    picks[:, LENGTH], picks[:, TIES], picks[:, OPERATION] = NO_COST, 0, -1
    length = critical_path(arrays, state, memory[CURRENT])
    begin = 0
    while begin < length:
        end = begin
        while end + 1 < length and table[path[end], BEFORE] == path[end + 1]:
            end += 1
        if end > begin:
            try_block(arrays, state, bans, memory, scratch, picks, begin, end)
        begin = end + 1
    for k in range(length):
        operation = np.int64(path[k])
        if arrays.begins[operation + 1] > arrays.begins[operation] + 1:
            try_machines(arrays, state, bans, memory, picks, operation)
    state.counters[WORK] += length
    if picks[0, OPERATION] < 0:
        for k in range(picks.shape[1]):
            picks[0, k] = picks[1, k]
    return picks[0, OPERATION] >= 0


@compiled
def keep(memory, best, local, table, cost, now):
    """Take note of a schedule that is the best since the restart, or ever."""
    memory[CURRENT] = cost
    if cost < memory[LOCAL]:
        memory[LOCAL], memory[LOCAL_AT] = cost, now
        copy(local, table)
        if cost < memory[BEST]:
            memory[BEST] = cost
            copy(best, table)


@compiled
def restart(arrays, state, best, local, bans, memory):
    """Go on from the best, or in one of four cases from the last local best, with some operations put elsewhere."""
    restore(arrays, state, best if draw(state.random, 4) else local)
    cost = cost_of(arrays, state.table)
    cost = ruin_and_recreate(arrays, state, cost, 2 + draw(state.random, memory[SHAKEN]), memory[PRICE])
    forget(state)
    bans[:, UNTIL] = 0
    state.counters[WORK] += BANS // 16  # what that takes, or a piece of work on a tiny shop takes tenths of a second
    memory[LOCAL] = NO_COST
    keep(memory, best, local, state.table, cost, memory[ROUND])


@compiled
def tabu_search(arrays, state, best, local, bans, picks, scratch, memory, budget, target):
    """Go on until so much work is done in all, or the target is met; the better schedule is kept in `best`."""
    counters, pick = state.counters, picks[0]
    while counters[WORK] < budget and memory[BEST] > target and counters[CYCLIC] == 0:
        memory[ROUND] += 1
        now = memory[ROUND]
        if now - memory[LOCAL_AT] > memory[PATIENCE] or not look_around(arrays, state, bans, memory, scratch, picks):
            if memory[SHAKEN] == 0:
                return
            restart(arrays, state, best, local, bans, memory)
            continue
        if stale(state) and not renew(arrays, state):
            return
        until = now + memory[TENURE] + draw(state.random, memory[TENURE_SPREAD])
        operation = pick[OPERATION]
        if pick[KIND] == ELSEWHERE:
            ban(bans, operation, state.table[operation, MACHINE], until)
            move_to(arrays, state, operation, pick[TO], pick[BEHIND])
        else:
            move_along(arrays, state, bans, operation, pick[TO], pick[KIND], until)
        forget(state)
        keep(memory, best, local, state.table, cost_of(arrays, state.table), now)
