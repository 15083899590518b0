"""Trials: what of a list is changed in the hope that a lot which costs is done sooner."""

from __future__ import annotations

import numpy as np

from jaxshop.search.decoding.model import (
    BEGIN,
    BEHIND,
    COUNT,
    DUE,
    FAMILY,
    FIRST,
    JOB,
    LAG,
    LOT,
    PARTS_LATE,
    READY,
    WHERE,
)
from jaxshop.search.decoding.state import (
    ALTERNATIVE,
    BEFORE,
    BEHIND_GUIDE,
    CHANGED,
    END,
    GUIDE,
    HIGH,
    LATE,
    LOW,
    MAKESPAN,
    SETUP,
    TOTALS,
)
from jaxshop.search.improve.state import draw
from jaxshop.support.compiling import compiled


@compiled
def previous(arrays, operation):
    """The operation before on the route, -1 where there is none."""
    return operation - 1 if operation > arrays.lots[arrays.operations[operation, LOT], FIRST] else np.int64(-1)


@compiled
def following(arrays, operation):
    """The operation after on the route, -1 where there is none."""
    lot = arrays.operations[operation, LOT]
    return operation + 1 if operation + 1 < arrays.lots[lot, FIRST] + arrays.lots[lot, COUNT] else np.int64(-1)


@compiled
def shift(state, operation, to):
    """Put an operation at another place of the list."""
    order, place = state.order, state.place
    at = place[operation]
    step = 1 if to > at else -1
    for p in range(at, to, step):
        order[p] = order[p + step]
        place[order[p]] = p
    order[to], place[operation] = operation, to
    state.counters[LOW] = min(state.counters[LOW], at, to)
    state.counters[HIGH] = max(state.counters[HIGH], at, to)


@compiled
def prescribe(state, operation, alternative):
    """Say where an operation runs; -1: where it can end first."""
    k = state.counters[CHANGED]
    if state.forced[operation] != alternative and k < state.undo.shape[0]:
        state.undo[k, 0], state.undo[k, 1] = operation, state.forced[operation]
        state.counters[CHANGED] = k + 1
        state.forced[operation] = alternative
        state.counters[LOW] = min(state.counters[LOW], state.place[operation])


@compiled
def begin_trial(state):
    """Nothing is changed yet."""
    state.counters[LOW], state.counters[HIGH] = state.order.shape[0], -1
    state.counters[CHANGED] = 0


@compiled
def take_back(state):
    """Undo all changes of the trial."""
    for k in range(state.counters[CHANGED] - 1, -1, -1):
        state.forced[state.undo[k, 0]] = state.undo[k, 1]
    for p in range(state.counters[LOW], state.counters[HIGH] + 1):
        i = state.kept[p]
        state.order[p], state.place[i] = i, p


@compiled
def costly_lot(arrays, state):
    """A lot that the schedule's cost hangs on: the last of a late job, drawn by what that costs, or the last of all."""
    end, jobs = state.marks[-1], arrays.jobs.shape[0]
    done = end[end.shape[0] - TOTALS - jobs : end.shape[0] - TOTALS]
    late, makespan = end[LATE], arrays.makespan * end[MAKESPAN]
    job = -1
    # By their shares of the cost, in 2^30 steps: the sum itself may not fit what is drawn from.
    share = draw(state.random, 1 << 30) / (1 << 30) * (float(late) + float(makespan))
    if share < late:
        for j in range(jobs):
            if done[j] > arrays.jobs[j, DUE]:
                job = j
                share -= arrays.jobs[j, PARTS_LATE] * float(done[j] - arrays.jobs[j, DUE])
                if share < 0:
                    break
    elif draw(state.random, 2):
        wanted = draw(state.random, 1 << 30) / (1 << 30) * end[BEHIND_GUIDE]
        for j in range(jobs):
            if done[j] > end[GUIDE]:
                job = j
                wanted -= done[j] - end[GUIDE]
                if wanted < 0:
                    break
    last, seen, lot = -1 << 50, 0, 0
    for k in range(arrays.lots.shape[0]):
        if arrays.lots[k, COUNT] > 0 and (job < 0 or arrays.lots[k, JOB] == job):
            until = state.held[arrays.lots[k, FIRST] + arrays.lots[k, COUNT] - 1, END]
            if until > last:
                last, seen, lot = until, 1, k
            elif until == last:
                seen += 1
                if draw(state.random, seen) == 0:
                    lot = k
    return lot


@compiled
def ready_of(arrays, held, operation):
    """When an operation could run, if its machine were free."""
    before = previous(arrays, operation)
    return (
        arrays.lots[arrays.operations[operation, LOT], READY]
        if before < 0
        else held[before, END] + arrays.operations[before, LAG]
    )


@compiled
def waiting_path(arrays, state, lot):
    """Follow back why a lot is done so late; the operations that wait for their machine go to `path`, and how many."""
    held, count = state.held, 0
    if arrays.lots[lot, COUNT] == 0:
        return 0
    i = arrays.lots[lot, FIRST] + arrays.lots[lot, COUNT] - 1
    while i >= 0:
        before = held[i, BEFORE]
        ready = ready_of(arrays, held, i)
        if before >= 0 and held[before, END] > ready:
            state.path[count] = i
            count += 1
            i = before
        elif before >= 0 and held[before, END] == ready and draw(state.random, 2):
            i = before
        else:
            i = previous(arrays, i)
    return count


@compiled
def room_before(arrays, state, operation):
    """The first place of the list where an operation may stand."""
    before = previous(arrays, operation)
    return 0 if before < 0 else state.place[before] + 1


@compiled
def room_behind(arrays, state, operation):
    """The last place of the list where an operation may stand."""
    after = following(arrays, operation)
    return state.order.shape[0] - 1 if after < 0 else state.place[after] - 1


@compiled
def bring_forward(arrays, state, operation, to):
    """Put an operation before a place, and those before it on its route as far forward as that needs."""
    i, target = operation, to
    while i >= 0 and state.place[i] > target:
        shift(state, i, target)
        i = previous(arrays, i)
        # What stood before the target stays before it; the route's own goes right in front of what was moved.


@compiled
def join_family(arrays, state, operation):
    """Put an operation right behind the one of its family that stands last before it and shares a machine with it."""
    family, low = arrays.operations[operation, FAMILY], room_before(arrays, state, operation)
    skipped = draw(state.random, 3)
    for p in range(state.place[operation] - 2, low - 1, -1):
        other = state.order[p]
        if arrays.operations[other, FAMILY] != family:
            continue
        machine = arrays.alternatives[state.held[other, ALTERNATIVE], WHERE]
        for a in range(arrays.operations[operation, BEGIN], arrays.operations[operation, BEHIND]):
            if arrays.alternatives[a, WHERE] == machine:
                if skipped == 0:
                    shift(state, operation, p + 1)
                    prescribe(state, operation, a if draw(state.random, 2) else -1)
                    return
                skipped -= 1
                break


@compiled
def change(arrays, state):
    """Change the list, or a machine, by chance."""
    n = state.order.shape[0]
    draws, held = state.random, state.held
    count = 0
    if draw(draws, 8):
        count = waiting_path(arrays, state, costly_lot(arrays, state))
    if count == 0:
        i = draw(draws, n)
        low, high = room_before(arrays, state, i), room_behind(arrays, state, i)
        if draw(draws, 3) == 0:
            first = arrays.operations[i, BEGIN]
            prescribe(state, i, first + draw(draws, arrays.operations[i, BEHIND] - first) if draw(draws, 3) else -1)
        else:
            shift(state, i, low + draw(draws, high - low + 1))
        return
    i = state.path[draw(draws, count)]
    before = held[i, BEFORE]
    kind = draw(draws, 16)
    if kind < 2 or state.place[before] > state.place[i]:
        first = arrays.operations[i, BEGIN]
        prescribe(state, i, first + draw(draws, arrays.operations[i, BEHIND] - first) if draw(draws, 3) else -1)
    elif kind < 6:
        bring_forward(arrays, state, i, state.place[before])
    elif kind < 10:
        low = room_before(arrays, state, i)
        if low < state.place[i]:
            shift(state, i, low + draw(draws, state.place[i] - low))
    elif kind < 13:
        high = room_behind(arrays, state, before)
        if high > state.place[before]:
            shift(state, before, min(high, state.place[i] + draw(draws, 1 + (n >> 4))))
    elif kind < 15 and held[i, SETUP] > 0:
        join_family(arrays, state, i)
    else:
        while i >= 0:
            low, at = room_before(arrays, state, i), state.place[i]
            if low < at:
                shift(state, i, max(low, at - 1 - draw(draws, 1 + (n >> 4))))
            i = previous(arrays, i)
    if state.forced[i] >= 0 and kind >= 2 and draw(draws, 2):
        prescribe(state, i, -1)
