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
    plans = (split_lots(from_routes([[{0: 1, 1: 2}] * 5] * lots, 2), None) for lots in (10, 1000, 2000))
    small, large, too_large = (len(trials(floor_of(model_of(plan)))) for plan in plans)
    assert small == len(PRICES) * len(PATIENCE)
    assert 1 <= large <= LOOKS // (1000 * 5000)
    assert too_large == 0
