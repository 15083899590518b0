"""The decision that may pass a machine over, in shops with set-ups by sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chex import Array

from jaxshop.env import JobShop, make
from jaxshop.env.packing import pack, shape_of
from jaxshop.env.types import EnvParams, EnvState
from jaxshop.env.view import look
from jaxshop.policies.checkpoint import Policy, load_policy
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.schedule import verify
from jaxshop.search.compiled import CompiledRollouts
from jaxshop.search.types import Task
from jaxshop.shop import Changeover, Fixed, Job, LotPlan, Machine, Operation, Shop, split_lots
from tests.oracles.decision import best_play
from tests.oracles.plant import optimum
from tests.plant import plant_shop

SEEDS = (10, 26, 40, 81, 115, 120, 122)
"""Of each shop the decision without passing over loses the optimum (tests/oracles/decision.py)."""


def with_setups(seed: int) -> LotPlan:
    """A small shop with set-ups by sequence and lags alone, which compiles sooner than one with closed time."""
    shop = plant_shop(seed, plain=True)
    machines = tuple(replace(machine, calendar=None, unavailable=()) for machine in shop.machines)
    jobs = tuple(
        replace(job, operations=tuple(replace(op, interruptible=True, fixed=None) for op in job.operations))
        for job in shop.jobs
    )
    return split_lots(replace(shop, machines=machines, jobs=jobs, calendars=()), None)


PLANS = {seed: with_setups(seed) for seed in SEEDS}
ENV = JobShop(shape_of(list(PLANS.values())), passing=True)
SIDE = 32
QUICKLY: dict[str, Any] = {"compiler_options": {"xla_backend_optimization_level": 0}}


@pytest.mark.thorough
@pytest.mark.usefixtures("ranks_meet")
def test_passing_a_machine_over_keeps_optima():
    """Shows that the best of all legal plays is the oracle's: optimal but on the last shop, where the narrow is never.

    What is observed of a lot is of the machine that it goes to: its end is the one that the schedule has.
    """
    step = jax.jit(_step, **QUICKLY)
    begin = jax.jit(lambda p: ENV.begin(jax.random.key(0), p), **QUICKLY)
    for seed, plan in PLANS.items():
        params = jax.tree.map(lambda x: np.stack([x] * SIDE, axis=-1), pack(plan, ENV.shape))
        states = jax.tree.map(lambda x: np.asarray(x)[..., :1], begin(params))
        for _ in range(int(params.operations[0])):
            states = _next(step, states, params)
        found, least = int(states.estimate.min()), optimum(plan)
        assert found == best_play(plan, "passing")[0], seed
        assert (found == least) == (seed != SEEDS[-1]), seed
        assert best_play(plan, "")[0] > least, seed


@pytest.mark.thorough
def test_a_policy_that_passes_machines_over_does_so_in_search():
    """Shows greedy schedules of one policy that learned either decision: both valid, and not the same on every shop."""
    network = make_network(NetworkConfig(width=8))
    weights = jax.jit(network.initialise)(jax.random.key(0))
    differ = []
    for plan in PLANS.values():
        rollouts = CompiledRollouts(Task.of(plan), load_policy, ENV.shape)
        narrow, wide = (
            rollouts.by(Policy(network, weights, {}, "test", passing)).greedy() for passing in (False, True)
        )
        assert verify(plan, narrow) == verify(plan, wide) == []
        differ.append(narrow.rows != wide.rows)
    assert any(differ)


def test_a_job_that_is_all_fixed_competes_for_nothing():
    """Shows that a lot with nothing left to do is never legal, whatever a machine has to be set up for."""
    fixed = Job("F", (Operation("F/1", {"M": 3600}, fixed=Fixed("M", 0)),))
    others = (Job(name, (Operation(name, {"M": 1800}, family=name),)) for name in "ab")
    changes = (Changeover("a", 600, "b", machine="M"), Changeover("b", 600, "a", machine="M"))
    machines = (Machine("M", family="a"), Machine("N"))
    env, params = make(Shop("x", machines, (fixed, *others), changeovers=changes), passing=True)
    state = jax.jit(env.begin, **QUICKLY)(jax.random.key(0), params)
    assert params.lots.count.tolist() == [0, 1, 1]
    assert state.legal.tolist() == [False, True, True]


def _step(state: EnvState, lots: Array, params: EnvParams) -> tuple[EnvState, Array]:
    """The next states, environments last, and the ends that were observed of the lots that went, in bounds."""

    def ends(state: EnvState, params: EnvParams, lot: Array) -> Array:
        return look(state, params, lot[None], state.legal[lot][None]).end[0]

    return ENV.advance(jax.random.key(0), state, lots, params)[0], jax.vmap(ends, -1, -1)(state, params, lots)


def _next(step, states: EnvState, params: EnvParams) -> EnvState:
    """All states that differ after one more legal action, environments last."""
    lots, columns = np.nonzero(states.legal)
    done = []
    for begin in range(0, len(lots), SIDE):
        part, real = np.minimum(np.arange(begin, begin + SIDE), len(lots) - 1), len(lots) - begin
        batch, chosen = jax.tree.map(lambda x, part=part: x[..., columns[part]], states), lots[part]
        after, ends = jax.tree.map(np.asarray, step(batch, jnp.asarray(chosen, jnp.int32), params))
        placed = after.schedule.end[batch.lots.op[chosen, range(SIDE)], range(SIDE)]
        np.testing.assert_allclose(ends * params.bound, placed, rtol=1e-5)
        done.append(jax.tree.map(lambda x, real=real: x[..., :real], after))
    after = jax.tree.map(lambda *x: np.concatenate(x, axis=-1), *done)
    rows = [after.lots.left, after.lots.ready, after.machines.free, after.machines.family, after.estimate[None]]
    rows += [after.machine[None], *(np.atleast_2d(x) for x in (after.second.machine, after.mask, after.legal))]
    _, kept = np.unique(np.concatenate(rows), axis=1, return_index=True)
    return jax.tree.map(lambda x: x[..., kept], after)
