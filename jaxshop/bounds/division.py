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
from jaxshop.bounds.room import Room, has_room, room_of, starts
from jaxshop.support.compiling import compiled

_NEVER = np.int64(1 << 50)
"""Ticks by weight on a machine that cannot run it."""

_REGRET = 16
"""How much more than its time it counts for an operation's turn what any machine but the best for it costs."""

NONE, FOUND, OPEN = 0, 1, 2
"""What `divide` says: no division is left; here is one; not known yet."""


class Division(NamedTuple):
    """The problem and the state of the search in it; arrays change in place."""

    r: np.ndarray  # int64 [n], earliest start, in order of latest ends
    d: np.ndarray  # int64 [n], latest end
    times: np.ndarray  # int64 [n, m], FAR where a machine cannot run it
    least: np.ndarray  # int64 [n]
    free: np.ndarray  # int64 [m]
    turn: np.ndarray  # int64 [n], the operations in the order of trial
    room: Room
    ranked: np.ndarray  # int64 [n, m], each operation's machines, those first where it takes least by weight
    owner: np.ndarray  # int64 [n], each operation's machine, -1 at first
    place: np.ndarray  # int64 [n], which of the ranked that is, -1 at first
    state: np.ndarray  # int64 [2]: how many have been given a machine (n once a division is found), whether alike


def division_of(r: np.ndarray, d: np.ndarray, times: np.ndarray, free: np.ndarray, weights: np.ndarray) -> Division:
    """A division of which nothing has been tried; the weights of machines are those of the `assignment` bound."""
    order = np.argsort(d, kind="stable")
    r, d, times = r[order], d[order], np.ascontiguousarray(times[order])
    least = times.min(axis=1)
    by_weight = np.where(times < FAR, times * weights, _NEVER)
    ranked = np.argsort(by_weight, axis=1, kind="stable")
    by_weight.sort(axis=1)
    regret = (by_weight[:, 1:2].min(axis=1, initial=_NEVER) - by_weight[:, 0]) // weights.max()
    dear = least + _REGRET * regret + _at_ends(r, d, least, len(free))
    alike = bool((times == times[:, :1]).all() and (free == free[0]).all())
    turn = np.argsort(-dear, kind="stable")
    room, state = room_of(r, d, times, turn, weights, alike), np.array([0, alike], dtype=np.int64)
    owner, place = np.full((2, len(r)), -1)
    return Division(r, d, times, least, free, turn, room, ranked, owner, place, state)


def _at_ends(r: np.ndarray, d: np.ndarray, least: np.ndarray, machines: int) -> np.ndarray:
    """For how long each operation can run while machines wait for work in the beginning, or in the end."""
    short = np.zeros_like(least)
    for begins, leading in zip(*starts(r, d, machines), strict=True):
        ran = np.array([np.clip(now - begins, 0, least) for now in begins[leading]])
        short += ran[np.argmax(machines * begins[leading] - ran.sum(axis=1))]
    return short


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
def divide(division, blamed, nodes):
    """Search on for so many nodes.

    Args:
        blamed: the machine that cannot run its share of the division found last; no matter before there is one.
    """
    turn, owner, times = division.turn, division.owner, division.times
    ranked, place = division.ranked, division.place
    n, m = times.shape
    depth = division.state[0]
    if depth == n:  # go back to the last operation that this machine was given
        depth -= 1
        while owner[turn[depth]] != blamed:
            owner[turn[depth]] = place[turn[depth]] = -1
            depth -= 1
    tried = 0
    while tried < nodes:
        j = turn[depth]
        at = place[j] + 1
        owner[j] = place[j] = -1
        limit = m
        if division.state[1]:  # of machines that are alike, one that is empty is as good as another
            used = -1
            for t in range(depth):
                used = max(used, owner[turn[t]])
            limit = min(m, used + 2)
        if depth > 0 and at == 0:  # of operations that are alike, the first has the lowest machine
            i = turn[depth - 1]
            if division.r[i] == division.r[j] and division.d[i] == division.d[j]:
                same = True
                for x in range(m):
                    if times[i, x] != times[j, x]:
                        same = False
                        break
                if same:
                    at = place[i]
        while at < limit:
            k = ranked[j, at]
            if times[j, k] < FAR:
                owner[j], place[j] = k, at
                tried += 1
                if _fits(division, k) and has_room(division, depth + 1):
                    break
            at += 1
        if at >= limit:
            owner[j] = place[j] = -1
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
