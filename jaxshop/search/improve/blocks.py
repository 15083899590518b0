"""Moves within a block of a critical path: an operation goes to another place between operations of its machine.

Only what changes the first or the last of a block can shorten the path (Brucker, Jurisch and Sievers 1994), so one of
both takes part in each move: N6 of Balas and Vazacopoulos (1998), and its mirror image.
"""

from __future__ import annotations

from jaxshop.search.improve.graph import end_of, place_after, rest_from
from jaxshop.search.improve.model import AFTER, BEFORE, HEAD, NEXT, PREVIOUS, TAIL, TIME
from jaxshop.search.improve.state import WORK
from jaxshop.support.compiling import compiled


@compiled
def may_follow(arrays, state, operation, other):
    """Whether heads and tails prove that `operation` can go right behind `other`, which stands later on its machine."""
    n, table = arrays.operations, state.table
    following = table[operation, NEXT]
    if following >= n:
        return True
    if following == other:
        return False
    starts_later = table[other, HEAD] >= end_of(table, following)
    return not (starts_later and table[following, TAIL] >= rest_from(table, other))


@compiled
def may_precede(arrays, state, operation, other):
    """Whether heads and tails prove that `operation` can go right before `other`, which stands earlier."""
    n, table = arrays.operations, state.table
    previous = table[operation, PREVIOUS]
    if previous >= n:
        return True
    if previous == other:
        return False
    ends_earlier = table[previous, HEAD] >= end_of(table, other)
    return not (ends_earlier and table[other, TAIL] >= rest_from(table, previous))


@compiled
def length_behind(state, operation, other, scratch):
    """An upper bound of the longest path through what moves when `operation` goes right behind `other`.

    Heads and tails of what stands between both are computed as they would become (Balas and Vazacopoulos 1998), while
    those beside them, on routes, stay: the bound is exact unless one of those gets shorter. `scratch` holds as many
    numbers.
    """
    table = state.table
    free = end_of(table, table[operation, BEFORE])
    i, k = table[operation, AFTER], 0
    while True:
        free = place_after(end_of(table, table[i, PREVIOUS]), free, table[i, TIME]).end
        scratch[k] = free
        k += 1
        if i == other:
            break
        i = table[i, AFTER]
    end = place_after(end_of(table, table[operation, PREVIOUS]), free, table[operation, TIME]).end
    rest = max(rest_from(table, table[operation, NEXT]), rest_from(table, table[other, AFTER]))
    length = end + rest
    rest += table[operation, TIME]
    i = other
    while k > 0:
        k -= 1
        rest = max(rest, rest_from(table, table[i, NEXT]))
        length = max(length, scratch[k] + rest)
        rest += table[i, TIME]
        i = table[i, BEFORE]
    state.counters[WORK] += 4
    return length


@compiled
def length_before(state, operation, other, scratch):
    """The same when `operation` goes right before `other`."""
    table = state.table
    rest = rest_from(table, table[operation, AFTER])
    i, k = table[operation, BEFORE], 0
    while True:
        rest = max(rest, rest_from(table, table[i, NEXT])) + table[i, TIME]
        scratch[k] = rest
        k += 1
        if i == other:
            break
        i = table[i, BEFORE]
    rest = max(rest, rest_from(table, table[operation, NEXT]))
    free = place_after(
        end_of(table, table[operation, PREVIOUS]), end_of(table, table[other, BEFORE]), table[operation, TIME]
    ).end
    length = free + rest
    i = other
    while k > 0:
        k -= 1
        start = place_after(end_of(table, table[i, PREVIOUS]), free, table[i, TIME]).start
        length = max(length, start + scratch[k])
        free = start + table[i, TIME]
        i = table[i, AFTER]
    state.counters[WORK] += 4
    return length
