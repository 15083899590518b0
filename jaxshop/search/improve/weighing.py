"""A start where times differ by machine: what an operation wastes is weighed against how long it would wait.

Rules send an operation to whatever machine is free, and divide the work badly; where loads alone divide it, operations
queue for their machine while others idle. Between both lies a price. How high it has to be differs from shop to shop,
so several are played.
"""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve.dispatching import Floor
from jaxshop.search.improve.graph import place_after
from jaxshop.search.improve.prices import PARTS
from jaxshop.support.compiling import allocating

PRICES = (16, 64, 4, 32, 8, 128, 2, 256, 1)
"""How often what an alternative wastes counts, beside when the operation would end."""

PATIENCE = (0, 2, 1, 4)
"""Eighths of an operation that a machine waits for one with more work left."""

LOOKS = 1 << 24
"""At lots that compete, in all that is played: some hundredths of a second."""


def trials(floor: Floor) -> list[tuple[int, int]]:
    """What to play, price and patience: the fewer the more there is to look at, and nothing where once is too much."""
    every = [(price, patience) for patience in PATIENCE for price in PRICES]
    return every[: LOOKS // (len(floor.first) * (len(floor.begins) - 1))]


@allocating
def weigh(floor, wastes, price, patience, order, choice):
    """Play lots by the most work that is left, each on the machine where end and price together are least.

    Of lots that want the machine of the one that can begin first, those compete that can begin with it, or before some
    eighths of it are done.

    Args:
        floor: the plan.
        wastes: int64 [alternatives], 1 << PARTS to a tick.
        price: how often these count.
        patience: how many eighths.
        order: int32 [operations], filled with the operations as they are dispatched.
        choice: int32 [operations], filled with the alternative of each.

    Returns:
        The tick at which the last operation ends.
    """
    lots = floor.first.shape[0]
    ready, free, op, left = floor.release.copy(), floor.available.copy(), floor.first.copy(), floor.length.copy()
    wanted, starts = np.full(lots, -1, np.int32), np.zeros(lots, np.int64)
    latest = np.int64(0)
    for step in range(order.shape[0]):
        soonest, first = np.int64(0), -1
        for j in range(lots):
            if left[j] == 0:
                continue
            if wanted[j] < 0:
                least = np.int64(0)
                for a in range(floor.begins[op[j]], floor.begins[op[j] + 1]):
                    span = place_after(ready[j], free[floor.where[a]], floor.takes[a])
                    value = (span.end << PARTS) + price * wastes[a]
                    if wanted[j] < 0 or value < least:
                        least, wanted[j], starts[j] = value, a, span.start
            if first < 0 or starts[j] < soonest:
                soonest, first = starts[j], j
        machine = floor.where[wanted[first]]
        until = soonest + ((floor.takes[wanted[first]] * patience) >> 3)
        chosen = first
        for j in range(lots):
            competes = left[j] and floor.where[wanted[j]] == machine and starts[j] <= until
            if competes and floor.left[op[j]] > floor.left[op[chosen]]:
                chosen = j
        i, a = op[chosen], wanted[chosen]
        order[step], choice[i] = i, a
        end = starts[chosen] + floor.takes[a]
        ready[chosen] = free[machine] = end
        latest = max(latest, end)
        left[chosen] -= 1
        op[chosen] = i + 1
        # Only who wanted this machine may want another now: on the others nothing has changed.
        for j in range(lots):
            if left[j] and (j == chosen or floor.where[wanted[j]] == machine):
                wanted[j] = -1
    return latest
