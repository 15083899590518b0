"""The graph of a schedule under change: earliest and latest times that follow each move.

What a machine is set up for goes along its sequence with the times. After a change only the nodes that it reaches are
visited, in an order that is nearly topological: a stale place costs a second visit, never a wrong number.
"""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve.graph import mark, stale, touched
from jaxshop.search.improve.state import CYCLIC, STALE, WORK, forget, put
from jaxshop.search.plant.model import (
    FAMILY,
    LAG,
    LEAST,
    LOT,
    NEXT,
    PREVIOUS,
    READY,
    WHERE,
)
from jaxshop.search.plant.state import (
    AFTER,
    ALTERNATIVE,
    BEFORE,
    END,
    LAST_READY,
    LAST_THROUGH,
    NUMBER,
    PAST,
    SET_FOR,
    START,
    TICKS,
)
from jaxshop.search.plant.timing import behind, latest_on, placed_on
from jaxshop.support.compiling import compiled, copy, highest_zeros, lowest_bit

ENDS, SETS, LASTS = 1, 2, 4
"""What a visit changes: the end; for which family the machine is set up, or its next block; the ticks."""

_ONE = np.uint64(1)


@compiled
def ready_of(arrays, table, operation):
    """When an operation could run, if its machine were free."""
    previous = arrays.operations[operation, PREVIOUS]
    if previous < 0:
        return arrays.lots[arrays.operations[operation, LOT], READY]
    return table[previous, END] + arrays.operations[previous, LAG]


@compiled
def family_after(arrays, family, operation):
    """For which family a machine is set up behind an operation."""
    own = arrays.operations[operation, FAMILY]
    return family if own == arrays.changeover.shape[1] - 1 else own


@compiled
def visit(arrays, state, i):
    """Bring an operation's times up to date by the nodes before it; returns what has changed."""
    table = state.table
    ready, alternative = ready_of(arrays, table, i), table[i, ALTERNATIVE]
    if alternative < 0:
        ticks = max(arrays.operations[i, LEAST], 1)
        start, end, family, number = ready, ready + ticks, table[i, SET_FOR], table[i, NUMBER]
    else:
        before = table[i, BEFORE]
        free, held, number = table[before, END], table[before, SET_FOR], table[before, NUMBER]
        if number < table[i, PAST]:
            machine = arrays.alternatives[alternative, WHERE]
            free, held, number = behind(arrays, machine, free, held, number, table[i, PAST])
        run, ticks, held, number = placed_on(arrays, i, alternative, ready, free, held, number)
        start, end, family = run.start, run.end, family_after(arrays, held, i)
    changed = 0
    if start != table[i, START]:
        put(state, i, START, start)
    if end != table[i, END]:
        put(state, i, END, end)
        changed = ENDS
    if family != table[i, SET_FOR]:
        put(state, i, SET_FOR, family)
        changed |= SETS
    if number != table[i, NUMBER]:
        put(state, i, NUMBER, number)
        changed |= SETS
    if ticks != table[i, TICKS]:
        put(state, i, TICKS, ticks)
        changed |= LASTS
    return changed


@compiled
def visit_back(arrays, state, i):
    """Bring the latest times of an operation up to date by the nodes behind it; returns whether they have changed."""
    table, n = state.table, arrays.operations.shape[0]
    until, alternative = last_end(arrays, state, i), table[i, ALTERNATIVE]
    if alternative < 0:
        through, ready = until, until - table[i, TICKS]
    else:
        after = table[i, AFTER]
        if after < n:
            until = min(until, table[after, LAST_READY])
        through, ready = latest_on(arrays, i, alternative, until, table[i, TICKS])
    if through != table[i, LAST_THROUGH]:
        put(state, i, LAST_THROUGH, through)
    if ready == table[i, LAST_READY]:
        return False
    put(state, i, LAST_READY, ready)
    return True


@compiled
def last_end(arrays, state, i):
    """When an operation must have ended for its own lot."""
    following = arrays.operations[i, NEXT]
    if following < 0:
        return state.deadline[arrays.operations[i, LOT]]
    return state.table[following, LAST_READY] - arrays.operations[i, LAG]


@compiled
def renew(arrays, state):
    """Make the order topological (Kahn 1962); False, and CYCLIC set, where the graph has a cycle."""
    n, table, order, degree = arrays.operations.shape[0], state.table, state.order, state.degree
    found = 0
    for i in range(n):
        on_machine = table[i, ALTERNATIVE] >= 0 and table[i, BEFORE] < n
        degree[i] = (arrays.operations[i, PREVIOUS] >= 0) + on_machine
        if degree[i] == 0:
            order[found] = i
            found += 1
    done = 0
    while done < found:
        i = order[done]
        state.place[i] = done
        done += 1
        for column in range(2):
            j = arrays.operations[i, NEXT] if column else table[i, AFTER]
            if (0 <= j < n) if column else (j < n and table[i, ALTERNATIVE] >= 0):
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
def recompute(arrays, state):
    """All times, in the order, which must be topological."""
    n = arrays.operations.shape[0]
    for k in range(n):
        visit(arrays, state, state.order[k])
    recompute_back(arrays, state)
    state.counters[WORK] += n


@compiled
def recompute_back(arrays, state):
    """All latest times, in the order, which must be topological."""
    n = arrays.operations.shape[0]
    for k in range(n - 1, -1, -1):
        visit_back(arrays, state, state.order[k])
    state.counters[WORK] += n


@compiled
def settle(arrays, state, forward, backward):
    """Bring all times up to date, from the first marked word on and from the last one back.

    `forward`, `backward`: the lowest and the highest word that has a mark.
    """
    n, table, place, order = arrays.operations.shape[0], state.table, state.place, state.order
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
        changed = visit(arrays, state, i)
        if changed & ENDS:
            j = arrays.operations[i, NEXT]
            if j >= 0:
                word = min(word, mark(state.forward, place[j]))
        if changed & (ENDS | SETS) and table[i, ALTERNATIVE] >= 0:
            j = table[i, AFTER]
            if j < n:
                word = min(word, mark(state.forward, place[j]))
        if changed & LASTS:
            backward = max(backward, mark(state.backward, place[i]))
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
        if visit_back(arrays, state, i):
            j = arrays.operations[i, PREVIOUS]
            if j >= 0:
                word = max(word, mark(state.backward, place[j]))
            j = table[i, BEFORE]
            if j < n and table[i, ALTERNATIVE] >= 0:
                word = max(word, mark(state.backward, place[j]))
    state.counters[WORK] += visits
    if visits >= most:  # the order is too stale, or there is a cycle
        state.forward[:] = 0
        state.backward[:] = 0
        if renew(arrays, state):
            recompute(arrays, state)


@compiled
def link(state, i, alternative, before, past):
    """Put an operation behind the node `before` of the alternative's machine, and so many blocks; times come later."""
    after = state.table[before, AFTER]
    put(state, before, AFTER, i)
    put(state, after, BEFORE, i)
    put(state, i, BEFORE, before)
    put(state, i, AFTER, after)
    put(state, i, ALTERNATIVE, alternative)
    put(state, i, PAST, past)


@compiled
def take_out(arrays, state, operations):
    """Take operations off their machines; as long as they are out they count with their least times."""
    if stale(state) and not renew(arrays, state):
        return
    forward, backward = state.forward.shape[0], 0
    for i in operations:
        before, after = state.table[i, BEFORE], state.table[i, AFTER]
        put(state, before, AFTER, after)
        put(state, after, BEFORE, before)
        put(state, i, BEFORE, i)
        put(state, i, AFTER, i)
        put(state, i, ALTERNATIVE, -1)
        lowest, highest = touched(state, i, arrays.operations[i, PREVIOUS], arrays.operations[i, NEXT], before, after)
        forward, backward = min(forward, lowest), max(backward, highest)
    settle(arrays, state, forward, backward)


@compiled
def put_in(arrays, state, i, alternative, before, past):
    """Put an operation that is out behind the node `before`, and so many blocks of fixed work at least."""
    if stale(state) and not renew(arrays, state):
        return
    link(state, i, alternative, before, past)
    route = arrays.operations[i, PREVIOUS], arrays.operations[i, NEXT]
    settle(arrays, state, *touched(state, i, *route, before, state.table[i, AFTER]))


@compiled
def build(arrays, state, order, choice, past):
    """Put all operations on their machines, `order` being one in which a schedule starts them; see `sequences`."""
    n, table = arrays.operations.shape[0], state.table
    nodes = table.shape[0]
    for node in range(nodes):
        table[node, BEFORE], table[node, AFTER] = node, node
    for i in order:
        node = n + arrays.alternatives[choice[i], WHERE]
        link(state, i, choice[i], table[node, BEFORE], past[i])
    if renew(arrays, state):
        recompute(arrays, state)
    forget(state)


@compiled
def restore(arrays, state, table):
    """Go back to a table that was kept; latest times are of the deadlines as they are."""
    copy(state.table, table)
    if renew(arrays, state):
        recompute_back(arrays, state)
    forget(state)
