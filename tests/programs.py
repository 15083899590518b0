"""The public programs on small shops, with arguments: what must be right on every device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxshop.env import JobShop, environments_last, make
from jaxshop.env.features import FEATURES
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.policies.rules import RULES
from jaxshop.search.compiled import best_sample, greedy_dispatch, rule_dispatches, tuning_generation
from tests.plant import plant_shop
from tests.profiling.test_budget import small_update
from tests.shops import job_shop, random_shop

Program = tuple[Any, tuple[Any, ...]]
"""A jitted function, which is traced once for all that look at it, and arguments."""


@cache
def public_programs() -> dict[str, Program]:
    """Steps, rollouts, rules, observations, searches and updates of each kind of shop, by name."""
    kinds = {
        "job shop": job_shop(0),
        "flexible": random_shop(0, jobs=6, dated=False),
        "plant": plant_shop(4),
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
    coefficients = jnp.zeros(FEATURES)
    yield "tuning", (partial(tuning_generation, env, 8), (params, coefficients, coefficients, key))


def _step_of_many(env: JobShop, params: Any) -> Program:
    many = environments_last(jax.tree.map(lambda x: jnp.stack([x, x]), params))
    key, lots = jax.random.key(0), jnp.zeros(2, jnp.int32)
    return env.step, (key, jax.eval_shape(env.begin, key, many), lots, many)
