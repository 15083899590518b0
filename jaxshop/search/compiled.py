"""Schedules from policies and rules: compiled once for a shape, then called with weights and shops as arguments."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array, ArrayTree, PRNGKey

from jaxshop.bounds import certify
from jaxshop.env import EnvParams, EnvState, JobShop, Shape, op_ends
from jaxshop.env.packing import pack, shape_of
from jaxshop.policies.acting import greedy, play, rule, sampled
from jaxshop.policies.checkpoint import Policy, load_policy
from jaxshop.policies.networks.pooled import Network
from jaxshop.policies.rules import RULES
from jaxshop.schedule import Row, Schedule, verify
from jaxshop.shop import LotPlan, fingerprint
from jaxshop.support.errors import ShopError

CANDIDATES = 48
"""Lots that a policy is shown at most, as in its training; where more compete, those with the least work left are not
shown. Another number can change a schedule: on the reference shop in lots of at most 60 h the shipped policy gave 3.5 %
over the bound with 48, 4.3 % with 24 or all, and 5.9 % with 96."""
SAMPLE_BATCH = 16
"""Samples that run side by side; fixed, so that a sample has the same arithmetic however many are asked for."""


class Dispatch(NamedTuple):
    """Where and when each operation runs, in flat route order: int32 [N] each, with the makespan, int32 []."""

    makespan: Array
    start: Array
    end: Array
    machine: Array


@dataclass(frozen=True)
class Solution:
    """A verified schedule and how it came about."""

    schedule: Schedule
    source: str
    makespan: int
    bound: int
    samples_done: int
    seconds: float


def dispatch_of(state: EnvState, params: EnvParams) -> Dispatch:
    """Read the schedule off a final state."""
    return Dispatch(state.estimate, state.schedule.start, op_ends(state, params), state.schedule.machine)


def greedy_dispatch(env: JobShop, network: Network, weights: ArrayTree, params: EnvParams) -> Dispatch:
    """The schedule of the policy's most probable choices."""
    return dispatch_of(play(env, params, greedy(network, weights), jax.random.key(0)), params)


def best_sample(
    env: JobShop,
    network: Network,
    weights: ArrayTree,
    params: EnvParams,
    key: PRNGKey,
    begin: Array,
    count: int,
    limit: Array,
) -> tuple[Dispatch, Array]:
    """The best of samples `begin` to `begin + count - 1` below `limit`, and all their makespans, int32 [count].

    Sample i draws from `fold_in(key, i)`, so its schedule does not depend on how many are asked for.
    """
    indices = begin + jnp.arange(count)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, indices)
    played = jax.vmap(lambda k: dispatch_of(play(env, params, sampled(network, weights), k), params))(keys)
    best = jnp.where(indices < limit, played.makespan, jnp.iinfo(jnp.int32).max).argmin()
    return jax.tree.map(lambda x: x[best], played), played.makespan


def rule_dispatch(env: JobShop, params: EnvParams, key: PRNGKey, number: Array) -> Dispatch:
    """The schedule of a dispatching rule; the decision is the environment's, active or non-delay."""
    return dispatch_of(play(env, params, rule(number), key), params)


def to_schedule(plan: LotPlan, dispatch: Dispatch) -> Schedule:
    """Name what the arrays number."""
    start, end, machine = (np.asarray(x).tolist() for x in dispatch[1:])
    names = [m.id for m in plan.shop.machines]
    steps = [(lot, operation) for lot in plan.lots for operation in lot.operations]
    rows = tuple(
        Row(lot.job, lot.index, operation.id, names[machine[i]], start[i], end[i])
        for i, (lot, operation) in enumerate(steps)
    )
    return Schedule(fingerprint(plan.shop), plan.max_lot_hours, rows)


def rule_environment(shape: Shape, name: str) -> tuple[JobShop, int]:
    """The environment and the number of a rule such as `MWKR` (non-delay) or `MWKR/active`."""
    bare, slash, decision = name.partition("/")
    known = [r.upper() for r in RULES]
    if bare.upper() not in known or (slash and decision != "active"):
        raise ShopError(f"rule {name!r}: known are {', '.join(f'{r}, {r}/active' for r in RULES)}")
    return JobShop(shape, non_delay=not slash), known.index(bare.upper())


@lru_cache(maxsize=32)
def _compiled(kind: str, env: JobShop, network: Network | None = None) -> Callable:
    if kind == "rule":
        return jax.jit(partial(rule_dispatch, env))
    assert network is not None
    if kind == "greedy":
        return jax.jit(lambda weights, params: greedy_dispatch(env, network, weights, params))
    return jax.jit(
        lambda weights, params, key, begin, limit: best_sample(
            env, network, weights, params, key, begin, SAMPLE_BATCH, limit
        )
    )


def solve(
    plan: LotPlan,
    policy: Policy | None = None,
    rule_name: str | None = None,
    samples: int = 0,
    seed: int = 0,
    time_limit: float | None = None,
) -> Solution:
    """Schedule a plan by a rule or a policy (None: the shipped one), and verify the result.

    The greedy rollout comes first; samples are drawn while `time_limit` seconds, compilation included, last.

    Raises:
        ShopError: the rule is unknown, or the schedule is invalid (which would be a bug).
    """
    begun = time.monotonic()
    bound = certify(plan).value
    shape = shape_of([plan], CANDIDATES)
    params = jax.tree.map(jnp.asarray, pack(plan, shape, bound))
    key = jax.random.key(seed)
    done = 0
    if rule_name is not None:
        env, number = rule_environment(shape, rule_name)
        best, source = _compiled("rule", env)(params, key, jnp.int32(number)), f"rule:{rule_name}"
    else:
        policy = policy or load_policy()
        env = JobShop(shape)
        best, source = _compiled("greedy", env, policy.network)(policy.weights, params), "policy:greedy"
        sample = _compiled("sample", env, policy.network)
        while done < samples and (time_limit is None or time.monotonic() - begun < time_limit):
            found, _ = sample(policy.weights, params, key, jnp.int32(done), jnp.int32(samples))
            done += SAMPLE_BATCH
            if int(found.makespan) < int(best.makespan):
                best, source = found, "policy:samples"
    schedule = to_schedule(plan, best)
    if violations := verify(plan, schedule):
        raise ShopError(f"the schedule of {source} is invalid: {violations[0]}")
    return Solution(schedule, source, schedule.makespan, bound, min(done, samples), time.monotonic() - begun)
