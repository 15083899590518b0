"""Branch and bound over a whole small shop, compiled: is there a schedule of a trial makespan?

Decisions are which of two operations goes first on a machine, and on which machine an operation runs. After each,
windows of all operations, the order of pairs and the machines that are left follow from one another, along routes and
on every machine by itself; where a window becomes empty, the opposite of the last decision holds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.bounds.exact import NO, OPEN, YES
from jaxshop.bounds.kernels import FAR
from jaxshop.bounds.one_machine import AFTER, BEFORE, later
from jaxshop.support.compiling import compiled, copy

DEEPEST = 512
"""Decisions that may stand at a time; a search that would need more stays open."""

PATIENCE = 50
"""Looks for each machine, 16 at most on shops of 55 to 500 operations, after which what follows is left for later: in
windows that are wide for the work in them, orders that contradict each other move them by the time of an operation in
each look."""

EARLIEST, LATEST, TICKS, ON = range(4)
"""Rows of what is known of operations: earliest start, latest end, least time, and machine, -1 while it is open."""

DEPTH, TRAILED, NODES, CUT = range(4)
"""Of `position`: decisions that stand, facts on the trail (-1: nothing has been looked at), nodes so far, and whether
what follows was ever cut off."""


class Orders(NamedTuple):
    """The shop and the state of the search in it; arrays change in place."""

    last: np.ndarray  # bool [n], whether an operation is the last of its lot
    begins: np.ndarray  # int64 [n + 1], where an operation's alternatives begin
    where: np.ndarray  # int64 [a], machine of each alternative
    takes: np.ndarray  # int64 [a]
    owner: np.ndarray  # int64 [a], operation of each alternative
    able_begins: np.ndarray  # int64 [m + 1], where a machine's alternatives begin in `able`
    able: np.ndarray  # int64 [a], alternatives by machine
    available: np.ndarray  # int64 [m]
    now: np.ndarray  # int64 [4, n]
    alive: np.ndarray  # bool [a], whether an alternative is still possible
    order: np.ndarray  # int8 [n, n], of i and j: whether i is `BEFORE` or `AFTER` j
    dirty: np.ndarray  # bool [m], whether a machine is to be looked at
    weight: np.ndarray  # int64 [m], how often a machine had no room
    trail: np.ndarray  # int64, facts in the order in which they were found, to be taken back
    position: np.ndarray  # int64 [4]
    saved: np.ndarray  # int64 [DEEPEST, 4, n], `now` before each decision
    taken: np.ndarray  # int64 [DEEPEST, 2], each decision, and how many facts were there before it
    local: np.ndarray  # int64 [8, n], operations of the machine that is looked at


@compiled
def _touch(s, i):
    for a in range(s.begins[i], s.begins[i + 1]):
        if s.alive[a]:
            s.dirty[s.where[a]] = True


@compiled
def _put_before(s, i, j):
    s.order[i, j], s.order[j, i] = BEFORE, AFTER
    s.trail[s.position[TRAILED]] = i * s.last.size + j
    s.position[TRAILED] += 1
    s.dirty[s.now[ON, i]] = True


@compiled
def _rule_out(s, a):
    """An alternative is not possible; False where it was the operation's last."""
    i = s.owner[a]
    s.dirty[s.where[a]] = True
    s.alive[a] = False
    s.trail[s.position[TRAILED]] = -1 - a
    s.position[TRAILED] += 1
    count, only, least, there = 0, -1, FAR, FAR
    for b in range(s.begins[i], s.begins[i + 1]):
        if s.alive[b]:
            count += 1
            only = s.where[b]
            least = min(least, s.takes[b])
            there = min(there, s.available[only])
    if count == 0:
        return False
    if count == 1:
        s.now[ON, i] = only
    s.now[TICKS, i] = least
    if least > 0:
        s.now[EARLIEST, i] = max(s.now[EARLIEST, i], there)
    _touch(s, i)
    return True


@compiled
def _carry(s):
    """Carry windows along routes; False where one is empty."""
    n = s.last.size
    r, d, p = s.now[EARLIEST], s.now[LATEST], s.now[TICKS]
    for i in range(n - 1):
        if not s.last[i] and r[i + 1] < r[i] + p[i]:
            r[i + 1] = r[i] + p[i]
            _touch(s, i + 1)
    for i in range(n - 1, -1, -1):
        if i < n - 1 and not s.last[i] and d[i] > d[i + 1] - p[i + 1]:
            d[i] = d[i + 1] - p[i + 1]
            _touch(s, i)
        if r[i] + p[i] > d[i]:
            return False
    return True


@compiled
def _look(s, k):
    """What follows on one machine; False if there is no room."""
    r, d, p = s.now[EARLIEST], s.now[LATEST], s.now[TICKS]
    ops, early, late, ticks, index, ends, found, negated = s.local
    count = 0
    for b in range(s.able_begins[k], s.able_begins[k + 1]):
        i = s.owner[s.able[b]]
        if s.now[ON, i] == k and p[i] > 0:
            ops[count] = i
            count += 1
    for x in range(count):
        i = ops[x]
        for y in range(x):
            j = ops[y]
            if s.order[i, j] == 0:
                after = r[i] + p[i] + p[j] > d[j]  # i cannot run before j
                before = r[j] + p[j] + p[i] > d[i]
                if after and before:
                    return False
                if after:
                    _put_before(s, j, i)
                elif before:
                    _put_before(s, i, j)
    s.dirty[k] = False
    for x in range(count):
        early[x], late[x], ticks[x] = r[ops[x]], d[ops[x]], p[ops[x]]
    if not later(s.order, ops, early, late, ticks, count, BEFORE, index, ends, found):
        return False
    for x in range(count):
        if found[x] > early[x]:
            r[ops[x]] = found[x]
            _touch(s, ops[x])
        early[x], negated[x] = -late[x], -early[x]
    if not later(s.order, ops, early, negated, ticks, count, AFTER, index, ends, found):
        return False
    for x in range(count):
        if found[x] > early[x]:
            d[ops[x]] = -found[x]
            _touch(s, ops[x])
    for b in range(s.able_begins[k], s.able_begins[k + 1]):
        a = s.able[b]
        i = s.owner[a]
        if not s.alive[a] or s.now[ON, i] >= 0 or s.takes[a] == 0:
            continue
        begin, takes = max(r[i], s.available[k]), s.takes[a]
        possible = begin + takes <= d[i]
        for x in range(count):
            j = ops[x]
            if begin + takes + p[j] > d[j] and r[j] + p[j] + takes > d[i]:
                possible = False
        if not possible and not _rule_out(s, a):
            return False
    return True


@compiled
def _follow(s):
    """All that follows, until nothing more does; False where that leaves some operation no time.

    Where it is cut off, machines stay dirty, and as many nodes are counted as it took the time of.
    """
    m = s.dirty.size
    k = 0
    for _ in range(PATIENCE * m):
        if not _carry(s):
            s.dirty[:] = False
            return False
        looked_at = 0
        while looked_at < m and not s.dirty[k]:
            k = (k + 1) % m
            looked_at += 1
        if looked_at == m:
            return True
        if not _look(s, k):
            s.weight[k] += 1
            s.dirty[:] = False
            return False
    s.position[NODES] += PATIENCE
    s.position[CUT] = 1
    return True


@compiled
def _decide(s, decision, holds):
    """Add a decision, or its opposite; False where that is impossible."""
    n = s.last.size
    if decision >= 0:
        i, j = decision // n, decision % n
        if holds:
            _put_before(s, i, j)
        else:
            _put_before(s, j, i)
        return True
    a = -1 - decision
    if not holds:
        return _rule_out(s, a)
    for b in range(s.begins[s.owner[a]], s.begins[s.owner[a] + 1]):
        if b != a and s.alive[b] and not _rule_out(s, b):
            return False
    return True


@compiled
def _undo(s, depth):
    """Back to where the decision at a depth was taken."""
    n = s.last.size
    while s.position[TRAILED] > s.taken[depth, 1]:
        s.position[TRAILED] -= 1
        fact = s.trail[s.position[TRAILED]]
        if fact >= 0:
            s.order[fact // n, fact % n] = 0
            s.order[fact % n, fact // n] = 0
        else:
            s.alive[-1 - fact] = True
    copy(s.now, s.saved[depth])


@compiled
def _choose(s):
    """The next decision, and whether there is one: the pair, or machine, that leaves least time for its trouble."""
    n = s.last.size
    r, d, p = s.now[EARLIEST], s.now[LATEST], s.now[TICKS]
    best, chosen, open = np.inf, 0, False
    for k in range(s.dirty.size):
        for b in range(s.able_begins[k], s.able_begins[k + 1]):
            a = s.able[b]
            i = s.owner[a]
            if not s.alive[a]:
                continue
            if s.now[ON, i] < 0:
                score = (d[i] - r[i] - s.takes[a]) / s.weight[k]
                if score < best:
                    best, chosen, open = score, -1 - a, True
                continue
            for c in range(s.able_begins[k], b):
                j = s.owner[s.able[c]]
                if s.now[ON, j] == k and s.order[i, j] == 0 and p[i] > 0 and p[j] > 0:
                    first = d[j] - r[i] - p[i] - p[j]
                    second = d[i] - r[j] - p[i] - p[j]
                    score = (first + second) / s.weight[k]
                    if score < best:
                        best, open = score, True
                        chosen = i * n + j if first < second else j * n + i
    return chosen, open


@compiled
def search(s, nodes):
    """Search on for so many nodes, decisions and opposites of decisions: `NO`, `YES`, or `OPEN` as in `exact`."""
    position = s.position
    limit = position[NODES] + nodes
    possible = True
    if position[TRAILED] < 0:
        position[TRAILED] = 0
        possible = _follow(s)
        if not possible:
            return NO
    while position[NODES] < limit:
        decision, open = _choose(s)
        if not open and not s.dirty.any():
            return YES
        if open:
            depth = position[DEPTH]
            if depth == DEEPEST:
                return OPEN
            copy(s.saved[depth], s.now)
            s.taken[depth, 0], s.taken[depth, 1] = decision, position[TRAILED]
            position[DEPTH] += 1
            position[NODES] += 1
            possible = _decide(s, decision, True) and _follow(s)
        else:
            possible = _follow(s)
        while not possible:
            s.dirty[:] = position[CUT] == 1  # nobody knows what was still to follow there
            if position[DEPTH] == 0:
                return NO
            position[DEPTH] -= 1
            position[NODES] += 1
            _undo(s, position[DEPTH])
            possible = _decide(s, s.taken[position[DEPTH], 0], False) and _follow(s)
    return OPEN


def orders_of(
    last: np.ndarray,
    begins: np.ndarray,
    where: np.ndarray,
    takes: np.ndarray,
    available: np.ndarray,
    r: np.ndarray,
    d: np.ndarray,
    weight: np.ndarray,
) -> Orders:
    """A search of which nothing has been done.

    Args:
        last, begins, where, takes, available: see `Orders`.
        r, d: windows that hold in every schedule of the trial makespan, int64 [n].
        weight: int64 [m], from searches before, which go on to count in it; 1 at first.
    """
    n, a, m = len(last), len(where), len(available)
    owner = np.repeat(np.arange(n), np.diff(begins))
    able = np.argsort(where, kind="stable")
    able_begins = np.searchsorted(where[able], np.arange(m + 1))
    count = np.diff(begins)
    least = np.minimum.reduceat(takes, begins[:-1])
    on = np.where(count == 1, where[begins[:-1]], -1)
    return Orders(
        *(last, begins, where, takes, owner, able_begins, able, available),
        np.stack([r, d, least, on]),
        np.ones(a, dtype=bool),
        np.zeros((n, n), np.int8),
        np.ones(m, dtype=bool),
        weight,
        np.zeros(n * n // 2 + a, np.int64),
        np.array([0, -1, 0, 0]),
        np.zeros((DEEPEST, 4, n), np.int64),
        np.zeros((DEEPEST, 2), np.int64),
        np.zeros((8, n), np.int64),
    )
