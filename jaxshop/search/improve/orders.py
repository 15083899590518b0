"""Iterated greedy over orders of the lots, for shops that all lots pass in one direction (Ruiz and Stuetzle 2007).

In a hybrid flow shop a lot that goes earlier goes earlier at every stage, which in the graph takes a move a stage, each
of them for the worse. Here an order of the lots is played stage by stage: at the first in that order, then first come,
first served, each on the machine where it ends first (Ruiz, Serifoglu and Urlings 2008).
"""

from __future__ import annotations

import math
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import numpy as np

from jaxshop.bounds.weights import connected
from jaxshop.search.improve.gaps import NO_COST
from jaxshop.search.improve.graph import place_after
from jaxshop.search.improve.model import HEAD, Arrays
from jaxshop.search.improve.state import WORK, draw
from jaxshop.support.compiling import allocating, compiled

CURRENT, BEST, OUT, LEAST = range(4)
"""Of `memory`: costs at present, and ever; lots that are out yet; the cost once the last of them is in."""

TAKEN = 2
"""Lots that are taken out of the order and put back one by one."""

PLACES = 16
"""That a lot is tried at, up to twice as many, from a random one on at even distances: of all of them most tell little,
as what a lot costs in one place it nearly costs in the next."""

WARMTH = 0.001
"""Temperature, as a share of the best cost."""

LIGHT = 2
"""Operations that are played on machines that are alike in the time of one that is not."""


class Stages(NamedTuple):
    """The stages of a shop, in the order in which lots pass them, and room to play an order of the lots; or the same
    from the shop's end back to its start."""

    at: np.ndarray  # int32 [stages, lots]: the lot's operation there; -1: it passes by
    rest: np.ndarray  # int64 [operations]: the least ticks of its lot after it
    release: np.ndarray  # int64 [lots]
    opens: np.ndarray  # int64 [machines]: when each is free
    alike: bool  # whether a stage's machines all run all that passes it, in the same time
    takes: np.ndarray  # int64 [stages, lots]: where they do, ticks of the lot's operation there; -1: it passes by
    tails: np.ndarray  # int64 [stages, lots]: `rest` of it
    frees: np.ndarray  # int64 [stages, machines]: when each machine of the stage is free, ascending
    sizes: np.ndarray  # int64 [stages]: its machines
    ready: np.ndarray  # int64 [lots]: scratch
    free: np.ndarray  # int64 [machines]: scratch
    queue: np.ndarray  # int32 [lots]: scratch
    starts: np.ndarray  # int64 [operations]: of what was played last
    choice: np.ndarray  # int32 [operations]: its alternatives


def stages_of(arrays: Arrays, backward: bool = False) -> Stages | None:
    """The stages, groups of machines that share operations; None where lots come back to one, or pass two crosswise.

    `backward`: in mirrored time; None, too, where a machine is free late, which then is an end that it has to meet.
    """
    n, first = arrays.operations, arrays.operations + arrays.lots
    where, counts = arrays.where - first, np.diff(arrays.begins)
    groups = connected(arrays.begins, where, arrays.machines)
    passed = groups[where[arrays.begins[:-1]]]
    ends = set(arrays.last.tolist())
    before: dict[int, set[int]] = {number: set() for number in passed.tolist()}
    for i in range(n):
        if i not in ends:
            before[passed[i + 1]].add(passed[i])
    try:
        passing = list(TopologicalSorter(before).static_order())[:: -1 if backward else 1]
    except CycleError:
        return None
    opens = arrays.blank[first : first + arrays.machines, HEAD].astype(np.int64)
    if backward and opens.any():
        return None
    lot, place = np.searchsorted(arrays.last, np.arange(n)), {number: k for k, number in enumerate(passing)}
    at = np.full((len(passing), arrays.lots), -1, np.int32)
    at[[place[number] for number in passed.tolist()], lot] = np.arange(n)
    least, release = arrays.least.astype(np.int64), arrays.blank[n:first, HEAD].astype(np.int64)
    done = np.cumsum(least)
    rest = done[arrays.last][lot] - done
    if backward:
        rest, release = done - least - np.append(0, done[arrays.last])[lot] + release[lot], np.zeros_like(release)
    alike = bool((counts == np.bincount(groups)[passed]).all() and (arrays.takes == np.repeat(least, counts)).all())
    frees, sizes = np.zeros((len(passing), arrays.machines), np.int64), np.zeros(len(passing), np.int64)
    for k, number in enumerate(passing):
        free = np.sort(opens[groups == number])
        frees[k, : len(free)], sizes[k] = free, len(free)
    takes, tails = np.where(at < 0, -1, least[at]), np.where(at < 0, 0, rest[at])
    ready, free, starts = (np.zeros(count, np.int64) for count in (arrays.lots, arrays.machines, n))
    queue, choice = np.zeros(arrays.lots, np.int32), np.zeros(n, np.int32)
    given = at, rest, release, opens, alike, takes, tails, frees, sizes
    return Stages(*given, ready, free, queue, starts, choice)


@compiled
def play(arrays, stages, state, order, count, most):
    """Play the first `count` lots of an order; returns when all is done, or NO_COST where that is sure to be after
    `most`."""
    ready, free, queue = stages.ready, stages.free, stages.queue
    first, latest, placed = arrays.operations + arrays.lots, np.int64(0), 0
    for machine in range(arrays.machines):
        free[machine] = stages.opens[machine]
    for k in range(count):
        queue[k] = order[k]
        ready[order[k]] = stages.release[order[k]]
    for stage in range(stages.at.shape[0]):
        for k in range(count):
            lot = queue[k]
            i = stages.at[stage, lot]
            if i >= 0:
                ends, chosen = np.int64(NO_COST), 0
                for a in range(arrays.begins[i], arrays.begins[i + 1]):
                    machine = arrays.where[a] - first
                    end = place_after(ready[lot], free[machine], arrays.takes[a]).end
                    # Of machines where it ends alike, the one that has waited least keeps the others open.
                    if end < ends or (end == ends and free[machine] > free[arrays.where[chosen] - first]):
                        ends, chosen = end, a
                placed += 1
                if ends + stages.rest[i] > most:
                    state.counters[WORK] += placed
                    return NO_COST
                ready[lot] = free[arrays.where[chosen] - first] = ends
                stages.starts[i], stages.choice[i] = ends - arrays.takes[chosen], chosen
                latest = max(latest, ends + stages.rest[i])
            j = k
            while j > 0 and ready[queue[j - 1]] > ready[lot]:
                queue[j] = queue[j - 1]
                j -= 1
            queue[j] = lot
    state.counters[WORK] += placed
    return latest


@compiled
def play_alike(stages, state, order, count, most):
    """`play` where a stage's machines are alike, without telling which of them runs what: a third of the time."""
    takes, ready, free, queue = stages.takes, stages.ready, stages.free, stages.queue
    latest, placed = np.int64(0), 0
    for k in range(count):
        queue[k], ready[k] = order[k], stages.release[order[k]]
    for stage in range(takes.shape[0]):
        last = stages.sizes[stage] - 1
        for j in range(last + 1):
            free[j] = stages.frees[stage, j]
        for k in range(count):
            lot, end, time = queue[k], ready[k], takes[stage, queue[k]]
            if time >= 0:
                j = 0
                while j < last and free[j + 1] <= end:
                    j += 1
                end = max(end, free[j]) + time
                while j < last and free[j + 1] < end:
                    free[j] = free[j + 1]
                    j += 1
                free[j] = end
                placed += 1
                done = end + stages.tails[stage, lot]
                if done > most:
                    state.counters[WORK] += 1 + placed // LIGHT
                    return NO_COST
                latest = max(latest, done)
            j = k
            while j > 0 and ready[j - 1] > end:
                queue[j], ready[j] = queue[j - 1], ready[j - 1]
                j -= 1
            queue[j], ready[j] = lot, end
    state.counters[WORK] += 1 + placed // LIGHT
    return latest


@allocating
def take_some(arrays, state, order):
    """Move some lots to the end of an order."""
    lots = arrays.lots
    taken = min(TAKEN, lots)
    for k in range(taken):
        j = draw(state.random, lots - k)
        lot = order[j]
        order[j : lots - 1 - k] = order[j + 1 : lots - k]
        order[lots - 1 - k] = lot
    return taken


@allocating
def put_best(arrays, stages, state, order, trial, out):
    """Put the first lot that is out where the order costs least, of some places; returns the cost."""
    inside = arrays.lots - out
    lot, least, ties, place = order[inside], np.int64(NO_COST), 0, inside
    trial[1 : inside + 1] = order[:inside]
    stride, last = max(1, (inside + 1) // PLACES), 0
    for k in range(draw(state.random, stride), inside + 1, stride):
        trial[last:k] = order[last:k]
        trial[k] = lot
        last = k
        if stages.alike:
            cost = play_alike(stages, state, trial, inside + 1, least)
        else:
            cost = play(arrays, stages, state, trial, inside + 1, least)
        if cost < least:
            least, ties, place = cost, 1, k
        elif cost == least:
            ties += 1
            if draw(state.random, ties) == 0:
                place = k
    for k in range(inside, place, -1):
        order[k] = order[k - 1]
    order[place] = lot
    return least


@allocating
def search_orders(arrays, stages, state, best, order, trial, scratch, memory, budget, target):
    """Go on until so much work is done in all, or the target is met; the best order is kept in `best`."""
    while state.counters[WORK] < budget and memory[BEST] > target:
        if memory[OUT] == 0:
            trial[:] = order
            memory[OUT] = take_some(arrays, state, trial)
        memory[LEAST] = put_best(arrays, stages, state, trial, scratch, memory[OUT])
        memory[OUT] -= 1
        if memory[OUT] > 0:
            continue
        cost, worse = memory[LEAST], memory[LEAST] - memory[CURRENT]
        if worse <= 0 or draw(state.random, 1 << 30) < math.exp(-worse / (memory[BEST] * WARMTH)) * (1 << 30):
            order[:], memory[CURRENT] = trial, cost
        if cost < memory[BEST]:
            best[:], memory[BEST] = trial, cost
