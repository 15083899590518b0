"""The rules' compiled twin: decision for decision what the rules on the host decide."""

from __future__ import annotations

import numpy as np
import pytest

from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.improve.dispatching import NUMBERS, dispatch, floor_of
from jaxshop.search.improve.method import play
from jaxshop.search.improve.model import model_of
from jaxshop.search.rules import HOST_RULES
from jaxshop.search.types import Task
from jaxshop.shop import LotPlan, split_lots
from tests.shops import KINDS, random_shop, with_due_dates, with_idle_operations

SEEDS = range(4)


def tied(seed: int) -> LotPlan:
    """A larger shop of times from 0 to 3, where nearly every decision is one among equals."""
    shop = with_idle_operations(random_shop(seed, 12, 5, 4, longest=3), seed)
    return split_lots(with_due_dates(shop, seed), None)


def crowded(seed: int) -> LotPlan:
    """Many lots for few machines, any of which most of them can take: who comes first there changes all the time."""
    return split_lots(with_due_dates(random_shop(seed, 40, 7, 3, longest=2), seed), None)


@pytest.mark.parametrize("kind", [*KINDS, "tied", "crowded"])
def test_rules_decide_as_on_the_host(kind: str):
    """Shows for every rule, active and non-delay, the same order, machines and makespan, and the same schedule once it
    stands in a graph."""
    for seed in SEEDS:
        plan = (KINDS | {"tied": tied, "crowded": crowded})[kind](seed)
        model, task = model_of(plan), Task.of(plan)
        n = model.arrays.operations
        steps = [(lot.job, lot.index, operation.id) for lot in plan.lots for operation in lot.operations]
        names = [machine.id for machine in plan.shop.machines]
        for rule, number in NUMBERS.items():
            for active in (False, True):
                order, choice = np.empty(n, np.int32), np.empty(n, np.int32)
                latest = dispatch(floor_of(model), number, active, order, choice)
                expected = dispatch_by_rule(plan, RULES[rule], active)
                machines = model.arrays.where[choice] - n - model.arrays.lots
                assert [(steps[i], names[machines[i]]) for i in order] == [
                    (row[:3], row.machine) for row in expected.rows
                ]
                assert latest == expected.makespan
                played = play(model, task, rule, active)
                assert sorted(played.rows) == sorted(expected.rows)


def test_no_rule_is_missing():
    """Shows that the twin plays every rule of the host but those that are the host's alone."""
    assert NUMBERS.keys() == RULES.keys() - set(HOST_RULES)
