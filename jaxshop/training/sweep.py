"""Several runs in one program, of seeds and learning rates: which they are, and what they came to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from jaxshop.support.files import read_json, write_atomic
from jaxshop.support.settings import ConfigError
from jaxshop.training.config import SEED, Config
from jaxshop.training.progress import per_second

FILE = "sweep.json"
"""In the folder of a sweep: names the folders of its runs, in order."""

FORMAT = "jaxshop-sweep/1"

MAX_RUNS = 1024
"""Each has a config, weights and a folder of its own, made one after another: a slip must not take hours to refuse."""


def members(config: Config, seeds: int = 1, rates: Sequence[float] = ()) -> dict[str, Config]:
    """The runs by the names of their folders: `seeds` of them from the config's seed on, of each learning rate.

    All draw from the generated shops of the config. A single run has the name "", and is the config's own.

    Raises:
        ConfigError: no stage would use the rates, a seed is too large, there are more than MAX_RUNS, or the config
            asks for what several runs cannot do.
    """
    first = config.run.seed
    if SEED.fault(first + seeds - 1):
        raise ConfigError(f"--seeds: {first + seeds - 1} {SEED.complaint}")
    if (count := seeds * max(1, len(rates))) > MAX_RUNS:
        raise ConfigError(f"--seeds: {count:,} runs in one program are too many: at most {MAX_RUNS:,}")
    found: dict[str, Config] = {}
    for rate in rates or (config.ppo.learning_rate,):
        for seed in range(first, first + seeds):
            name = f"seed-{seed}" + (f"-rate-{rate:g}" if rates else "")
            found[name] = _member(config, seed, rate)
    if rates and all(lesson.settings.learning_rate is not None for lesson in config.lessons()):
        raise ConfigError("--learning-rates: every stage has a learning_rate of its own, none uses ppo.learning_rate")
    if len(found) < count:
        raise ConfigError("--learning-rates: a rate is named twice")
    if len(found) == 1:
        return {"": dataclasses.replace(config, ppo=next(iter(found.values())).ppo)}
    check_together(list(found.values()))
    return found


def check_together(configs: Sequence[Config]) -> None:
    """Refuse what several runs cannot do; ConfigError."""
    if len(configs) == 1:
        return
    if configs[0].stop.when == "target":
        raise ConfigError("--seeds: runs of one program end together, so stop.when must be budget")
    if configs[0].run.export_to is not None:
        raise ConfigError("--seeds: several runs have several policies, so run.export_to must be none")


def _member(config: Config, seed: int, rate: float) -> Config:
    run = dataclasses.replace(config.run, seed=seed, shops_seed=config.run.seed_of_shops)
    return dataclasses.replace(config, run=run, ppo=dataclasses.replace(config.ppo, learning_rate=rate))


def paces(configs: Sequence[Config], stage: str) -> list[float]:
    """By what each run's learning rate in a stage differs from the first's."""
    first = configs[0]
    own = next(lesson.settings.learning_rate for lesson in first.lessons() if lesson.stage == stage)
    return [1.0 if own is not None else config.ppo.learning_rate / first.ppo.learning_rate for config in configs]


def write_members(folder: Path, names: Sequence[str]) -> None:
    """Say in a sweep's folder which runs it holds."""
    write_atomic(folder / FILE, json.dumps({"format": FORMAT, "runs": list(names)}) + "\n")


def read_members(folder: Path) -> list[str]:
    """The runs in a folder; of a single run that is the folder itself, "".

    Raises:
        ShopError: the file that names them cannot be read.
    """
    if not (folder / FILE).is_file():
        return [""]
    record = read_json(folder / FILE)
    names = record.get("runs") if isinstance(record, dict) and record.get("format") == FORMAT else None
    if not names or not all(isinstance(name, str) and (folder / name).is_dir() for name in names):
        raise ConfigError(f"{folder / FILE}: does not name the runs of a sweep")
    return names


def sweep_report(
    folder: Path, configs: Mapping[str, Config], reports: Mapping[str, Mapping[str, Any]], scores: Sequence[float]
) -> dict[str, Any]:
    """What several runs came to, of the reports of each; the best is that of the least score, as of checkpoints."""
    each = [_row(folder, name, configs[name], reports[name]) for name in configs]
    best = each[scores.index(min(scores))]
    first = next(iter(reports.values()))
    shared = ("shop", "lower_bound_hours", "objective", "objective_bound_hours", "target_hours", "rules", "baselines")
    rates = dict.fromkeys(row["learning_rate"] for row in each)
    groups = [_group(rate, [row for row in each if row["learning_rate"] == rate]) for rate in rates]
    steps = sum(report["env_steps"] for report in reports.values())
    seconds = max(report["training_seconds"] - report["compile_seconds"] for report in reports.values())
    return {
        "run_dir": str(folder),
        **{key: first[key] for key in (*shared, "method_seconds")},
        "target_met": reports[best["name"]]["target_met"],
        "best": best["name"],
        "samples": first["policy"]["samples"],
        "groups": groups,
        "runs": each,
        "training_seconds": first["training_seconds"],
        "compile_seconds": first["compile_seconds"],
        "env_steps": steps,
        "env_steps_per_second": per_second(steps, seconds),
        "device": first["device"],
    }


def _row(folder: Path, name: str, config: Config, report: Mapping[str, Any]) -> dict[str, Any]:
    policy = report["policy"]
    return {
        "name": name,
        "run_dir": str(folder / name),
        "seed": config.run.seed,
        "learning_rate": config.ppo.learning_rate,
        **{key: policy[key] for key in ("initial_hours", "greedy_hours", "best_of_hours", "last_greedy_hours")},
        "plan_hours": report["plan"]["hours"],
        "chosen_update": policy["chosen_update"],
        "gap_percent": report["gap_percent"],
        "target_met": report["target_met"],
        "seconds_to_target": report["seconds_to_target"],
    }


def _group(rate: float, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = ("initial_hours", "greedy_hours", "best_of_hours", "last_greedy_hours", "gap_percent")
    return {"learning_rate": rate, "runs": len(rows), **{key: spread([row[key] for row in rows]) for key in keys}}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, standard deviation (of a sample; 0 of a single value), least and largest."""
    deviation = stdev(values) if len(values) > 1 else 0.0
    found = {"mean": fmean(values), "std": deviation, "min": min(values), "max": max(values)}
    return {key: round(value, 6) for key, value in found.items()}
