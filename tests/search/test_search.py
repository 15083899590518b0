"""Search: from compiled rollouts to verified schedules."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from jaxshop.bounds import certify
from jaxshop.env import make
from jaxshop.policies.checkpoint import load_policy
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.schedule import Schedule, verify
from jaxshop.search.breeding import ON_CPU
from jaxshop.search.compiled import SAMPLE_BATCH, CompiledRollouts, best_sample
from jaxshop.search.priority import POPULATION
from jaxshop.search.registry import method_named
from jaxshop.search.solver import solve
from jaxshop.search.types import Incumbent, Options, Stop, Task
from jaxshop.shop import fingerprint, split_lots
from jaxshop.support.errors import InvalidScheduleError, ShopError
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
    return {n: solve(plan, policy, samples=n, seed=3, method="samples") for n in (4, 2 * SAMPLE_BATCH + 1)}


def test_a_rule_gives_its_schedule(plan):
    """Shows that source, makespan, bound and rows are those of the rule that was asked for."""
    found = solve(plan, rule_name="mwkr/active")
    expected = oracle.dispatch(plan, oracle.RULES["MWKR"])
    assert sorted(found.schedule.rows) == sorted(expected.rows)
    assert (found.makespan, found.bound) == (expected.makespan, certify(plan).value)
    assert (found.source, found.samples_done) == ("rule:mwkr/active", 0)


def test_the_greedy_policy_needs_no_chance(plan, policy):
    """Shows that greedy search is valid, repeats itself, and does not depend on the seed."""
    found, again = (solve(plan, policy, seed=seed, method="greedy") for seed in (0, 1))
    assert found.schedule == again.schedule
    assert found.source == "policy:greedy"
    assert 55 <= found.makespan == max(row.end for row in found.schedule.rows)
    assert verify(plan, found.schedule) == []


def test_samples_repeat_and_only_improve(plan, policy, sampled):
    """Shows the same schedule for the same seed, never worse than greedy, and never worse for more samples."""
    few, many = sampled.values()
    assert solve(plan, policy, samples=4, seed=3, method="samples").schedule == few.schedule
    assert (few.samples_done, many.samples_done) == (4, 2 * SAMPLE_BATCH + 1)
    assert many.makespan <= few.makespan <= solve(plan, policy, method="greedy").makespan
    assert verify(plan, many.schedule) == []


def test_a_sample_depends_on_its_number_alone(plan):
    """Shows that sample 5 is the same in any batch, and that only samples below the limit can be the best."""
    env, params = make(plan)
    network = make_network(NetworkConfig(width=8))
    weights = jax.jit(network.initialise)(jax.random.key(0))
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


def test_a_rule_that_is_shorter_than_the_policy_is_the_answer(plan, policy):
    """Shows that weights turned round lose to the best rule, which is named; the policy alone is there on request."""
    worst = replace(policy, weights=jax.tree.map(lambda x: -x, policy.weights))
    alone, rules = solve(plan, worst, method="greedy"), solve(plan, method="rules")
    found = solve(plan, worst)
    assert alone.source == "policy:greedy"
    assert rules.makespan < alone.makespan
    assert (found.source, found.schedule) == (rules.source, rules.schedule)
    assert found.source.startswith("rule:")
    assert solve(plan, worst, samples=4).makespan <= rules.makespan


def test_the_best_of_samples_includes_the_greedy_schedule(plan, policy):
    """Shows that whatever is drawn, the answer is never longer than the greedy schedule."""
    greedy = solve(plan, policy, method="greedy")
    for seed in range(5):
        assert solve(plan, policy, samples=1, seed=seed, method="samples").makespan <= greedy.makespan


def test_incumbents_only_improve_and_tell_their_sources(plan, policy):
    """Shows a search in turn: greedy, rules, samples; costs fall, times and work rise, all of it repeatable."""
    found, again = (solve(plan, policy, samples=20, seed=1) for _ in range(2))
    costs = [each.cost for each in found.trace]
    assert costs == sorted(set(costs), reverse=True)
    assert [each.work for each in found.trace] == sorted(each.work for each in found.trace)
    assert found.work_done == 14 + 1 + 20
    assert [(each.cost, each.source, each.work) for each in again.trace] == [
        (each.cost, each.source, each.work) for each in found.trace
    ]


def test_the_work_of_a_limited_search_gives_the_same_without_a_limit(plan, policy):
    """Shows that `work_done` under a time limit, asked for as work, ends with the same schedule and source."""
    limited = solve(plan, policy, time_limit=30, seed=2, samples=40, method="samples")
    task = Task.of(plan)
    rollouts = CompiledRollouts(task, lambda: policy)
    method = method_named("samples", rollouts, Options(samples=40))
    *_, best = method.search(task, 2, Stop(work=limited.work_done))
    assert (best.schedule, best.source) == (limited.schedule, limited.source)


def test_a_time_limit_is_kept_and_always_answered(plan, policy):
    """Shows that a verified schedule comes whatever the limit, by a rule where nothing else was ready in time."""
    found = solve(plan, policy, samples=10_000_000, time_limit=1e-6)
    assert (found.samples_done, found.source) == (0, "rule:MWKR")
    assert verify(plan, found.schedule) == []
    assert solve(plan, policy, time_limit=1e-6, method="greedy").source == "fallback:MWKR"
    begun = time.monotonic()
    assert solve(plan, policy, time_limit=3.0).samples_done % SAMPLE_BATCH == 0
    assert time.monotonic() - begun < 6


@pytest.mark.parametrize(
    ("name", "size"), [("tune", POPULATION), pytest.param("evolve", ON_CPU, marks=pytest.mark.thorough)]
)
def test_methods_that_go_by_generations(plan, policy, name, size):
    """Shows that generations are counted as work, that the schedule is valid, and that it repeats."""
    task = Task.of(plan)

    def best() -> Incumbent:
        rollouts, stop = CompiledRollouts(task, lambda: policy), Stop(work=3 * size)
        *_, last = method_named(name, rollouts).search(task, 0, stop)
        assert stop.done == 3 * size
        return last

    assert best().source == f"search:{name}"
    assert best().schedule == best().schedule
    with pytest.raises(ShopError, match="time limit"):
        solve(plan, method=name)


@pytest.mark.parametrize("name", ["rules", "greedy", "samples"])
def test_an_invalid_schedule_is_never_returned(plan, name):
    """Shows that what the verifier refuses ends in an error of its own kind, whichever method built it."""
    task = Task.of(plan)
    with pytest.raises(InvalidScheduleError, match=r"(rule:MWKR|policy:greedy) is invalid: Job"):
        list(method_named(name, Liar(plan), Options(samples=4)).search(task, 0, Stop()))


class Liar:
    """Rollouts whose schedules are all empty."""

    batch = 4

    def __init__(self, plan):
        self.empty = Schedule(fingerprint(plan.shop), plan.max_lot_hours, ())

    def prepare(self, step):
        """Nothing to compile."""

    def rules(self, names, active, keys):
        """A lie for each."""
        return [self.empty for _ in names]

    def greedy(self):
        """A lie."""
        return self.empty

    def samples(self, key, begin, count):
        """A lie."""
        return self.empty
