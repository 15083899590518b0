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
    KIND,
    LAG,
    LEAST,
    READY,
    SET_UP,
    TAIL,
    TAKES,
    WHERE,
    WHOLE,
    Arrays,
)
from jaxshop.search.plant.timing import run_on
from jaxshop.support.compiling import compiled

NUMBERS = {name: k for k, name in enumerate(("MWKR", "SST", "ATC", "CR", "EDD", "FIFO", "MOR", "SPT", "LPT", "LWKR"))}
"""The rules by name."""

MWKR, SST, ATC, CR, EDD, FIFO, MOR, SPT, LPT, LWKR = NUMBERS.values()


@compiled
def soonest_event(arrays, operation, ready, free, family, active):
    """When an operation can first end (active) or start, and the lowest machine where."""
    soonest, machine = np.int64(NEVER), np.int64(0)
    for a in range(arrays.operations[operation, BEGIN], arrays.operations[operation, BEHIND]):
        m = arrays.alternatives[a, WHERE]
        more = arrays.changeover[arrays.machines[m, KIND], family[m], arrays.operations[operation, FAMILY]]
        span = run_on(
            arrays, m, max(ready, free[m]), arrays.alternatives[a, TAKES] + more, arrays.operations[operation, WHOLE]
        )
        event = span.end if active else span.start
        if event < soonest or (event == soonest and m < machine):
            soonest, machine = event, m
    return soonest, machine


@compiled
def last_freed(arrays, operation, ready, free, family, active, event):
    """Of the machines that reach the event, the one that became free last, then the lowest."""
    chosen = np.int64(-1)
    for a in range(arrays.operations[operation, BEGIN], arrays.operations[operation, BEHIND]):
        m = arrays.alternatives[a, WHERE]
        more = arrays.changeover[arrays.machines[m, KIND], family[m], arrays.operations[operation, FAMILY]]
        span = run_on(
            arrays, m, max(ready, free[m]), arrays.alternatives[a, TAKES] + more, arrays.operations[operation, WHOLE]
        )
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


@compiled
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
    none = arrays.changeover.shape[1] - 1
    event, reached = np.full(lots, NEVER, np.int64), np.full(lots, -1, np.int64)
    starts, takes, setups = np.zeros(lots, np.int64), np.zeros(lots, np.int64), np.zeros(lots, np.int64)
    rivals = np.zeros(lots, np.int64)
    for j in range(lots):
        if left[j] > 0:
            event[j], reached[j] = soonest_event(arrays, op[j], ready[j], free, family, active)
    for step in range(order.shape[0]):
        first = 0
        for j in range(1, lots):
            if event[j] < event[first]:
                first = j
        soonest = event[first]
        machine = last_freed(arrays, op[first], ready[first], free, family, active, soonest)
        count, total = 0, 0
        for j in range(lots):
            if left[j] == 0 or eligible[op[j], machine] < 0:
                continue
            setups[j] = arrays.changeover[
                arrays.machines[machine, KIND], family[machine], arrays.operations[op[j], FAMILY]
            ]
            takes[j] = arrays.alternatives[eligible[op[j], machine], TAKES] + setups[j]
            earliest = max(ready[j], free[machine])
            starts[j] = run_on(arrays, machine, earliest, takes[j], arrays.operations[op[j], WHOLE]).start
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
        end = run_on(arrays, machine, max(ready[chosen], free[machine]), takes[chosen], arrays.operations[i, WHOLE]).end
        ready[chosen], free[machine] = end + arrays.operations[i, LAG], end
        renewed = arrays.operations[i, FAMILY] != none and family[machine] != arrays.operations[i, FAMILY]
        if renewed:
            family[machine] = arrays.operations[i, FAMILY]
        left[chosen] -= 1
        op[chosen] += 1
        reached[chosen] = machine
        for j in range(lots):
            if reached[j] == machine:
                if left[j] > 0:
                    event[j], reached[j] = soonest_event(arrays, op[j], ready[j], free, family, active)
                else:
                    event[j], reached[j] = np.int64(NEVER), np.int64(-1)
            elif renewed and left[j] > 0 and eligible[op[j], machine] >= 0:
                # Set up for a lot's family now, the machine may end it sooner than it could before.
                event[j], reached[j] = soonest_event(arrays, op[j], ready[j], free, family, active)


def eligible_of(arrays: Arrays) -> np.ndarray:
    """The alternative of each operation on each machine, -1 where there is none, int64 [operations, machines]."""
    table = np.full((len(arrays.operations), len(arrays.machines)), -1, np.int64)
    operation = np.repeat(np.arange(len(arrays.operations)), arrays.operations[:, BEHIND] - arrays.operations[:, BEGIN])
    table[operation, arrays.alternatives[:, WHERE]] = np.arange(len(arrays.alternatives))
    return table
