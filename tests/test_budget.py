"""What a step costs, in counts that no machine's load changes, against the budget in budget.json."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from jaxshop.env import JobShop, make
from jaxshop.lots import split_lots
from jaxshop.profiling import cost_of
from jaxshop.profiling.sweep import job_shop
from jaxshop.sources.reference import reference_shop

BUDGET = Path(__file__).parent / "budget.json"
SLACK = 1.1
"""Compilers of other versions count a little differently; a tenth more is a change of ours."""


def shops():
    """The shops that the budget is about."""
    return {"20 x 10 x 8": job_shop(20, 10, 8, 6), "reference, 60 h lots": split_lots(reference_shop(), 60.0)}


def counts(env: JobShop, params) -> dict[str, int]:
    """Equations, FLOP and bytes of one step whose observation is its mask, and of one that is observed in full."""
    _, state = jax.eval_shape(env.reset_env, jax.random.key(0), params)
    state = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), state)

    def bare(state, action):
        obs, state, reward, *_ = env.step_env(jax.random.key(0), state, action, params)
        return obs.action_mask, state, reward

    def full(state, action):
        return env.step_env(jax.random.key(0), state, action, params)

    found = {}
    for name, step in (("bare", bare), ("full", full)):
        cost = cost_of(step, state, jnp.int32(0))
        found |= {f"{name}_flop": int(cost.flop), f"{name}_bytes": int(cost.bytes)}
    return found | {"equations": len(jax.make_jaxpr(full)(state, jnp.int32(0)).eqns)}


@pytest.mark.parametrize("name", ["20 x 10 x 8", "reference, 60 h lots"])
def test_step_stays_within_budget(name):
    """Shows that a step has not grown: regenerate with `python -m tests.test_budget` where a growth is worth it."""
    budget = json.loads(BUDGET.read_text())[name]
    found = counts(*make(shops()[name]))
    over = {k: (v, budget[k]) for k, v in found.items() if v > SLACK * budget[k]}
    assert not over, f"over the budget (found, budget): {over}"


def test_one_trace_and_one_program_for_every_shop_of_a_shape():
    """Shows that equal environments made twice, and other shops of the shape, reuse one trace and one program."""
    traces = 0

    def step(env, state, params):
        nonlocal traces
        traces += 1
        return env.step_env(jax.random.key(0), state, jnp.int32(0), params)

    jitted = jax.jit(step, static_argnums=0)
    env, bank = make([job_shop(4, 3, 3, 9, seed=seed) for seed in (0, 1, 2)])
    for i in range(3):
        params = jax.tree.map(lambda x, i=i: x[i], bank)
        _, state = env.reset_env(jax.random.key(0), params)
        for _ in range(3):
            _, state, *_ = jitted(JobShop(env.shape), state, params)
    assert traces == 1
    assert jitted._cache_size() == 1


if __name__ == "__main__":
    budget = {name: counts(*make(shop)) for name, shop in shops().items()}
    BUDGET.write_text(json.dumps(budget, indent=2) + "\n")
