"""The distribution that generalists are trained on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.shop import fingerprint, validate
from jaxshop.sources.distribution import MAKES, draw_shop


@pytest.mark.parametrize("make", MAKES)
@given(seed=st.integers(0, 2**31 - 1))
@settings(max_examples=5, deadline=None)
def test_every_make_gives_valid_shops_of_the_size_asked_for(make: str, seed: int):
    """Shows that shops pass validation and have about as many operations as the arrays of a bank are made for."""
    shop = draw_shop([1, seed], make, 240)
    validate(shop, shop.name)
    assert 0.7 * 240 <= sum(len(job.operations) for job in shop.jobs) <= 1.3 * 240


def test_a_shop_is_its_seed_and_make():
    """Shows that the same words give the same shop, and any other word, make or size another."""
    drawn = [
        fingerprint(draw_shop(seed, make, size))
        for seed, make, size in (
            ([4, 0, 1], "flow", 60),
            ([4, 0, 2], "flow", 60),
            ([2, 0, 1], "flow", 60),
            ([4, 1, 1], "flow", 60),
            ([4, 0, 1], "routes", 60),
            ([4, 0, 1], "flow", 90),
        )
    ]
    assert len(set(drawn)) == len(drawn)
    assert drawn[0] == fingerprint(draw_shop([4, 0, 1], "flow", 60))


def test_the_distribution_is_as_wide_as_it_says():
    """Shows job shops and flexible ones, un/equal times, releases, late machines, routes that come back, plants."""
    seen = set()
    for make in MAKES:
        for seed in range(12):
            shop = draw_shop([9, seed], make, 120)
            operations = [op for job in shop.jobs for op in job.operations]
            flexible = any(len(op.alternatives) > 1 for op in operations)
            seen.add("flexible" if flexible else "job shop")
            if flexible:
                seen.add("unequal" if any(len(set(op.alternatives.values())) > 1 for op in operations) else "equal")
            seen |= {"released" for job in shop.jobs if job.release} | {"set-up" for op in operations if op.setup}
            seen |= {"late machine" for machine in shop.machines if machine.available_from}
            seen |= {"shifts"} if shop.calendars else set()
            seen |= {"families"} if shop.changeovers else set()
            for job in shop.jobs:
                visited = [next(iter(op.alternatives)) for op in job.operations]
                seen |= {"due"} if job.due is not None else set()
                seen |= {"comes back"} if len(set(visited)) < len(visited) else set()
    wanted = {"flexible", "job shop", "unequal", "equal", "released", "set-up", "late machine", "comes back"}
    wanted |= {"shifts", "families", "due"}
    assert seen == wanted
