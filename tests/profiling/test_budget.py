"""What a step costs, in counts that no machine's load changes, against the budget in budget.json."""

from __future__ import annotations

import json
import re
from functools import cache, partial
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxshop.env import JobShop, environments_last, make
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.ppo.config import PPOConfig, StageConfig
from jaxshop.ppo.setup import Setup
from jaxshop.ppo.update import begin, update
from jaxshop.profiling import cost_of
from jaxshop.profiling.cost import is_program
from jaxshop.profiling.sweep import job_shop
from jaxshop.profiling.workloads import training_bank
from jaxshop.shop import split_lots
from jaxshop.sources.reference import reference_shop
from jaxshop.training.config import Config, PoolConfig
from tests.plant import plant_shop

BUDGET = Path(__file__).parent / "budget.json"
SLACK = 1.1
"""Compilers of other versions count a little differently; a tenth more is a change of ours."""


def shops():
    """The shops that the budget is about."""
    return {"20 x 10 x 8": job_shop(20, 10, 8, 6), "reference, 60 h lots": split_lots(reference_shop(), 60.0)}


def counts(env: JobShop, params) -> dict[str, int]:
    """Equations, FLOP and bytes of one step whose observation is its mask, and of one that is observed in full.

    Of many environments at the end of every array, each one's share.
    """
    _, state = jax.eval_shape(env.reset_env, jax.random.key(0), params)
    state = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), state)
    action = jnp.zeros_like(state.step)

    def bare(state, action):
        obs, state, reward, *_ = env.step_env(jax.random.key(0), state, action, params)
        return obs.action_mask, state, reward

    def full(state, action):
        return env.step_env(jax.random.key(0), state, action, params)

    found = {}
    for name, step in (("bare", bare), ("full", full)):
        cost = cost_of(step, state, action)
        found |= {f"{name}_flop": int(cost.flop / action.size), f"{name}_bytes": int(cost.bytes / action.size)}
    return found | {"equations": len(jax.make_jaxpr(full)(state, action).eqns)}


def environments_at_the_end():
    """16 job shops of 20 x 10 x 8 side by side."""
    env, params = make([job_shop(20, 10, 8, 6, seed=seed) for seed in range(16)])
    return env, environments_last(params)


@cache
def small_update(microbatch: int | None = 16):
    """A PPO update on two small shops as training does it: the function, its arguments, and its steps.

    Whatever else measures an update in tests has these sizes, too, so that XLA compiles it once.
    """
    config = Config(ppo=PPOConfig(minibatches=2, microbatch=microbatch), pool=PoolConfig(machines=4, jobs=6))
    stage = StageConfig(updates=1, shops=2, samples=4, candidates=8)
    env, bank = training_bank(config.pool, stage)
    setup = Setup(env, make_network(NetworkConfig(width=16)), config.ppo, stage)
    draw = jax.jit(lambda key: begin(setup.network.initialise(key), setup.optimiser, key))
    learner = draw(jax.random.key(2))
    return partial(update, setup), (learner, bank), stage.shops * stage.samples * env.shape.operations


def update_counts() -> dict[str, int]:
    """Equations of the update, with those of its scans, and FLOP and bytes for each of its steps."""
    step, arguments, steps = small_update()
    cost = cost_of(step, *arguments)
    found = {"flop": int(cost.flop / steps), "bytes": int(cost.bytes / steps)}
    return found | {"equations": equations(jax.make_jaxpr(step)(*arguments))}


def equations(program) -> int:
    """Equations of a program and of every program inside it."""
    inner = [p for eqn in program.eqns for p in jax.tree.leaves(list(eqn.params.values()), is_leaf=is_program)]
    return len(program.eqns) + sum(equations(p) for p in inner if is_program(p))


def everything() -> dict[str, dict[str, int]]:
    """All that the budget is about."""
    found = {name: counts(*make(shop)) for name, shop in shops().items()}
    found["20 x 10 x 8, environments last"] = counts(*environments_at_the_end())
    return found | {"PPO update": update_counts()}


def over_budget(name: str, found: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What was found and what is allowed, where the first is more."""
    budget = json.loads(BUDGET.read_text())[name]
    return {k: (v, budget[k]) for k, v in found.items() if v > SLACK * budget[k]}


@pytest.mark.parametrize("name", ["20 x 10 x 8", "reference, 60 h lots"])
def test_step_stays_within_budget(name):
    """Shows that a step has not grown: where a growth is worth it, `python -m tests.profiling.test_budget`."""
    assert not over_budget(name, counts(*make(shops()[name])))


@pytest.mark.usefixtures("ranks_meet")
def test_step_of_environments_last_stays_within_budget():
    """Shows the same of many environments at the end of every array, for each of them."""
    assert not over_budget("20 x 10 x 8, environments last", counts(*environments_at_the_end()))


def test_no_array_of_lots_is_copied_in_a_plants_loop():
    """Shows that XLA changes what is kept of lots in place: it copies what is read and written in no order."""
    env, params = make(split_lots(plant_shop(3, jobs=5, plain=True), None))
    state = jax.eval_shape(jax.vmap(env.begin, (None, None), axis_size=7), jax.random.key(0), params)

    def play(state, params):
        def body(state, _):
            return jax.vmap(env.advance, (None, 0, 0, None))(jax.random.key(0), state, state.first, params)[0], None

        return jax.lax.scan(body, state, None, length=4)[0]

    fast = {"xla_backend_optimization_level": 0, "xla_cpu_parallel_codegen_split_count": 1}
    program = jax.jit(play).lower(state, params).compile(fast).as_text()
    assert env.shape.lots == 5
    assert re.search(r"s32\[7,\d+,\d+,5\]", program)
    assert not re.findall(r"\[7,(?:\d+,)*5\]\S* copy\(%get-tuple-element", program)


@pytest.mark.thorough
def test_update_stays_within_budget():
    """Shows that a PPO update has not grown either: collecting, advantages, epochs and all."""
    assert not over_budget("PPO update", update_counts())


@pytest.mark.thorough
def test_one_program_for_every_update():
    """Shows that an update takes the learner that the last one left without another trace."""
    step, (learner, bank), _ = small_update()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def update(learner, bank):  # whose program, of this name, the budget has had compiled
        return step(learner, bank)

    for _ in range(3):
        learner, _ = update(learner, bank)
    assert int(learner.update) == 3
    assert update._cache_size() == 1


def test_one_trace_and_one_program_for_every_shop_of_a_shape():
    """Shows that equal environments made twice, and other shops of the shape, reuse one trace and one program."""
    traces = 0

    def step(env, state, params):
        nonlocal traces
        traces += 1
        return env.step_env(jax.random.key(0), state, jnp.int32(0), params)

    jitted = jax.jit(step, static_argnums=0)
    env, bank = make([job_shop(4, 3, 3, 9, seed=seed) for seed in (0, 1, 2)])
    reset = jax.jit(env.reset_env)
    for i in range(3):
        params = jax.tree.map(lambda x, i=i: x[i], bank)
        _, state = reset(jax.random.key(0), params)
        for _ in range(3):
            _, state, *_ = jitted(JobShop(env.shape), state, params)
    assert traces == 1
    assert jitted._cache_size() == 1


if __name__ == "__main__":
    BUDGET.write_text(json.dumps(everything(), indent=2) + "\n")
