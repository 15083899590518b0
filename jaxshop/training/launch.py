"""A training run from its config to its final table: inspect, train, evaluate, save, report."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO, cast

from chex import ArrayTree
from rich.console import Console

from jaxshop.parallel.cluster import check_agreement, find_cluster, from_leader, leads, membership
from jaxshop.parallel.devices import start_devices
from jaxshop.parallel.mesh import cap_instructions, data_mesh, device_name, local, one_device_per_core, replicate
from jaxshop.policies.checkpoint import Store, check_export
from jaxshop.policies.selftest import trust_device
from jaxshop.ppo.config import ImitationConfig
from jaxshop.ppo.update import Learner
from jaxshop.shop import Shop, fingerprint
from jaxshop.sources.report import load_and_report
from jaxshop.sources.snapshot import require_real_data
from jaxshop.support.files import write_atomic
from jaxshop.support.settings import ConfigError
from jaxshop.training import finish
from jaxshop.training.callbacks import (
    Callback,
    Callbacks,
    ConsoleProgress,
    Ending,
    JsonLines,
    LearningCurves,
    TensorBoard,
)
from jaxshop.training.config import Config, flattened, to_dict
from jaxshop.training.evaluate import Evaluator
from jaxshop.training.imitation import imitated
from jaxshop.training.loop import Outcome, Run, train
from jaxshop.training.origin import Origin, first_policy, initial_weights, originated
from jaxshop.training.problem import Draft, TrainingProblem, draft, here
from jaxshop.training.progress import Spent, met_target, spent_before
from jaxshop.training.resume import new_folder, only_here, open_store, resumed, same_update
from jaxshop.training.shop_process import ShopProcess
from jaxshop.training.stages import check_devices, check_memory, traced_update, untrained, untrained_outline
from jaxshop.training.sweep import sweep_report, write_members
from jaxshop.training.trackers import Tracker, require
from jaxshop.views.tables import comparison_table, shop_summary, sweep_lines, sweep_table, wrapped


def launch(
    configs: Mapping[str, Config],
    resume: str | None,
    console: Console,
    process: ShopProcess | None = None,
    command: str = "uv run train.py",
) -> tuple[dict[str, Any], int]:
    """Run what `train.py` was asked for, together with the other processes that the environment describes.

    Args:
        configs: of `jaxshop.training.start.resolve_all`: one, or those of several runs in one program.
        resume: the run folder to go on with.
        console: what is printed goes there.
        process: makes the generated shops, and is ended when they are made; None: they are made here.
        command: what was typed, for the line that says how to resume.

    Returns:
        The final JSON (empty in processes that do not lead) and the exit code: 0, 3 when the target was not met,
        128 + the signal when interrupted.
    """
    cap_instructions()
    config = next(iter(configs.values()))
    with membership(os.environ):
        if find_cluster(os.environ) is None:  # else the processes have met, and JAX runs
            shared = [len(configs)] if len(configs) > 1 else [lesson.settings.samples for lesson in config.lessons()]
            one_device_per_core(*shared)
        elif len(configs) > 1:
            raise ConfigError("--seeds: several runs in one program train in one process, and this is one of a cluster")
        start_devices()
        trust_device()
        quiet = Console(file=io.StringIO(), quiet=True)
        with ExitStack() as held:
            return _run(configs, resume, console if leads() else quiet, process, command, held)


def _run(
    configs: Mapping[str, Config],
    resume: str | None,
    console: Console,
    process: ShopProcess | None,
    command: str,
    held: ExitStack,
) -> tuple[dict[str, Any], int]:
    """`launch`, once JAX runs; what is `held` by then lasts until the run ends."""
    begun, each, count = time.monotonic(), list(configs.values()), len(configs)
    config = each[0]
    shop = load_and_report(config.run.shop, config.run.target_hours, cast(TextIO, console.file), full=True)
    _check(config, shop, count, resume)
    with _background() as background:
        drawing = background.submit(lambda: [untrained(config) for config in each])
        learned = replace(config, imitation=ImitationConfig()) if resume else config  # it is behind a run gone on with
        drafted = draft(shop, learned, process or here, together=count > 1)
        check_memory(drafted.setups, count)
        compiling = {} if resume else _compile_ahead(drafted, config, background, count)
        problem = drafted.finish()
        if process:
            process.end()
        records = [json.dumps(to_dict(config), indent=2) + "\n" for config in each]
        agreed = [*records, fingerprint(shop), problem.certificate.value, list(problem.shops.values())]
        check_agreement(agreed, "config, shop and version of jaxshop")
        folder = Path(resume or from_leader(lambda: str(new_folder(config, shop, count > 1))))
    if count > 1 and not resume:
        for name in configs:
            (folder / name).mkdir()
    for name in configs if leads() else ():
        held.enter_context(only_here(folder / name))
    evaluator = Evaluator(problem)
    prepared = [
        _prepare(config, shop, folder / name, first, resume)
        for (name, config), first in zip(configs.items(), drawing.result(), strict=True)
    ]
    step = same_update([each.store for each in prepared], folder)
    check_agreement(step, "checkpoint to resume from")
    if leads():
        if count > 1:
            write_members(folder, list(configs))
        for each_run, record in zip(prepared, records, strict=True):
            write_atomic(each_run.folder / "config.json", record)
        _introduce(problem, folder, console)
    runs, sinks = _begin(prepared, folder, config.run.target_hours, console)
    progress = ConsoleProgress(console, problem.plan.shop.unit, count) if leads() else Callback()
    say = partial(console.print, highlight=False)
    with Callbacks(progress, *sinks):
        try:
            starts = imitated(problem, config, [one.start for one in prepared], say)
            outcome = train(problem, runs, evaluator, progress, starts, compiling)
        except (ConfigError, KeyboardInterrupt):  # the device's memory is too small, or imitation was interrupted
            if leads() and prepared[0].store.latest() is None:
                shutil.rmtree(folder, ignore_errors=True)  # nothing was learned yet
            raise
    if outcome.interrupted is not None:
        for run in runs:
            run.store.close()
        return _interrupted(outcome, folder, console, command)
    return _end(problem, prepared, outcome, evaluator, folder, begun, console)


@dataclass(frozen=True)
class Prepared:
    """A run before its first update here: its folder, where it stands, and the weights that it began with."""

    config: Config
    folder: Path
    store: Store
    start: Learner
    initial: ArrayTree
    origin: Origin


def _prepare(config: Config, shop: Shop, folder: Path, first: Learner, resume: str | None) -> Prepared:
    """Open the checkpoints, and go on from the latest one, or begin."""
    if not resume:
        first, origin = originated(config, first, folder)
        return Prepared(config, folder, open_store(folder, None), first, replicate(first.averaged, data_mesh()), origin)
    like = replicate(first, data_mesh())
    store = open_store(folder, str(folder))
    step = store.latest() or 0
    start, origin = resumed(store, step, like, config, shop, str(folder)), Origin.of(store.meta(step))
    initial = replicate(initial_weights(origin, like.averaged, folder), data_mesh())
    return Prepared(config, folder, store, start, initial, origin)


def _begin(
    prepared: Sequence[Prepared], folder: Path, target_hours: float | None, console: Console
) -> tuple[list[Run], list[Callback]]:
    """The runs as they are trained, and where their numbers go; of another process than the leader's nowhere."""
    runs, sinks = [], []
    for each in prepared:
        own: list[Callback] = []
        before, met = Spent(), False
        if leads():
            lines = JsonLines(each.folder / "metrics.jsonl", keep=int(each.start.update))
            own = [lines, *_sinks(each, lines, str(each.folder.relative_to(folder.parent)), console)]
            before, met = spent_before(lines.known, target_hours), met_target(lines.known, target_hours)
        runs.append(Run(each.config, each.store, Callbacks(*own), before, met, each.origin))
        sinks += own
    return runs, sinks


def _sinks(run: Prepared, lines: JsonLines, name: str, console: Console) -> Iterator[Callback]:
    yield LearningCurves(run.folder / "curves.html", lines.known)
    if run.config.logging.tensorboard:
        yield TensorBoard(run.folder / "tensorboard")
    if (kind := run.config.logging.tracker) is not None:
        yield Tracker(kind, run.folder, name, flattened(to_dict(run.config)), partial(console.print, highlight=False))


def _end(
    problem: TrainingProblem,
    prepared: Sequence[Prepared],
    outcome: Outcome,
    evaluator: Evaluator,
    folder: Path,
    begun: float,
    console: Console,
) -> tuple[dict[str, Any], int]:
    """Judge every run, write what it came to, and report."""
    chosen = []
    for run in prepared:
        chosen.append(finish.choose(run.store, run.initial))
        run.store.close()
    if not leads():
        return {}, 0
    chosen = [finish.scored(one, run.config, evaluator) for run, one in zip(prepared, chosen, strict=True)]
    ending, unit = Ending(console), problem.plan.shop.unit
    against = finish.baselines(prepared[0].config, evaluator, outcome.spent[0].seconds, ending)
    reports: dict[str, dict[str, Any]] = {}
    for run, choice, spent in zip(prepared, chosen, outcome.spent, strict=True):
        whose = ending if len(prepared) == 1 else ending.of(run.folder.name)
        judgement = finish.judge(problem, run.config, evaluator, choice, local(run.initial), against, whose)
        finish.write(problem, run.config, judgement, run.folder)
        report = {
            "run_dir": str(run.folder),
            **finish.report(problem, run.config, judgement, choice, spent, run.origin),
            "wall_seconds": round(time.monotonic() - begun, 1),
        }
        write_atomic(run.folder / "report.json", json.dumps(report, indent=2) + "\n")
        reports[run.folder.name] = report
    if len(prepared) > 1:
        configs = {run.folder.name: run.config for run in prepared}
        scores = [float(choice.meta["score"]) for choice in chosen]
        report = sweep_report(folder, configs, reports, scores)
        report["wall_seconds"] = round(time.monotonic() - begun, 1)
        write_atomic(folder / "report.json", json.dumps(report, indent=2) + "\n")
        console.print(sweep_table(report, unit))
        lines = sweep_lines(report, unit)
    else:
        console.print(comparison_table(report, unit))
        lines = finish.verdict_lines(problem, prepared[0].config, judgement, report)
    for line in lines:
        console.print(line, highlight=False)
    finish.export(prepared[0].config, chosen[0])
    return report, 3 if report["target_met"] is False else 0


def _check(config: Config, shop: Shop, runs: int, resume: str | None) -> None:
    """Find out before anything is written what would fail only later."""
    if config.run.require_real_data:
        require_real_data(shop)
    if runs == 1:
        check_devices(config)
    if config.logging.tensorboard:
        TensorBoard.writer()
    if config.logging.tracker is not None:
        require(config.logging.tracker)
    if not resume:
        first_policy(config)
    if config.run.export_to is not None:
        with finish.naming_export():
            check_export(Path(config.run.export_to))


@contextmanager
def _background() -> Iterator[ThreadPoolExecutor]:
    """A thread that XLA compiles in, without Python's lock, so that the rest goes on."""
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)  # or the message would wait for what nobody needs
        raise
    pool.shutdown(wait=False)


def _compile_ahead(drafted: Draft, config: Config, background: ThreadPoolExecutor, runs: int) -> dict[str, Future[Any]]:
    """Have the first stage with generated shops compiled while these are being certified."""
    stage, lessons = next(groupby(config.lessons(), key=lambda lesson: lesson.stage))
    names = [lesson.name for lesson in lessons]
    if any(name not in drafted.outlines for name in names):
        return {}
    setups, banks = [drafted.setups[name] for name in names], [drafted.outlines[name].shops for name in names]
    traced = traced_update(tuple(setups), untrained_outline(config, runs), tuple(banks), runs)
    return {stage: background.submit(traced.compile)}


def _introduce(problem: TrainingProblem, folder: Path, console: Console) -> None:
    """Say what is run, and where."""
    for line in introduction(problem):
        console.print(wrapped(line), highlight=False)
    console.print(f"run folder {folder}, device {device_name()}", highlight=False)


def introduction(problem: TrainingProblem) -> Iterator[str]:
    """What is scheduled, what is certain about it, and why lots are cut: a line each."""
    yield from shop_summary(problem.plan, problem.certificate)
    whole = problem.whole
    if whole is not None and whole.feasible is False:
        yield f"{whole.reason}. Lots of at most {problem.plan.max_lot_hours:g} h are used instead."


def _interrupted(outcome: Outcome, folder: Path, console: Console, command: str) -> tuple[dict[str, Any], int]:
    """Say how to go on."""
    assert outcome.interrupted is not None
    console.print(f"interrupted at update {outcome.update}; saved. Resume with:", highlight=False)
    console.print(f"{command} --resume {folder}", highlight=False)
    name = signal.Signals(outcome.interrupted).name
    report = {"run_dir": str(folder), "interrupted": name, "update": outcome.update}
    return report if leads() else {}, 128 + outcome.interrupted
