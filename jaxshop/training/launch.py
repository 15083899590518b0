"""A training run from its config to its final table: inspect, train, evaluate, save, report."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console

from jaxshop.parallel.cluster import check_agreement, find_cluster, from_leader, leads, membership
from jaxshop.parallel.devices import start_devices
from jaxshop.parallel.mesh import cap_instructions, data_mesh, device_name, local, one_device_per_core, replicate
from jaxshop.policies.selftest import trust_device
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
from jaxshop.training.loop import Outcome, train
from jaxshop.training.origin import Origin, originated
from jaxshop.training.problem import Draft, TrainingProblem, draft, here
from jaxshop.training.progress import Spent, spent_before
from jaxshop.training.resume import new_folder, open_store, resumed
from jaxshop.training.shop_process import ShopProcess
from jaxshop.training.stages import check_devices, check_memory, traced_update, untrained, untrained_outline
from jaxshop.training.trackers import Tracker, require
from jaxshop.views.tables import comparison_table, shop_summary, wrapped


def launch(
    config: Config, resume: str | None, console: Console, process: ShopProcess | None = None
) -> tuple[dict[str, Any], int]:
    """Run what `train.py` was asked for, together with the other processes that the environment describes.

    Args:
        config: of `jaxshop.training.start.resolve`.
        resume: the run folder to go on with.
        console: what is printed goes there.
        process: makes the generated shops, and is ended when they are made; None: they are made here.

    Returns:
        The final JSON (empty in processes that do not lead) and the exit code: 0, 3 when the target was not met,
        128 + the signal when interrupted.
    """
    cap_instructions()
    with membership(os.environ):
        if find_cluster(os.environ) is None:  # else the processes have met, and JAX runs
            one_device_per_core(*(lesson.settings.samples for lesson in config.lessons()))
        start_devices()
        trust_device()
        quiet = Console(file=io.StringIO(), quiet=True)
        return _run(config, resume, console if leads() else quiet, process)


def _run(
    config: Config, resume: str | None, console: Console, process: ShopProcess | None
) -> tuple[dict[str, Any], int]:
    begun = time.monotonic()
    shop = load_and_report(config.run.shop, config.run.target_hours, cast(TextIO, console.file), full=True)
    _check(config, shop)
    with _background() as background:
        drawing = background.submit(untrained, config)
        drafted = draft(shop, config, process or here)
        check_memory(drafted.setups)
        compiling = {} if resume else _compile_ahead(drafted, config, background)
        problem = drafted.finish()
        if process:
            process.end()
        record = json.dumps(to_dict(config), indent=2) + "\n"
        agreed = [record, fingerprint(shop), problem.certificate.value, list(problem.shops.values())]
        check_agreement(agreed, "config, shop and version of jaxshop")
        folder = Path(resume or from_leader(lambda: str(new_folder(config, shop))))
    evaluator = Evaluator(problem)
    first, origin = drawing.result(), Origin()
    if not resume:
        first, origin = originated(config, first)
    like = replicate(first, data_mesh())
    store = open_store(folder, resume)
    step = store.latest() or 0
    start = first
    if resume:
        start, origin = resumed(store, step, like, config, shop, resume), Origin.of(store.meta(step))
    check_agreement(step, "checkpoint to resume from")
    if leads():
        write_atomic(folder / "config.json", record)
    before, sinks = _begin(config, problem, folder, step, console) if leads() else (Spent(), [])
    with Callbacks(*sinks) as callbacks:
        try:
            outcome = train(problem, config, store, evaluator, callbacks, start, before, compiling, origin)
        except ConfigError:  # the device's memory is too small
            if leads() and store.latest() is None:
                shutil.rmtree(folder, ignore_errors=True)  # nothing was learned yet
            raise
    if outcome.interrupted is not None:
        store.close()
        return _interrupted(outcome, folder, console)

    chosen = finish.choose(store, like.averaged)
    store.close()
    if not leads():
        return {}, 0
    judgement = finish.judge(
        problem, config, evaluator, chosen, local(like.averaged), outcome.spent.seconds, Ending(console)
    )
    finish.write(problem, config, judgement, chosen, folder)
    report = {
        "run_dir": str(folder),
        **finish.report(problem, config, judgement, chosen, outcome.spent, origin),
        "wall_seconds": round(time.monotonic() - begun, 1),
    }
    write_atomic(folder / "report.json", json.dumps(report, indent=2) + "\n")
    console.print(comparison_table(report, problem.plan.shop.unit))
    for line in finish.verdict_lines(problem, config, judgement, report):
        console.print(line, highlight=False)
    return report, 3 if report["target_met"] is False else 0


def _check(config: Config, shop: Shop) -> None:
    """Find out before anything is written what would fail only later."""
    if config.run.require_real_data:
        require_real_data(shop)
    check_devices(config)
    if config.logging.tensorboard:
        TensorBoard.writer()
    if config.logging.tracker is not None:
        require(config.logging.tracker)
    if config.run.export_to is not None and not Path(config.run.export_to).absolute().parent.is_dir():
        raise ConfigError(f"run.export_to: the folder around {config.run.export_to} does not exist")


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


def _compile_ahead(drafted: Draft, config: Config, background: ThreadPoolExecutor) -> dict[str, Future[Any]]:
    """Have the first stage with generated shops compiled while these are being certified."""
    stage, lessons = next(groupby(config.lessons(), key=lambda lesson: lesson.stage))
    names = [lesson.name for lesson in lessons]
    if any(name not in drafted.outlines for name in names):
        return {}
    setups, banks = [drafted.setups[name] for name in names], [drafted.outlines[name].shops for name in names]
    traced = traced_update(tuple(setups), untrained_outline(config), tuple(banks))
    return {stage: background.submit(traced.compile)}


def _begin(
    config: Config, problem: TrainingProblem, folder: Path, step: int, console: Console
) -> tuple[Spent, list[Callback]]:
    """Say what is run; returns what the run spent before, and where its progress goes."""
    for line in introduction(problem):
        console.print(wrapped(line), highlight=False)
    console.print(f"run folder {folder}, device {device_name()}", highlight=False)
    lines = JsonLines(folder / "metrics.jsonl", keep=step)
    progress = ConsoleProgress(console, problem.plan.shop.unit)
    sinks: list[Callback] = [lines, progress, LearningCurves(folder / "curves.html", lines.known)]
    if config.logging.tensorboard:
        sinks.append(TensorBoard(folder / "tensorboard"))
    if (kind := config.logging.tracker) is not None:
        say = partial(console.print, highlight=False)
        sinks.append(Tracker(kind, folder, folder.name, flattened(to_dict(config)), say))
    return spent_before(lines.known, config.run.target_hours), sinks


def introduction(problem: TrainingProblem) -> Iterator[str]:
    """What is scheduled, what is certain about it, and why lots are cut: a line each."""
    yield from shop_summary(problem.plan, problem.certificate)
    whole = problem.whole
    if whole is not None and whole.feasible is False:
        yield f"{whole.reason}. Lots of at most {problem.plan.max_lot_hours:g} h are used instead."


def _interrupted(outcome: Outcome, folder: Path, console: Console) -> tuple[dict[str, Any], int]:
    """Say how to go on."""
    assert outcome.interrupted is not None
    console.print(f"interrupted at update {outcome.update}; saved. Resume with:", highlight=False)
    console.print(f"uv run train.py --resume {folder}", highlight=False)
    name = signal.Signals(outcome.interrupted).name
    report = {"run_dir": str(folder), "interrupted": name, "update": outcome.update}
    return report if leads() else {}, 128 + outcome.interrupted
