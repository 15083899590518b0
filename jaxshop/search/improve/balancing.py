"""Which machine each operation should run on if only loads mattered: where times differ by machine, rules that look one
operation ahead divide the work badly, and moves that shorten one machine's load at a time mend that slowly."""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve.dispatching import Floor
from jaxshop.support.compiling import compiled

POWERS = (4.0, 8.0, 16.0, 32.0, 64.0)
"""Of loads, whose sum is made small: from the even to the largest alone."""

RULES = ("MWKR", "MOR")
"""Played on the division."""

PASSES = 12
"""Over all operations, for each power at most."""


@compiled
def divide(floor, choice, loads, power):
    """Move operations between their machines as long as the sum of powers of the loads falls; returns moves.

    A pass is coordinate descent on a convex function of the loads, so that, operations being small beside a load, it
    ends close to the best division there is.
    """
    moves = 0
    for i in range(choice.shape[0]):
        a = choice[i]
        here, ticks = floor.where[a], floor.takes[a]
        saved = loads[here] ** power - (loads[here] - ticks) ** power
        best = a
        for b in range(floor.begins[i], floor.begins[i + 1]):
            there = floor.where[b]
            if b != a:
                costs = (loads[there] + floor.takes[b]) ** power - loads[there] ** power
                if costs < saved:
                    saved, best = costs, b
        if best != a:
            loads[here] -= ticks
            loads[floor.where[best]] += floor.takes[best]
            choice[i] = best
            moves += 1
    return moves


def balanced(floor: Floor) -> np.ndarray:
    """The alternative of each operation that makes the largest load small, int32 [operations]."""
    machines = len(floor.available)
    spans = zip(floor.begins[:-1].tolist(), floor.begins[1:].tolist(), strict=True)
    choice = np.array([a + int(floor.takes[a:b].argmin()) for a, b in spans], np.int32)
    scale = max(1.0, floor.takes[choice].sum() / machines)
    relative = floor._replace(takes=floor.takes / scale)
    loads = floor.available / scale + np.bincount(floor.where[choice], relative.takes[choice], machines)
    for power in POWERS:
        for _ in range(PASSES):
            if divide(relative, choice, loads, power) <= len(choice) // 1000:
                break
    return choice


def bound_to(floor: Floor, choice: np.ndarray) -> Floor:
    """The floor where each operation has no alternative but the one that is chosen for it."""
    begins = np.arange(len(choice) + 1, dtype=np.int32)
    return floor._replace(begins=begins, where=floor.where[choice], takes=floor.takes[choice])
