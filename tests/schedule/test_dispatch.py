"""The rules of last resort."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.schedule import verify
from jaxshop.schedule.dispatch import RULES, best_rule, dispatch
from jaxshop.shop import Job, Machine, Operation, Shop, split_lots
from tests.serving.fakes import small_shop


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Small flexible shops with releases, late machines, and operations of no duration."""
    machines = [Machine(f"M{i}", available_from=draw(st.integers(0, 9))) for i in range(draw(st.integers(1, 4)))]
    ids = [machine.id for machine in machines]
    times = st.dictionaries(st.sampled_from(ids), st.integers(0, 9), min_size=1)
    routes = draw(st.lists(st.lists(times, min_size=1, max_size=4), min_size=1, max_size=6))
    jobs = [
        Job(
            f"J{j}",
            tuple(Operation(f"{j}/{k}", t, draw(st.integers(0, 2))) for k, t in enumerate(route)),
            release=draw(st.integers(0, 9)),
        )
        for j, route in enumerate(routes)
    ]
    return Shop("drawn", tuple(machines), tuple(jobs), unit="ticks")


@settings(max_examples=100, deadline=None)
@given(shop=shops(), rule=st.sampled_from(sorted(RULES)), active=st.booleans())
def test_every_rule_gives_a_valid_schedule(shop: Shop, rule: str, active: bool) -> None:
    """The verifier accepts what any rule makes of any shop, whole or in lots."""
    for plan in (split_lots(shop, None), split_lots(small_shop(), 1.5)):
        assert verify(plan, dispatch(plan, RULES[rule], active)) == []


def test_active_waits_for_what_non_delay_would_not() -> None:
    """By hand: A (2, then 7) arrives at 1, B (5) at 0; active holds the machine for A, non-delay starts B."""
    jobs = (
        Job("A", (Operation("A/1", {"M": 2}), Operation("A/2", {"N": 7})), release=1),
        Job("B", (Operation("B/1", {"M": 5}),)),
    )
    plan = split_lots(Shop("hand", (Machine("M"), Machine("N")), jobs, unit="ticks"), None)
    active, delay = dispatch(plan, RULES["MWKR"], True), dispatch(plan, RULES["MWKR"], False)
    assert [(row.operation, row.start, row.end) for row in active.rows] == [
        ("A/1", 1, 3),
        ("B/1", 3, 8),
        ("A/2", 3, 10),
    ]
    assert [(row.operation, row.start, row.end) for row in delay.rows] == [
        ("B/1", 0, 5),
        ("A/1", 5, 7),
        ("A/2", 7, 14),
    ]


def test_best_rule_takes_the_best_and_keeps_the_deadline() -> None:
    """With time all rules are tried; without, the first one answers."""
    plan = split_lots(small_shop(12, 4, 4), None)
    every = {
        f"{name}{'/active' * active}": dispatch(plan, RULES[name], active).makespan
        for name in RULES
        for active in (1, 0)
    }
    name, schedule = best_rule(plan)
    assert schedule.makespan == every[name]
    assert name == min(("MWKR", "MWKR/active", "FIFO", "FIFO/active"), key=every.__getitem__)
    assert best_rule(plan, deadline=time.monotonic())[0] == "MWKR"


@pytest.mark.parametrize("active", [True, False])
def test_the_same_plan_gives_the_same_schedule(active: bool) -> None:
    """Rules leave nothing to chance."""
    plan = split_lots(small_shop(), None)
    assert dispatch(plan, RULES["FIFO"], active) == dispatch(plan, RULES["FIFO"], active)
