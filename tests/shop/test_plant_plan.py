"""What the plant's own rules come to in a plan: tables of set-ups, lots, and what fixed work leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jaxshop.shop import (
    Changeover,
    Fixed,
    Job,
    Machine,
    Operation,
    Shop,
    parse_shop,
    rules_of,
    split_lots,
)
from jaxshop.shop.progress import opening, timing_of
from jaxshop.shop.setups import changeovers
from jaxshop.support.errors import ShopError
from tests.plant import plant
from tests.shops import HOUR, ft06


def test_set_ups_go_by_machine_then_centre_and_by_family_then_any():
    """All sixteen ways to have or not have the four entries that may speak of one change."""
    machine, other = Machine("A", "W", family="red"), Machine("B", "W")
    job = Job("J", (Operation("o", {"A": 1, "B": 1}, family="blue"), Operation("p", {"A": 1}, family="red")))
    entries = [
        Changeover("blue", 4, "red", machine="A"),
        Changeover("blue", 3, None, machine="A"),
        Changeover("blue", 2, "red", work_centre="W"),
        Changeover("blue", 1, None, work_centre="W"),
    ]
    for kept in range(16):
        some = tuple(entry for i, entry in enumerate(entries) if kept >> i & 1)
        table = changeovers(Shop("x", (machine, other), (job,), changeovers=some))
        blue, red = table.number("blue"), table.number("red")
        assert table.ticks[table.kind[0], red, blue] == max((entry.ticks for entry in some), default=0)
        centre = [entry.ticks for entry in some if entry.machine is None]
        assert table.ticks[table.kind[1], red, blue] == max(centre, default=0)
        nothing = [entry.ticks for entry in some if entry.from_family is None]
        assert table.ticks[table.kind[0], table.none, blue] == max(nothing, default=0)
        assert not table.ticks[:, blue, blue].any()
        assert not table.ticks[:, :, table.none].any()
        assert table.first.tolist() == [red, table.none]


def test_lots_carry_the_rules():
    """Each lot's operation keeps family, lag and whether it may stop; what is fixed cannot be cut."""
    op = Operation("o", {"A": 10 * HOUR}, 0, False, "red", 600)
    shop = Shop("x", (Machine("A"),), (Job("J", (op, replace(op, id="p"))),))
    plan = split_lots(shop, 7)
    assert len(plan.lots) == 3
    assert {(o.interruptible, o.family, o.lag) for lot in plan.lots for o in lot.operations} == {(False, "red", 600)}
    fixed = replace(shop, jobs=(replace(shop.jobs[0], operations=(replace(op, fixed=Fixed("A", 0)),)),))
    assert split_lots(fixed, 10).lots[0].operations[0].fixed == Fixed("A", 0)
    with pytest.raises(ShopError, match="job 'J': has fixed work and lasts 10 h, more than the lot size of 7 h"):
        split_lots(fixed, 7)


def test_fixed_work_leaves_machines_and_lots_as_it_does():
    """By hand: A/1 runs from -0.5 to 1.5 h, and its lag ends at 2 h; the machine is set up for blue by then."""
    plan = split_lots(parse_shop(plant(), "x"), None)
    begin = opening(plan, timing_of(plan))
    assert [(placed.lot, placed.place, placed.machine, placed.span) for placed in begin.fixed] == [
        (0, 0, 0, (-1800, 5400))
    ]
    assert begin.done.tolist() == [1, 0]
    assert begin.ready.tolist() == [7200, 0]
    assert begin.free.tolist() == [5400, 0]
    families = [*timing_of(plan).changeovers.families, None]
    assert [families[number] for number in begin.family] == ["blue", None]
    assert np.array_equal(timing_of(plan).changeovers.first, [1, 2])


def test_rules_are_those_in_use():
    """A shop names what it uses, and a plain one nothing."""
    assert rules_of(split_lots(ft06(), None)) == ()
    assert len(rules_of(split_lots(parse_shop(plant(), "x"), None))) == 5
