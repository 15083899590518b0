"""The search through whole shops against optima, and what it proves that nothing else of `tighten` does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jaxshop.bounds import Certificate, certify, tighten
from jaxshop.bounds.branching import DEEPEST, DEPTH, NODES, PATIENCE, Orders, orders_of, search
from jaxshop.bounds.exact import NO, OPEN, YES
from jaxshop.bounds.windows import Model, model_of
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, split_lots
from jaxshop.shop.objective import MAKESPAN
from tests.oracles.brute_force import optimum
from tests.oracles.optimum import least_makespan
from tests.oracles.plant import optimum as plant_optimum
from tests.plant import plant_shop
from tests.shops import from_routes, job_shop, random_shop, recirculating_shop


def asked(model: Model, makespan: int, nodes: int = 20_000, chunk: int = 7) -> tuple[int, Orders]:
    """What is said of a makespan, and the state of the search then."""
    of = model.alternatives
    windows, weight = (model.heads.copy(), makespan - model.tails), np.ones(len(model.available), np.int64)
    state = orders_of(model.last, of.begins, of.where, of.takes, model.available, *windows, weight)
    answer = OPEN
    while answer == OPEN and state.position[NODES] < nodes and state.position[DEPTH] < DEEPEST:
        answer = search(state, chunk)
    return answer, state


def assert_schedule(state: Orders, model: Model, makespan: int) -> None:
    """What the search ends with, every operation at its earliest start, is a schedule."""
    r, _, p, on = state.now
    assert (r >= np.maximum(model.heads, model.available[on])).all()
    assert (r + p <= makespan).all()
    for i in range(len(r)):
        own = slice(state.begins[i], state.begins[i + 1])
        assert p[i] == state.takes[own][state.where[own] == on[i]][0]
        assert model.last[i] or r[i] + p[i] <= r[i + 1]
        for j in range(i):
            assert on[i] != on[j] or r[i] + p[i] <= r[j] or r[j] + p[j] <= r[i]


def drawn(seed: int) -> Shop:
    """Shops of every kind: job shops, flexible ones with times by machine and releases, routes that come back."""
    kinds = (
        lambda: job_shop(seed, 5, 4, 30),
        lambda: random_shop(seed, 4, 3, 4, 40),
        lambda: recirculating_shop(seed, 4, 3, 4),
        lambda: random_shop(seed, 6, 2, 3, 12),
    )
    return kinds[seed % len(kinds)]()


@pytest.mark.parametrize("block", range(4))
def test_the_optimum_is_possible_and_one_tick_less_is_not(block: int):
    """Shows 160 shops against CP-SAT: what is called impossible is, and what is called possible is a schedule."""
    proven = 0
    for seed in range(40 * block, 40 * block + 40):
        plan = split_lots(drawn(seed), None)
        model, least = model_of(plan), least_makespan(plan)
        for makespan in (least, least + 1, least + 9):
            answer, state = asked(model, makespan // model.unit)
            assert answer != NO, seed
            if answer == YES:
                assert_schedule(state, model, makespan // model.unit)
        for makespan in (least - 1, least - 4):
            answer, _ = asked(model, makespan // model.unit)
            assert answer != YES, seed
            proven += answer == NO
    assert proven >= 76


@pytest.mark.parametrize("seed", range(40))
def test_the_same_as_enumeration(seed: int):
    """Shows the same against an oracle that shares nothing with a constraint solver."""
    shop = random_shop(seed, 3, 2, 3, 12) if seed % 2 else job_shop(seed, 3, 2, 30)
    model, least = model_of(split_lots(shop, None)), optimum(shop)
    assert asked(model, least // model.unit)[0] == YES
    assert asked(model, least // model.unit - 1)[0] == NO


def test_how_often_it_is_called_makes_no_difference():
    """Shows the same nodes and the same answer in one call as in calls of one node each."""
    model = model_of(split_lots(job_shop(0, 7, 7, 99), None))
    answers = [asked(model, 470, chunk=chunk) for chunk in (1, 20_000)]
    assert answers[0][0] == answers[1][0] != OPEN
    assert answers[0][1].position.tolist() == answers[1][1].position.tolist()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("wide", [30, 1_000, 100_000])
def test_windows_that_are_wide_for_the_work_in_them_hold_nothing_up(seed: int, wide: int):
    """Shows that orders which contradict each other a window's width away use up nodes, and that what is called
    possible is a schedule then, too."""
    plan = split_lots(drawn(seed), None)
    model = model_of(plan)
    makespan = wide * certify(plan).value // model.unit
    answer, state = asked(model, makespan, nodes=3_000)
    assert state.position[NODES] <= 3_000 + 7 + PATIENCE * (2 * len(model.last) + 7)
    assert answer != NO
    if answer == YES:
        assert_schedule(state, model, makespan)


def tightened(plan: LotPlan) -> Certificate:
    """The best certificate that there is."""
    first = certify(plan)
    return [first, *tighten(plan, first, lambda: True)][-1]


def test_a_job_shop_of_eight_by_eight_is_proven():
    """Shows optima, CP-SAT's, of shops where one machine with heads and tails says less."""
    for seed in range(3):
        plan = split_lots(job_shop(seed, 8, 8, 99), None)
        first, best = certify(plan), tightened(plan)
        assert best.name == "branching"
        assert first.value < best.value
        assert best.value == least_makespan(plan)
        assert best.witness.startswith("no order of all 8 lots' operations ends before ")


def test_operations_of_no_time_are_in_nobodys_way():
    """Shows that bounds hold where operations take no time on some machines, which a search may leave out."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        routes = [
            [{int(m): int(rng.integers(0, 6)) for m in rng.choice(3, rng.integers(1, 3), replace=False)} for _ in "abc"]
            for _ in range(4)
        ]
        plan = split_lots(from_routes(routes, 3, rng.integers(0, 5, 4).tolist(), rng.integers(0, 5, 3).tolist()), None)
        assert tightened(plan).value <= least_makespan(plan), seed


def slower(shop: Shop, times: int) -> Shop:
    """The shop with every tick that many times as long."""

    def operation(one):
        return replace(one, setup=one.setup * times, alternatives={m: t * times for m, t in one.alternatives.items()})

    return replace(
        shop,
        machines=tuple(replace(one, available_from=one.available_from * times) for one in shop.machines),
        jobs=tuple(
            replace(one, release=one.release * times, operations=tuple(map(operation, one.operations)))
            for one in shop.jobs
        ),
    )


def test_bounds_come_in_whole_units():
    """Shows that a shop in minutes has the bounds of the same shop in ticks, step by step, sixty times as long."""
    for seed in range(12):
        shop = random_shop(seed, 5, 3, 3, 40)
        plans = [split_lots(each, None) for each in (shop, slower(shop, 60))]
        assert model_of(plans[1]).unit == 60 * model_of(plans[0]).unit
        for plan in plans:
            best = tightened(plan)
            assert best.value % model_of(plan).unit == 0 or best.tightened is None
        assert tightened(plans[1]).value == 60 * tightened(plans[0]).value == 60 * least_makespan(plans[0])


def test_a_lag_need_not_be_a_multiple_of_the_unit():
    """Shows that a bound which a schedule reaches stays, where times are whole minutes and a lag is seven seconds."""
    jobs = (Job("J", (Operation("a", {"M": 60}, lag=7), Operation("b", {"N": 60}))),)
    plan = split_lots(Shop("lag", (Machine("M"), Machine("N")), jobs), None)
    assert [certify(plan).value, tightened(plan).value] == [127, 127]


@pytest.mark.parametrize("block", range(4))
def test_no_bound_of_a_plant_in_whole_units_is_above_its_optimum(block: int):
    """Shows 120 plants whose work takes whole spans of ten minutes, and whose lags, shifts and set-ups do not."""
    loose = 0
    for seed in range(30 * block, 30 * block + 30):
        shop = replace(plant_shop(seed, jobs=2, machines=2, most_operations=2), objective=MAKESPAN)
        jobs = tuple(replace(job, operations=tuple(map(tidied, job.operations))) for job in shop.jobs)
        plan = split_lots(replace(shop, jobs=jobs), None)
        least = plant_optimum(plan)
        assert tightened(plan).value <= least, seed
        loose += least % 600 > 0
    assert loose >= 10  # that many a bound in whole spans could be above


def tidied(operation: Operation) -> Operation:
    """The same in whole spans of ten minutes."""
    return replace(
        operation, alternatives={m: max(600, t // 600 * 600) for m, t in operation.alternatives.items()}, setup=0
    )
