"""The training loop: plain Python around the jitted update. It evaluates, reports and saves; it never computes."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp
import optax
from chex import PRNGKey
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding
from jax.stages import Lowered

from jaxshop.env import EnvParams, JobShop
from jaxshop.env.features import CONTEXT, FEATURES
from jaxshop.parallel.mesh import data_mesh, instructions_capped, largest, local, replicate
from jaxshop.policies.checkpoint import Store
from jaxshop.policies.networks.pooled import Network, initial_weights
from jaxshop.policies.registry import make_network
from jaxshop.ppo.config import PPOConfig, StageConfig
from jaxshop.ppo.update import Learner, UpdateMetrics, make_optimiser, update
from jaxshop.shop import TICKS_PER_HOUR
from jaxshop.training.callbacks import Callback
from jaxshop.training.config import Config
from jaxshop.training.evaluate import Evaluator, Score
from jaxshop.training.problem import Problem
from jaxshop.training.provenance import describe


@dataclass(frozen=True)
class Outcome:
    """How training went in this process; compilation is counted apart, as far as training waited for it."""

    update: int
    interrupted: int | None  # the signal that stopped it
    seconds: float
    compile_seconds: float
    seconds_to_target: float | None  # of the whole run
    env_steps: int


def train(
    problem: Problem,
    config: Config,
    store: Store,
    evaluator: Evaluator,
    callback: Callback,
    initialised_from: str | None = None,
    start: Learner | None = None,
    before: float = 0.0,
    steps: Mapping[str, Future[Any]] | None = None,
) -> Outcome:
    """Run every update that is still to do, from `start` (None: random weights), on all devices of all processes.

    `steps` are the stages that are being compiled already, from what `lower_step` gave.

    A checkpoint is written whenever an evaluation is the best so far, every `logging.checkpoint_every` updates, at the
    end, and on SIGTERM or SIGINT. A signal brings no evaluation with it, so that the resumed run chooses as if there
    had been none. `before` are the seconds that a resumed run has trained already; metrics go on counting from there.
    """
    network = make_network(config.network)
    stages = _stages(problem, config, network, steps or {})
    total = config.updates
    learner = replicate(start if start is not None else first_learner(config, network), data_mesh())
    clock = _Clock()
    done, met, seconds_to_target, env_steps, interrupted = int(learner.update), 0, None, 0, 0
    best = store.best_score()

    with _signals() as caught:
        while done < total:
            stage = next(s for s in stages if done < s.end)
            if done == stage.begin > 0:
                learner = _begin(stage, learner)
            began = time.monotonic()
            learner, metrics = stage.step(learner, stage.bank)
            metrics = jax.device_get(metrics)
            seconds = time.monotonic() - began
            clock.add(stage.name, seconds)
            done += 1
            env_steps += int(metrics.steps)
            numbers = _numbers(metrics, seconds, before + clock.total())
            late = config.stop.max_seconds is not None and clock.total() >= config.stop.max_seconds
            stop, interrupted = largest(late, caught[0] if caught else 0)
            last, deciding = done == total or bool(stop), math.inf
            if done % config.evaluation.every == 0 or done == stage.end or last:
                began = time.monotonic()
                score = evaluator.score(local(learner.averaged))
                clock.add("evaluation", time.monotonic() - began)
                numbers |= _score_numbers(score)
                hit = config.run.target_hours is not None and numbers["own_hours"] <= config.run.target_hours
                met = met + 1 if hit else 0
                if hit and seconds_to_target is None:
                    seconds_to_target = before + clock.total()
                last = last or (config.stop.when == "target" and met >= 2)
                deciding = score.own_gap if config.evaluation.choose_by == "own" else score.selection_gap
            due = deciding < best or last or interrupted or done % config.logging.checkpoint_every == 0
            last, due = map(bool, largest(last, due))
            if due:
                meta = describe(config, problem.plan, done, initialised_from)
                store.save(done, learner, learner.averaged, meta, deciding)
                best = min(best, deciding)
            callback.on_update(done, total, numbers)
            if last or interrupted:
                break
    return Outcome(done, interrupted or None, clock.total(), clock.compiling(), seconds_to_target, env_steps)


def first_learner(config: Config, network: Network) -> Learner:
    """Random weights and a fresh optimiser, all from the seed."""
    stage = next(stage for _, stage in config.stages())
    return _compiled_fresh()(jax.random.key(config.run.seed), config.ppo, stage, network)


@cache
def _compiled_fresh() -> Any:
    """`_fresh` as one program: one by one, its hundred operations took 4 s to compile."""
    return jax.jit(_fresh, static_argnums=(1, 2, 3), compiler_options=compiler_options())


def _fresh(key: PRNGKey, config: PPOConfig, stage: StageConfig, network: Network) -> Learner:
    init_key, key = jax.random.split(key)
    weights = initial_weights(network, init_key, FEATURES, CONTEXT)
    return Learner(weights, weights, make_optimiser(config, stage).init(weights), key, jnp.int32(0))


@dataclass(frozen=True)
class _Stage:
    """Updates `begin` to `end - 1`: a jitted step and the shops that it draws from."""

    name: str
    begin: int
    end: int
    step: Any
    bank: EnvParams
    optimiser: optax.GradientTransformation


def lower_step(name: str, env: JobShop, shops: EnvParams, config: Config, network: Network) -> Lowered:
    """A stage's update, traced from the shapes and dtypes of its shops alone, and yet to be compiled."""
    stage, mesh = dict(config.stages())[name], data_mesh()
    key = jax.eval_shape(jax.random.key, 0)
    learner = _compiled_fresh().eval_shape(key, config.ppo, stage, network)
    place = SingleDeviceSharding(jax.local_devices()[0]) if mesh is None else NamedSharding(mesh, PartitionSpec())
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), (learner, shops))
    return _jitted(env, network, make_optimiser(config.ppo, stage), config, stage).lower(*like)


def _stages(problem: Problem, config: Config, network: Network, steps: Mapping[str, Future[Any]]) -> list[_Stage]:
    """The stages that have updates, in order; what is not in `steps` is compiled at its first call."""
    found: list[_Stage] = []
    begin = 0
    for name, stage in config.stages():
        env, bank = problem.banks[name]
        optimiser = make_optimiser(config.ppo, stage)
        ahead = steps.get(name)
        step = _jitted(env, network, optimiser, config, stage) if ahead is None else _awaited(ahead)
        shops = bank if data_mesh() is None else replicate(bank, data_mesh())
        found.append(_Stage(name, begin, begin + stage.updates, step, shops, optimiser))
        begin += stage.updates
    return found


def _awaited(step: Future[Any]) -> Any:
    return lambda learner, shops: step.result()(learner, shops)


def _begin(stage: _Stage, learner: Learner) -> Learner:
    """A later stage starts from the averaged weights of the one before, with a fresh optimiser."""
    learner = local(learner)
    fresh = stage.optimiser.init(learner.averaged)
    return replicate(learner._replace(weights=learner.averaged, optimiser=fresh), data_mesh())


def _jitted(
    env: JobShop, network: Network, optimiser: optax.GradientTransformation, config: Config, stage: StageConfig
) -> Any:
    mesh = data_mesh()
    step = partial(
        update,
        env=env,
        network=network,
        optimiser=optimiser,
        config=config.ppo,
        shops=stage.shops,
        samples=stage.samples,
        mesh=mesh,
    )
    everywhere = None if mesh is None else NamedSharding(mesh, PartitionSpec())
    return jax.jit(step, donate_argnums=0, out_shardings=everywhere, compiler_options=compiler_options())


def compiler_options() -> dict[str, int] | None:
    """On CPU the update is compiled at LLVM's level 1 instead of 3, sooner and as fast, where AVX-512 is not in use.

    There LLVM aborts at that level, which nobody can catch; see `cap_instructions`.
    """
    return {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" and instructions_capped() else None


def _numbers(metrics: UpdateMetrics, seconds: float, elapsed: float) -> dict[str, float]:
    """One flat record for the callbacks."""
    record = {k: float(v) for k, v in (metrics.loss._asdict() | metrics._asdict()).items() if k != "loss"}
    return record | {"steps_per_second": record["steps"] / seconds, "seconds": elapsed}


def _score_numbers(score: Score) -> dict[str, float]:
    hours = int(score.own.makespan) / TICKS_PER_HOUR
    return {"own_hours": hours, "own_gap": score.own_gap, "selection_gap": score.selection_gap}


class _Clock:
    """Wall time of the calls; the first of each kind waits for compilation: what it takes beyond the second."""

    def __init__(self) -> None:
        self._calls: dict[Any, list[float]] = {}

    def add(self, kind: Any, seconds: float) -> None:
        self._calls.setdefault(kind, []).append(seconds)

    def total(self) -> float:
        return sum(sum(calls) for calls in self._calls.values())

    def compiling(self) -> float:
        return sum(calls[0] - min(calls[1:2] or [0.0]) for calls in self._calls.values())


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT instead of dying of them; a second one does as the system says."""
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        signal.signal(number, previous[number])

    previous: dict[int, Any] = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        for number in previous:
            signal.signal(number, note)
    except ValueError:  # not the main thread: whoever runs us there handles signals
        previous = {}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
