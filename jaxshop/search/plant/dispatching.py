"""Every dispatching rule within milliseconds, closed time and set-ups by sequence included.

It decides as `jaxshop.schedule.dispatch` does, which needs no compilation: what search begins with, and has to beat.
"""

from __future__ import annotations

import numpy as np

from jaxshop.schedule.dispatch import NEVER, PATIENCE
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
    Arrays,
)
from jaxshop.search.plant.timing import placed_on
from jaxshop.support.compiling import allocating, compiled

NUMBERS = {name: k for k, name in enumerate(("MWKR", "SST", "ATC", "CR", "EDD", "FIFO", "MOR", "SPT", "LPT", "LWKR"))}
"""The rules by name."""

MWKR, SST, ATC, CR, EDD, FIFO, MOR, SPT, LPT, LWKR = NUMBERS.values()


@compiled
def soonest_event(arrays, operation, ready, free, family, number, active):
    """When an operation can first end (active) or start, and the lowest machine where."""
    soonest, machine = np.int64(NEVER), np.int64(0)
    for a in range(arrays.operations[operation, BEGIN], arrays.operations[operation, BEHIND]):
        m = arrays.alternatives[a, WHERE]
        span, _, _, _ = placed_on(arrays, operation, a, ready, free[m], family[m], number[m])
        event = span.end if active else span.start
        if event < soonest or (event == soonest and m < machine):
            soonest, machine = event, m
    return soonest, machine


@compiled
def last_freed(arrays, operation, ready, free, family, number, active, event):
    """Of the machines that reach the event, the one that became free last, then the lowest."""
    chosen = np.int64(-1)
    for a in range(arrays.operations[operation, BEGIN], arrays.operations[operation, BEHIND]):
        m = arrays.alternatives[a, WHERE]
        span, _, _, _ = placed_on(arrays, operation, a, ready, free[m], family[m], number[m])
        if (span.end if active else span.start) == event and (
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
def dispatch(arrays, eligible, rule, active, order, choice):
    """Play a rule, active or non-delay.

    Args:
        arrays: the plan.
        eligible: int64 [operations, machines], alternatives, -1 where a machine is none.
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
    event, reached = np.full(lots, NEVER, np.int64), np.full(lots, -1, np.int64)
    starts, takes, setups = np.zeros(lots, np.int64), np.zeros(lots, np.int64), np.zeros(lots, np.int64)
    rivals = np.zeros(lots, np.int64)
    for j in range(lots):
        if left[j] > 0:
            event[j], reached[j] = soonest_event(arrays, op[j], ready[j], free, family, number, active)
    for step in range(order.shape[0]):
        first = 0
        for j in range(1, lots):
            if event[j] < event[first]:
                first = j
        soonest = event[first]
        machine = last_freed(arrays, op[first], ready[first], free, family, number, active, soonest)
        count, total = 0, 0
        for j in range(lots):
            if left[j] == 0 or eligible[op[j], machine] < 0:
                continue
            a = eligible[op[j], machine]
            run, takes[j], _, _ = placed_on(arrays, op[j], a, ready[j], free[machine], family[machine], number[machine])
            starts[j], setups[j] = run.start, takes[j] - arrays.alternatives[a, TAKES]
            if j == first or (starts[j] < soonest if active else starts[j] == soonest):
                rivals[count] = j
                count += 1
                total += max(takes[j], 1)
        chosen, best = first, -np.inf
        for k in range(count):
            j = rivals[k]
            i = op[j]
            tail = arrays.operations[i, TAIL] + arrays.operations[i, LEAST]
            due, weight, mean = arrays.jobs[arrays.lots[j, JOB], DUE], arrays.weights[j], total / count
            wanted = priority(rule, takes[j], setups[j], tail, left[j], ready[j], due, starts[j], weight, mean)
            if k == 0 or wanted > best:
                chosen, best = j, wanted
        i = op[chosen]
        order[step], choice[i] = i, eligible[i, machine]
        run, _, family[machine], number[machine] = placed_on(
            arrays, i, choice[i], ready[chosen], free[machine], family[machine], number[machine]
        )
        ready[chosen], free[machine] = run.end + arrays.operations[i, LAG], run.end
        renewed = arrays.operations[i, FAMILY] != none and family[machine] != arrays.operations[i, FAMILY]
        if renewed:
            family[machine] = arrays.operations[i, FAMILY]
        left[chosen] -= 1
        op[chosen] += 1
        reached[chosen] = machine
        for j in range(lots):
            if reached[j] == machine:
                if left[j] > 0:
                    event[j], reached[j] = soonest_event(arrays, op[j], ready[j], free, family, number, active)
                else:
                    event[j], reached[j] = np.int64(NEVER), np.int64(-1)
            elif renewed and left[j] > 0 and eligible[op[j], machine] >= 0:
                # Set up for a lot's family now, the machine may end it sooner than it could before.
                event[j], reached[j] = soonest_event(arrays, op[j], ready[j], free, family, number, active)


def eligible_of(arrays: Arrays) -> np.ndarray:
    """The alternative of each operation on each machine, -1 where there is none, int64 [operations, machines]."""
    table = np.full((len(arrays.operations), len(arrays.machines)), -1, np.int64)
    operation = np.repeat(np.arange(len(arrays.operations)), arrays.operations[:, BEHIND] - arrays.operations[:, BEGIN])
    table[operation, arrays.alternatives[:, WHERE]] = np.arange(len(arrays.alternatives))
    return table
