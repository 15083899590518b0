"""The objective on the device against the schedule that an episode leaves."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np

from jaxshop.env import JobShop, make, op_ends
from jaxshop.env.objective import lower_estimate, reward_scale
from jaxshop.shop import Job, Machine, Objective, Operation, Shop, split_lots
from tests.env.test_environment import SHAPE, in_shape, stepper
from tests.shops import random_shop


def test_the_lower_estimate_rises_to_the_cost_and_rewards_are_its_growth():
    """Shows, step by step, rewards and estimate, and at the end the cost: that of the host for the same ends."""
    shop = random_shop(2, jobs=4, machines=3)
    _, params = in_shape(shop)
    env = JobShop(SHAPE)
    reset, step = stepper(env)
    _, state = reset(jax.random.key(0), params)
    for _ in range(int(params.operations)):
        before = int(lower_estimate(state, params))
        _, state, reward, *_ = step(jax.random.key(0), state, state.first, params)
        after = int(lower_estimate(state, params))
        assert after >= before
        np.testing.assert_allclose(reward, (before - after) / float(reward_scale(params)), rtol=1e-6)
    last = np.cumsum(params.lots.count)[: len(shop.jobs)] - 1
    ends = {job.id: int(op_ends(state, params)[i]) for job, i in zip(shop.jobs, last, strict=True)}
    assert int(env.cost(state, params)) == shop.objective.cost(ends)


def test_the_reward_serves_the_objective():
    """Shows on a probe shop that the first choice with the larger return is another for each of two objectives.

    Job A takes 2 h on M and then 6 h on N, job B 5 h on M, for which it is due: A first ends all after 8 h with B late,
    B first ends all after 13 h with nothing late.
    """
    hour = 3600
    jobs = (
        Job("A", (Operation("A/1", {"M": 2 * hour}), Operation("A/2", {"N": 6 * hour}))),
        Job("B", (Operation("B/1", {"M": 5 * hour}),), due=5 * hour),
    )
    shop = Shop("probe", (Machine("M"), Machine("N")), jobs)
    chosen = []
    for objective in (Objective(), Objective(0.0, 1.0)):
        env, params = make(replace(shop, objective=objective))
        reset, step = stepper(env)
        returns = []
        for first in (0, 1):
            _, state = reset(jax.random.key(0), params)
            assert state.mask.tolist() == [True, True]
            total = 0.0
            for lot in (first, 1 - first, 0):
                _, state, reward, *_ = step(jax.random.key(0), state, np.int32(lot), params)
                total += float(reward)
            returns.append(total)
        chosen.append(int(np.argmax(returns)))
    assert chosen == [0, 1]


def test_lots_know_their_jobs_weight_and_due_date():
    """Shows which job each lot belongs to; padding is a job of its own."""
    plan = split_lots(random_shop(2, jobs=3), None)
    _, params = make([plan, split_lots(random_shop(2, jobs=5), None)])
    assert params.lots.job[0].tolist() == [0, 1, 2, 3, 4]
    assert params.lots.weight[0].tolist() == [1, 1, 1, 0, 0]
    assert (params.lots.due[0] > 2**30).all()
