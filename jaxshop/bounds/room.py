"""Whether machines to which some operations are given have room for the rest: three arguments about loads.

By weights: whatever the machines' weights, the rest takes at least the least time by weight of each operation, and no
more than the room by weight; the weights follow what is too much, as in a subgradient method. By idle time: in the
beginning operations are not there yet, in the end they are over (Jackson's bound for several machines, for every time).
By sums: where nearly all of a machine's room has to be used, some of the times have to add up to that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.bounds.kernels import FAR
from jaxshop.support.compiling import compiled

_MOST_WORDS = 1 << 19
"""Of 64 bits, which the sums of a set of machines may take: to touch new memory takes longer than to fill it."""

_LEADING = 2
"""Operations for each machine which tell how long machines stand idle in the beginning, and as many for the end."""

_WHOLE, _LIGHTEST, _HEAVIEST = 1 << 16, 1 << 10, 1 << 18
"""The largest weight at first, and the smallest and largest that there may be."""

_ADAPTED, _STEP = 2, 4
"""How often the weights follow in each question, and the share of it by which they do."""

_NEVER = np.int64(1 << 62)
"""Ticks by weight."""

FULL = FAR
"""The load of a machine that takes nothing more."""


class Room(NamedTuple):
    """What the arguments need to know, and what they work in; arrays change in place."""

    span: int  # from the first start to the last end
    begins: np.ndarray  # int64 [2, n]: starts after the first start; ends before the last end
    leading: np.ndarray  # int64 [2, .]: the operations of the least `begins`, in order
    longest: np.ndarray  # int64 [n]: on any machine
    grain: int  # sums are counted in 1 << grain ticks
    sums: np.ndarray  # uint64 [m or 1, n + 1, words]: bits of what the operations from there on can take in sum
    weights: np.ndarray  # int64 [m]
    left: np.ndarray  # int64 [m]: room
    load: np.ndarray  # int64 [m]: of what is given, `FULL` where nothing more has room
    taken: np.ndarray  # int64 [m]: by what costs least there
    busy: np.ndarray  # int64 [m]: how long it has run by some time
    until: np.ndarray  # int64 [m]: when it could run something else
    idle: np.ndarray  # int64 [2, m + 1]: before and behind all work, of all machines but one; of all


def room_of(
    r: np.ndarray, d: np.ndarray, times: np.ndarray, turn: np.ndarray, weights: np.ndarray, alike: bool
) -> Room:
    """What is left while nothing is given; operations are given in `turn`."""
    m = len(weights)
    begins, leading = starts(r, d, m)
    span = max(1, int(d.max() - r.min()))
    weights = np.maximum(weights * _WHOLE // weights.max(), _LIGHTEST)
    grain, sums = _sums(times[turn, : 1 if alike else m], span)
    longest = np.where(times < FAR, times, 0).max(axis=1)
    left, load, taken, busy, until = np.zeros((5, m), np.int64)
    idle = np.zeros((2, m + 1), np.int64)
    return Room(span, begins, leading, longest, grain, sums, weights, left, load, taken, busy, until, idle)


def starts(r: np.ndarray, d: np.ndarray, machines: int) -> tuple[np.ndarray, np.ndarray]:
    """`begins` and `leading` of `Room`."""
    begins = np.stack([r - r.min(), d.max() - d])
    return begins, np.ascontiguousarray(np.argsort(begins, axis=1, kind="stable")[:, : _LEADING * machines])


def _sums(times: np.ndarray, longest: int) -> tuple[int, np.ndarray]:
    """`grain` and `sums` of `Room`, up to the longest; times are rounded down where they would take too much memory."""
    n, m = times.shape
    grain = 0
    while m * n * ((longest >> grain) // 64 + 1) > _MOST_WORDS:
        grain += 1
    sums = np.empty((m, n + 1, (longest >> grain) // 64 + 1), np.uint64)
    _add_up(np.ascontiguousarray(times >> grain), sums)
    return grain, sums


@compiled
def _add_up(times, sums):
    """Fill in `sums`: with an operation more, there are those without it, and the same shifted by its time."""
    m, n, words = sums.shape[0], sums.shape[1] - 1, sums.shape[2]
    for k in range(m):
        sums[k, n, :] = 0
        sums[k, n, 0] = 1
        for j in range(n - 1, -1, -1):
            less, more = sums[k, j + 1], sums[k, j]
            for word in range(words):
                more[word] = less[word]
            if times[j, k] < 64 * words:
                far, near = times[j, k] >> 6, np.uint64(times[j, k] & 63)
                for word in range(far, words):
                    more[word] |= less[word - far] << near
                if near > 0:
                    for word in range(far + 1, words):
                        more[word] |= less[word - far - 1] >> (np.uint64(64) - near)


@compiled
def _measure(division, depth):
    """Fill in `load` and `left`."""
    r, d, owner, times, room = division.r, division.d, division.owner, division.times, division.room
    n, m = times.shape
    shortest, begin, end = FAR, FAR, 0
    for t in range(depth, n):
        j = division.turn[t]
        shortest = min(shortest, division.least[j])
        begin, end = min(begin, r[j]), max(end, d[j])
    for k in range(m):
        first, last, load = begin, end, 0
        for j in range(n):
            if owner[j] == k:
                first, last = min(first, r[j]), max(last, d[j])
                load += times[j, k]
        room.left[k] = last - max(first, division.free[k]) - load
        room.load[k] = load if room.left[k] >= shortest else FULL


@compiled
def _stand_idle(division, side):
    """Fill in `idle` on one side, 0 for the beginning, of machines that are not full.

    By any time, an operation has run no longer than it could have, nor has a machine.
    """
    owner, times, room, load = division.owner, division.times, division.room, division.room.load
    begins, leading, idle, busy, until = room.begins[side], room.leading[side], room.idle[side], room.busy, room.until
    m, used = busy.size, 0
    idle[:] = 0
    for k in range(m):
        used += load[k] != FULL
    for x in range(1, leading.size):
        now, ran = begins[leading[x]], 0
        if now == begins[leading[x - 1]]:
            continue
        if 2 * now > room.span:  # what stands idle in the beginning must not be counted for the end again
            break
        busy[:] = until[:] = 0
        for y in range(x):
            j = leading[y]
            k = owner[j]
            if k < 0:
                ran += min(room.longest[j], now - begins[j])
            elif load[k] != FULL:
                begin = max(until[k], begins[j])
                until[k] = min(begin + times[j, k], now)
                busy[k] += until[k] - begin
                ran += until[k] - begin
        idle[m] = max(idle[m], used * now - ran)
        for k in range(m):
            if load[k] != FULL:
                idle[k] = max(idle[k], (used - 1) * now - ran + busy[k])


@compiled
def _lacks(division, depth):
    """Whether what is left has no room, by the weights as they are; fills in `taken` where it has."""
    times, turn, room = division.times, division.turn, division.room
    weights, left, load, taken, idle = room.weights, room.left, room.load, room.taken, room.idle
    n, m = times.shape
    need, each, together, lightest = 0, 0, 0, _HEAVIEST
    taken[:] = 0
    for t in range(depth, n):
        j = turn[t]
        where, least = -1, int(_NEVER)
        for k in range(m):
            if load[k] != FULL and times[j, k] <= left[k] and weights[k] * times[j, k] < least:
                where, least = k, weights[k] * times[j, k]
        if where < 0:
            return True
        need += least
        taken[where] += times[j, where]
    for k in range(m):
        if load[k] != FULL:
            each += weights[k] * left[k]
            together += weights[k] * (room.span - load[k])
            lightest = min(lightest, weights[k])
    if need > each or need > together - lightest * (idle[0, m] + idle[1, m]):
        return True
    for k in range(m):
        if load[k] != FULL:
            others = together - weights[k] * (room.span - load[k]) - lightest * (idle[0, k] + idle[1, k])
            others = min(others, each - weights[k] * left[k])
            least_taken = -((others - need) // weights[k])
            if not _sums_up(room, min(k, room.sums.shape[0] - 1), depth, least_taken, left[k]):
                return True
    return False


@compiled
def _sums_up(room, row, depth, least, most):
    """Whether some of the operations from a depth on may take `least` to `most` ticks in sum."""
    sums, grain = room.sums[row, depth], room.grain
    if grain > 0:  # each operation may have lost nearly a grain
        least, most = (least >> grain) - (room.sums.shape[1] - 1 - depth), most >> grain
    if least <= 0:
        return True
    most = min(most, 64 * sums.size - 1)
    for word in range(least >> 6, (most >> 6) + 1):
        bits = sums[word]
        if word == least >> 6:
            bits &= np.uint64(0xFFFFFFFFFFFFFFFF) << np.uint64(least & 63)
        if word == most >> 6:
            bits &= np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(63 - (most & 63))
        if bits != 0:
            return True
    return False


@compiled
def has_room(division, depth):
    """Whether the rest of the turn, from a depth on, may have room on the machines."""
    room = division.room
    if depth == division.turn.size:
        return True
    _measure(division, depth)
    _stand_idle(division, 0)
    _stand_idle(division, 1)
    if _lacks(division, depth):
        return False
    for _ in range(0 if division.state[1] else _ADAPTED - 1):  # where machines are alike, so are their weights
        for k in range(room.weights.size):
            if room.load[k] != FULL:
                more = room.weights[k] * (room.taken[k] - room.left[k]) // (_STEP * room.span)
                room.weights[k] = min(max(room.weights[k] + more, _LIGHTEST), _HEAVIEST)
        if _lacks(division, depth):
            return False
    return True
