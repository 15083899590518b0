"""Every dispatching rule within milliseconds, closed time and set-ups by sequence included.

It decides as `jaxshop.schedule.dispatch` does, which needs no compilation: what search begins with, and has to beat.
"""

from __future__ import annotations

import numpy as np

from jaxshop.schedule.dispatch import NEVER, PATIENCE
from jaxshop.search.improve.contest import contest_of, enter, expect, withdraw
from jaxshop.search.plant.model import (
    BEGIN,
    BEHIND,
    COUNT,
    DUE,
    FAMILY,
    FIRST,
    FREE,
    JOB,
    LAG,
    LEAST,
    READY,
    SET_UP,
    TAIL,
    TAKES,
    WHERE,
)
from jaxshop.search.plant.timing import placed_on
from jaxshop.support.compiling import allocating, compiled

NUMBERS = {name: k for k, name in enumerate(("MWKR", "SST", "ATC", "CR", "EDD", "FIFO", "MOR", "SPT", "LPT", "LWKR"))}
"""The rules by name."""

MWKR, SST, ATC, CR, EDD, FIFO, MOR, SPT, LPT, LWKR = NUMBERS.values()


@compiled
def event_of(arrays, operation, alternative, ready, free, family, number, active):
    """When an operation can end (active) or start on the machine of an alternative."""
    m = arrays.alternatives[alternative, WHERE]
    span, _, _, _ = placed_on(arrays, operation, alternative, ready, free[m], family[m], number[m])
    return span.end if active else span.start


@compiled
def compete(contest, arrays, lot, operation, ready, free, family, number, active):
    """Let a lot compete for every machine that may run its next operation."""
    for a in range(arrays.operations[operation, BEGIN], arrays.operations[operation, BEHIND]):
        enter(contest, lot, a, event_of(arrays, operation, a, ready, free, family, number, active))


@compiled
def make_sure(contest, arrays, machine, op, ready, free, family, number, active):
    """Find a machine's first event."""
    soonest, first = np.int64(NEVER), np.int64(0)
    for place in range(contest.begins[machine], contest.begins[machine] + contest.crowd[machine]):
        j = contest.lot[place]
        event = event_of(arrays, op[j], contest.alternative[place], ready[j], free, family, number, active)
        if event < soonest or (event == soonest and j < first):
            soonest, first = event, j
    expect(contest, machine, soonest, first, True)


@compiled
def last_freed(arrays, operation, ready, free, family, number, active, event):
    """Of the machines that reach the event, the one that became free last, then the lowest."""
    chosen = np.int64(-1)
    for a in range(arrays.operations[operation, BEGIN], arrays.operations[operation, BEHIND]):
        m = arrays.alternatives[a, WHERE]
        if event_of(arrays, operation, a, ready, free, family, number, active) == event and (
            chosen < 0 or free[m] > free[chosen] or (free[m] == free[chosen] and m < chosen)
        ):
            chosen = m
    return chosen


@compiled
def priority(rule, time, setup, tail, count, ready, due, start, weight, mean):
    """How much a rule wants a lot: the highest goes first; as `RULES` of `jaxshop.schedule.dispatch`."""
    if rule == MWKR:
        return float(tail)
    if rule == SST:
        return float(tail - setup * 2**31)
    if rule == ATC:
        return np.log(weight / max(time, 1)) - max(due - start - tail, 0) / (PATIENCE * mean)
    if rule == CR:
        return -((due - start - tail) / max(tail, 1))
    if rule == EDD:
        return -float(due)
    if rule == FIFO:
        return -float(ready)
    if rule == MOR:
        return float(count)
    if rule == SPT:
        return -float(time)
    if rule == LPT:
        return float(time)
    return -float(tail)


@allocating
def dispatch(arrays, rule, active, order, choice):
    """Play a rule, active or non-delay.

    Args:
        arrays: the plan.
        rule: of `NUMBERS`.
        active: which conflict set.
        order: int64 [operations], filled with the operations as they are dispatched.
        choice: int64 [operations], filled with the alternative of each.
    """
    lots = arrays.lots.shape[0]
    ready, op, left = arrays.lots[:, READY].copy(), arrays.lots[:, FIRST].copy(), arrays.lots[:, COUNT].copy()
    free, family = arrays.machines[:, FREE].copy(), arrays.machines[:, SET_UP].copy()
    number = np.zeros_like(free)  # of each machine's next block of fixed work
    none = arrays.changeover.shape[1] - 1
    contest = contest_of(arrays.alternatives[:, WHERE].astype(np.int32), free.shape[0])
    starts, takes, setups = np.zeros(lots, np.int64), np.zeros(lots, np.int64), np.zeros(lots, np.int64)
    rivals = np.zeros(lots, np.int64)  # their places
    for j in range(lots):
        if left[j] > 0:
            compete(contest, arrays, j, op[j], ready[j], free, family, number, active)
    for step in range(order.shape[0]):
        while not contest.sure[contest.winner[1]]:
            make_sure(contest, arrays, contest.winner[1], op, ready, free, family, number, active)
        soonest, first = contest.event[contest.winner[1]], contest.first[contest.winner[1]]
        machine = last_freed(arrays, op[first], ready[first], free, family, number, active, soonest)
        count, total = 0, 0
        for place in range(contest.begins[machine], contest.begins[machine] + contest.crowd[machine]):
            j, a = contest.lot[place], contest.alternative[place]
            run, takes[j], _, _ = placed_on(arrays, op[j], a, ready[j], free[machine], family[machine], number[machine])
            starts[j], setups[j] = run.start, takes[j] - arrays.alternatives[a, TAKES]
            if j == first or (starts[j] < soonest if active else starts[j] == soonest):
                rivals[count] = place
                count += 1
                total += max(takes[j], 1)
        chosen, taken, best = -1, -1, -np.inf
        for k in range(count):
            j = contest.lot[rivals[k]]
            i = op[j]
            tail = arrays.operations[i, TAIL] + arrays.operations[i, LEAST]
            due, weight, mean = arrays.jobs[arrays.lots[j, JOB], DUE], arrays.weights[j], total / count
            wanted = priority(rule, takes[j], setups[j], tail, left[j], ready[j], due, starts[j], weight, mean)
            if chosen < 0 or wanted > best or (wanted == best and j < chosen):
                chosen, taken, best = j, contest.alternative[rivals[k]], wanted
        i = op[chosen]
        order[step], choice[i] = i, taken
        run, _, family[machine], number[machine] = placed_on(
            arrays, i, taken, ready[chosen], free[machine], family[machine], number[machine]
        )
        ready[chosen], free[machine] = run.end + arrays.operations[i, LAG], run.end
        if arrays.operations[i, FAMILY] != none:
            family[machine] = arrays.operations[i, FAMILY]
        for a in range(arrays.operations[i, BEGIN], arrays.operations[i, BEHIND]):
            withdraw(contest, chosen, a)
        # Set up for another family now, the machine may end some lot sooner than it could before, but not before this.
        expect(contest, machine, run.end, 0, False)
        left[chosen] -= 1
        op[chosen] += 1
        if left[chosen] > 0:
            compete(contest, arrays, chosen, op[chosen], ready[chosen], free, family, number, active)
