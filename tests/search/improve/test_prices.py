"""What alternatives waste, against loads."""

from __future__ import annotations

import numpy as np
import pytest

from jaxshop.bounds import certify
from jaxshop.bounds.weights import LOOKS, SHARPNESS, rounds_for
from jaxshop.search.improve.model import model_of
from jaxshop.search.improve.prices import PARTS
from jaxshop.shop import split_lots
from tests.shops import KINDS, from_routes


def test_no_division_of_the_work_is_below_the_bound_and_what_it_wastes():
    """Shows on random divisions that the fullest machine has at least the work that a division without waste has, and
    the waste: what is told from the bound's weights is never too much."""
    wasteful = 0
    for seed in range(12):
        plan = KINDS["flexible"](seed)
        arrays, rng = model_of(plan).arrays, np.random.default_rng(seed)
        least = certify(plan).assignment  # rounded up
        for _ in range(20):
            choice = rng.integers(arrays.begins[:-1], arrays.begins[1:])
            fullest = np.bincount(arrays.where[choice], arrays.takes[choice]).max()
            wasted = arrays.wastes[choice].sum() / 2**PARTS
            wasteful += wasted > 1
            assert fullest >= least - 1 + wasted - len(choice) / 2**PARTS
    assert wasteful > 100


def test_waste_counts_on_a_centre_that_is_not_the_fullest():
    """Shows two centres apart, one with half the work of the other: the slow alternatives of either waste something."""
    routes = [[{0: 10, 1: 10}, {2: 5, 3: 5}]] * 6 + [[{0: 10, 1: 19}, {2: 5, 3: 9}]] * 2
    arrays = model_of(split_lots(from_routes(routes, 4), None)).arrays
    slow = arrays.takes > np.repeat(arrays.least, np.diff(arrays.begins))
    assert slow.sum() == 4
    assert (arrays.wastes[slow] > 1 << PARTS).all()


def test_the_work_of_pricing_a_large_shop_is_limited(monkeypatch: pytest.MonkeyPatch):
    """Shows that no programme is solved for a large shop whose times differ by machine, and that the rounds which take
    its place look at a number of alternatives that does not grow: a search looks at no clock before it has a model."""
    rng = np.random.default_rng(0)
    routes = [
        [{int(m): int(rng.integers(50, 100)) for m in rng.choice(40, 4, replace=False)} for _ in range(5)]
        for _ in range(400)
    ]
    monkeypatch.setattr("scipy.optimize.linprog", None)
    assert model_of(split_lots(from_routes(routes, 40), None)).arrays.wastes.any()
    for alternatives in (10, 8_000, 100_000, LOOKS // len(SHARPNESS)):
        assert rounds_for(alternatives) * len(SHARPNESS) * alternatives <= LOOKS
