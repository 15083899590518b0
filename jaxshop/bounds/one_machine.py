"""What follows for the operations of one machine from each other's windows and from what is known of their order."""

from __future__ import annotations

from jaxshop.bounds.kernels import FAR
from jaxshop.support.compiling import compiled

BEFORE, AFTER = 1, 2
"""What is known of a pair on one machine; 0: nothing."""


@compiled
def later(order, ops, r, d, p, count, before, index, ends, found):
    """Earliest starts of the operations of one machine that follow from its others; False if there is no room.

    Behind all that goes before an operation, and behind every set of operations that it cannot go before or between
    (Carlier and Pinson 1990; Baptiste, Le Pape and Nuijten, Constraint-Based Scheduling, 2001, 2.1). Read backwards in
    time, the same gives latest ends.

    Args:
        order: int8 [n, n], what is known of pairs.
        ops: the operations of the machine, `count` of them, as all that follows is by the machine's own numbers.
        r, d, p: earliest start, latest end, and time.
        before: what stands in `order` where one goes before another: `AFTER` where time is read backwards.
        index, ends: room to work in.
        found: the earliest starts.
    """
    for x in range(count):  # in order of earliest starts
        k = x
        while k > 0 and r[index[k - 1]] > r[x]:
            index[k] = index[k - 1]
            k -= 1
        index[k] = x
    for x in range(count):
        end = -FAR
        for k in range(count):
            y = index[k]
            if order[ops[y], ops[x]] == before:
                end = max(end, r[y]) + p[y]
        found[x] = max(r[x], end)
    for z in range(count):
        limit = d[z]
        work, end = 0, -FAR
        for k in range(count - 1, -1, -1):
            x = index[k]
            if d[x] <= limit:
                work += p[x]
                end = max(end, r[x] + work)
                if end > limit:
                    return False
            ends[k] = end
        full = -FAR
        for k in range(count):
            x = index[k]
            if d[x] <= limit:
                full = max(full, r[x] + work)
                work -= p[x]
            elif full + p[x] > limit:
                found[x] = max(found[x], end)
            elif r[x] + work + p[x] > limit:
                found[x] = max(found[x], ends[k])
    return True
