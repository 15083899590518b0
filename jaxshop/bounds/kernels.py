"""The loops of `tighten` that Numba compiles: windows of operations under a trial makespan, in exact integers.

Whether a schedule of makespan T exists is asked, never what the makespan is: then every operation has a window
[r, d] from its earliest start to its latest end, and whatever follows from T narrows it. An empty window proves that
the makespan is at least T + 1. Every loop returns after a quota of work, to go on when it is called again.
"""

from __future__ import annotations

import numpy as np

from jaxshop.support.compiling import allocating, compiled

EMPTY, DONE, MORE = -1, 0, 1
"""What a loop says: no schedule of that makespan; nothing more follows; the quota is used up."""


@compiled
def energetic(r, d, p, ops, late, capacity):
    """Narrow the windows of operations that cannot leave `capacity` machines, by energetic reasoning.

    In any interval each operation spends at least what it does when pushed to either end of its window; what that
    leaves of the machines is the most that one operation may spend beyond its least (Baptiste, Le Pape and Nuijten,
    Constraint-Based Scheduling, 2001, 3.3). `late` are ticks from 0 in which a machine is not yet there.

    Returns:
        `EMPTY`, or 1 where some window has changed, else 0.
    """
    n = ops.size
    changed = 0
    if capacity == 1:
        for x in range(n):
            i = ops[x]
            for y in range(x):
                j = ops[y]
                after = r[i] + p[i] + p[j] > d[j]  # i cannot run before j
                before = r[j] + p[j] + p[i] > d[i]
                if after and before:
                    return EMPTY
                if after or before:
                    first, last = (j, i) if after else (i, j)
                    if r[last] < r[first] + p[first]:
                        r[last] = r[first] + p[first]
                        changed = 1
                    if d[first] > d[last] - p[last]:
                        d[first] = d[last] - p[last]
                        changed = 1
                    if r[last] + p[last] > d[last] or r[first] + p[first] > d[first]:
                        return EMPTY
    for x in range(2 * n):
        i = ops[x // 2]
        for y in range(2 * n):
            j = ops[y // 2]
            begin = r[i] if x % 2 == 0 else d[i] - p[i]
            end = d[j] if y % 2 == 0 else r[j] + p[j]
            if end <= begin:
                continue
            slack = capacity * (end - begin)
            longest = 0
            for k in range(late.size):
                slack -= max(0, min(late[k], end) - begin)
            for k in range(n):
                o = ops[k]
                slack -= max(0, min(min(end - begin, p[o]), min(r[o] + p[o] - begin, end - d[o] + p[o])))
                longest = max(longest, p[o])
            if slack < 0:
                return EMPTY
            if slack >= longest:
                continue
            for k in range(n):
                o = ops[k]
                least = max(0, min(min(end - begin, p[o]), min(r[o] + p[o] - begin, end - d[o] + p[o])))
                most = slack + least
                if min(end, r[o] + p[o]) - max(begin, r[o]) > most and r[o] < end - most:
                    r[o] = end - most
                    changed = 1
                if min(end, d[o]) - max(begin, d[o] - p[o]) > most and d[o] > begin + most:
                    d[o] = begin + most
                    changed = 1
                if r[o] + p[o] > d[o]:
                    return EMPTY
                # The energy of the others stands; this operation's own may have grown, which is looked at next time.
    return changed


@allocating
def narrow(r, d, p, last, begins, members, late_begins, late, capacity, dirty, quota):
    """Carry windows along routes and through sets of machines until nothing changes.

    Args:
        r, d, p: int64 [operations], changed in place; p is the least time.
        last: whether an operation is the last of its lot.
        begins, members: the operations of set s are members[begins[s]:begins[s + 1]].
        late_begins, late: the same for machines that come late.
        capacity: machines of each set.
        dirty: bool [sets], whether a set is to be looked at; changed in place.
        quota: intervals times operations to look at.

    Returns:
        `EMPTY`, `DONE` or `MORE`.
    """
    n = r.size
    work = 0
    while True:
        for i in range(n - 1):
            if not last[i] and r[i + 1] < r[i] + p[i]:
                r[i + 1] = r[i] + p[i]
        for i in range(n - 2, -1, -1):
            if not last[i] and d[i] > d[i + 1] - p[i + 1]:
                d[i] = d[i + 1] - p[i + 1]
        for i in range(n):
            if r[i] + p[i] > d[i]:
                return EMPTY
        chosen = -1
        for s in range(capacity.size):
            if dirty[s]:
                chosen = s
                break
        if chosen < 0:
            return DONE
        if work >= quota:
            return MORE
        ops = members[begins[chosen] : begins[chosen + 1]]
        work += 4 * ops.size**3
        dirty[chosen] = False
        before_r, before_d = r.copy(), d.copy()
        answer = energetic(r, d, p, ops, late[late_begins[chosen] : late_begins[chosen + 1]], capacity[chosen])
        if answer == EMPTY:
            return EMPTY
        if answer > 0:
            for i in range(n - 1):
                if not last[i] and r[i + 1] < r[i] + p[i]:
                    r[i + 1] = r[i] + p[i]
            for i in range(n - 2, -1, -1):
                if not last[i] and d[i] > d[i + 1] - p[i + 1]:
                    d[i] = d[i + 1] - p[i + 1]
            for s in range(capacity.size):
                for k in range(begins[s], begins[s + 1]):
                    i = members[k]
                    if r[i] != before_r[i] or d[i] != before_d[i]:
                        dirty[s] = True
                        break


FAR = np.int64(1 << 40)
"""The time of an operation on a machine that cannot run it."""
