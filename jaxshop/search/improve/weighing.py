"""A start where times differ by machine: what an operation wastes is weighed against how long it would wait.

Rules send an operation to whatever machine is free, and divide the work badly; where loads alone divide it, operations
queue for their machine while others idle. Between both lies a price. How high it has to be differs from shop to shop,
so several are played.
"""

from __future__ import annotations

import numpy as np

from jaxshop.schedule.dispatch import NEVER
from jaxshop.search.improve.contest import contest_of, enter, expect
from jaxshop.search.improve.dispatching import Floor
from jaxshop.search.improve.graph import place_after
from jaxshop.search.improve.prices import PARTS
from jaxshop.support.compiling import allocating, compiled

PRICES = (16, 64, 4, 32, 8, 128, 2, 256, 1)
"""How often what an alternative wastes counts, beside when the operation would end."""

PATIENCE = (0, 2, 1, 4)
"""Eighths of an operation that a machine waits for one with more work left."""

LOOKS = 1 << 21
"""At alternatives, in all that is played: about a tenth of a second."""


def trials(floor: Floor) -> list[tuple[int, int]]:
    """What to play, price and patience: the fewer the more there is to look at, and nothing where once is too much."""
    every = [(price, patience) for patience in PATIENCE for price in PRICES]
    crowd = len(floor.first) / len(floor.available)  # looks anew, and at all its alternatives, at each operation
    return every[: int(LOOKS / (crowd * len(floor.where)))]


@compiled
def want(contest, floor, wastes, price, lot, operation, ready, free):
    """Let a lot compete where its end and the price together are least, from when it can begin there."""
    least, best, begin = np.int64(0), -1, np.int64(0)
    for a in range(floor.begins[operation], floor.begins[operation + 1]):
        span = place_after(ready, free[floor.where[a]], floor.takes[a])
        value = (span.end << PARTS) + price * wastes[a]
        if best < 0 or value < least:
            least, best, begin = value, a, span.start
    enter(contest, lot, best, begin)


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
    contest = contest_of(floor.where, free.shape[0])
    for j in range(lots):
        want(contest, floor, wastes, price, j, op[j], ready[j], free)
    latest = np.int64(0)
    for step in range(order.shape[0]):
        machine = contest.winner[1]
        first, until = contest.first[machine], contest.event[machine]
        begin, end = contest.begins[machine], contest.begins[machine] + contest.crowd[machine]
        taken = -1
        for place in range(begin, end):
            if contest.lot[place] == first:
                taken = contest.alternative[place]
        until += (floor.takes[taken] * patience) >> 3
        chosen = first
        for place in range(begin, end):
            j = contest.lot[place]
            more = floor.left[op[j]] - floor.left[op[chosen]]
            soon = place_after(ready[j], free[machine], floor.takes[contest.alternative[place]]).start <= until
            if soon and (more > 0 or (more == 0 and chosen != first and j < chosen)):
                chosen, taken = j, contest.alternative[place]
        i = op[chosen]
        order[step], choice[i] = i, taken
        ready[chosen] = free[machine] = place_after(ready[chosen], free[machine], floor.takes[taken]).end
        latest = max(latest, ready[chosen])
        left[chosen] -= 1
        op[chosen] = i + 1
        # Only who wanted this machine may want another now: on the others nothing has changed.
        contest.crowd[machine] = 0
        expect(contest, machine, NEVER, 0, True)
        for place in range(begin, end):
            j = contest.lot[place]
            if left[j]:
                want(contest, floor, wastes, price, j, op[j], ready[j], free)
    return latest
