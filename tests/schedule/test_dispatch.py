"""The rules of last resort, and that they decide as the environment's rules of the same names."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.env import JobShop
from jaxshop.env.packing import pack_stacked, shape_of
from jaxshop.policies.rules import RULES as ENV_RULES
from jaxshop.schedule import Schedule, verify
from jaxshop.schedule.dispatch import RULES, best_rule, dispatch_by_rule
from jaxshop.search.compiled import rule_dispatch
from jaxshop.search.dispatches import to_schedule
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, split_lots
from tests.shops import random_shop, small_shop


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
        assert verify(plan, dispatch_by_rule(plan, RULES[rule], active)) == []


def test_active_waits_for_what_non_delay_would_not() -> None:
    """By hand: A (2, then 7) arrives at 1, B (5) at 0; active holds the machine for A, non-delay starts B."""
    jobs = (
        Job("A", (Operation("A/1", {"M": 2}), Operation("A/2", {"N": 7})), release=1),
        Job("B", (Operation("B/1", {"M": 5}),)),
    )
    plan = split_lots(Shop("hand", (Machine("M"), Machine("N")), jobs, unit="ticks"), None)
    active, delay = dispatch_by_rule(plan, RULES["MWKR"], True), dispatch_by_rule(plan, RULES["MWKR"], False)
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
        f"{name}{'/active' * active}": dispatch_by_rule(plan, RULES[name], active).makespan
        for name in ("MWKR", "FIFO")
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
    assert dispatch_by_rule(plan, RULES["FIFO"], active) == dispatch_by_rule(plan, RULES["FIFO"], active)


HOST_RULES = sorted(set(RULES) & set(ENV_RULES))


def environments_schedules(plans: list[LotPlan], active: bool) -> list[list[Schedule]]:
    """What the environment's rules make of each plan, for each of `HOST_RULES`: one program for all of them."""
    shape = shape_of(plans, 1)
    env, params = JobShop(shape, non_delay=not active), pack_stacked(plans, shape)
    numbers = jnp.array([list(ENV_RULES).index(rule) for rule in HOST_RULES])
    play_rule = partial(rule_dispatch, env)
    each_rule = jax.vmap(play_rule, (None, 0, 0))
    keys = jax.random.split(jax.random.key(0), len(HOST_RULES))
    made = jax.device_get(jax.jit(jax.vmap(each_rule, (0, None, None)))(params, keys, numbers))
    return [
        [to_schedule(plan, jax.tree.map(lambda x, i=i, k=k: x[i, k], made)) for k in range(len(HOST_RULES))]
        for i, plan in enumerate(plans)
    ]


@pytest.mark.parametrize("active", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_rules_decide_as_the_environments(active: bool) -> None:
    """On 100 random shops every row of every rule is the environment's: what has one name is one schedule."""
    shops = [random_shop(seed, jobs=5, machines=3, most_operations=4) for seed in range(100)]
    shops = [replace(s, jobs=tuple(replace(j, due=(7 * i) % 11) for i, j in enumerate(s.jobs))) for s in shops]
    plans = [split_lots(shop, None) for shop in shops]
    for plan, made in zip(plans, environments_schedules(plans, active), strict=True):
        for rule, expected in zip(HOST_RULES, made, strict=True):
            rows = dispatch_by_rule(plan, RULES[rule], active).rows
            assert sorted(rows) == sorted(expected.rows), (plan.shop.name, rule)
