"""What alternatives waste, against loads."""

from __future__ import annotations

import numpy as np

from jaxshop.bounds import certify
from jaxshop.search.improve.model import model_of
from jaxshop.search.improve.prices import PARTS
from tests.shops import KINDS


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
