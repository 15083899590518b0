"""Descriptors of what a shop is like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jaxshop.env.makes import MAKE_NAMES, describe_make
from jaxshop.shop import split_lots
from jaxshop.sources.distribution import MAKES, draw_shop
from tests.shops import from_routes


def test_descriptors_of_a_small_shop():
    """Shows each descriptor of a shop of two machines and three jobs against figures worked out by hand."""
    shop = from_routes([[{0: 30, 1: 60}], [{0: 50}, {1: 10}], [{1: 10}]], 2)
    shop = replace(shop, jobs=(replace(shop.jobs[0], release=75), *shop.jobs[1:]))
    found = dict(zip(MAKE_NAMES, describe_make(split_lots(shop, None), 100).tolist(), strict=True))
    assert found == pytest.approx(
        {
            "choice of machines": 0.3 / 3,
            "share of work with one machine": 0.7,
            "spread of times": 0.3,
            "length of routes": 4 / 3 / 8,
            "lots per machine": np.log2(1.5) / 2,
            "machines": 0.25 - 1,
            "load over the bound": 0.5,
            "releases": 4 * 0.25,
        }
    )


def test_neither_numbering_nor_the_length_of_a_tick_changes_them():
    """Shows that another order of jobs and machines, and times ten times as long, give the same descriptors."""
    shop = draw_shop([5, 1], "tight-centre", 60)
    plan = split_lots(shop, None)
    mixed = replace(shop, machines=shop.machines[::-1], jobs=shop.jobs[::-1])
    np.testing.assert_allclose(describe_make(split_lots(mixed, None), 5000), describe_make(plan, 5000), rtol=1e-6)
    jobs = tuple(
        replace(
            job,
            release=10 * job.release,
            operations=tuple(
                replace(op, setup=10 * op.setup, alternatives={m: 10 * t for m, t in op.alternatives.items()})
                for op in job.operations
            ),
        )
        for job in shop.jobs
    )
    longer = split_lots(replace(shop, jobs=jobs), None)
    np.testing.assert_allclose(describe_make(longer, 50_000), describe_make(plan, 5000), rtol=1e-6)


def test_they_are_of_the_order_of_one_and_tell_makes_apart():
    """Shows that no make of the distribution has a descriptor beyond 3, and that no two makes have the same ones."""
    found = np.array([describe_make(split_lots(draw_shop([6, 0], make, 120), None), 36_000) for make in MAKES])
    assert np.isfinite(found).all()
    assert (np.abs(np.delete(found, [6, 7], axis=1)) <= 3).all()  # but those that depend on the bound
    assert len(np.unique(found.round(3), axis=0)) == len(MAKES)


def test_an_operation_without_duration_does_no_harm():
    """Shows that a shop that takes no time at all has finite descriptors."""
    assert np.isfinite(describe_make(split_lots(from_routes([[{0: 0}]], 1), None), 1)).all()
