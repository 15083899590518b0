"""Orders of the lots, played stage by stage: as plain Python plays them, and at the optimum of small flow shops."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from jaxshop.schedule import verify
from jaxshop.search.improve import kernels
from jaxshop.search.improve.dispatching import dispatch, floor_of
from jaxshop.search.improve.method import Improve
from jaxshop.search.improve.model import Model, model_of, to_schedule
from jaxshop.search.improve.orders import BEST, NO_COST, play, play_alike, put_best, stages_of
from jaxshop.search.improve.state import WORK, new_state
from jaxshop.search.improve.workers import BackwardOrderSearch, OrderSearch
from jaxshop.search.types import Stop, Task
from jaxshop.shop import LotPlan, split_lots
from tests.oracles.optimum import least_makespan
from tests.shops import from_routes, job_shop, random_shop, recirculating_shop


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Have the kernels before any test counts."""
    kernels.wait(False, None)


def flow_plan(seed: int, jobs: int = 4, stages: int = 3, late: bool = True, alike: bool = False) -> LotPlan:
    """Lots that pass most of the stages, of up to three machines each, `late` with releases and late machines.

    Each operation may run on the stage's first machine and on some of the others, in times of their own; where machines
    are `alike`, on all of them, in one time, and no machine is late.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, stages)
    first = np.cumsum(sizes) - sizes

    def times(s: int) -> dict[int, int]:
        if alike:
            return dict.fromkeys(range(first[s], first[s] + sizes[s]), int(rng.integers(1, 10)))
        return {int(first[s] + m): int(rng.integers(1, 10)) for m in range(sizes[s]) if m == 0 or rng.random() < 0.7}

    routes = []
    for _ in range(jobs):
        passed = [s for s in range(stages) if rng.random() < 0.8] or [0]
        routes.append([times(s) for s in passed])
    machines = int(sizes.sum())
    release = rng.integers(0, 9, jobs).tolist() if late else None
    free = rng.integers(0, 9, machines).tolist() if late and not alike else None
    return split_lots(from_routes(routes, machines, release, free), None)


def played(plan: LotPlan, stage_of: list[list[int]], order: list[int]) -> int:
    """When the last lot ends, in plain Python; `stage_of`: the stage of each step of each lot."""
    free = {machine.id: machine.available_from for machine in plan.shop.machines}
    ready = [lot.release for lot in plan.lots]
    for stage in range(1 + max(max(stages) for stages in stage_of)):
        for lot in [lot for lot in order if stage in stage_of[lot]]:
            operation = plan.lots[lot].operations[stage_of[lot].index(stage)]
            ends = {m: max(ready[lot], free[m]) + operation.setup + t for m, t in operation.alternatives.items()}
            chosen = min(ends, key=lambda m: (ends[m], -free[m]))
            ready[lot] = free[chosen] = ends[chosen]
        order = sorted(order, key=ready.__getitem__)
    return max(ready)


def begun(model: Model, kind: type[OrderSearch] = OrderSearch) -> OrderSearch:
    """A search from a rule's schedule."""
    order, choice = np.empty((2, model.arrays.operations), np.int32)
    dispatch(floor_of(model), 0, False, order, choice)
    return kind(model, order, choice, 0)


def test_an_order_is_played_as_in_plain_python():
    """Shows makespans of random orders on random hybrid flow shops, and that one is cut short only where it is longer
    than what was asked for."""
    for seed in range(20):
        plan = flow_plan(seed, jobs=9, stages=4)
        arrays = model_of(plan).arrays
        stages = stages_of(arrays)
        assert stages is not None
        steps = np.cumsum([0] + [len(lot.operations) for lot in plan.lots])
        stage_of = [
            [int(np.flatnonzero((stages.at == i).any(1))[0]) for i in range(begin, end)]
            for begin, end in pairwise(steps)
        ]
        state, rng = new_state(arrays, seed), np.random.default_rng(seed)
        for _ in range(5):
            order = rng.permutation(arrays.lots).astype(np.int32)
            expected = played(plan, stage_of, order.tolist())
            assert play(arrays, stages, state, order, arrays.lots, NO_COST) == expected
            assert play(arrays, stages, state, order, arrays.lots, expected) == expected
            assert play(arrays, stages, state, order, arrays.lots, expected - 1) in (expected, NO_COST)


@pytest.mark.parametrize("backward", [False, True])
def test_machines_that_are_alike_are_played_as_any_are(backward: bool):
    """Shows that makespans are the same where it is not told which machine runs what, both ways, to the limit."""
    for seed in range(20):
        arrays = model_of(flow_plan(seed, jobs=30, stages=4, alike=True)).arrays
        stages = stages_of(arrays, backward)
        assert stages is not None
        assert stages.alike
        state, rng = new_state(arrays, seed), np.random.default_rng(seed)
        for count in (arrays.lots, arrays.lots // 2):
            order = rng.permutation(arrays.lots).astype(np.int32)
            expected = play(arrays, stages, state, order, count, NO_COST)
            assert play_alike(stages, state, order, count, NO_COST) == expected
            assert play_alike(stages, state, order, count, expected) == expected
            assert play_alike(stages, state, order, count, expected - 1) == NO_COST


def test_machines_are_alike_only_where_all_run_all_in_one_time():
    """Shows it for a stage of which one machine runs less, and for one of which one machine is slower."""
    for times in ([{0: 2, 1: 2}, {0: 2}], [{0: 2, 1: 2}, {0: 2, 1: 3}]):
        stages = stages_of(model_of(split_lots(from_routes([[time] for time in times], 2), None)).arrays)
        assert stages is not None
        assert not stages.alike


def test_an_order_is_played_backward_as_the_mirrored_shop_forward():
    """Shows makespans of random orders on random hybrid flow shops whose lots are there from the start."""
    for seed in range(20):
        plan = flow_plan(seed, jobs=9, stages=4, late=False)
        jobs = (replace(job, operations=job.operations[::-1]) for job in plan.shop.jobs)
        mirrored = model_of(split_lots(replace(plan.shop, jobs=tuple(jobs)), None)).arrays
        arrays = model_of(plan).arrays
        backward, forward = stages_of(arrays, backward=True), stages_of(mirrored)
        assert backward is not None
        assert forward is not None
        state, rng = new_state(arrays, seed), np.random.default_rng(seed)
        for _ in range(5):
            order = rng.permutation(arrays.lots).astype(np.int32)
            expected = play(mirrored, forward, state, order, arrays.lots, NO_COST)
            assert play(arrays, backward, state, order, arrays.lots, NO_COST) == expected


def test_no_order_is_played_backward_where_a_machine_is_free_late():
    """Shows it on a shop that is played forward."""
    arrays = model_of(split_lots(from_routes([[{0: 2}], [{0: 3}]], 1, free=[1]), None)).arrays
    assert stages_of(arrays) is not None
    assert stages_of(arrays, backward=True) is None


@pytest.mark.parametrize("jobs", [9, 31, 32, 70])
def test_a_lot_is_put_where_it_costs_least_of_the_places_that_are_tried(jobs: int):
    """Shows on orders of few and many lots that the cost which is returned is that of the order, that no lot is lost,
    that no place costs less where all are tried, and that of many no more than 31 are."""
    plan = flow_plan(jobs, jobs=jobs, stages=3)
    arrays = model_of(plan).arrays
    stages = stages_of(arrays)
    state, rng = new_state(arrays, 0), np.random.default_rng(0)
    trial = np.zeros(jobs, np.int32)
    for _ in range(3):
        before = rng.permutation(jobs).astype(np.int32)
        order, begun = before.copy(), int(state.counters[WORK])
        cost = put_best(arrays, stages, state, order, trial, 1)
        assert state.counters[WORK] - begun <= min(31, jobs) * arrays.operations
        assert sorted(order.tolist()) == list(range(jobs))
        assert play(arrays, stages, state, order, jobs, NO_COST) == cost
        everywhere = (np.insert(before[:-1], k, before[-1]) for k in range(jobs))
        costs = [play(arrays, stages, state, tried, jobs, NO_COST) for tried in everywhere]
        assert cost in costs
        assert cost == min(costs) or jobs > 31


@pytest.mark.parametrize(
    ("kind", "plan"),
    [
        (OrderSearch, flow_plan(3, jobs=30, stages=5)),
        (OrderSearch, flow_plan(3, jobs=30, stages=4, alike=True)),
        (BackwardOrderSearch, flow_plan(3, jobs=30, stages=5, late=False)),
        (BackwardOrderSearch, flow_plan(3, jobs=30, stages=4, alike=True)),
    ],
)
def test_what_a_search_of_orders_finds_is_a_schedule(kind: type[OrderSearch], plan: LotPlan):
    """Shows that its best is valid, costs what it says, is better than the rule it began with, and that what another
    found is kept although its order may cost more."""
    model = model_of(plan)
    search = begun(model, kind)
    began = search.found.cost
    search.advance(2, 0, 0)
    assert search.found.cost < began
    schedule = to_schedule(model, search.found.table, Task.of(plan).fingerprint)
    assert verify(plan, schedule) == []
    assert search.memory[BEST] >= schedule.makespan == search.found.cost
    other = begun(model, kind)
    other.adopt(search.found)
    other.advance(1, 0, 2)
    assert other.found.cost <= search.found.cost


def test_shops_without_stages_have_none():
    """Shows that job shops and shops that come back to a machine are told apart from those passed in one direction."""
    for seed in range(5):
        assert stages_of(model_of(flow_plan(seed)).arrays) is not None
        for shop in (job_shop(seed, 6), recirculating_shop(seed, 4), random_shop(seed, 6, 2, 4)):
            assert stages_of(model_of(split_lots(shop, None)).arrays) is None


def test_search_ends_at_the_optimum_of_small_flow_shops():
    """Shows on 12 of them that no schedule is below CP-SAT's optimum, and that at most one is above."""
    missed = 0
    for seed in range(12):
        plan = flow_plan(seed)
        task, least = Task.of(plan), least_makespan(plan)
        *_, best = Improve(threads=1).search(task, seed, Stop(work=14 + 250, target=least))
        assert best.cost >= least
        assert verify(plan, best.schedule) == []
        missed += best.cost > least
    assert missed <= 1
