"""Loads levelled to the tick first, whatever that does to the order; then the order is mended.

Where a centre of machines has to be full to the tick, hardly any division of its work that is so fits into the order
that is there. But tabu search is quick to mend an order, as long as it leaves the division alone.
"""

from __future__ import annotations

import numpy as np

from jaxshop.bounds.exact import OPEN, Tree, advance
from jaxshop.search.improve.exchange import LARGEST, MEMBERS, OPERATION, THERE, add_up, fitting, givable, keep
from jaxshop.search.improve.gaps import NO_COST, best_gap
from jaxshop.search.improve.graph import link, put_in, recompute, renew, restore, take_out, unlink
from jaxshop.search.improve.model import AFTER, BEFORE, HEAD, MACHINE, TAIL, TIME, Arrays
from jaxshop.search.improve.state import WORK, State, draw, new_state
from jaxshop.support.compiling import compiled

UNKNOWN, FITTING, TOO_LONG = range(3)
"""Of a machine: whether its operations fit."""

RELAXED = 4
"""One exchange of so many may leave more than both machines have too much, by what one of them has."""

BEST, BAR, FULL, STEPS, LEAST = range(5)
"""Of `memory`: the best cost; what no machine may have more of; from how much on one is full; exchanges that may yet be
tried; operations of one machine that the first exchange tried may take."""

NODE = 48
"""Work that a node of a search for a division or an order counts as."""

CHUNK = 128
"""Nodes between two looks at the work that is done."""

SHARE_NODES = 1 << 12
"""Nodes of a search in one machine's share, after which it counts as one that has an order."""

TRIES = 4
"""Pairs of sides that are looked at."""

INSIDE, OUTSIDE = 1, -1
"""Of a machine: its side, where sides are told apart; else 0."""

OVER, LEVEL, STUCK = range(3)
"""What a walk over loads ends with: for now; with no machine beyond the bar; with no exchange left to try."""


@compiled
def weigh(arrays, state, loads):
    """Fill in what each machine needs: until its first operation begins, for all of them, and behind the last."""
    table, first = state.table, arrays.operations + arrays.lots
    for m in range(arrays.machines):
        node = np.int64(first + m)
        i = np.int64(table[node, AFTER])
        loads[m] = table[node, HEAD] if i == node else table[i, HEAD] + table[table[node, BEFORE], TAIL]
        while i != node:
            loads[m] += table[i, TIME]
            i = np.int64(table[i, AFTER])
    state.counters[WORK] += arrays.operations


@compiled
def too_long(arrays, state, machine, ways, scratch, bar):
    """Whether a machine's operations take longer than the bar even where they may be interrupted (Jackson 1955).

    `ways`: what goes before and after each operation on its route at least; `scratch` has three rows.
    """
    table, count = state.table, 0
    i = np.int64(table[machine, AFTER])
    while i < arrays.operations:
        if count == scratch.shape[1]:
            return False
        scratch[0, count], scratch[1, count], scratch[2, count] = ways[0, i], table[i, TIME], ways[1, i]
        count += 1
        i = np.int64(table[i, AFTER])
    now, left = table[machine, HEAD], count
    while left > 0:
        state.counters[WORK] += count
        chosen, soon = -1, NO_COST
        for k in range(count):
            if scratch[1, k] > 0 and scratch[0, k] <= now and (chosen < 0 or scratch[2, k] > scratch[2, chosen]):
                chosen = k
        for k in range(count):
            if scratch[1, k] > 0 and scratch[0, k] > now and (chosen < 0 or scratch[2, k] > scratch[2, chosen]):
                soon = min(soon, scratch[0, k])
        if chosen < 0:
            now = soon
            continue
        run = min(scratch[1, chosen], soon - now)
        now += run
        scratch[1, chosen] -= run
        if scratch[1, chosen] == 0:
            left -= 1
            if now + scratch[2, chosen] > bar:
                return True
    return False


@compiled
def beyond(arrays, state, loads, verdicts, ways, scratch, bar, full):
    """A random machine that has more than the bar; where none has, one of which no order fits; -1 where all do."""
    first, chosen, seen = arrays.operations + arrays.lots, -1, 0
    for m in range(arrays.machines):
        if loads[m] > bar and state.table[first + m, AFTER] < arrays.operations:  # an empty one may be free later
            seen += 1
            if draw(state.random, seen) == 0:
                chosen = m
    if seen > 0:
        return chosen
    for m in range(arrays.machines):
        if loads[m] >= full and verdicts[m] == UNKNOWN:
            verdicts[m] = TOO_LONG if too_long(arrays, state, np.int64(first + m), ways, scratch, bar) else FITTING
        if loads[m] >= full and verdicts[m] == TOO_LONG:
            seen += 1
            if draw(state.random, seen) == 0:
                chosen = m
    return chosen


@compiled
def hand_over(arrays, state, loads, given, members):
    """Let members change machines; heads and tails are not followed."""
    first, table = arrays.operations + arrays.lots, state.table
    k = 0
    while members >> k:
        if members >> k & 1:
            operation, there = given[OPERATION, k], given[THERE, k]
            other = np.int64(arrays.where[there])
            loads[table[operation, MACHINE] - first] -= table[operation, TIME]
            loads[other - first] += arrays.takes[there]
            unlink(state, operation)
            link(arrays, state, operation, there, np.int64(table[other, BEFORE]))
        k += 1


@compiled
def tell_apart(arrays, state, loads, sides, operation, bar):
    """Fill in two sides: an operation's machines, and what else could run what could run on these; returns how many
    operations could run on either, and the room below the bar on each in sum."""
    first, n, shared = arrays.operations + arrays.lots, arrays.operations, 0
    sides[:] = 0
    for k in range(arrays.begins[operation], arrays.begins[operation + 1]):
        sides[arrays.where[k] - first] = INSIDE
    for i in range(n):
        inside, every = 0, arrays.begins[i + 1] - arrays.begins[i]
        for k in range(arrays.begins[i], arrays.begins[i + 1]):
            inside += sides[arrays.where[k] - first] == INSIDE
        if 0 < inside < every:
            shared += 1
            for k in range(arrays.begins[i], arrays.begins[i + 1]):
                if sides[arrays.where[k] - first] != INSIDE:
                    sides[arrays.where[k] - first] = OUTSIDE
    room, other_room = np.int64(0), np.int64(0)
    for m in range(arrays.machines):
        room += (bar - loads[m]) * (sides[m] == INSIDE)
        other_room += (bar - loads[m]) * (sides[m] == OUTSIDE)
    state.counters[WORK] += n
    return shared, room, other_room


@compiled
def changeable(arrays, state, sides, side, given):
    """Fill in operations on one side that could run on the other, each with such a machine; returns how many.

    Where they are now is left out: they take as long there.
    """
    first, count, seen = arrays.operations + arrays.lots, 0, 0
    for i in range(arrays.operations):
        there, ways = -1, 0
        for k in range(arrays.begins[i], arrays.begins[i + 1]):
            if sides[state.table[i, MACHINE] - first] == side and sides[arrays.where[k] - first] == -side:
                ways += 1
                if draw(state.random, ways) == 0:
                    there = k
        if there >= 0:
            seen += 1
            count = keep(state, given, count, seen, i, there, there)
    state.counters[WORK] += arrays.operations
    return count


@compiled
def change_sides(arrays, state, loads, sides, given, taken, mine, others, bar):
    """Tell sides apart of which one has too much in sum, and let operations change them so that neither has.

    Of some such sides, those that share the fewest operations; none where there are none.
    """
    first, n, chosen, least = arrays.operations + arrays.lots, arrays.operations, -1, arrays.operations + 1
    for _ in range(TRIES):
        drawn, seen = 0, 0
        for i in range(n):
            if loads[state.table[i, MACHINE] - first] > bar:
                seen += 1
                if draw(state.random, seen) == 0:
                    drawn = i
        shared, room, other_room = tell_apart(arrays, state, loads, sides, drawn, bar)
        if shared < least and min(room, other_room) < 0 <= room + other_room:
            chosen, least = drawn, shared
    if chosen >= 0:
        _, room, other_room = tell_apart(arrays, state, loads, sides, chosen, bar)
        count = changeable(arrays, state, sides, INSIDE, given)
        other_count = changeable(arrays, state, sides, OUTSIDE, taken)
        for most in range(1, LARGEST + 1):
            mines, theirs = add_up(arrays, given, count, most, mine), add_up(arrays, taken, other_count, most, others)
            a, b = fitting(state, mine, mines, others, theirs, room, other_room)
            if a >= 0:
                hand_over(arrays, state, loads, given, mine[MEMBERS, a])
                hand_over(arrays, state, loads, taken, others[MEMBERS, b])
                return
    sides[:] = 0


@compiled
def level(arrays, state, loads, verdicts, sides, ways, given, taken, mine, others, memory, budget):
    """Exchange on loads alone, until no machine has more than the bar, or so much work is done in all.

    Of two machines, one of them beyond the bar, neither may be further beyond it than both are in sum, but for some
    exchanges: what they are beyond it hardly grows, and where it cannot shrink it wanders.
    """
    first, table, bar = arrays.operations + arrays.lots, state.table, memory[BAR]
    while state.counters[WORK] < budget:
        m = beyond(arrays, state, loads, verdicts, ways, mine, bar, memory[FULL])
        if m < 0:
            return LEVEL
        if memory[STEPS] == 0:
            return STUCK
        memory[STEPS] -= 1
        machine = np.int64(first + m)
        node = machine
        state.counters[WORK] += arrays.machines // 8 + 8
        for _ in range(1 + draw(state.random, table[machine, MACHINE])):
            node = np.int64(table[node, AFTER])
        begin = arrays.begins[node]
        other = np.int64(arrays.where[begin + draw(state.random, arrays.begins[node + 1] - begin)])
        if (
            other == machine
            or sides[m] != sides[other - first]
            or (loads[other - first] >= bar and draw(state.random, 2))
        ):
            continue
        count, _ = givable(arrays, state, machine, other, given)
        other_count, _ = givable(arrays, state, other, machine, taken)
        ceiling = max(bar, loads[m] + loads[other - first] - bar)
        if draw(state.random, RELAXED) == 0:
            ceiling += draw(state.random, 1 + max(0, loads[m] - bar))
        most = memory[LEAST]
        while most < LARGEST and draw(state.random, 2):
            most += 1
        while most <= LARGEST:
            mines = add_up(arrays, given, count, most, mine)
            theirs = add_up(arrays, taken, other_count, most, others)
            a, b = fitting(state, mine, mines, others, theirs, ceiling - loads[m], ceiling - loads[other - first])
            if a >= 0:
                hand_over(arrays, state, loads, given, mine[MEMBERS, a])
                hand_over(arrays, state, loads, taken, others[MEMBERS, b])
                verdicts[m] = verdicts[other - first] = UNKNOWN
                break
            most += 1
    return OVER


@compiled
def settle_in(arrays, state, best, choice, moved):
    """Go back to the best, and let what changed machines since go there, each to its best gap, in random order.

    `choice` has the alternative of each operation then.
    """
    for i in range(arrays.operations):
        k = arrays.begins[i]
        while arrays.where[k] != state.table[i, MACHINE]:
            k += 1
        choice[i] = k
    move_to(arrays, state, best, choice, moved)


@compiled
def move_to(arrays, state, best, choice, moved):
    """Begin with a schedule, and let what is elsewhere by a choice of alternatives go there, each to its best gap, in
    random order."""
    n, count = arrays.operations, 0
    for i in range(n):
        if arrays.where[choice[i]] != best[i, MACHINE]:
            j = draw(state.random, count + 1)
            moved[count] = moved[j]
            moved[j] = i
            count += 1
    restore(arrays, state, best)
    state.counters[WORK] += 2 * n
    take_out(arrays, state, moved[:count])
    for k in range(count):
        operation = np.int64(moved[k])
        before, _, _ = best_gap(arrays, state, operation, np.int64(choice[operation]), NO_COST, np.int64(0))
        put_in(arrays, state, operation, np.int64(choice[operation]), np.int64(before))


def order_of(tree: Tree, state: State) -> int:
    """Whether one machine can run its share, for the search of so many nodes: what `advance` says."""
    for _ in range(0, SHARE_NODES, CHUNK):
        state.counters[WORK] += CHUNK * NODE
        if (answer := advance(tree, CHUNK)) != OPEN:
            return int(answer)
    return OPEN


def ways_of(arrays: Arrays) -> np.ndarray:
    """What goes before and after each operation on its route at least, releases included: int64 [2, operations]."""
    state = new_state(arrays, 0)
    renew(arrays, state)
    recompute(arrays, state)
    return np.ascontiguousarray(state.table[: arrays.operations, [HEAD, TAIL]].T.astype(np.int64))


def kept_apart(arrays: Arrays, choice: np.ndarray, full: np.ndarray) -> Arrays:
    """The plan in which operations on full machines stay there, and no other goes to one.

    Args:
        arrays: of the plan.
        choice: the alternative of each operation.
        full: bool [machines].
    """
    chosen = np.zeros(len(arrays.where), bool)
    chosen[choice] = True
    filled = full[arrays.where - arrays.operations - arrays.lots]
    kept = chosen | ~(filled | np.repeat(filled[choice], np.diff(arrays.begins)))
    begins = np.concatenate([[0], np.cumsum(kept)])[arrays.begins].astype(np.int32)
    return arrays._replace(
        begins=begins, where=arrays.where[kept], takes=arrays.takes[kept], wastes=arrays.wastes[kept]
    )
