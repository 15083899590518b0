"""Schedules from policies and rules: compiled once for a shape, then called with weights and shops as arguments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from itertools import cycle
from queue import Empty, SimpleQueue
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array, ArrayTree, PRNGKey

from jaxshop.env import EnvParams, JobShop, Shape
from jaxshop.env.ladder import rung
from jaxshop.env.packing import pack, shape_of
from jaxshop.parallel.devices import start_devices
from jaxshop.policies.acting import any_linear, greedy, linear, play, play_on, rule, sampled, temperature_of
from jaxshop.policies.checkpoint import Policy
from jaxshop.policies.rules import RULES
from jaxshop.policies.types import Network
from jaxshop.schedule import Schedule
from jaxshop.search import background
from jaxshop.search.beam import Way
from jaxshop.search.breeding import ON_ACCELERATOR, ON_CPU, Elite, generation, nobody
from jaxshop.search.dispatches import Dispatch, beyond_all, dispatch_of, to_schedule, to_schedules
from jaxshop.search.mirror import backward, mirrored, turned
from jaxshop.search.priority import POPULATION
from jaxshop.search.types import Key, Task
from jaxshop.shop import LotPlan
from jaxshop.support.machine import usable_cores

CANDIDATES = 48
"""Lots that a policy is shown at most, as in its training; where more compete, those with the most and the least work
left. Another number can change a schedule."""
SAMPLE_BATCH = 16
"""Samples that run side by side; fixed, so that a sample has the same arithmetic however many are asked for."""
RULE_BATCH = len(RULES)
"""Rules that one call plays; fixed, so that one rule and all of them share a program."""

NUMBERS = {name: number for number, name in enumerate(RULES)}


def greedy_dispatch(env: JobShop, network: Network, weights: ArrayTree, params: EnvParams) -> Dispatch:
    """The schedule of the policy's most probable choices."""
    return dispatch_of(env, play(env, params, greedy(network, weights), jax.random.key(0), params.operations), params)


def greedy_costs(env: JobShop, network: Network, weights: ArrayTree, shops: EnvParams) -> Array:
    """What the greedy schedules of stacked shops cost, in ticks, int32 [count]."""

    def cost(params: EnvParams) -> Array:
        return env.cost(play(env, params, greedy(network, weights), jax.random.key(0)), params)

    return jax.vmap(cost)(shops)


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

    def drawn(index: Array) -> Dispatch:
        act = sampled(network, weights, temperature_of(index))
        return dispatch_of(env, play(env, params, act, jax.random.fold_in(key, index), params.operations), params)

    played = jax.vmap(drawn)(indices)
    best = jnp.where(indices < limit, played.cost, beyond_all(played.cost)).argmin()
    return jax.tree.map(lambda x: x[best], played), played.makespan


def guided_samples(
    env: JobShop,
    network: Network,
    weights: ArrayTree,
    params: EnvParams,
    key: PRNGKey,
    begin: Array,
    limit: Array,
    choices: Array,
    depth: Array,
) -> tuple[Dispatch, Array, Array]:
    """As `best_sample`, each sample beginning with the first `depth` actions of its row of `choices`, int32 [count, N].

    Returns:
        The best, and of all of them costs, int32 [count], and choices.
    """
    indices = begin + jnp.arange(choices.shape[0])

    def drawn(index: Array, given: Array) -> tuple[Dispatch, Array]:
        act = sampled(network, weights, temperature_of(index))
        state, made = play_on(env, params, act, jax.random.fold_in(key, index), given, depth)
        return dispatch_of(env, state, params), made

    played, made = jax.vmap(drawn)(indices, choices)
    costs = jnp.where(indices < limit, played.cost, beyond_all(played.cost))
    return jax.tree.map(lambda x: x[costs.argmin()], played), costs, made


def rule_dispatch(env: JobShop, params: EnvParams, key: PRNGKey, number: Array) -> Dispatch:
    """The schedule of a dispatching rule; the decision is the environment's, active or non-delay."""
    return dispatch_of(env, play(env, params, rule(number), key, params.operations), params)


def rule_dispatches(env: JobShop, params: EnvParams, keys: PRNGKey, numbers: Array) -> Dispatch:
    """Schedules of several rules, numbers int32 [R] with a key each; every field gains a leading axis R."""
    # Side by side, rules that branch differently cost a CPU ten times what they cost in turn.
    side_by_side = None if jax.default_backend() == "cpu" else numbers.shape[0]
    return jax.lax.map(lambda each: rule_dispatch(env, params, *each), (keys, numbers), batch_size=side_by_side)


def tuning_generation(
    env: JobShop, population: int, params: EnvParams, mean: Array, spread: Array, key: PRNGKey
) -> tuple[Array, Array, Array, Dispatch]:
    """One generation of the cross-entropy method over the coefficients of a linear priority; `key` is consumed.

    Args:
        env: the environment.
        population: priorities that are played; the first is `mean` itself.
        params: of the shop.
        mean: float32 [F].
        spread: standard deviations, float32 [F].
        key: for the draws.

    Returns:
        The next mean and spread, the best coefficients, float32 [F], and their schedule.
    """
    draws = mean[None] + spread[None] * jax.random.normal(key, (population, mean.shape[0]))
    draws = draws.at[0].set(mean)
    played = jax.vmap(lambda c: dispatch_of(env, play(env, params, linear(c), key, params.operations), params))(draws)
    order = jnp.argsort(played.cost)
    elite = draws[order[: population // 4]]
    best = jax.tree.map(lambda x: x[order[0]], played)
    return elite.mean(0), 0.5 * spread + 0.5 * elite.std(0) + 0.02, draws[order[0]], best


@lru_cache(maxsize=64)
def program(step: str, env: JobShop, network: Network | None = None, batch: int = SAMPLE_BATCH) -> Any:
    """The one cache of compiled searches: keyed by what is played, shape and decision, network and batch.

    `rules` is (params, keys [R], numbers [R]) -> Dispatch [R, ...]; `greedy` (weights, params) -> Dispatch; `samples`
    (weights, params, key, begin, limit) -> `best_sample`'s; `guided` the same and (choices [B, N], depth) ->
    `guided_samples`'; `tune` (params, mean, spread, key) -> `tuning_generation`'s; `evolve`
    (weights, params, elite, key) -> `breeding.generation`'s; `greedy of many` (weights, shops
    [count, ...]) -> `greedy_costs`'.
    """
    if step == "rules":
        return jax.jit(partial(rule_dispatches, env))
    if step == "tune":
        return jax.jit(partial(tuning_generation, env, batch))
    assert network is not None
    if step == "greedy":
        return jax.jit(partial(greedy_dispatch, env, network))
    if step == "greedy of many":
        return jax.jit(partial(greedy_costs, env, network))
    if step == "evolve":
        return jax.jit(partial(generation, env, network, batch))
    if step == "guided":
        return jax.jit(partial(guided_samples, env, network))
    assert step == "samples", step

    def samples(weights: ArrayTree, params: EnvParams, key: PRNGKey, begin: Array, limit: Array) -> Any:
        return best_sample(env, network, weights, params, key, begin, batch, limit)

    return jax.jit(samples)


def rule_arguments(names: Sequence[str], keys: Sequence[Key], batch: int = RULE_BATCH) -> tuple[PRNGKey, np.ndarray]:
    """Keys and numbers of at most `batch` rules, filled up with the last one."""
    pairs = [(key, NUMBERS[name]) for name, key in zip(names, keys, strict=True)]
    pairs += pairs[-1:] * (batch - len(pairs))
    padded, numbers = zip(*pairs, strict=True)
    seeds = [key for key in padded if isinstance(key, int)]
    # Seeds become keys in one call: one by one they took as long as ten steps of a small shop's rules.
    stacked = _keys(np.array(seeds, np.uint32)) if len(seeds) == batch else jnp.stack([as_key(key) for key in padded])
    return stacked, np.array(numbers, np.int32)


_keys = jax.jit(jax.vmap(jax.random.key))


def as_key(key: Key) -> PRNGKey:
    """A key; a seed becomes one."""
    return jax.random.key(key) if isinstance(key, int) else key


class CompiledRollouts:
    """`Rollouts` on this process's device, at the least rung of the ladder that holds the task."""

    batch = SAMPLE_BATCH
    env: JobShop
    params: EnvParams

    def __init__(self, task: Task, policy: Callable[[], Policy], shape: Shape | None = None):
        """Pack the task; `policy` is called once, where a step needs one. `shape`: another than that of the ladder."""
        start_devices()
        self._task = task
        self._load, self._loading = policy, threading.Lock()
        self._loaded: Policy | None = None
        shape = shape or rung(shape_of([task.plan], CANDIDATES))
        self.env, self._non_delay = JobShop(shape), JobShop(shape, non_delay=True)
        self.params = jax.device_put(pack(task.plan, shape, task.certificate.value))
        self._compiled: dict[str, Future[None]] = {}

    def by(self, policy: Policy) -> CompiledRollouts:
        """The same task, shape and programs, played by another policy."""
        other = copy(self)
        other._loaded = policy
        return other

    def expect(self, steps: Sequence[str]) -> None:
        """Begin to compile, in this order and beside each other, what `steps` will need; see `Rollouts.prepare`."""
        self._compiled = {step: Future() for step in steps}
        queue: SimpleQueue[str] = SimpleQueue()
        for step in self._compiled:
            queue.put(step)
        for _ in range(min(usable_cores(), len(self._compiled))):
            background.start(partial(self._compile_all, queue))

    def prepare(self, step: str) -> None:
        """See `Rollouts`; what was not expected is compiled when it is called."""
        if step in self._compiled:
            self._compiled[step].result()

    def rules(self, names: Sequence[str], active: bool, keys: Sequence[Key]) -> list[Schedule]:
        """See `Rollouts`."""
        env = self.env if active else self._non_delay
        played = program("rules", env)(self.params, *rule_arguments(names, keys))
        return to_schedules(self._task, played, len(names))

    def greedy(self) -> Schedule:
        """See `Rollouts`."""
        policy = self._policy()
        return self._named(program("greedy", self._deciding(policy), policy.network)(policy.weights, self.params))

    def samples(self, key: Key, begin: int, count: int) -> Schedule:
        """See `Rollouts`."""
        policy, mirror = self._policy(), self._mirror if backward(begin) else None
        play_batch = program("samples", self._deciding(policy), policy.network)
        numbers = np.int32(begin), np.int32(begin + count)
        if mirror is None:
            return self._named(play_batch(policy.weights, self.params, as_key(key), *numbers)[0])
        plan, params = mirror
        found = play_batch(policy.weights, params, as_key(key), *numbers)[0]
        return turned(to_schedule(plan, found, self._task.fingerprint))

    def guided(self, ways: Sequence[Way], depth: int, key: Key, begin: int, count: int) -> tuple[Schedule, list[Way]]:
        """See `beam.Guided`."""
        policy = self._policy()
        choices = np.zeros((self.batch, self.env.shape.operations), np.int32)
        for row, way in zip(choices, cycle(ways), strict=False):
            row[:] = way.choices
        play_batch = program("guided", self._deciding(policy), policy.network)
        numbers = np.int32(begin), np.int32(begin + count)
        best, costs, made = play_batch(policy.weights, self.params, as_key(key), *numbers, choices, np.int32(depth))
        return self._named(best), [Way(*way) for way in zip(costs[:count].tolist(), np.asarray(made), strict=False)]

    def generation(self, state: tuple[Array, Array] | None, key: Key, number: int) -> tuple[Any, Schedule]:
        """See `priority.Tunable`; the state is mean and spread, float32 [F] each."""
        mean, spread = state or any_linear(self.env.shape)
        drawn_with = jax.random.fold_in(as_key(key), number)
        mean, spread, _, best = program("tune", self.env, batch=POPULATION)(self.params, mean, spread, drawn_with)
        return (mean, spread), self._named(best)

    @property
    def population(self) -> int:
        """See `evolve.Evolvable`."""
        return ON_CPU if jax.default_backend() == "cpu" else ON_ACCELERATOR

    def offspring(self, state: Elite | None, key: Key, number: int) -> tuple[Elite, Schedule]:
        """See `evolve.Evolvable`."""
        policy, count = self._policy(), self.population
        bred_with = jax.random.fold_in(as_key(key), number)
        play_batch = program("evolve", self._deciding(policy), policy.network, count)
        elite, best = play_batch(policy.weights, self.params, state or nobody(self.env, count), bred_with)
        return elite, self._named(best)

    @cached_property
    def _mirror(self) -> tuple[LotPlan, EnvParams] | None:
        """The task with time turned round, if it can be."""
        plan = mirrored(self._task.plan)
        bound = self._task.certificate.value
        return None if plan is None else (plan, jax.device_put(pack(plan, self.env.shape, bound)))

    def _policy(self) -> Policy:
        with self._loading:
            self._loaded = self._loaded or self._load()
        return self._loaded

    def _deciding(self, policy: Policy) -> JobShop:
        """The environment in which the policy learned to decide."""
        return replace(self.env, passing=policy.passing)

    def _named(self, dispatch: Dispatch) -> Schedule:
        return to_schedule(self._task.plan, dispatch, self._task.fingerprint)

    def _compile_all(self, queue: SimpleQueue[str]) -> None:
        with suppress(Empty):
            while True:
                step = queue.get_nowait()
                try:
                    self._compile(step)
                except BaseException as error:  # whoever prepares the step gets it
                    self._compiled[step].set_exception(error)
                else:
                    self._compiled[step].set_result(None)

    def _compile(self, step: str) -> None:
        """Compile as the calls above will call: JAX then finds the program."""
        name, _, active = step.partition("/")
        if name == "rules":
            env = self.env if active else self._non_delay
            program(name, env).lower(self.params, *rule_arguments(["random"], [jax.random.key(0)])).compile()
            return
        if name == "tune":
            start = *any_linear(self.env.shape), jax.random.key(0)
            program(name, self.env, batch=POPULATION).lower(self.params, *start).compile()
            return
        policy = self._policy()
        if name == "evolve":
            elite, key = nobody(self.env, self.population), jax.random.key(0)
            breeding = program(name, self._deciding(policy), policy.network, self.population)
            breeding.lower(policy.weights, self.params, elite, key).compile()
            return
        arguments: tuple[Any, ...] = () if name == "greedy" else (jax.random.key(0), np.int32(0), np.int32(0))
        if name == "guided":
            arguments += np.zeros((self.batch, self.env.shape.operations), np.int32), np.int32(0)
        program(name, self._deciding(policy), policy.network).lower(policy.weights, self.params, *arguments).compile()
