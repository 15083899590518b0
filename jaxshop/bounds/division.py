"""The other search for one small set of machines: divide the operations among them first, those that are long
or dear elsewhere before the others.

Good where windows are wide and machines nearly full, as then few divisions fit; `exact` tries orders in time, which is
good where windows are narrow. A branch is cut off where a machine's operations do not fit into their windows even if
they may be interrupted, or where what is left has no room. A division that passes is a question for every machine by
itself, which `exact` answers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.bounds.kernels import FAR
from jaxshop.support.compiling import compiled

_NEVER = np.int64(1 << 50)
"""Ticks by weight on a machine that cannot run it."""

_REGRET = 4
"""How much more than its time it counts for an operation's turn what any machine but the best for it costs."""

NONE, FOUND, OPEN = 0, 1, 2
"""What `divide` says: no division is left; here is one; not known yet."""


class Division(NamedTuple):
    """The problem and the state of the search in it; arrays change in place."""

    r: np.ndarray  # int64 [n], earliest start, in order of latest ends
    d: np.ndarray  # int64 [n], latest end
    times: np.ndarray  # int64 [n, m], FAR where a machine cannot run it
    least: np.ndarray  # int64 [n]
    weighted: np.ndarray  # int64 [n], least time times weight
    weights: np.ndarray  # int64 [m]
    free: np.ndarray  # int64 [m]
    turn: np.ndarray  # int64 [n], the operations in the order of trial
    owner: np.ndarray  # int64 [n], each operation's machine, -1 at first
    state: np.ndarray  # int64 [2]: how many have been given a machine (n once a division is found), whether alike


def division_of(r: np.ndarray, d: np.ndarray, times: np.ndarray, free: np.ndarray, weights: np.ndarray) -> Division:
    """A division of which nothing has been tried; the weights of machines are those of the `assignment` bound."""
    order = np.argsort(d, kind="stable")
    r, d, times = r[order], d[order], np.ascontiguousarray(times[order])
    least = times.min(axis=1)
    by_weight = np.sort(np.where(times < FAR, times * weights, _NEVER), axis=1)
    weighted = by_weight[:, 0]
    regret = (by_weight[:, 1:2].min(axis=1, initial=_NEVER) - weighted) // weights.max()
    alike = (times == times[:, :1]).all() and (free == free[0]).all()
    turn = np.argsort(-(least + _REGRET * regret), kind="stable")
    return Division(
        r, d, times, least, weighted, weights, free, turn, np.full(len(r), -1), np.array([0, alike], dtype=np.int64)
    )


@compiled
def _fits(division, machine):
    """Whether the operations on a machine fit into their windows if they may be interrupted.

    By Jackson's preemptive schedule: it does unless the work with windows inside some interval is longer than it.
    """
    r, d, owner, times = division.r, division.d, division.owner, division.times
    free = division.free[machine]
    n = r.size
    for x in range(n):
        if owner[x] != machine:
            continue
        begin = max(r[x], free)
        work = 0
        for j in range(n):
            if owner[j] == machine and max(r[j], free) >= begin:
                work += times[j, machine]
                if work > d[j] - begin:
                    return False
    return True


@compiled
def _room(division, depth):
    """Whether the machines have room for the work that has no machine yet."""
    r, d, owner, times, least = division.r, division.d, division.owner, division.times, division.least
    n, m = times.shape
    shortest, work, weight, count = FAR, 0, 0, 0
    begins, ends = FAR, 0
    for t in range(depth, n):
        j = division.turn[t]
        shortest = min(shortest, least[j])
        work += least[j]
        weight += division.weighted[j]
        count += 1
        begins = min(begins, r[j])
        ends = max(ends, d[j])
    if count == 0:
        return True
    room, weighted = 0, 0
    for k in range(m):
        first, last, load = begins, ends, 0
        for j in range(n):
            if owner[j] == k:
                first = min(first, r[j])
                last = max(last, d[j])
                load += times[j, k]
        left = last - max(first, division.free[k]) - load
        if left >= shortest:
            room += left
            weighted += division.weights[k] * left
    return room >= work and weighted >= weight


@compiled
def divide(division, blamed, nodes):
    """Search on for so many nodes.

    Args:
        blamed: the machine that cannot run its share of the division found last; no matter before there is one.
    """
    turn, owner, times = division.turn, division.owner, division.times
    n, m = times.shape
    depth = division.state[0]
    if depth == n:  # go back to the last operation that this machine was given
        depth -= 1
        while owner[turn[depth]] != blamed:
            owner[turn[depth]] = -1
            depth -= 1
    tried = 0
    while tried < nodes:
        j = turn[depth]
        k = owner[j] + 1
        owner[j] = -1
        limit = m
        if division.state[1]:  # of machines that are alike, one that is empty is as good as another
            used = -1
            for t in range(depth):
                used = max(used, owner[turn[t]])
            limit = min(m, used + 2)
        if depth > 0 and k == 0:  # of operations that are alike, the first has the lowest machine
            i = turn[depth - 1]
            if division.r[i] == division.r[j] and division.d[i] == division.d[j]:
                same = True
                for x in range(m):
                    if times[i, x] != times[j, x]:
                        same = False
                        break
                if same:
                    k = owner[i]
        while k < limit:
            if times[j, k] < FAR:
                owner[j] = k
                tried += 1
                if _fits(division, k) and _room(division, depth + 1):
                    break
            k += 1
        if k >= limit:
            owner[j] = -1
            depth -= 1
            if depth < 0:
                return NONE
            continue
        depth += 1
        if depth == n:
            division.state[0] = n
            return FOUND
    division.state[0] = depth
    return OPEN
