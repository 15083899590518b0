"""The public programs on small shops, with arguments: what must be right on every device.

Those of `public_programs` are traced in every run of the tests, those of `further_programs` in thorough ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxshop.env import JobShop, environments_last, make
from jaxshop.env.features import columns_of
from jaxshop.env.packing import pack
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.policies.rules import RULES
from jaxshop.policies.selftest.shops import SHOPS
from jaxshop.ppo.config import ImitationConfig
from jaxshop.ppo.imitation import make_imitation, watch
from jaxshop.ppo.several import update_several
from jaxshop.ppo.update import update_together
from jaxshop.profiling.workloads import random_rollout
from jaxshop.search.breeding import generation, nobody
from jaxshop.search.compiled import (
    best_sample,
    greedy_costs,
    greedy_dispatch,
    guided_samples,
    rule_dispatches,
    tuning_generation,
)
from jaxshop.search.mirror import mirrored
from jaxshop.shop import split_lots
from tests.profiling.test_budget import small_update
from tests.shops import job_shop, random_shop

Program = tuple[Any, tuple[Any, ...]]
"""A jitted function, which is traced once for all that look at it, and arguments."""


FLEXIBLE = partial(random_shop, 0, jobs=6, dated=False)


def plant() -> Any:
    """The self-test's shop with all that a plant's own rules ask of a step."""
    (shop,) = SHOPS["closed time, set-ups, lags and fixed work"]()
    return shop


@cache
def public_programs() -> dict[str, Program]:
    """Steps, rollouts, rules, observations, searches and updates of each kind of shop, by name."""
    kinds = {
        "job shop": job_shop(0),
        "flexible": FLEXIBLE(),
        "plant": plant(),
        "many sets": random_shop(1, jobs=12, machines=6, most_operations=4),
    }
    found = {}
    for kind, shop in kinds.items():
        env, params = make(shop, candidates=4)
        if kind == "many sets":
            env = JobShop(replace(env.shape, overlap=0))
            params = params._replace(machines=params.machines._replace(sets=params.machines.sets[:0]))
        found |= {f"{kind}: {name}": program for name, program in _steps(env, params)}
        if kind == "flexible":
            found |= dict(_rollouts(env, params))
        if kind != "many sets":  # there many environments are the others, by vmap
            found[f"{kind}, environments last: step and reset"] = _step_of_many(env, params)
    step, arguments, _ = small_update()
    found["update"] = (step, arguments)
    return _jitted(found)


@cache
def further_programs() -> dict[str, Program]:
    """Searches and learning of other kinds, samples backwards, and a plant's rollouts, with machines passed over."""
    found = dict(_searches()) | dict(_of_a_plant()) | dict(_learning())
    return _jitted(found)


def _jitted(found: dict[str, Program]) -> dict[str, Program]:
    return {name: (jax.jit(function), arguments) for name, (function, arguments) in found.items()}


def _steps(env: JobShop, params: Any) -> Iterator[tuple[str, Program]]:
    key, lot = jax.random.key(0), jnp.int32(0)
    for decision in (env, JobShop(env.shape, non_delay=True)):
        name = "non-delay" if decision.non_delay else "active"
        state = jax.eval_shape(decision.begin, key, params)
        yield f"step and reset, {name}", (decision.step, (key, state, lot, params))


def _rollouts(env: JobShop, params: Any) -> Iterator[tuple[str, Program]]:
    key, lot = jax.random.key(0), jnp.int32(0)
    network = make_network(NetworkConfig(width=8))
    weights = jax.eval_shape(network.initialise, key)
    rule_keys = jax.random.split(key, len(RULES))
    yield "every rule", (partial(rule_dispatches, env), (params, rule_keys, jnp.arange(len(RULES))))
    yield "greedy", (partial(greedy_dispatch, env, network), (weights, params))
    sampling = partial(best_sample, env, network, count=2)
    yield "samples", (lambda w, p, k, a, b: sampling(w, p, k, a, limit=b), (weights, params, key, lot, lot))
    coefficients = jnp.zeros(columns_of(env.shape))
    yield "tuning", (partial(tuning_generation, env, 8), (params, coefficients, coefficients, key))


def _step_of_many(env: JobShop, params: Any) -> Program:
    many = environments_last(jax.tree.map(lambda x: jnp.stack([x, x]), params))
    key, lots = jax.random.key(0), jnp.zeros(2, jnp.int32)
    return env.step, (key, jax.eval_shape(env.begin, key, many), lots, many)


def _searches() -> Iterator[tuple[str, Program]]:
    env, params = make(FLEXIBLE(), candidates=4)
    key, number = jax.random.key(0), jnp.int32(0)
    network = make_network(NetworkConfig(width=8))
    weights = jax.eval_shape(network.initialise, key)
    plan = mirrored(split_lots(FLEXIBLE(), None))
    assert plan is not None
    back = jax.device_put(pack(plan, env.shape, 1))
    sampling = partial(best_sample, env, network, count=2)
    yield (
        "samples backwards",
        (lambda w, p, k, a, b: sampling(w, p, k, a, limit=b), (weights, back, key, number, number)),
    )
    choices = jnp.zeros((2, env.shape.operations), jnp.int32)
    yield "beam", (partial(guided_samples, env, network), (weights, params, key, number, number, choices, number))
    yield "evolve", (partial(generation, env, network, 8), (weights, params, nobody(env, 8), key))
    yield "random play", (random_rollout(env, 2, 3), (key, params))
    two = jax.tree.map(lambda x: jnp.stack([x, x]), params)
    yield "greedy of many", (partial(greedy_costs, env, network), (weights, two))


def _of_a_plant() -> Iterator[tuple[str, Program]]:
    env, params = make(plant(), candidates=4, passing=True)
    key, lot = jax.random.key(0), jnp.int32(0)
    network = make_network(NetworkConfig(width=8))
    weights = jax.eval_shape(network.initialise, key)
    yield "plant: step and reset, passing", (env.step, (key, jax.eval_shape(env.begin, key, params), lot, params))
    yield "plant, environments last: passing", _step_of_many(env, params)
    rule_keys = jax.random.split(key, len(RULES))
    yield "plant: every rule", (partial(rule_dispatches, env), (params, rule_keys, jnp.arange(len(RULES))))
    sampling = partial(best_sample, env, network, count=2)
    yield "plant: samples", (lambda w, p, k, a, b: sampling(w, p, k, a, limit=b), (weights, params, key, lot, lot))


def _learning() -> Iterator[tuple[str, Program]]:
    env, params = make(plant(), candidates=4, passing=True)
    bank = jax.tree.map(lambda x: jnp.stack([x, x]), params)
    step, (learner, shops), _ = small_update()
    setup = step.args[0]
    of_plant = replace(setup, env=env, stage=replace(setup.stage, candidates=4))
    yield "updates together", (partial(update_together, (setup, of_plant)), (learner, (shops, bank)))
    runs = jax.tree.map(lambda x: jnp.stack([x, x]), learner)
    yield "updates of several runs", (partial(update_several, (setup,), None), (runs, (shops,), jnp.ones(2)))
    watching, starts = partial(watch, env, setup.network), jnp.zeros((2, env.shape.operations), jnp.int32)
    yield "imitation: watch", (watching, (bank, starts))
    how = make_imitation(setup.network, ImitationConfig(decisions=8))
    carry = learner.weights, jax.eval_shape(how.optimiser.init, learner.weights)
    yield "imitation: step", (how.step, (carry, jax.random.key(0), [jax.eval_shape(watching, bank, starts)]))
