"""The tightened certificate against optima, on the shop whose optimum it must prove, and under its limits."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from jaxshop.bounds import Certificate, certify, prepare, tighten
from jaxshop.shop import Fixed, Job, LotPlan, Machine, Operation, Shop, split_lots, validate
from jaxshop.sources.reference import reference_shop
from tests.oracles.brute_force import optimum
from tests.oracles.optimum import least_makespan
from tests.oracles.plant import optimum as best_cost
from tests.shops import from_routes, ft06, random_shop

MOST_CALLS = 400
"""Looks at the clock that one shop is given."""


def last(plan: LotPlan, calls: int = MOST_CALLS, known: int | None = None) -> Certificate:
    """The best certificate within so many looks at the clock."""
    left = iter(range(calls))
    best = certify(plan)
    for certificate in tighten(plan, best, lambda: next(left, None) is not None, lambda: known):
        assert certificate.value == certificate.tightened > best.value
        best = certificate
    return best


def job_shop(seed: int, jobs: int, machines: int) -> Shop:
    """Every job once through every machine, with releases and machines that come late in one of two."""
    rng = np.random.default_rng(seed)
    routes = [[{int(m): int(rng.integers(1, 30))} for m in rng.permutation(machines)] for _ in range(jobs)]
    dates = (rng.integers(0, 20, size).tolist() if seed % 2 else None for size in (jobs, machines))
    return from_routes(routes, machines, *dates)


@pytest.mark.parametrize("block", range(6))
def test_never_above_the_optimum_and_mostly_at_it(block: int):
    """Shows 150 shops against CP-SAT, 25 a block: flexible ones with releases, late machines and times by machine; also
    where the optimum is known, or a makespan three ticks above."""
    met = certified = 0
    for seed in range(50 * block, 50 * block + 25):
        kind = block % 3
        if kind == 0:
            shop = job_shop(seed, 4, 3)
        elif kind == 1:
            shop = random_shop(seed, 5, 3, 2, 40)
        else:
            shop = random_shop(seed, 4 + seed % 3, 3)
        plan = split_lots(shop, None)
        least, first, best = least_makespan(plan), certify(plan), last(plan)
        assert first.value <= best.value <= least, seed
        assert best.value <= last(plan, known=least).value <= least, seed
        assert first.value <= last(plan, known=least + 3).value <= least, seed
        certified += first.value == least
        met += best.value == least
    assert met >= 20
    assert certified < met


@pytest.mark.parametrize("seed", range(30))
def test_never_above_what_enumeration_finds(seed: int):
    """Shows the same against an oracle that shares nothing with a constraint solver."""
    shop = random_shop(seed, 3, 2, 3, 12) if seed % 2 else job_shop(seed, 3, 2)
    assert last(split_lots(shop, None)).value <= optimum(shop)


@pytest.mark.parametrize("seed", range(20))
def test_one_centre_is_solved_to_the_tick(seed: int):
    """Shows that with one operation a lot, on machines alike or not, the bound is the optimum."""
    rng = np.random.default_rng(seed)
    machines = int(rng.integers(1, 4))
    routes = []
    for _ in range(7):
        ticks = int(rng.integers(5, 60))
        routes.append([{m: ticks + int(rng.integers(0, 20)) * (seed % 2) for m in range(machines)}])
    plan = split_lots(from_routes(routes, machines, rng.integers(0, 60, 7).tolist()), None)
    assert last(plan, 3000).value == least_makespan(plan)


def test_the_reference_is_proven():
    """Shows 102.404 h, which a schedule reaches: a work centre of two machines needs 332 ticks more than its load."""
    plan = split_lots(reference_shop(), 60)
    first = certify(plan)
    best = next(found for found in tighten(plan, first, lambda: True) if found.value >= 368_655)
    assert (first.value, best.value, best.name) == (368_323, 368_655, "exact")
    assert best.witness == (
        "2 machines (WE01, WE02) cannot do the 14 operations that only they can do before 102.40 h, in whatever order"
    )
    assert (best.load, best.chain, best.head_tail) == (first.load, first.chain, first.head_tail)


def test_the_classic_job_shop_is_proven():
    """Shows the optimum of FT06, 55, where one machine with heads and tails says 52."""
    best = last(split_lots(ft06(), None), 20_000)
    assert best.value == 55


def test_the_same_every_time():
    """Shows the same certificates for the same shop, and fewer of them, never others, in less time."""
    plan = split_lots(random_shop(5, 6, 3, 3, 40), None)

    def all_within(calls: int) -> list[Certificate]:
        left = iter(range(calls))
        return list(tighten(plan, certify(plan), lambda: next(left, None) is not None))

    whole = all_within(300)
    assert all_within(300) == whole
    assert all_within(12) == whole[: len(all_within(12))]


def test_stops_soon():
    """Shows that nothing is computed for long once the time is over, wherever that is."""
    prepare()
    plan = split_lots(reference_shop(), 60)
    first = certify(plan)
    for calls in (1, 3, 30, 200):
        stopped: list[float] = []
        left = iter(range(calls))

        def allows(left=left, stopped=stopped) -> bool:
            stopped.append(time.process_time())
            return next(left, None) is not None

        for _ in tighten(plan, first, allows):
            pass
        assert time.process_time() - stopped[-1] < 0.02
        assert np.diff(stopped[2:]).max(initial=0) < 0.02
    assert list(tighten(plan, first, lambda: False)) == []


def test_a_plan_without_work_has_nothing_to_tighten():
    """Shows operations of no time, one operation alone, and fixed work that is over when the plan starts."""
    assert last(split_lots(from_routes([[{0: 0}]], 1), None)).value == 0
    assert last(split_lots(from_routes([[{0: 7}]], 1), None)).value == 7
    over = Operation("F/0", {"A": 4}, fixed=Fixed("A", -9))
    shop = Shop("over", (Machine("A"),), (Job("F", (over,)),))
    assert last(split_lots(shop, None)).value == 0


def test_a_bound_from_elsewhere_is_taken_as_proven():
    """Shows that a certificate that is already the optimum is not raised."""
    plan = split_lots(random_shop(3, 4, 3), None)
    known = replace(certify(plan), value=least_makespan(plan))
    assert list(tighten(plan, known, iter([True] * 200 + [False]).__next__)) == []


def with_fixed_work(seed: int) -> LotPlan:
    """A small job shop with two pieces of fixed work ahead of its machines, and in every other one a job begun."""
    shop, rng = job_shop(seed, jobs=3, machines=3), np.random.default_rng(seed)
    jobs, begun = list(shop.jobs), 8
    if seed % 2:
        first, *others = jobs[0].operations
        fixed = Fixed(next(iter(first.alternatives)), int(rng.integers(-3, 2)))
        jobs[0] = replace(jobs[0], operations=(replace(first, fixed=fixed), *others))
        begun = fixed.start + first.alternatives[fixed.machine]
    for machine, start in zip(rng.permutation(shop.machines)[:2], begun + rng.integers(1, 8, 2), strict=True):
        fixed = Fixed(machine.id, int(start))
        jobs.append(Job(f"F{machine.id}", (Operation(f"F{machine.id}/0", {machine.id: 4}, fixed=fixed),)))
    shop = replace(shop, jobs=tuple(jobs))
    validate(shop, "drawn")
    return split_lots(shop, None)


def test_fixed_work_is_in_the_way():
    """Shows on 80 shops that no bound is above the best semi-active schedule, that many are raised, and some to it."""
    raised = reached = 0
    for seed in range(80):
        plan = with_fixed_work(seed)
        first = certify(plan)
        best, least = first.value, best_cost(plan)
        for better in tighten(plan, first, lambda: True):
            assert best < better.value <= least, seed
            best = better.value
        raised += best > first.value
        reached += best == least > first.value
    assert raised >= 30
    assert reached >= 3


def test_what_a_known_makespan_proves_is_asked_first():
    """Shows on the reference that its optimum is proven by the first certificate once it is known, be it from the
    beginning or while makespans are asked about one by one."""
    plan = split_lots(reference_shop(0), 60)
    first = certify(plan)
    told = iter([400_000, 400_000, 400_000])
    for known, before in ((lambda: 368_655, 0), (lambda: next(told, 368_655), 2)):
        found = enumerate(tighten(plan, first, lambda: True, known))
        assert next(count for count, better in found if better.value == 368_655) <= before


def test_a_set_of_many_operations_is_divided_among_its_machines():
    """Shows that 65 operations of 3 ticks on two machines, more than can be searched in time, are proven to leave one
    of these idle."""
    plan = split_lots(from_routes([[{0: 3, 1: 3}]] * 65 + [[{2: 1}]], 3), None)
    assert certify(plan).value == 98
    assert last(plan).value == 99
