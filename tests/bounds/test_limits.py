"""The work of bounds is limited where shops are large, and what they say stays true."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from jaxshop import load_shop, split_lots
from jaxshop.bounds import assignment, certify
from jaxshop.bounds.head_tail import intervals
from tests.bounds.test_certify import plan_of

head_tail = import_module("jaxshop.bounds.head_tail")  # the package has a function of this name


@pytest.mark.parametrize(
    ("choices", "free"),
    [([range(8)], [0] * 8), ([range(5), range(5), range(5, 8)], [0] * 8), ([range(8)], [900] + [0] * 7)],
    ids=["all machines", "a part that decides", "a late machine"],
)
def test_many_operations_are_weighed_without_a_solver(monkeypatch: pytest.MonkeyPatch, choices: list, free: list[int]):
    """Shows that the weights of a shop that is too large for a linear programme certify nearly what it does, never
    more: where all machines share the work, where a part of the shop has more of it, where a machine comes late."""
    rng = np.random.default_rng(1)
    on = [rng.choice(choices[i % len(choices)], 3, replace=False) for i in range(200)]
    plan = plan_of(*([{int(m): int(rng.integers(50, 100)) for m in each}] for each in on), machines=8, free=free)
    full = certify(plan)
    monkeypatch.setattr(assignment, "MAX_SHARES", 10)
    monkeypatch.setattr("scipy.optimize.linprog", None)
    weighed = certify(plan)
    assert full.load < weighed.assignment <= full.assignment
    assert weighed.assignment == pytest.approx(full.assignment, rel=0.002)


def test_the_work_of_certifying_a_large_shop_is_limited(monkeypatch: pytest.MonkeyPatch):
    """Shows that of as many sets of machines as operations, 3,000, each with times of its own, some hundred are looked
    at, and no programme is solved: a search whose time has begun waits for this."""
    rng = np.random.default_rng(2)
    on = [rng.choice(60, 3, replace=False) for _ in range(3000)]
    plan = plan_of(*([{int(m): int(rng.integers(50, 100)) for m in each}] for each in on), machines=60)
    looks: list[int] = []
    monkeypatch.setattr(head_tail, "intervals", lambda *of: looks.append(len(of[0]) ** 2) or intervals(*of))
    monkeypatch.setattr("scipy.optimize.linprog", None)
    certificate = certify(plan)
    assert certificate.load < certificate.value
    assert len(looks) < 1000
    assert sum(min(each, 200_000) for each in looks) <= head_tail._MAX_LOOKS + 200_000


def test_a_bound_that_is_stopped_is_lower_and_true():
    """Shows that, stopped after any number of sets of machines, the bound is at least that of loads, division and
    chains, never more than the whole one, and that it has looked at no more sets than were allowed."""
    plan = split_lots(load_shop("family:tight-centre:0"), None)
    whole, values = certify(plan), set()
    for count in (0, 1, 2, 5, 1000):
        left = iter(range(count))
        part = certify(plan, lambda: next(left, None) is not None)  # noqa: B023
        assert (part.load, part.chain) == (whole.load, whole.chain)
        assert max(part.load, part.chain, part.assignment) <= part.value <= whole.value
        values.add(part.head_tail)
    assert len(values) > 2
    assert part == whole
