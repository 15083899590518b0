"""The training loop: plain Python around the jitted update. It evaluates, reports and saves; it never computes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import jax

from jaxshop.parallel.cluster import largest
from jaxshop.parallel.mesh import data_mesh, local, replicate
from jaxshop.policies.checkpoint import Store
from jaxshop.ppo.update import Learner, UpdateMetrics
from jaxshop.training.callbacks import Callback
from jaxshop.training.config import STAGES, Config
from jaxshop.training.evaluate import Evaluator, Score
from jaxshop.training.origin import Origin
from jaxshop.training.problem import TrainingProblem
from jaxshop.training.progress import Clock, Spent
from jaxshop.training.provenance import describe
from jaxshop.training.stages import Stage, enter, naming_memory, stages_of, untrained
from jaxshop.training.stop import StopRule, signals


@dataclass(frozen=True)
class Outcome:
    """Where training stands, and what the whole run has spent."""

    update: int
    interrupted: int | None  # the signal that stopped it
    spent: Spent


def train(
    problem: TrainingProblem,
    config: Config,
    store: Store,
    evaluator: Evaluator,
    callback: Callback,
    start: Learner | None = None,
    before: Spent = Spent(),  # noqa: B008 - it is frozen
    compiling: Mapping[str, Future[Any]] | None = None,
    origin: Origin = Origin(),  # noqa: B008 - it is frozen
) -> Outcome:
    """Run every update that is still to do, from `start` (None: random weights), on all devices of all processes.

    A checkpoint is written whenever an evaluation is the last stage's best so far, every `logging.checkpoint_every`
    updates, at the end, and on SIGTERM or SIGINT. A signal brings no evaluation with it, so that the resumed run
    chooses as if there had been none.

    Args:
        before: what a resumed run spent; metrics go on counting from there.
        compiling: the stages that are being compiled already.
        origin: of the weights that the run began with.

    Raises:
        InvalidScheduleError: an evaluation came to an invalid schedule.
    """
    stages = stages_of(config.lessons(), problem.setups, problem.shops, compiling or {})
    learner = replicate(untrained(config) if start is None else start, data_mesh())
    done, total = int(learner.update), config.updates
    clock, stop, about = Clock(before), StopRule(config), describe(config, problem.plan, origin)
    best, interrupted = store.best_score(), 0
    entered: Stage | None = None
    with signals() as caught:
        while done < total:
            stage = next(s for s in stages if done < s.end)
            if done == stage.begin > 0:
                learner = enter(stage, learner)
            if stage is not entered:
                callback.on_stage(stage.name, stage.begin, stage.end)
                entered = stage
            learner, numbers = _timed_update(stage, learner, clock)
            done += 1
            ending, interrupted = largest(stop.after_update(done, clock.here), caught[0] if caught else 0)
            last, deciding = bool(ending), math.inf
            if done % config.evaluation.every == 0 or done == stage.end or last:
                callback.doing("evaluating")
                score = _timed_score(evaluator, learner, done, clock)
                numbers |= score.numbers()
                if stop.meets_target(score.own_cost):
                    clock.reach_target()
                last = stop.after_evaluation(score.own_cost) or last
                if done > stages[-1].begin or last:  # kept shops cannot tell who has practised on the shop itself
                    gap = score.own_gap if config.evaluation.choose_by == "own" else score.selection_gap
                    deciding = gap + _handicap(stage)
            due = deciding < best or last or interrupted or done % config.logging.checkpoint_every == 0
            last, due = map(bool, largest(last, due))
            if due:
                store.save(done, learner, learner.averaged, about(done), deciding)
                best = min(best, deciding)
            spent = clock.spent()
            times = {"seconds": spent.seconds, "compile_seconds": spent.compile_seconds}
            callback.on_update(done, total, numbers | times)
            if last or interrupted:
                break
    return Outcome(done, interrupted or None, clock.spent())


def _handicap(stage: Stage) -> float:
    """What ranks a checkpoint behind every one of a later stage: a resumed run may go on to stages it did not have."""
    return 1e3 * (len(STAGES) - 1 - STAGES.index(stage.name))


def _timed_update(stage: Stage, learner: Learner, clock: Clock) -> tuple[Learner, dict[str, float | str]]:
    """An update, and its metrics as one flat record: means over the lessons, and what each of them came to."""
    began = time.monotonic()
    with naming_memory(stage.setups):
        learner, on_device = stage.step(learner, stage.shops)
        metrics: tuple[UpdateMetrics, ...] = jax.device_get(on_device)
    seconds = time.monotonic() - began
    flat = [_flat(lesson) for lesson in metrics]
    record = {key: sum(lesson[key] for lesson in flat) / len(flat) for key in flat[0]}
    record["steps"] = sum(lesson["steps"] for lesson in flat)
    if len(flat) > 1:
        names = [name.removeprefix(f"{stage.name}.") for name in stage.setups]
        for key in ("gap", "best_gap", "entropy"):
            record |= {f"{key}/{name}": lesson[key] for name, lesson in zip(names, flat, strict=True)}
    clock.add(stage.name, seconds, int(record["steps"]))
    return learner, {"stage": stage.name, **record, "steps_per_second": record["steps"] / seconds}


def _flat(metrics: UpdateMetrics) -> dict[str, float]:
    return {k: float(v) for k, v in (metrics.loss._asdict() | metrics._asdict()).items() if k != "loss"}


def _timed_score(evaluator: Evaluator, learner: Learner, done: int, clock: Clock) -> Score:
    began = time.monotonic()
    score = evaluator.score(local(learner.averaged), f"update {done}")
    clock.add("evaluation", time.monotonic() - began)
    return score
