"""Where an operation that is out can go, and by how much lots would then miss their deadlines."""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve.gaps import NO_COST
from jaxshop.search.improve.state import WORK, draw
from jaxshop.search.plant.graph import family_after, last_end, ready_of
from jaxshop.search.plant.model import BEGIN, BEHIND, BLOCKS, NEXT, PREVIOUS, TAKES, WHERE
from jaxshop.search.plant.state import (
    AFTER,
    ALTERNATIVE,
    END,
    LAST_THROUGH,
    NUMBER,
    PAST,
    SET_FOR,
    START,
    TICKS,
)
from jaxshop.search.plant.timing import behind, open_by, placed_on
from jaxshop.support.compiling import compiled

BLINK = 50
"""One gap in so many is not seen (Christiaens and Vanden Berghe 2020), lest the same gaps be the best for ever."""


@compiled
def best_gap(arrays, state, i, alternative, penalty, blinks, least, ties):
    """The gap on an alternative's machine behind which lots miss their deadlines least, in open time.

    What counts is the operation itself and the one behind the gap, which it moves, and `penalty` quarters of what both
    take longer for set-ups by sequence. Gaps are looked at where times prove that no cycle comes about (Mastrolilli and
    Gambardella 2000): not behind what starts no earlier than the operation's successor ends, nor before what ends no
    later than its predecessor starts. Fixed work in a gap parts it: it may come before the operation, or behind it.

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
        The node before the gap, or -1; how many blocks of fixed work it comes behind at least; its value; how many
        there have been of it.
    """
    n, table = arrays.operations.shape[0], state.table
    machine, takes = arrays.alternatives[alternative, WHERE], arrays.alternatives[alternative, TAKES]
    previous, following = arrays.operations[i, PREVIOUS], arrays.operations[i, NEXT]
    ready, last = ready_of(arrays, table, i), open_by(arrays, machine, last_end(arrays, state, i))
    too_late = table[following, END] if following >= 0 else NO_COST
    too_early = table[previous, START] if previous >= 0 else -NO_COST
    found, found_past, looked_at = -1, np.int64(0), 0
    before, past = n + machine, np.int64(0)
    while True:
        after = table[before, AFTER]
        looked_at += 1
        can = after >= n or (table[after, END] > too_early and after != previous)
        reached = np.int64(NO_COST)
        if can and not (blinks and draw(state.random, BLINK) == 0):
            free, held, number = table[before, END], table[before, SET_FOR], table[before, NUMBER]
            if number < past:
                free, held, number = behind(arrays, machine, free, held, number, past)
            run, ticks, family, reached = placed_on(arrays, i, alternative, ready, free, held, number)
            value = run.through - last
            if value > least + (ticks - takes) and past == 0:
                break
            value += (ticks - takes) * penalty >> 2
            if after < n and value <= least:
                its, then, known, block = table[after, ALTERNATIVE], run.end, family_after(arrays, family, i), reached
                if block < table[after, PAST]:
                    then, known, block = behind(arrays, machine, then, known, block, table[after, PAST])
                moved, more, _, _ = placed_on(arrays, after, its, then, then, known, block)
                extra, waits = more - table[after, TICKS], ready_of(arrays, table, after)
                if extra > 0 and waits > then:
                    # What it waits for on its own route is no fault of the gap, unless it takes longer.
                    moved, _, _, _ = placed_on(arrays, after, its, waits, then, known, block)
                value = max(value, moved.through - table[after, LAST_THROUGH]) + (extra * penalty >> 2)
            if value < least:
                least, ties, found, found_past = value, 1, before, past
            elif value == least:
                ties += 1
                if draw(state.random, ties) == 0:
                    found, found_past = before, past
        if reached < (table[after, NUMBER] if after < n else arrays.machines[machine, BLOCKS]):
            past = reached + 1
            continue
        past = np.int64(0)
        if after >= n or table[after, START] >= too_late or after == following:
            break
        before = after
    state.counters[WORK] += looked_at
    return found, found_past, least, ties


@compiled
def best_place(arrays, state, i, penalty):
    """Where an operation that is out costs least: the alternative, the node before it, and the blocks before it."""
    chosen, node, past, least, ties, blinks = -1, -1, np.int64(0), NO_COST, 0, True
    while chosen < 0:
        for alternative in range(arrays.operations[i, BEGIN], arrays.operations[i, BEHIND]):
            before, blocks, least, ties = best_gap(arrays, state, i, alternative, penalty, blinks, least, ties)
            if before >= 0:
                chosen, node, past = alternative, before, blocks
        blinks = False
    return chosen, node, past
