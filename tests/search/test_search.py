"""Search: from compiled rollouts to verified schedules."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from jaxshop.bounds import certify
from jaxshop.env import make
from jaxshop.env.features import CONTEXT, FEATURES
from jaxshop.policies.checkpoint import load_policy
from jaxshop.policies.networks.pooled import Network, initial_weights
from jaxshop.schedule import verify
from jaxshop.search import compiled as search
from jaxshop.search.compiled import SAMPLE_BATCH, best_sample, solve
from jaxshop.shop import split_lots
from jaxshop.support.errors import ShopError
from tests.oracles import dispatch as oracle
from tests.shops import ft06


@pytest.fixture(scope="module")
def plan():
    """Fisher and Thompson's 6 x 6, optimum 55."""
    return split_lots(ft06(), None)


@pytest.fixture(scope="module")
def policy():
    """The policy that ships with the package."""
    return load_policy()


@pytest.fixture(scope="module")
def sampled(plan, policy):
    """The best of 4 samples and of more than two batches."""
    return {n: solve(plan, policy, samples=n, seed=3) for n in (4, 2 * SAMPLE_BATCH + 1)}


def test_a_rule_gives_its_schedule(plan):
    """Shows that source, makespan, bound and rows are those of the rule that was asked for."""
    found = solve(plan, rule_name="mwkr/active")
    expected = oracle.dispatch(plan, oracle.RULES["MWKR"])
    assert sorted(found.schedule.rows) == sorted(expected.rows)
    assert (found.makespan, found.bound) == (expected.makespan, certify(plan).value)
    assert (found.source, found.samples_done) == ("rule:mwkr/active", 0)


def test_the_greedy_policy_needs_no_chance(plan, policy):
    """Shows that greedy search is valid, repeats itself, and does not depend on the seed."""
    found, again = solve(plan, policy, seed=0), solve(plan, policy, seed=1)
    assert found.schedule == again.schedule
    assert found.source == "policy:greedy"
    assert 55 <= found.makespan == max(row.end for row in found.schedule.rows)
    assert verify(plan, found.schedule) == []


def test_samples_repeat_and_only_improve(plan, policy, sampled):
    """Shows the same schedule for the same seed, never worse than greedy, and never worse for more samples."""
    few, many = sampled.values()
    assert solve(plan, policy, samples=4, seed=3).schedule == few.schedule
    assert (few.samples_done, many.samples_done) == (4, 2 * SAMPLE_BATCH + 1)
    assert many.makespan <= few.makespan <= solve(plan, policy).makespan
    assert verify(plan, many.schedule) == []


def test_a_sample_depends_on_its_number_alone(plan):
    """Shows that sample 5 is the same in any batch, and that only samples below the limit can be the best."""
    env, params = make(plan)
    network = Network(width=8)
    weights = jax.jit(partial(initial_weights, network, features=FEATURES, context=CONTEXT))(jax.random.key(0))
    draw = jax.jit(partial(best_sample, env, network, count=8))

    def drawn(begin: int, limit: int):
        return draw(weights, params, jax.random.key(7), begin=jnp.int32(begin), limit=jnp.int32(limit))

    best, makespans = drawn(0, 100)
    later = drawn(4, 100)[1]
    assert makespans[4:].tolist() == later[:4].tolist()
    assert len(set(makespans.tolist())) > 1
    assert int(best.makespan) == makespans.min() == best.end.max()
    for limit in range(1, 9):
        assert int(drawn(0, limit)[0].makespan) == makespans[:limit].min()


def test_a_time_limit_ends_the_drawing(plan, policy):
    """Shows that the greedy schedule comes whatever the limit, and that no sample is drawn after it."""
    found = solve(plan, policy, samples=10_000_000, time_limit=1e-6)
    assert (found.samples_done, found.source) == (0, "policy:greedy")
    assert solve(plan, policy, samples=10_000_000, time_limit=0.5).samples_done % SAMPLE_BATCH == 0


def test_an_invalid_schedule_is_never_returned(plan, monkeypatch):
    """Shows that what the verifier refuses ends in an error, not in a file."""
    monkeypatch.setattr(search, "verify", lambda plan, schedule: ["Machine 'M0' is used twice."])
    with pytest.raises(ShopError, match="rule:SPT is invalid: Machine 'M0' is used twice"):
        solve(plan, rule_name="SPT")
