"""The linear priority: it sees what the policy sees, and its tuning holds costs that no int32 does."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from jaxshop.env import JobShop, make
from jaxshop.env.features import FEATURES, PLANT_NAMES, columns_of
from jaxshop.policies.acting import any_linear, linear
from jaxshop.search import tune
from jaxshop.search.dispatches import beyond_all
from jaxshop.shop import Objective
from tests.plant import plant_plan
from tests.shops import from_routes


def test_a_linear_priority_sees_due_dates():
    """Shows that a coefficient of slack alone has the most urgent lot go first, or the least urgent."""
    shop = from_routes([[{0: 2}] for _ in range(3)], 1)
    jobs = tuple(replace(job, due=due) for job, due in zip(shop.jobs, (9, 3, 30), strict=True))
    env, params = make(replace(shop, jobs=jobs, objective=Objective(0.01, 1.0)))
    obs, _ = jax.jit(env.reset_env)(jax.random.key(0), params)
    slack = jnp.zeros(columns_of(env.shape)).at[FEATURES + PLANT_NAMES.index("slack")].set(1.0)
    assert [int(linear(sign * slack)(None, obs, None, None)) for sign in (-1.0, 1.0)] == [1, 2]


def test_tuning_holds_a_cost_beyond_int32(monkeypatch: pytest.MonkeyPatch):
    """Shows weighted tardiness of 10^10 ticks in the result, with the makespan that comes with it."""
    found = SimpleNamespace(cost=jnp.float32(1e10), makespan=jnp.int32(7))
    monkeypatch.setattr(tune, "program", lambda *_, **__: lambda params, mean, spread, key: (mean, spread, mean, found))
    env = JobShop(make(plant_plan(3))[0].shape)
    tuned = tune.tune_linear(env, None, jax.random.key(0), 1.0, generations=2)
    assert (tuned.cost, tuned.makespan, tuned.generations) == (10**10, 7, 2)
    assert len(any_linear(env.shape)[0]) == len(tuned.coefficients) == FEATURES + len(PLANT_NAMES)


def test_what_is_not_asked_for_costs_more_than_anything():
    """Shows that samples beyond their number are never the best, in either dtype of costs."""
    assert beyond_all(jnp.ones(1, jnp.float32)) > 1e30
    assert int(beyond_all(jnp.ones(1, jnp.int32))) == 2**31 - 1
