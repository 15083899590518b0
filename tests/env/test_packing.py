"""What becomes arrays, and what is refused before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jaxshop.env import make
from jaxshop.shop import Changeover
from jaxshop.support.errors import ShopError
from tests.shops import from_routes


def test_a_shop_whose_ticks_could_overflow_is_refused():
    """Shows one line for slow alternatives or set-ups with which some play ends past 32 bits, though no rule does."""
    ops = tuple({0: 1, 1: 2**30} for _ in range(2))
    with pytest.raises(ShopError, match="past what the environment can count"):
        make(from_routes([list(ops)], 2))
    shop = from_routes([[{0: 1}] for _ in range(80)], 1)
    jobs = (replace(job, operations=(replace(job.operations[0], family="f"),)) for job in shop.jobs)
    with pytest.raises(ShopError, match="set-ups that are as slow"):
        make(replace(shop, jobs=tuple(jobs), changeovers=(Changeover("f", 2**25, machine="M0"),)))
