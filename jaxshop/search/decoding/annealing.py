"""Simulated annealing over lists of operations (Kirkpatrick, Gelatt and Vecchi 1983)."""

from __future__ import annotations

import math

import numpy as np

from jaxshop.search.decoding.decode import TOO_MUCH, decode, exact, keep
from jaxshop.search.decoding.moves import begin_trial, change, take_back
from jaxshop.search.decoding.state import GUIDE, LOW, MAKESPAN, WORK
from jaxshop.search.improve.state import draw
from jaxshop.support.compiling import compiled

CURRENT, BEST, CYCLE_BEGAN, CYCLE_LENGTH, PENALTY = range(5)
"""Of `memory`: costs, the work at which the present cooling began and that it takes, and what set-ups count more."""

HOT, COLD = 0.003, 0.00003
"""Temperatures at the ends of a cooling, as shares of the best cost."""

AHEAD = 0.97
"""Where the guide lies, as a share of the best makespan."""


@compiled
def begin_with(arrays, state, order, forced, penalty, guide):
    """Take a list and its machines for what is there; returns the guided cost."""
    for p in range(order.shape[0]):
        state.order[p] = order[p]
        state.place[order[p]] = p
    state.forced[:] = forced
    state.marks[-1, GUIDE] = guide
    cost = decode(arrays, state, 0, TOO_MUCH, penalty)
    keep(state, 0)
    return cost


@compiled
def anneal(arrays, state, best, memory, budget, target):
    """Go on until so much work is done in all, or the target is met.

    A trial is accepted up to a cost that is drawn before it is decoded, so that one which is worse is given up early.
    Each cooling takes twice the work of the one before and begins with the best.

    Args:
        best: int64 [2, operations], the order and the machines of the best.
    """
    counters, n = state.counters, state.order.shape[0]
    while counters[WORK] < budget and memory[BEST] > target:
        begun = counters[WORK] - memory[CYCLE_BEGAN]
        if begun >= memory[CYCLE_LENGTH]:
            memory[CYCLE_BEGAN], begun = counters[WORK], 0
            memory[CYCLE_LENGTH] *= 2
            guide = np.int64(AHEAD * state.marks[-1, MAKESPAN])
            memory[CURRENT] = begin_with(arrays, state, best[0], best[1], memory[PENALTY], guide)
        counters[WORK] += 8
        begin_trial(state)
        for _ in range(1 + (draw(state.random, 4) == 0)):
            change(arrays, state)
        if counters[LOW] >= n:
            continue
        warmth = memory[BEST] * HOT * (COLD / HOT) ** (begun / memory[CYCLE_LENGTH])
        chance = (1 + draw(state.random, 1 << 30)) / (1 << 30)
        limit = memory[CURRENT] + np.int64(-math.log(chance) * warmth)
        low = counters[LOW]
        cost = decode(arrays, state, low, limit, memory[PENALTY])
        if cost > limit:
            take_back(state)
            continue
        keep(state, low)
        memory[CURRENT] = cost
        cost = exact(arrays, state.marks[-1])
        if cost < memory[BEST]:
            memory[BEST] = cost
            best[0], best[1] = state.order, state.forced
