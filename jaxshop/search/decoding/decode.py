"""From a list of operations to a schedule: one after the other, each where it ends first."""

from __future__ import annotations

import numpy as np

from jaxshop.search.decoding.model import (
    BEGIN,
    BEHIND,
    COUNT,
    DONE,
    DUE,
    FAMILY,
    FIRST,
    FREE,
    JOB,
    KIND,
    LAG,
    LEAST,
    LOT,
    PARTS_LATE,
    PATTERN,
    READY,
    REST,
    SET_UP,
    TAIL,
    TAKES,
    WHERE,
    WHOLE,
)
from jaxshop.search.decoding.state import (
    ALTERNATIVE,
    BEFORE,
    BEHIND_GUIDE,
    END,
    GUIDE,
    LATE,
    MAKESPAN,
    SETUP,
    START,
    TOTALS,
    WORK,
)
from jaxshop.shop.calendars import FOREVER
from jaxshop.shop.timing import placed_between
from jaxshop.support.compiling import compiled

run_between = compiled(placed_between)

GUIDE_SHIFT = 2
"""A tick behind the guide costs 2^-GUIDE_SHIFT ticks of the makespan."""

TOO_MUCH = 1 << 62
"""The cost of what was given up."""


@compiled
def run_on(arrays, machine, earliest, ticks, whole):
    """The first run on a machine from a tick on."""
    return run_between(arrays.windows[arrays.machines[machine, PATTERN]], earliest, ticks, whole)


@compiled
def lot_done(arrays, operation, machine, end):
    """A tick before which a lot cannot be done whose operation ends on this machine then; exact of its last one."""
    done = end + arrays.operations[operation, TAIL]
    if arrays.operations[operation, REST] > 0:
        done = max(done, run_on(arrays, machine, end, arrays.operations[operation, REST], False).end)
    return done


@compiled
def account(arrays, now, lot, done):
    """Note when a lot is done at the earliest: its job's tick and what that costs; returns the cost of all so far.

    The makespan alone says nothing of all jobs but one, so those that are done after the guide count as well.
    """
    j = arrays.lots[lot, JOB]
    cell = now.shape[0] - TOTALS - arrays.jobs.shape[0] + j
    known = now[cell]
    if done > known:
        now[cell] = done
        now[MAKESPAN] = max(now[MAKESPAN], done)
        if done > now[GUIDE]:
            now[BEHIND_GUIDE] += done - max(known, now[GUIDE])
        if done > arrays.jobs[j, DUE]:
            now[LATE] += arrays.jobs[j, PARTS_LATE] * (done - max(known, arrays.jobs[j, DUE]))
    return guided(arrays, now)


@compiled
def exact(arrays, now):
    """The cost at a mark."""
    return arrays.makespan * now[MAKESPAN] + now[LATE]


@compiled
def guided(arrays, now):
    """The cost at a mark, with what jobs are done after the guide."""
    return exact(arrays, now) + arrays.makespan * (now[BEHIND_GUIDE] >> GUIDE_SHIFT)


@compiled
def open_state(arrays, now, guide):
    """Before anything is placed but the fixed work: ticks of lots and machines, families, nobody before, jobs."""
    lots, machines = arrays.lots.shape[0], arrays.machines.shape[0]
    now[:lots] = arrays.lots[:, READY]
    now[lots : lots + machines] = arrays.machines[:, FREE]
    now[lots + machines : lots + 2 * machines] = arrays.machines[:, SET_UP]
    now[lots + 2 * machines : lots + 3 * machines] = -1
    now[lots + 3 * machines :] = -FOREVER
    now[-TOTALS:] = 0
    now[GUIDE] = guide
    for lot in range(lots):
        account(arrays, now, lot, arrays.jobs[arrays.lots[lot, JOB], DONE])
        if arrays.lots[lot, COUNT] > 0:
            i = arrays.lots[lot, FIRST]
            account(
                arrays, now, lot, arrays.lots[lot, READY] + arrays.operations[i, LEAST] + arrays.operations[i, TAIL]
            )


@compiled
def decode(arrays, state, begin, limit, penalty):
    """Place the operations of `state.order` from the mark at or before a place on, into `state.trial`.

    An operation runs behind all others of its machine, on the alternative that it is prescribed, else where it ends
    first; a set-up by sequence counts `penalty` quarters more than it takes. Ties: the machine that waits least,
    then the first.

    Args:
        begin: the first place of the list that differs from the one whose marks are kept; 0 begins anew.
        limit: a cost; as soon as it is clear that there is more, the list is given up.

    Returns:
        The guided cost, or `TOO_MUCH`.
    """
    lots, machines, n = arrays.lots.shape[0], arrays.machines.shape[0], arrays.operations.shape[0]
    now, trial, none = state.now, state.trial, arrays.changeover.shape[1] - 1
    free_at, family_at, last_at = lots, lots + machines, lots + 2 * machines
    mark = begin // state.spacing
    begin = mark * state.spacing
    if mark == 0:
        open_state(arrays, now, state.marks[-1, GUIDE])
    else:
        now[:] = state.marks[mark]
    cost = guided(arrays, now)
    for p in range(begin, n):
        if p % state.spacing == 0:
            state.tried[p // state.spacing, :] = now
        i = state.order[p]
        lot = arrays.operations[i, LOT]
        ready, family, whole, forced = (
            now[lot],
            arrays.operations[i, FAMILY],
            arrays.operations[i, WHOLE],
            state.forced[i],
        )
        first, behind = arrays.operations[i, BEGIN], arrays.operations[i, BEHIND]
        if forced >= 0:
            first, behind = forced, forced + 1
        least, chosen, start, end, setup = np.int64(TOO_MUCH), first, 0, 0, np.int64(0)
        since, freed, total, pattern = np.int64(0), np.int64(0), np.int64(-1), np.int64(0)
        for a in range(first, behind):
            m, takes = arrays.alternatives[a, WHERE], arrays.alternatives[a, TAKES]
            free = now[free_at + m]
            earliest = max(ready, free)
            if earliest + takes > least:
                continue
            more = np.int64(0)
            if family != none:
                more = arrays.changeover[arrays.machines[m, KIND], now[family_at + m], family]
            if takes + more == total and arrays.machines[m, PATTERN] == pattern and earliest >= since:
                if earliest == since and free > freed:  # ends as soon, on a machine that waits less
                    chosen, freed, setup = a, free, more
                continue
            span = run_on(arrays, m, earliest, takes + more, whole)
            value = span.end + (more * penalty >> 2)
            if value < least or (value == least and free > freed):
                least, chosen, start, end, setup = value, a, span.start, span.end, more
                since, freed, total, pattern = earliest, free, takes + more, arrays.machines[m, PATTERN]
        if end > arrays.until:
            return np.int64(TOO_MUCH)
        m = arrays.alternatives[chosen, WHERE]
        trial[i, START], trial[i, END], trial[i, ALTERNATIVE] = start, end, chosen
        trial[i, BEFORE], trial[i, SETUP] = now[last_at + m], setup
        now[lot], now[free_at + m], now[last_at + m] = end + arrays.operations[i, LAG], end, i
        if family != none:
            now[family_at + m] = family
        state.counters[WORK] += 1
        cost = account(arrays, now, lot, lot_done(arrays, i, m, end))
        if cost > limit:
            return np.int64(TOO_MUCH)
    state.tried[-1, :] = now
    return cost


@compiled
def keep(state, begin):
    """Take what was tried for what is there, from the mark at or before a place on."""
    mark, n = begin // state.spacing, state.order.shape[0]
    state.marks[mark:, :] = state.tried[mark:, :]
    for p in range(mark * state.spacing, n):
        i = state.order[p]
        state.kept[p] = i
        state.held[i, :] = state.trial[i, :]
