"""Every dispatching rule within milliseconds: the schedules that a search can begin with, and has to be better than.

It decides as `jaxshop.schedule.dispatch` does, which needs no compilation, and the environment's rules do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.schedule.dispatch import NEVER
from jaxshop.search.improve.contest import contest_of, enter, expect, withdraw
from jaxshop.search.improve.graph import place_after
from jaxshop.search.improve.model import HEAD, Model
from jaxshop.support.compiling import allocating, compiled

NUMBERS = {"MWKR": 0, "MOR": 1, "FIFO": 2, "LPT": 3, "SPT": 4, "EDD": 5, "LWKR": 6}
"""The rules by name, in the order of what they reach on shops of the factory's kind."""


class Floor(NamedTuple):
    """What rules look at, in ticks."""

    first: np.ndarray  # int32 [lots]: the first operation
    length: np.ndarray  # int32 [lots]: operations
    release: np.ndarray  # int64 [lots]
    due: np.ndarray  # int64 [lots], NEVER where there is none
    available: np.ndarray  # int64 [machines]
    begins: np.ndarray  # int32 [operations + 1]: where the alternatives of an operation begin
    where: np.ndarray  # int32 [alternatives]: the machine
    takes: np.ndarray  # int64 [alternatives]: ticks there, set-up included
    left: np.ndarray  # int64 [operations]: the least ticks of the lot from this operation on


def floor_of(model: Model) -> Floor:
    """The plan of a model for the rules."""
    arrays, plan = model.arrays, model.plan
    n, lots, machines = arrays.operations, arrays.lots, arrays.machines
    takes = arrays.takes.astype(np.int64) >> model.shift
    where = arrays.where - (n + lots)
    first = np.concatenate([[0], arrays.last[:-1] + 1])
    count = arrays.last - first + 1
    from_here = np.cumsum((arrays.least.astype(np.int64) >> model.shift)[::-1])[::-1]
    after_lot = np.append(from_here, 0)[arrays.last + 1]
    heads = arrays.blank[:, HEAD].astype(np.int64) >> model.shift
    return Floor(
        first.astype(np.int32),
        count.astype(np.int32),
        heads[n : n + lots].copy(),
        np.array([NEVER if lot.due is None else lot.due for lot in plan.lots], np.int64),
        heads[n + lots : n + lots + machines].copy(),
        arrays.begins,
        where,
        takes,
        from_here - np.repeat(after_lot, count),
    )


@compiled
def event_of(floor, alternative, ready, free, active):
    """When an operation can end (active) or start on the machine of an alternative."""
    span = place_after(ready, free[floor.where[alternative]], floor.takes[alternative])
    return span.end if active else span.start


@compiled
def make_sure(contest, floor, machine, ready, free, active):
    """Find a machine's first event."""
    soonest, first = np.int64(NEVER), np.int64(0)
    for place in range(contest.begins[machine], contest.begins[machine] + contest.crowd[machine]):
        lot = contest.lot[place]
        event = event_of(floor, contest.alternative[place], ready[lot], free, active)
        if event < soonest or (event == soonest and lot < first):
            soonest, first = event, lot
    expect(contest, machine, soonest, first, True)


@compiled
def last_freed(floor, operation, ready, free, active, event):
    """Of the alternatives that reach the event, the one whose machine became free last, then the lowest machine."""
    chosen = -1
    for a in range(floor.begins[operation], floor.begins[operation + 1]):
        if event_of(floor, a, ready, free, active) == event:
            m, best = floor.where[a], floor.where[chosen]
            if chosen < 0 or free[m] > free[best] or (free[m] == free[best] and m < best):
                chosen = a
    return chosen


@compiled
def priority(rule, ticks, left, count, ready, due):
    """How much a rule wants a lot: the highest goes first."""
    if rule == 0:
        return left
    if rule == 1:
        return np.int64(count)
    if rule == 2:
        return -ready
    if rule == 3:
        return ticks
    if rule == 4:
        return -ticks
    if rule == 5:
        return -due
    return -left


@allocating
def dispatch(floor, rule, active, order, choice):
    """Play a rule, active or non-delay.

    Args:
        floor: the plan.
        rule: of `NUMBERS`.
        active: which conflict set.
        order: int32 [operations], filled with the operations as they are dispatched.
        choice: int32 [operations], filled with the alternative of each.

    Returns:
        The tick at which the last operation ends.
    """
    lots = floor.first.shape[0]
    ready, free, op, left = floor.release.copy(), floor.available.copy(), floor.first.copy(), floor.length.copy()
    contest = contest_of(floor.where, free.shape[0])
    for j in range(lots):
        for a in range(floor.begins[op[j]], floor.begins[op[j] + 1]):
            enter(contest, j, a, event_of(floor, a, ready[j], free, active))
    latest = 0
    for step in range(order.shape[0]):
        while not contest.sure[contest.winner[1]]:
            make_sure(contest, floor, contest.winner[1], ready, free, active)
        soonest, first = contest.event[contest.winner[1]], contest.first[contest.winner[1]]
        machine = floor.where[last_freed(floor, op[first], ready[first], free, active, soonest)]
        chosen, taken, best = -1, -1, np.int64(0)
        for place in range(contest.begins[machine], contest.begins[machine] + contest.crowd[machine]):
            j = contest.lot[place]
            start = max(ready[j], free[machine])
            if j != first and not (start < soonest if active else start == soonest):
                continue
            a = contest.alternative[place]
            wanted = priority(rule, floor.takes[a], floor.left[op[j]], left[j], ready[j], floor.due[j])
            if chosen < 0 or wanted > best or (wanted == best and j < chosen):
                chosen, taken, best = j, a, wanted
        i = op[chosen]
        order[step], choice[i] = i, taken
        end = place_after(ready[chosen], free[machine], floor.takes[taken]).end
        ready[chosen] = free[machine] = end
        latest = max(latest, end)
        for a in range(floor.begins[i], floor.begins[i + 1]):
            withdraw(contest, chosen, a)
        expect(contest, machine, end, 0, False)
        left[chosen] -= 1
        if left[chosen]:
            op[chosen] = i + 1
            for a in range(floor.begins[i + 1], floor.begins[i + 2]):
                enter(contest, chosen, a, event_of(floor, a, end, free, active))
    return latest
