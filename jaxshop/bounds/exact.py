"""Branch and bound for one small set of machines, compiled: is there a schedule within the operations' windows?

The tree is that of Giffler and Thompson, over machines too: of all operations and machines the pair that can complete
first names the machine, and what could start there before that completion is tried next on it. An operation that ran
elsewhere could be moved to that place and would end no later, so that no solution is lost. Cut off are states in which
some operation ends too late, some interval holds more work than room, or an earlier state with the same operations
left had machines free no later.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.bounds.kernels import FAR
from jaxshop.support.compiling import allocating

MAX_OPERATIONS = 62
MAX_MACHINES = 16
_WAYS = 4

NO, YES, OPEN = 0, 1, 2
"""What `advance` says: no schedule, a schedule, or not known yet."""


class Tree(NamedTuple):
    """The problem and the state of the search in it; arrays change in place."""

    r: np.ndarray  # int64 [n], earliest start, in order of latest ends
    d: np.ndarray  # int64 [n], latest end
    times: np.ndarray  # int64 [n, m], FAR where a machine cannot run it
    least: np.ndarray  # int64 [n]
    weighted: np.ndarray  # int64 [n], least time times weight
    weights: np.ndarray  # int64 [m]
    free: np.ndarray  # int64 [m]
    position: np.ndarray  # int64 [4]: depth (-1 at first), operations done as bits, nodes, whether machines are alike
    choice: np.ndarray  # int64 [n, 3]: operation, machine and its previous free time at each depth
    branches: np.ndarray  # int64 [n, n + 2]: count, next, then operations in the order of trial
    on: np.ndarray  # int64 [n], machine at each depth
    seen: np.ndarray  # int64 [slots * ways], operations done, -1 where empty
    seen_free: np.ndarray  # int64 [slots * ways, m]


def plant(
    r: np.ndarray, d: np.ndarray, times: np.ndarray, free: np.ndarray, weights: np.ndarray, slots: int = 1 << 15
) -> Tree:
    """A tree of which nothing has been searched, that remembers up to `slots` times four states, a power of two."""
    order = np.argsort(d, kind="stable")
    r, d, times = r[order], d[order], np.ascontiguousarray(times[order])
    n, m = times.shape
    weighted = np.where(times < FAR, times * weights, np.int64(2**62)).min(axis=1)
    return Tree(
        r,
        d,
        times,
        times.min(axis=1),
        weighted,
        weights.copy(),
        free.copy(),
        np.array([-1, 0, 0, (times == times[:, :1]).all()], dtype=np.int64),
        np.zeros((n, 3), np.int64),
        np.zeros((n, n + 2), np.int64),
        np.zeros(n, np.int64),
        np.full(slots * _WAYS, -1, np.int64),
        np.zeros((slots * _WAYS, m), np.int64),
    )


@allocating
def _crowded(r, d, least, weighted, weights, free, done):
    """Whether some interval holds more work of what is left than the machines have room for.

    As in `head_tail`: the machines start with different operations and end with different ones.
    """
    n, m = r.size, free.size
    frees = np.sort(free)
    early = np.empty(m, np.int64)
    for x in range(-1, n):
        if x >= 0 and ((done >> x) & 1 or r[x] <= frees[0]):
            continue
        begin = frees[0] if x < 0 else r[x]
        work, weight, count = 0, 0, 0
        for j in range(n):
            if (done >> j) & 1 or (x >= 0 and r[j] < begin):
                continue
            work += least[j]
            weight += weighted[j]
            k = min(count, m - 1)  # the m smallest heads so far, ascending
            if count < m or r[j] < early[m - 1]:
                while k > 0 and early[k - 1] > r[j]:
                    early[k] = early[k - 1]
                    k -= 1
                early[k] = r[j]
            count += 1
            room = 0
            i, back = 0, j
            while i < min(count, m):  # the latest ends are the last ones taken
                if not ((done >> back) & 1 or (x >= 0 and r[back] < begin)):
                    room += max(0, d[back] - max(frees[i], early[i]))
                    i += 1
                back -= 1
            if work > room:
                return True
            room = 0
            for k in range(m):
                room += weights[k] * max(0, d[j] - max(free[k], begin))
            if weight > room:
                return True
    return False


@allocating
def _slot(done, seen):
    return ((done * 0x2545F4914F6CDD1D) >> 20) & (seen.size // _WAYS - 1)


@allocating
def _frees(tree, waiting):
    """When machines are free for what waits until `waiting`; in order where they are alike."""
    frees = np.maximum(tree.free, waiting)
    return np.sort(frees) if tree.position[3] else frees


@allocating
def _branch(tree, depth):
    """Fill in the branches of the present state; none where it is cut off."""
    r, d, times, free = tree.r, tree.d, tree.times, tree.free
    n, m = times.shape
    done = tree.position[1]
    branches = tree.branches[depth]
    branches[0], branches[1] = 0, 0
    soonest, machine, first = FAR, -1, -1
    waiting = FAR
    for j in range(n):
        if (done >> j) & 1:
            continue
        end, at = FAR, -1
        for k in range(m):
            if times[j, k] < FAR and max(r[j], free[k]) + times[j, k] < end:
                end = max(r[j], free[k]) + times[j, k]
                at = k
        if end > d[j]:
            return
        if end < soonest:
            soonest, machine, first = end, at, j
        waiting = min(waiting, r[j])
    slot, frees = _slot(done, tree.seen), _frees(tree, waiting)
    for way in range(_WAYS):
        if tree.seen[slot * _WAYS + way] == done:
            better = True
            for k in range(m):
                if tree.seen_free[slot * _WAYS + way, k] > frees[k]:
                    better = False
                    break
            if better:
                return
    if _crowded(r, d, tree.least, tree.weighted, tree.weights, free, done):
        return
    count = 0
    for j in range(n):
        if (done >> j) & 1 or times[j, machine] >= FAR:
            continue
        start = max(r[j], free[machine])
        if (start >= soonest and j != first) or start + times[j, machine] > d[j]:
            continue
        same = False
        for i in range(j):
            if not (done >> i) & 1 and r[i] == r[j] and d[i] == d[j]:
                same = True
                for k in range(m):
                    if times[i, k] != times[j, k]:
                        same = False
                        break
                if same:
                    break
        if same:
            continue
        k = count  # the one that must start soonest goes first
        while k > 0:
            i = branches[1 + k]
            if d[i] - times[i, machine] <= d[j] - times[j, machine]:
                break
            branches[2 + k] = i
            k -= 1
        branches[2 + k] = j
        count += 1
    branches[0] = count
    tree.on[depth] = machine


@allocating
def _give_up(tree):
    """Remember the present state as one that leads nowhere."""
    done, n = tree.position[1], tree.r.size
    waiting = FAR
    for j in range(n):
        if not (done >> j) & 1:
            waiting = min(waiting, tree.r[j])
    slot = _slot(done, tree.seen)
    way = tree.position[2] % _WAYS
    for w in range(_WAYS):
        if tree.seen[slot * _WAYS + w] < 0:
            way = w
            break
    tree.seen[slot * _WAYS + way] = done
    tree.seen_free[slot * _WAYS + way] = _frees(tree, waiting)


@allocating
def advance(tree, nodes):
    """Search on for so many nodes."""
    n = tree.r.size
    depth = tree.position[0]
    if depth < 0:
        depth = 0
        _branch(tree, 0)
    limit = tree.position[2] + nodes
    while tree.position[2] < limit:
        branches = tree.branches[depth]
        if branches[1] == branches[0]:
            _give_up(tree)
            depth -= 1
            if depth < 0:
                return NO
            j = tree.choice[depth, 0]
            tree.position[1] ^= np.int64(1) << j
            tree.free[tree.choice[depth, 1]] = tree.choice[depth, 2]
            continue
        j = branches[2 + branches[1]]
        branches[1] += 1
        k = tree.on[depth]
        tree.choice[depth, 0], tree.choice[depth, 1], tree.choice[depth, 2] = j, k, tree.free[k]
        tree.free[k] = max(tree.free[k], tree.r[j]) + tree.times[j, k]
        tree.position[1] |= np.int64(1) << j
        depth += 1
        tree.position[2] += 1
        if depth == n:
            return YES
        _branch(tree, depth)
    tree.position[0] = depth
    return OPEN
