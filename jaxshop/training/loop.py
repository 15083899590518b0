"""The training loop: plain Python around the jitted update. It evaluates, reports and saves; it never computes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from operator import itemgetter
from statistics import fmean
from typing import Any

import jax

from jaxshop.parallel.cluster import largest
from jaxshop.parallel.mesh import local
from jaxshop.policies.checkpoint import Store
from jaxshop.ppo.update import Learner, UpdateMetrics
from jaxshop.training.callbacks import Callback
from jaxshop.training.config import Config
from jaxshop.training.evaluate import Evaluator, Score, rank
from jaxshop.training.origin import Origin
from jaxshop.training.problem import TrainingProblem
from jaxshop.training.progress import Clock, Spent
from jaxshop.training.provenance import describe
from jaxshop.training.stages import Stage, apart, enter, naming_memory, place, stages_of, untrained
from jaxshop.training.stop import StopRule, signals


@dataclass(frozen=True)
class Outcome:
    """Where training stands, and what every run has spent, with what it was resumed from."""

    update: int
    interrupted: int | None  # the signal that stopped it
    spent: Sequence[Spent]  # by run


@dataclass(frozen=True)
class Run:
    """A run to be trained, alone or beside others in one program."""

    config: Config
    store: Store
    callback: Callback = field(default_factory=Callback)
    """Gets the run's own numbers."""
    before: Spent = field(default_factory=Spent)
    """What it spent before it was resumed; metrics go on counting from there."""
    met: bool = False
    """Whether the last evaluation before it was resumed met the target."""
    origin: Origin = field(default_factory=Origin)
    """Of the weights that it began with."""


def train(
    problem: TrainingProblem,
    runs: Sequence[Run],
    evaluator: Evaluator,
    callback: Callback,
    start: Sequence[Learner] | None = None,
    compiling: Mapping[str, Future[Any]] | None = None,
) -> Outcome:
    """Do every update that is still to do, from `start` (None: random weights), on all devices of all processes.

    A checkpoint is written whenever an evaluation is the last stage's best so far, every `logging.checkpoint_every`
    updates, at the end, and on SIGTERM or SIGINT. A signal brings no evaluation with it, so that the resumed run
    chooses as if there had been none.

    Args:
        runs: one, or several that differ in seed and learning rate alone; these save at the same updates.
        callback: is told what goes on, and the runs' numbers in the mean.
        start: the learner of each run, all at the same update.
        compiling: the stages that are being compiled already.

    Raises:
        InvalidScheduleError: an evaluation came to an invalid schedule.
    """
    configs = [run.config for run in runs]
    config, total = configs[0], configs[0].updates
    stages = stages_of(configs, problem.setups, problem.shops, compiling or {})
    begun = [untrained(config) for config in configs] if start is None else start
    done, learner = int(begun[0].update), place(begun)
    stops, clocks = [StopRule(run.config, run.met) for run in runs], [Clock(run.before) for run in runs]
    about = [describe(run.config, problem.plan, run.origin) for run in runs]
    best, interrupted = [run.store.best_score() for run in runs], 0
    entered: Stage | None = None
    with signals() as caught:
        while done < total:
            stage = next(s for s in stages if done < s.end)
            if done == stage.begin > 0:
                learner = enter(stage, learner)
            if stage is not entered:
                callback.on_stage(stage.name, stage.begin, stage.end)
                entered = stage
            learner, numbers = _timed_update(stage, learner, clocks)
            done += 1
            ending, interrupted = largest(stops[0].after_update(done, clocks[0].here), caught[0] if caught else 0)
            last, deciding = bool(ending), [math.inf] * len(runs)
            if done % config.evaluation.every == 0 or done == stage.end or last:
                callback.doing("evaluating")
                scores = _timed_scores(evaluator, learner, done, clocks)
                for stop, clock, score, record in zip(stops, clocks, scores, numbers, strict=True):
                    record.update(score.numbers())
                    if stop.meets_target(score.own_cost):
                        clock.reach_target()
                met = [stop.after_evaluation(score.own_cost) for stop, score in zip(stops, scores, strict=True)]
                last = all(met) or last
                if done > stages[-1].begin or last:  # kept shops cannot tell who has practised on the shop itself
                    deciding = [rank(score, config, stage.name) for score in scores]
            better = any(new < old for new, old in zip(deciding, best, strict=True))
            due = better or last or interrupted or done % config.logging.checkpoint_every == 0
            last, due = map(bool, largest(last, due))
            if due:
                for run, each, said, by in zip(runs, apart(learner), about, deciding, strict=True):
                    run.store.save(done, each, each.averaged, said(done), by)
                best = [min(pair) for pair in zip(best, deciding, strict=True)]
            for run, clock, record in zip(runs, clocks, numbers, strict=True):
                spent = clock.spent()
                record |= {"seconds": spent.seconds, "compile_seconds": spent.compile_seconds}
                run.callback.on_update(done, total, record)
            callback.on_update(done, total, _in_the_mean(numbers))
            if last or interrupted:
                break
    return Outcome(done, interrupted or None, [clock.spent() for clock in clocks])


Record = dict[str, Any]
"""Numbers of an update by name, and its stage."""


def _timed_update(stage: Stage, learner: Learner, clocks: Sequence[Clock]) -> tuple[Learner, list[Record]]:
    """An update, and for each run its metrics as one flat record."""
    began = time.monotonic()
    with naming_memory(stage.setups, len(clocks)):
        learner, on_device = stage.step(learner, stage.shops)
        metrics: tuple[UpdateMetrics, ...] = jax.device_get(on_device)
    seconds = time.monotonic() - began
    if len(clocks) == 1:
        records = [_record(stage, metrics, seconds)]
    else:
        each = [jax.tree.map(itemgetter(i), metrics) for i in range(len(clocks))]
        records = [_record(stage, found, seconds) for found in each]
    for clock, record in zip(clocks, records, strict=True):
        clock.add(stage.name, seconds, int(record["steps"]))
    return learner, records


def _record(stage: Stage, metrics: tuple[UpdateMetrics, ...], seconds: float) -> Record:
    """Means over the lessons, and what each of them came to."""
    flat = [_flat(lesson) for lesson in metrics]
    record = {key: sum(lesson[key] for lesson in flat) / len(flat) for key in flat[0]}
    record["steps"] = sum(lesson["steps"] for lesson in flat)
    if len(flat) > 1:
        names = [name.removeprefix(f"{stage.name}.") for name in stage.setups]
        for key in ("gap", "best_gap", "entropy"):
            record |= {f"{key}/{name}": lesson[key] for name, lesson in zip(names, flat, strict=True)}
    return {"stage": stage.name, **record, "steps_per_second": record["steps"] / seconds}


def _flat(metrics: UpdateMetrics) -> dict[str, float]:
    return {k: float(v) for k, v in (metrics.loss._asdict() | metrics._asdict()).items() if k != "loss"}


def _in_the_mean(records: Sequence[Record]) -> Record:
    """The runs' numbers as one record; what is counted is summed up."""
    first = records[0]
    found = {key: x if isinstance(x, str) else fmean(each[key] for each in records) for key, x in first.items()}
    return found | {key: sum(each[key] for each in records) for key in ("steps", "steps_per_second")}


def _timed_scores(evaluator: Evaluator, learner: Learner, done: int, clocks: Sequence[Clock]) -> list[Score]:
    """Of each run's averaged weights."""
    began = time.monotonic()
    scores = [evaluator.score(local(each.averaged), f"update {done}") for each in apart(learner)]
    for clock in clocks:
        clock.add("evaluation", time.monotonic() - began)
    return scores
