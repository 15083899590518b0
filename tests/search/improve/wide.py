"""The search with times in int64, for which every kernel is compiled anew, 25 s long.

So `.ci/newest` names this file, and nothing else runs it. All that such times change are the types in kernels: in
test_method are shops of the same kinds.
"""

from __future__ import annotations

import numpy as np

from jaxshop.schedule import verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.improve.dispatching import NUMBERS, dispatch, floor_of
from jaxshop.search.improve.method import Improve
from jaxshop.search.improve.model import model_of
from jaxshop.search.types import Stop, Task
from jaxshop.shop import LotPlan, split_lots
from tests.oracles.optimum import least_makespan
from tests.search.improve.test_moves import LARGER, assert_exact_after
from tests.shops import KINDS, with_times_of

TICKS = 1 << 24
"""For each of a shop's own."""

WORK = 14 + 250
"""Every rule, and pieces of search."""


def slower(plan: LotPlan) -> LotPlan:
    """The plan of whole jobs with times of millions of ticks."""
    return split_lots(with_times_of(plan.shop, TICKS), None)


def test_the_search_ends_at_the_optimum_of_small_shops():
    """Shows on shops with operations of no time that nearly all end at CP-SAT's optimum, and none below it; and that
    rules decide as on the host."""
    searched = missed = 0
    for seed in range(40):
        quick = KINDS["idle job shop" if seed % 2 else "idle"](seed)
        plan, least = slower(quick), TICKS * least_makespan(quick)
        model = model_of(plan)
        if not model.wide:
            continue
        order, choice = np.empty((2, model.arrays.operations), np.int32)
        for rule, number in NUMBERS.items():
            latest = dispatch(floor_of(model), number, True, order, choice)
            assert latest == dispatch_by_rule(plan, RULES[rule], True).makespan
        *_, best = Improve(threads=1 + seed % 2).search(Task.of(plan), seed, Stop(work=WORK, target=least))
        assert verify(plan, best.schedule) == []
        assert best.cost >= least
        searched, missed = searched + 1, missed + (best.cost > least)
    assert searched >= 30
    assert missed <= 2


def test_heads_and_tails_follow_each_move():
    """Shows that after every single one of 100,000 moves the table holds the longest paths."""
    plan = slower(LARGER["idle"])
    assert model_of(plan).wide
    assert_exact_after(plan, 100_000)
