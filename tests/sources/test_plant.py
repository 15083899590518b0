"""Shops dressed with a plant's own rules: drawn by their seed alone, valid, with what their name says."""

from __future__ import annotations

import pytest

from jaxshop import load_shop
from jaxshop.shop import fingerprint, rules_of, split_lots
from jaxshop.shop.plant import CALENDARS, SETUPS, TARDINESS
from jaxshop.support.errors import ShopError


def test_a_seed_gives_the_same_shop_with_shifts_and_families():
    """Shows that name and seed say everything, and that due dates come only where they are asked for."""
    shop, due = load_shop("plant:reference:0"), load_shop("plant-due:reference:0")
    assert fingerprint(shop) == fingerprint(load_shop("plant:reference:0")) != fingerprint(due)
    assert rules_of(split_lots(shop, 60.0)) == (CALENDARS, SETUPS)
    assert rules_of(split_lots(due, 60.0)) == (CALENDARS, SETUPS, TARDINESS)
    coloured = {machine.work_centre for machine in shop.machines if machine.family}
    assert len(coloured) == 3
    assert len({op.family for job in shop.jobs for op in job.operations if op.family}) == 6
    assert all(job.due is None for job in shop.jobs)
    assert all(job.due is not None for job in due.jobs)


@pytest.mark.parametrize(
    "spec", ["plant:", "plant:reference", "plant:reference:x", "plant:reference:-1", "plant:reference:" + "1" * 5000]
)
def test_names_that_say_no_shop_are_refused(spec: str):
    """Shows one clear line."""
    with pytest.raises(ShopError, match="plant"):
        load_shop(spec)
