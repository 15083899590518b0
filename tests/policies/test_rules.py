"""Dispatching rules against the plain simulator of tests/oracles, decision for decision."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.env import JobShop, make
from jaxshop.env.packing import pack
from jaxshop.env.types import Shape
from jaxshop.policies.rules import RULES, highest_priority
from jaxshop.schedule import verify
from jaxshop.search.compiled import rule_dispatch
from jaxshop.search.dispatches import Dispatch, to_schedule
from jaxshop.search.rules import parse_rule
from jaxshop.shop import Shop, split_lots
from jaxshop.sources.generator import generate_shop, random_spec
from jaxshop.support.errors import ShopError
from tests.oracles import dispatch as oracle
from tests.shops import from_routes, random_shop

SHAPE = Shape(lots=6, operations=18, choices=5, sets=40, machines=5, pools=6, candidates=6)
"""Holds every small random shop below."""


@cache
def random_plans():
    """48 plans and their params, stacked; short times make ties, which are what may differ."""
    rng = np.random.default_rng(5)
    shops = [
        random_shop(seed, *rng.integers(2, (7, 6)), longest=int(rng.choice([2, 4, 30, 50_000_000])), dated=seed % 4 > 0)
        for seed in range(48)
    ]
    plans = [split_lots(shop, None) for shop in shops]
    return plans, jax.tree.map(lambda *x: np.stack(x), *[pack(plan, SHAPE, 10) for plan in plans])


@cache
def compiled(env: JobShop):
    """Every rule on a stack of shops: (params [S, ...], key, number of the rule) -> Dispatch [S, ...]."""
    return jax.jit(jax.vmap(partial(rule_dispatch, env), (0, None, None)))


def schedules(env: JobShop, plans, params, name: str) -> list:
    """The schedule of a rule for each plan."""
    found = jax.device_get(compiled(env)(params, jax.random.key(0), jnp.int32(list(RULES).index(name))))
    return [to_schedule(plan, Dispatch(*(x[i] for x in found))) for i, plan in enumerate(plans)]


def assert_same(plans, found, name: str, active: bool) -> None:
    """Compare starts, ends and machines of every operation with the simulator's."""
    for plan, schedule in zip(plans, found, strict=True):
        expected = oracle.dispatch(plan, oracle.RULES[name], active)
        assert sorted(schedule.rows) == sorted(expected.rows), (name, active)
        assert schedule.makespan == expected.makespan


@pytest.mark.parametrize("active", [False, True])
def test_rules_equal_the_simulator_on_random_shops(active: bool):
    """Shows every rule start by start on flexible shops with machine-dependent times, releases and many ties."""
    plans, params = random_plans()
    for name in oracle.RULES:
        assert_same(plans, schedules(JobShop(SHAPE, not active), plans, params, name), name, active)


@pytest.mark.parametrize("active", [False, True])
def test_rules_equal_the_simulator_on_a_shop_of_the_factorys_make(active: bool):
    """Shows the same on a generated shop with work centres, lots, releases and availabilities."""
    plan = split_lots(factory_like(), 24.0)
    env, params = make([plan])
    for name in oracle.RULES:
        assert_same([plan], schedules(JobShop(env.shape, not active), [plan], params, name), name, active)


def factory_like() -> Shop:
    """24 machines and 66 jobs, some of them released late and some machines not available at first."""
    rng = np.random.default_rng(11)
    shop = generate_shop(rng, random_spec(rng, 24, 66))
    jobs = tuple(replace(job, release=int(t)) for job, t in zip(shop.jobs, late(rng, 66, 40_000), strict=True))
    free = late(rng, 24, 20_000)
    machines = tuple(replace(m, available_from=int(t)) for m, t in zip(shop.machines, free, strict=True))
    return replace(shop, jobs=jobs, machines=machines)


def late(rng: np.random.Generator, count: int, latest: int) -> np.ndarray:
    """Ticks, most of them 0."""
    return np.maximum(0, rng.integers(-2 * latest, latest, count))


def test_due_dates_go_first_under_edd():
    """Shows that EDD dispatches by due date, and lots without one last."""
    shop = from_routes([[{0: 3}], [{0: 3}], [{0: 3}]], 1)
    due = (None, 50, 20)
    shop = replace(shop, jobs=tuple(replace(job, due=d) for job, d in zip(shop.jobs, due, strict=True)))
    plan = split_lots(shop, None)
    _, others = random_plans()
    params = jax.tree.map(lambda x, like: np.broadcast_to(x, like.shape), pack(plan, SHAPE, 10), others)
    for active in (False, True):
        found, *_ = schedules(JobShop(SHAPE, not active), [plan], params, "EDD")
        assert [row.start for row in found.rows] == [6, 3, 0]


def test_random_depends_on_the_key_alone():
    """Shows that the random rule repeats itself for a key, differs between keys, and stays valid."""
    plans, params = random_plans()
    run, number = compiled(JobShop(SHAPE)), jnp.int32(list(RULES).index("random"))
    first, again, *others = (run(params, jax.random.key(k), number) for k in (0, 0, 1, 2, 3, 4))
    np.testing.assert_array_equal(first.start, again.start)
    assert all((other.start != first.start).any() for other in others)
    for i, plan in enumerate(plans):
        assert verify(plan, to_schedule(plan, Dispatch(*(x[i] for x in jax.device_get(others[0]))))) == []


def test_highest_priority_breaks_ties_by_the_lowest_lot():
    """Shows that equal priorities go to the lowest lot, and that lots outside the mask never win."""
    mask = jnp.array([False, True, True, True])
    assert int(highest_priority(jnp.array([9, 5, 7, 7]), mask)) == 2
    assert int(highest_priority(jnp.array([0, -(2**31), -(2**31), -(2**31)]), mask)) == 1


def test_rule_names():
    """Shows that names are read in any case, that /active picks the decision, and that others are refused."""
    assert parse_rule("mwkr") == ("MWKR", False)
    assert parse_rule("FIFO/active") == ("FIFO", True)
    for name in ("MWKR/", "MWKR/passive", "MWK", ""):
        with pytest.raises(ShopError, match="known are MWKR, MWKR/active"):
            parse_rule(name)
