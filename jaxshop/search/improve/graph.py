"""The graph of a schedule under change: heads and tails that follow each move.

Heads and tails (Balas 1969) are kept exact. After a change only the nodes that it reaches are visited, in an order that
is nearly topological: a stale place costs a second visit, never a wrong number.
"""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve.model import AFTER, BEFORE, HEAD, MACHINE, NEXT, PREVIOUS, TAIL, TIME
from jaxshop.search.improve.state import CYCLIC, STALE, WORK, draw, forget, put, put_changed
from jaxshop.shop.timing import placed
from jaxshop.support.compiling import compiled, copy, highest_zeros, lowest_bit

STALE_AFTER, STALE_SHARE = 12, 7
"""Changes after which the order is made anew: so many, or operations >> STALE_SHARE where that is more, as it takes
time in proportion to them."""

_ONE = np.uint64(1)
place_after = compiled(placed)


@compiled
def end_of(table, node):
    """When an operation ends, a lot is there, a machine is free."""
    return table[node, HEAD] + table[node, TIME]


@compiled
def rest_from(table, node):
    """The longest way from the start of a node to the end of the schedule."""
    return table[node, TAIL] + table[node, TIME]


@compiled
def head_of(table, node):
    """What the earliest start is, by the nodes before."""
    return place_after(
        end_of(table, table[node, PREVIOUS]), end_of(table, table[node, BEFORE]), table[node, TIME]
    ).start


@compiled
def tail_of(table, node):
    """What the way after an operation is, by the nodes behind."""
    return max(rest_from(table, table[node, NEXT]), rest_from(table, table[node, AFTER]))


@compiled
def cost_of(arrays, table):
    """The makespan."""
    latest = 0
    for lot in range(arrays.lots):
        latest = max(latest, end_of(table, arrays.last[lot]))
    return latest


@compiled
def mark(words, place):
    """Set a bit; returns its word."""
    word = place >> 6
    words[word] |= _ONE << np.uint64(place & 63)
    return word


@compiled
def renew(arrays, state):
    """Make the order topological (Kahn 1962); False, and CYCLIC set, where the graph has a cycle."""
    n, table, order, degree = arrays.operations, state.table, state.order, state.degree
    found = 0
    for i in range(n):
        degree[i] = (table[i, PREVIOUS] < n) + (table[i, BEFORE] < n)
        if degree[i] == 0:
            order[found] = i
            found += 1
    done = 0
    while done < found:
        i = order[done]
        state.place[i] = done
        done += 1
        for column in range(2):
            j = table[i, NEXT] if column else table[i, AFTER]
            if j < n:
                degree[j] -= 1
                if degree[j] == 0:
                    order[found] = j
                    found += 1
    state.counters[STALE] = 0
    state.counters[WORK] += n
    if found < n:
        state.counters[CYCLIC] = 1
    return found == n


@compiled
def stale(state):
    """Whether it is time to make the order anew."""
    return state.counters[STALE] >= max(STALE_AFTER, state.order.shape[0] >> STALE_SHARE)


@compiled
def recompute(arrays, state):
    """Heads and tails of all operations, in the order, which must be topological."""
    n, table = arrays.operations, state.table
    for k in range(n):
        i = state.order[k]
        put_changed(state, i, HEAD, head_of(table, i))
    for k in range(n - 1, -1, -1):
        i = state.order[k]
        put_changed(state, i, TAIL, tail_of(table, i))
    state.counters[WORK] += 2 * n


@compiled
def settle(arrays, state, forward, backward):
    """Bring heads and tails up to date, from the first marked word on and from the last one back.

    `forward`, `backward`: the lowest and the highest word that has a mark.
    """
    n, table, place, order = arrays.operations, state.table, state.place, state.order
    words = state.forward.shape[0]
    visits, most = 0, 8 * n
    word = forward
    while word < words and visits < most:
        bits = state.forward[word]
        if bits == 0:
            word += 1
            continue
        i = order[word * 64 + np.int64(lowest_bit(bits))]
        state.forward[word] = bits & (bits - _ONE)
        visits += 1
        head = head_of(table, i)
        if head != table[i, HEAD]:
            put(state, i, HEAD, head)
            j = table[i, NEXT]
            if j < n:
                word = min(word, mark(state.forward, place[j]))
            j = table[i, AFTER]
            if j < n:
                word = min(word, mark(state.forward, place[j]))
    word = backward
    while word >= 0 and visits < 2 * most:
        bits = state.backward[word]
        if bits == 0:
            word -= 1
            continue
        bit = np.int64(63) - np.int64(highest_zeros(bits))
        i = order[word * 64 + bit]
        state.backward[word] = bits & ~(_ONE << np.uint64(bit))
        visits += 1
        tail = tail_of(table, i)
        if tail != table[i, TAIL]:
            put(state, i, TAIL, tail)
            j = table[i, PREVIOUS]
            if j < n:
                word = max(word, mark(state.backward, place[j]))
            j = table[i, BEFORE]
            if j < n:
                word = max(word, mark(state.backward, place[j]))
    state.counters[WORK] += visits
    if visits >= most:  # the order is too stale, or there is a cycle
        state.forward[:] = 0
        state.backward[:] = 0
        if renew(arrays, state):
            recompute(arrays, state)


@compiled
def touched(state, operation, previous, following, before, after):
    """Mark what a change at an operation reaches first: itself, its route, its neighbours on a machine, then or now.

    Neighbours may be no operations. Returns the lowest word that is marked for heads and the highest for tails. The
    order must not be made anew before they are settled.
    """
    n, place = state.place.shape[0], state.place
    state.counters[STALE] += 1
    forward, backward = mark(state.forward, place[operation]), mark(state.backward, place[operation])
    for i in (following, after):
        if 0 <= i < n:
            forward = min(forward, mark(state.forward, place[i]))
    for i in (previous, before):
        if 0 <= i < n:
            backward = max(backward, mark(state.backward, place[i]))
    return forward, backward


@compiled
def unlink(state, operation):
    """Take an operation off its machine, heads and tails not yet followed; returns its former neighbours there."""
    table = state.table
    before, after, machine = table[operation, BEFORE], table[operation, AFTER], table[operation, MACHINE]
    put(state, before, AFTER, after)
    put(state, after, BEFORE, before)
    put(state, machine, MACHINE, table[machine, MACHINE] - 1)
    return before, after


@compiled
def link(arrays, state, operation, alternative, before):
    """Put an operation behind the node `before` of the alternative's machine; heads and tails not yet followed."""
    table, machine = state.table, arrays.where[alternative]
    after = table[before, AFTER]
    put(state, before, AFTER, operation)
    put(state, after, BEFORE, operation)
    put(state, operation, BEFORE, before)
    put(state, operation, AFTER, after)
    put(state, operation, TIME, arrays.takes[alternative])
    put(state, operation, MACHINE, machine)
    put(state, machine, MACHINE, table[machine, MACHINE] + 1)


@compiled
def take_out(arrays, state, operations):
    """Take operations off their machines; as long as they are out they count with their least times."""
    if stale(state) and not renew(arrays, state):
        return
    table, nowhere = state.table, arrays.blank.shape[0] - 1
    forward, backward = state.forward.shape[0], 0
    for operation in operations:
        before, after = unlink(state, operation)
        put(state, operation, BEFORE, nowhere)
        put(state, operation, AFTER, nowhere)
        put(state, operation, TIME, arrays.least[operation])
        put(state, operation, MACHINE, nowhere)
        lowest, highest = touched(state, operation, table[operation, PREVIOUS], table[operation, NEXT], before, after)
        forward, backward = min(forward, lowest), max(backward, highest)
    settle(arrays, state, forward, backward)


@compiled
def put_in(arrays, state, operation, alternative, before):
    """Put an operation that is out behind the node `before`."""
    if stale(state) and not renew(arrays, state):
        return
    link(arrays, state, operation, alternative, before)
    table = state.table
    route = table[operation, PREVIOUS], table[operation, NEXT]
    settle(arrays, state, *touched(state, operation, *route, before, table[operation, AFTER]))


@compiled
def build(arrays, state, order, choice):
    """Put all operations on their machines, `order` being one in which a schedule starts them."""
    copy(state.table, arrays.blank)
    forget(state)
    for operation in order:
        alternative = choice[operation]
        link(arrays, state, operation, alternative, state.table[arrays.where[alternative], BEFORE])
    if renew(arrays, state):
        recompute(arrays, state)
    forget(state)


@compiled
def restore(arrays, state, table):
    """Go back to a table that was kept."""
    copy(state.table, table)
    renew(arrays, state)
    forget(state)


@compiled
def critical_path(arrays, state, cost):
    """Write a random longest path into `path`, from its last operation to its first; returns its length."""
    n, table, path = arrays.operations, state.table, state.path
    ends, chosen = 0, 0
    for lot in range(arrays.lots):
        last = arrays.last[lot]
        if end_of(table, last) == cost:
            ends += 1
            if draw(state.random, ends) == 0:
                chosen = last
    i, length = chosen, 0
    while True:
        path[length] = i
        length += 1
        head, before, previous = table[i, HEAD], table[i, BEFORE], table[i, PREVIOUS]
        on_machine = before < n and end_of(table, before) == head
        on_route = previous < n and end_of(table, previous) == head
        if not (on_machine or on_route):
            return length
        i = before if on_machine and not (on_route and draw(state.random, 2)) else previous
