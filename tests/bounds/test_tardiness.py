"""The bound of total weighted tardiness: by hand, against every schedule of small shops, and in parts."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.bounds import certify, late_in_every_plan, tardiness_bound
from jaxshop.bounds.tardiness import _least_left_first
from jaxshop.shop import Job, LotPlan, Machine, Objective, Operation, Shop, split_lots
from tests.oracles.plant import optimum
from tests.plant import plant_plan
from tests.shops import HOUR

TARDINESS = Objective(0.0, 1.0)


def one_machine(*jobs: tuple[int, int, float]) -> LotPlan:
    """Jobs of (hours, due hours, weight) on one machine."""
    made = tuple(
        Job(f"J{j}", (Operation(f"J{j}", {"A": hours * HOUR}),), due=due * HOUR, weight=weight)
        for j, (hours, due, weight) in enumerate(jobs)
    )
    return split_lots(Shop("x", (Machine("A"),), made, objective=TARDINESS), None)


def test_each_job_alone_and_all_together():
    """By hand: of 2, 3 and 4 h, all due at 4 h, the last two end at 5 and 9 h at best; none is late alone."""
    plan = one_machine((2, 4, 1.0), (3, 4, 1.0), (4, 4, 1.0))
    bound = tardiness_bound(plan)
    assert bound.jobs == ()
    assert TARDINESS.combined(0, bound.late) == (1 + 5) * HOUR == optimum(plan)
    assert certify(plan).cost(TARDINESS) == 6 * HOUR
    late = one_machine((2, 1, 3.0), (9, 4, 1.0))
    assert late_in_every_plan(late) == {"J1": 5 * HOUR, "J0": HOUR}
    assert TARDINESS.combined(0, tardiness_bound(late).late) >= (3 + 5) * HOUR


def test_weights_are_layers():
    """By hand: two jobs of 4 h due at 4 h; one of them is 4 h late, which costs the lesser weight at least."""
    plan = one_machine((4, 4, 2.0), (4, 4, 5.0))
    assert TARDINESS.combined(0, tardiness_bound(plan).late) == 2 * 4 * HOUR == optimum(plan)


@pytest.mark.parametrize("seed", range(60))
def test_no_schedule_is_below_the_bound(seed: int):
    """Against all semi-active schedules of small shops with every rule, due dates early or late."""
    plan = plant_plan(seed, jobs=3 - seed % 2, machines=2, most_operations=2, held=seed % 3)
    jobs = (replace(job, due=None if job.due is None else job.due // (1 + seed % 3)) for job in plan.shop.jobs)
    if all(job.due is None for job in plan.shop.jobs):
        return
    plan = split_lots(replace(plan.shop, jobs=tuple(jobs), objective=TARDINESS), plan.max_lot_hours)
    least, bound = optimum(plan), tardiness_bound(plan)
    assert TARDINESS.combined(0, bound.late) <= least
    both = split_lots(replace(plan.shop, objective=Objective(1.0, 1.0)), plan.max_lot_hours)
    assert certify(both).cost(both.shop.objective) <= optimum(both)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 4)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_the_i_th_end_is_as_early_as_any(jobs: list[tuple[int, int]]):
    """Against schedules without interruptions, in every order: none has an earlier i-th end for any i."""
    heads, work = (np.array(column) for column in zip(*jobs, strict=True))
    least = _least_left_first(heads, work)
    assert least.tolist() == sorted(least.tolist())
    for order in permutations(range(len(jobs))):
        now, ends = 0, []
        for j in order:
            now = max(now, jobs[j][0]) + jobs[j][1]
            ends.append(now)
        assert (least <= np.sort(ends)).all()
