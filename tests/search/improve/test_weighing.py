"""Starts that weigh what an alternative wastes against waiting."""

from __future__ import annotations

import numpy as np

from jaxshop.schedule import verify
from jaxshop.search.improve.dispatching import floor_of
from jaxshop.search.improve.graph import build
from jaxshop.search.improve.model import model_of, to_schedule
from jaxshop.search.improve.prices import PARTS
from jaxshop.search.improve.state import new_state
from jaxshop.search.improve.weighing import LOOKS, PATIENCE, PRICES, trials, weigh
from jaxshop.shop import split_lots
from tests.shops import KINDS, from_routes


def played(plan, price: int, patience: int, wastes: np.ndarray | None = None):
    """Cost, choice, and the schedule that the graph makes of it."""
    model = model_of(plan)
    wastes = model.arrays.wastes >> model.shift if wastes is None else wastes
    order, choice = np.empty((2, model.arrays.operations), np.int32)
    cost = weigh(floor_of(model), wastes, price, patience, order, choice)
    state = new_state(model.arrays, 0)
    build(model.arrays, state, order, choice)
    return cost, choice, to_schedule(model, state.table, plan.shop.fingerprint)


def test_what_is_played_is_a_schedule_that_ends_when_it_says():
    """Shows on shops with lots, releases, late machines, operations of no time and routes that come back that every
    price gives a valid schedule, whose operations begin no later than they were played."""
    for kind in ("flexible", "dated", "idle", "recirculating"):
        for seed in range(4):
            plan = KINDS[kind](seed)
            for price in PRICES:
                cost, _, schedule = played(plan, price, 2)
                assert verify(plan, schedule) == []
                assert schedule.makespan <= cost


def test_where_waste_is_dear_work_queues_for_the_machine_that_wastes_nothing():
    """Shows four lots on a fast and a slow machine: by their ends they take both, at a high price the fast one."""
    plan = split_lots(from_routes([[{0: 10, 1: 14}]] * 4, 2), None)
    wastes = np.array([0, 4 << PARTS] * 4, np.int64)
    assert [played(plan, price, 0, wastes)[0] for price in (0, 1, 16)] == [28, 30, 40]


def test_what_is_played_for_a_start_is_limited():
    """Shows that fewer prices are played the larger a shop is, and none where one takes too long."""
    plans = (split_lots(from_routes([[{0: 1, 1: 2}] * 5] * lots, 2), None) for lots in (10, 400, 2000))
    small, large, too_large = (len(trials(floor_of(model_of(plan)))) for plan in plans)
    assert small == len(PRICES) * len(PATIENCE)
    assert 1 <= large <= LOOKS // (200 * 4000)
    assert too_large == 0


def plainly(floor, wastes: np.ndarray, price: int, patience: int) -> list[tuple[int, int]]:
    """Operations and alternatives in the order in which they are dispatched, every lot looked at anew in each step."""
    ready, free, op = floor.release.tolist(), floor.available.tolist(), floor.first.tolist()
    ends, dispatched = (floor.first + floor.length).tolist(), []

    def start(j: int, a: int) -> int:
        return max(ready[j], free[floor.where[a]])

    def wanted(j: int) -> int:
        alternatives = range(floor.begins[op[j]], floor.begins[op[j] + 1])
        return min(alternatives, key=lambda a: (start(j, a) + int(floor.takes[a]) << PARTS) + price * int(wastes[a]))

    while left := [j for j in range(len(op)) if op[j] < ends[j]]:
        wants = {j: wanted(j) for j in left}
        first = min(left, key=lambda j: start(j, wants[j]))
        machine, until = floor.where[wants[first]], start(first, wants[first])
        until += int(floor.takes[wants[first]]) * patience // 8
        rivals = [j for j in left if floor.where[wants[j]] == machine and start(j, wants[j]) <= until]
        chosen = max([first, *rivals], key=lambda j: floor.left[op[j]])
        dispatched.append((op[chosen], wants[chosen]))
        ready[chosen] = free[machine] = start(chosen, wants[chosen]) + int(floor.takes[wants[chosen]])
        op[chosen] += 1
    return dispatched


def test_lots_are_played_as_in_plain_python():
    """Shows on twelve small shops that the kernel, which looks again only at those that wanted the machine that was
    given away, dispatches as its definition does."""
    for kind in ("flexible", "dated", "recirculating"):
        for seed, (price, patience) in enumerate(((16, 0), (1, 2), (64, 4), (0, 1))):
            model = model_of(KINDS[kind](seed))
            floor, wastes = floor_of(model), model.arrays.wastes >> model.shift
            order, choice = np.empty((2, model.arrays.operations), np.int32)
            weigh(floor, wastes, price, patience, order, choice)
            assert plainly(floor, wastes, price, patience) == [(i, choice[i]) for i in order]
