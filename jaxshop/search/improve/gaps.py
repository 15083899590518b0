"""Where an operation can go on other machines, and what a schedule would cost then."""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve.graph import end_of, place_after, rest_from
from jaxshop.search.improve.model import AFTER, BEFORE, HEAD, MACHINE, NEXT, PREVIOUS
from jaxshop.search.improve.prices import PARTS
from jaxshop.search.improve.state import WORK, draw
from jaxshop.support.compiling import compiled, inlined

NO_COST = 1 << 62


@compiled
def best_gap(arrays, state, operation, alternative, least, ties):
    """The gap on an alternative's machine that makes the longest path through the operation shortest.

    Gaps are looked at where heads prove that no cycle comes about (Mastrolilli and Gambardella 2000): not behind what
    starts no earlier than the operation's successor ends, nor before what ends no later than its predecessor starts.

    Args:
        arrays: of the plan.
        state: the operation is on another machine, where the length is an upper bound, or out, where it is exact.
        operation: which.
        alternative: which machine.
        least: the least length so far; only what is no longer is looked for.
        ties: how many gaps of this length there were.

    Returns:
        The node before the gap, or -1; its length; how many there have been of it.
    """
    n, table = arrays.operations, state.table
    previous, following = table[operation, PREVIOUS], table[operation, NEXT]
    ready, rest, ticks = end_of(table, previous), rest_from(table, following), arrays.takes[alternative]
    too_late = end_of(table, following) if following < n else NO_COST
    too_early = table[previous, HEAD] if previous < n else -NO_COST
    found, looked_at = -1, 1
    if place_after(ready, ready, ticks).end + rest > least:
        state.counters[WORK] += looked_at
        return found, least, ties
    # What lies before the first gap that is possible is not looked at: that one is near to where it was the last time.
    machine, before = arrays.where[alternative], state.near[alternative]
    if before >= n or table[before, MACHINE] != machine:
        before = machine
    while before < n and end_of(table, before) > too_early:
        before = table[before, BEFORE]
        looked_at += 1
    after = table[before, AFTER]
    while after < n and end_of(table, after) <= too_early:
        before, after = after, table[after, AFTER]
        looked_at += 1
    state.near[alternative] = before
    while True:
        after = table[before, AFTER]
        looked_at += 1
        end = place_after(ready, end_of(table, before), ticks).end
        if end + rest > least:
            break
        if after != previous:
            length = end + max(rest, rest_from(table, after))
            if length < least:
                least, ties, found = length, 1, before
            elif length == least:
                ties += 1
                if draw(state.random, ties) == 0:
                    found = before
        if after >= n or table[after, HEAD] >= too_late or after == following:
            break
        before = after
    state.counters[WORK] += looked_at
    return found, least, ties


@inlined
def best_priced_gap(arrays, state, operation, alternative, price, least, ties):
    """`best_gap` where a price counts on top; it, `least` and what is returned are 1 << PARTS to a tick."""
    bar = (least - price) >> PARTS
    tied = (bar << PARTS) + price == least
    before, length, found = best_gap(arrays, state, operation, alternative, bar, ties if tied else np.int64(0))
    if before >= 0:
        least = (length << PARTS) + price
    return before, least, found if tied or before >= 0 else ties


@compiled
def best_place(arrays, state, operation, price):
    """The alternative and the node before the best gap on any machine for an operation that is out; -1 if none.

    What an alternative wastes counts `price` times.
    """
    chosen, behind, least, ties = -1, -1, NO_COST, 0
    for alternative in range(arrays.begins[operation], arrays.begins[operation + 1]):
        before, least, ties = best_priced_gap(
            arrays, state, operation, alternative, price * arrays.wastes[alternative], least, ties
        )
        if before >= 0:
            chosen, behind = alternative, before
    return chosen, behind
