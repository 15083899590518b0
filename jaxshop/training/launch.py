"""A training run from its config to its final table: inspect, train, evaluate, save, report."""

from __future__ import annotations

import io
import json
import math
import os
import platform
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

import jax
from rich.console import Console

from jaxshop.env import EnvParams, JobShop
from jaxshop.parallel.mesh import (
    cap_instructions,
    check_agreement,
    data_mesh,
    find_cluster,
    from_leader,
    leads,
    local,
    membership,
    one_device_per_core,
    replicate,
)
from jaxshop.policies.checkpoint import Store, export_policy
from jaxshop.policies.registry import make_network
from jaxshop.ppo.update import Learner
from jaxshop.schedule import verify
from jaxshop.schedule import write as write_schedule
from jaxshop.search.compiled import to_schedule
from jaxshop.search.tune import tune_linear
from jaxshop.shop import TICKS_PER_HOUR, Shop, fingerprint, shop_facts
from jaxshop.sources.report import load_and_report
from jaxshop.sources.snapshot import require_real_data
from jaxshop.support.errors import ShopError
from jaxshop.support.files import write_atomic
from jaxshop.support.settings import ConfigError
from jaxshop.training.callbacks import Callback, Callbacks, ConsoleProgress, JsonLines, TensorBoard
from jaxshop.training.config import Config, check_complete, check_progress, check_resume, from_dict, to_dict
from jaxshop.training.evaluate import Evaluator, rule_makespans
from jaxshop.training.loop import Outcome, first_learner, lower_step, train
from jaxshop.training.problem import Problem, prepare
from jaxshop.training.provenance import trained_on
from jaxshop.training.shop_process import ShopProcess
from jaxshop.training.shops import make_shops
from jaxshop.views.gantt import write_gantt
from jaxshop.views.tables import comparison_table, shop_summary


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
            one_device_per_core(*(stage.samples for _, stage in config.stages()))
        quiet = Console(file=io.StringIO(), quiet=True)
        return _run(config, resume, console if leads() else quiet, process)


def _run(
    config: Config, resume: str | None, console: Console, process: ShopProcess | None
) -> tuple[dict[str, Any], int]:
    begun = time.monotonic()
    shop = load_and_report(config.run.shop, config.run.target_hours, cast(TextIO, console.file))
    if config.run.require_real_data:
        require_real_data(shop)
    check_devices(config)
    _check_outputs(config)
    network = make_network(config.network)
    steps: dict[str, Future[Any]] = {}
    ahead = ThreadPoolExecutor(1)  # XLA compiles without Python's lock, so that the rest goes on
    making = ahead.submit(first_learner, config, network)

    def foresee(name: str, env: JobShop, shops: EnvParams) -> None:
        if not steps and not resume:
            steps[name] = ahead.submit(lower_step(name, env, shops, config, network).compile)

    try:
        problem = prepare(shop, config, foresee, process.make if process else make_shops)
        if process:
            process.end()
        check_agreement(
            [json.dumps(to_dict(config)), problem.own, [bank.shops for bank in problem.banks.values()]],
            "config, shop and version of jaxshop",
        )
        folder = Path(resume or from_leader(lambda: str(_new_folder(config))))
    except BaseException:
        ahead.shutdown(wait=False, cancel_futures=True)  # or the message would wait for what nobody needs
        raise
    ahead.shutdown(wait=False)
    evaluator = Evaluator(problem, network, config.evaluation.batch)
    first = making.result()
    like = replicate(first, data_mesh())
    if resume and not (folder / "checkpoints").is_dir():
        raise ConfigError(f"{resume}: holds no checkpoint to resume from")
    store = Store(folder / "checkpoints")
    step = store.latest() if resume else None
    start = _start(store, step, like, config, shop, resume) if resume else first
    check_agreement(step or 0, "checkpoint to resume from")
    sinks: list[Callback] = []
    past = _Past()
    if leads():
        write_atomic(folder / "config.json", json.dumps(to_dict(config), indent=2) + "\n")
        _introduce(problem, folder, console)
        lines = JsonLines(folder / "metrics.jsonl", keep=step or 0)
        past = _past(lines.known, config.run.target_hours)
        sinks += [lines, ConsoleProgress(console)]
        if config.logging.tensorboard:
            sinks.append(TensorBoard(folder / "tensorboard"))
    with Callbacks(*sinks) as callbacks:
        outcome = train(problem, config, store, evaluator, callbacks, start=start, before=past.seconds, steps=steps)
    if outcome.interrupted is not None:
        console.print(
            f"interrupted at update {outcome.update}; saved. Resume with: uv run train.py --resume {folder}",
            highlight=False,
        )
        store.close()
        name = signal.Signals(outcome.interrupted).name
        report = {"run_dir": str(folder), "interrupted": name, "update": outcome.update}
        return report if leads() else {}, 128 + outcome.interrupted

    step = store.best()
    assert step is not None
    weights, meta = local(store.weights(step, like.averaged)), store.meta(step)
    store.close()
    if not leads():
        return {}, 0
    report = _final(problem, config, outcome, past, weights, meta, evaluator, local(like.averaged), folder, console)
    report["wall_seconds"] = round(time.monotonic() - begun, 1)
    write_atomic(folder / "report.json", json.dumps(report, indent=2) + "\n")
    return report, 3 if report["target_met"] is False else 0


class _Past(NamedTuple):
    """What a resumed run did before: the policy is compared with baselines of as much time as all of it took."""

    seconds: float = 0.0
    env_steps: int = 0
    seconds_to_target: float | None = None


def _past(lines: Sequence[Mapping[str, float]], target_hours: float | None) -> _Past:
    """Sum up the lines of metrics.jsonl that the checkpoint knows of."""
    if not lines:
        return _Past()
    hits = (x["seconds"] for x in lines if target_hours is not None and x.get("own_hours", math.inf) <= target_hours)
    return _Past(lines[-1].get("seconds", 0.0), int(sum(x.get("steps", 0) for x in lines)), next(hits, None))


def _start(store: Store, step: int | None, like: Learner, config: Config, shop: Shop, resume: str) -> Learner:
    """The learner to go on from, of the same shop and of a config that may follow."""
    if step is None:
        raise ConfigError(f"{resume}: holds no checkpoint to resume from")
    meta = store.meta(step)
    if meta.get("fingerprint") != fingerprint(shop):
        was, now = str(meta.get("fingerprint"))[:12], fingerprint(shop)[:12]
        raise ConfigError(f"{resume}: was trained for shop {was}, {config.run.shop} is now {now}")
    saved = from_dict(meta.get("config"), resume)
    check_complete(meta["config"], resume)
    check_resume(saved, config, resume)  # the run's config.json may have been edited
    check_progress(saved, config, step, resume)
    return store.learner(step, like)


def check_devices(config: Config) -> None:
    """Every device plays as many samples of each shop as the others."""
    count = jax.device_count()
    for name, stage in config.stages():
        if stage.samples % count:
            raise ConfigError(f"{name}.samples: {stage.samples} cannot be shared evenly by {count} devices")


def _check_outputs(config: Config) -> None:
    """Find out before anything is written what would fail only at the end."""
    if config.logging.tensorboard:
        TensorBoard.writer()
    if config.run.export_to is not None and not Path(config.run.export_to).absolute().parent.is_dir():
        raise ConfigError(f"run.export_to: the folder around {config.run.export_to} does not exist")


def _new_folder(config: Config) -> Path:
    """`runs/<name>-<UTC>-<seed>`, made here."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = Path(config.run.runs_dir) / f"{config.run.name}-{stamp}-{config.run.seed}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made: {(error.strerror or str(error)).lower()}") from None
    return folder


def _introduce(problem: Problem, folder: Path, console: Console) -> None:
    """Say what is scheduled, what is certain about it, and why lots are cut."""
    plan, whole = problem.plan, problem.whole
    for line in shop_summary(plan, problem.certificate):
        console.print(line, highlight=False)
    if whole is not None and whole.feasible is False:
        console.print(f"{whole.reason}. Lots of at most {plan.max_lot_hours:g} h are used instead.", highlight=False)
    console.print(f"run folder {folder}, device {device_name()}", highlight=False)


def _final(
    problem: Problem,
    config: Config,
    outcome: Outcome,
    past: _Past,
    weights: Any,
    meta: dict[str, Any],
    evaluator: Evaluator,
    initial: Any,
    folder: Path,
    console: Console,
) -> dict[str, Any]:
    """Judge the best checkpoint beside everything that it has to be better than."""
    plan, bound = problem.plan, problem.certificate.value
    samples = config.evaluation.samples
    untrained = evaluator.score(initial).own
    greedy = evaluator.score(weights).own
    sampled = evaluator.best_of(weights, samples, config.run.seed)
    better, source = (
        (sampled, "policy:samples") if int(sampled.makespan) < int(greedy.makespan) else (greedy, "policy:greedy")
    )

    rules = rule_makespans(
        problem.own_env,
        problem.own,
        config.evaluation.rule_seeds,
        any(j.due is not None for j in plan.shop.jobs),
    )
    trained, seconds = past.seconds + outcome.seconds, config.evaluation.baseline_seconds
    tuned = tune_linear(
        problem.own_env,
        problem.own,
        jax.random.key(config.run.seed),
        trained if seconds is None else seconds,
    )
    schedule = to_schedule(plan, better)
    violations = verify(plan, schedule)
    if violations:
        raise ShopError(f"{folder}: the schedule of {source} is invalid: {violations[0]}")
    if config.run.export_to is not None:
        export_policy(weights, meta, Path(config.run.export_to))
    target = None if config.run.target_hours is None else round(config.run.target_hours * TICKS_PER_HOUR)
    reached = outcome.seconds_to_target if past.seconds_to_target is None else past.seconds_to_target
    write_schedule(folder / "schedule.json", schedule)
    write_gantt(folder / "gantt.html", plan, schedule, bound, target)

    def hours(ticks: float) -> float:
        return round(float(ticks) / TICKS_PER_HOUR, 6)  # finer than a tick

    report = {
        "run_dir": str(folder),
        "shop": shop_facts(plan),
        "lower_bound_hours": hours(bound),
        "target_hours": config.run.target_hours,
        "target_met": None if target is None else bool(int(greedy.makespan) <= target),
        "initialised_from": None,
        "trained_on": trained_on(config, plan, meta["step"]),
        "policy": {
            "initial_hours": hours(untrained.makespan),
            "greedy_hours": hours(greedy.makespan),
            "best_of_hours": hours(sampled.makespan),
            "samples": samples,
        },
        "rules": {name: hours(ticks) for name, ticks in rules.items()},
        "baselines": {"linear_cem": hours(tuned.makespan)},
        "gap_percent": round(100 * (int(greedy.makespan) / bound - 1), 3),
        "seconds_to_target": None if reached is None else round(reached, 1),
        "wall_seconds": 0.0,
        "training_seconds": round(trained, 1),
        "baseline_seconds": round(tuned.seconds, 1),
        "compile_seconds": round(outcome.compile_seconds, 1),
        "env_steps": past.env_steps + outcome.env_steps,
        "env_steps_per_second": round(outcome.env_steps / max(outcome.seconds - outcome.compile_seconds, 1e-9)),
        "device": device_name(),
    }
    console.print(comparison_table(report))
    console.print(f"schedule.json and gantt.html are in {folder}", highlight=False)
    return report


def device_name() -> str:
    """What the run computes on, in words."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        return f"{os.cpu_count()} CPU cores ({platform.machine()}), {jax.device_count()} of JAX's devices"
    return f"{jax.device_count()} x {device.device_kind}"
