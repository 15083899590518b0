"""Schedules crossed: children of two, which of them are kept, and shops on which there is nothing to cross."""

from __future__ import annotations

import numpy as np
import pytest

from jaxshop.schedule import verify
from jaxshop.search.improve import crossing
from jaxshop.search.improve.crossing import Crossing
from jaxshop.search.improve.dispatching import dispatch, floor_of
from jaxshop.search.improve.graph import build, cost_of
from jaxshop.search.improve.model import MACHINE, model_of, to_schedule
from jaxshop.search.improve.workers import Found
from jaxshop.shop import LotPlan, split_lots
from tests.shops import KINDS, from_routes, random_shop


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Schedules are crossed from the first piece of work on."""
    monkeypatch.setattr(crossing, "ALONE", 1 << 12)


def begun(plan: LotPlan, seed: int = 0) -> Crossing:
    """A worker that begins with a rule."""
    model = model_of(plan)
    order, choice = np.empty((2, model.arrays.operations), np.int32)
    dispatch(floor_of(model), 0, False, order, choice)
    return Crossing(model, order, choice, seed)


def test_each_lot_of_a_child_runs_where_it_does_in_one_of_both():
    """Shows on shops with lots, releases, late machines, operations of no time and routes that come back that children
    are valid schedules, and whose machines they have."""
    for kind in ("flexible", "dated", "idle", "recirculating"):
        plan = KINDS[kind](1)
        worker = begun(plan)
        worker.advance(4, -1, 0)
        arrays, state = worker.arrays, worker.state
        assert worker.runs > crossing.ELITE
        for first in range(len(worker.elite)):
            build(arrays, state, *worker.child(first, 0))
            assert verify(plan, to_schedule(worker.model, state.table, plan.shop.fingerprint)) == []
            n = arrays.operations
            mine, others = (
                np.split(state.table[:n, MACHINE] != worker.elite[k][:n, MACHINE], arrays.last + 1) for k in (first, 0)
            )
            assert not any(a.any() and b.any() for a, b in zip(mine, others, strict=True))


def test_those_that_are_kept_are_unlike_each_other_and_get_better():
    """Shows that no more are kept than may be, that the worst goes for a better one, that a worse one is not kept, and
    that one like another takes its place alone."""
    worker = begun(split_lots(random_shop(4, 10, 4, 5, 30), None))
    worker.advance(3, -1, 0)
    costs = [cost_of(worker.arrays, table) for table in worker.elite]
    assert 2 <= len(costs) <= crossing.ELITE
    assert min(costs) >= worker.found.cost
    build(worker.arrays, worker.state, *worker.start)
    assert cost_of(worker.arrays, worker.state.table) > max(costs)
    while len(worker.elite) < crossing.ELITE:
        worker.elite.append(worker.elite[0])
    worker.adopt(Found(worker.state.table.copy(), worker.found.cost, 0))
    assert not any((kept == worker.state.table).all() for kept in worker.elite)
    best = worker.elite[int(np.argmin(costs))].copy()
    worker.adopt(Found(best, worker.found.cost, 0))
    assert len(worker.elite) == crossing.ELITE


def test_where_there_is_nothing_to_cross_the_search_goes_on():
    """Shows that a single operation, a single machine of two lots, and operations of no time end their pieces of work,
    with the optimum."""
    for routes, machines, least in (
        ([[{0: 3, 1: 3}]], 2, 3),
        ([[{0: 3}], [{0: 4}]], 1, 7),
        ([[{0: 0, 1: 0}]] * 2, 3, 0),
    ):
        worker = begun(split_lots(from_routes(routes, machines), None))
        worker.advance(3, -1, 0)
        assert worker.found.cost == least
