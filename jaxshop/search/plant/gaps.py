"""Where an operation that is out can go, and by how much lots would then miss their deadlines."""

from __future__ import annotations

from jaxshop.search.improve.state import draw
from jaxshop.search.plant.graph import family_after, last_end, ready_of, setup_after
from jaxshop.search.plant.model import BEGIN, BEHIND, NEXT, PREVIOUS, TAKES, WHERE, WHOLE
from jaxshop.search.plant.state import (
    AFTER,
    ALTERNATIVE,
    END,
    LAST_THROUGH,
    SET_FOR,
    START,
    TICKS,
    WORK,
)
from jaxshop.search.plant.timing import open_by, run_on
from jaxshop.support.compiling import compiled

NO_COST = 1 << 62

BLINK = 50
"""One gap in so many is not seen (Christiaens and Vanden Berghe 2020), lest the same gaps be the best for ever."""


@compiled
def best_gap(arrays, state, i, alternative, penalty, blinks, least, ties):
    """The gap on an alternative's machine behind which lots miss their deadlines least, in open time.

    What counts is the operation itself and the one behind the gap, which it moves, and `penalty` quarters of what both
    take longer for set-ups by sequence. Gaps are looked at where times prove that no cycle comes about (Mastrolilli and
    Gambardella 2000): not behind what starts no earlier than the operation's successor ends, nor before what ends no
    later than its predecessor starts.

    Args:
        arrays: of the plan.
        state: the operation is out.
        i: the operation.
        alternative: which machine.
        penalty: see above.
        blinks: whether some gaps are passed over.
        least: the least value so far; only what is no more is looked for.
        ties: how many gaps of this value there were.

    Returns:
        The node before the gap, or -1; its value; how many there have been of it.
    """
    n, table = arrays.operations.shape[0], state.table
    machine, takes = arrays.alternatives[alternative, WHERE], arrays.alternatives[alternative, TAKES]
    previous, following, whole = (
        arrays.operations[i, PREVIOUS],
        arrays.operations[i, NEXT],
        arrays.operations[i, WHOLE],
    )
    ready, last = ready_of(arrays, table, i), open_by(arrays, machine, last_end(arrays, state, i))
    too_late = table[following, END] if following >= 0 else NO_COST
    too_early = table[previous, START] if previous >= 0 else -NO_COST
    found, looked_at = -1, 0
    before = n + machine
    while True:
        after = table[before, AFTER]
        looked_at += 1
        can = after >= n or (table[after, END] > too_early and after != previous)
        if can and not (blinks and draw(state.random, BLINK) == 0):
            held = table[before, SET_FOR]
            setup = setup_after(arrays, machine, held, i)
            run = run_on(arrays, machine, max(ready, table[before, END]), takes + setup, whole)
            value = run.through - last
            if value - setup > least:
                break
            value += setup * penalty >> 2
            if after < n and value <= least:
                its = arrays.alternatives[table[after, ALTERNATIVE], TAKES]
                more = setup_after(arrays, machine, family_after(arrays, held, i), after)
                extra = more - (table[after, TICKS] - its)
                # What it waits for on its own route is no fault of the gap, unless it takes longer.
                free = max(ready_of(arrays, table, after), run.end) if extra > 0 else run.end
                moved = run_on(arrays, machine, free, its + more, arrays.operations[after, WHOLE])
                value = max(value, moved.through - table[after, LAST_THROUGH]) + (extra * penalty >> 2)
            if value < least:
                least, ties, found = value, 1, before
            elif value == least:
                ties += 1
                if draw(state.random, ties) == 0:
                    found = before
        if after >= n or table[after, START] >= too_late or after == following:
            break
        before = after
    state.counters[WORK] += looked_at
    return found, least, ties


@compiled
def best_place(arrays, state, i, penalty):
    """The alternative and the node before the best gap on any machine for an operation that is out."""
    chosen, behind, least, ties, blinks = -1, -1, NO_COST, 0, True
    while chosen < 0:
        for alternative in range(arrays.operations[i, BEGIN], arrays.operations[i, BEHIND]):
            before, least, ties = best_gap(arrays, state, i, alternative, penalty, blinks, least, ties)
            if before >= 0:
                chosen, behind = alternative, before
        blinks = False
    return chosen, behind
