"""The beginning of a training run, before JAX is imported: its config, and the process that makes its shops."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxshop.support.files import read_json
from jaxshop.support.machine import usable_cores
from jaxshop.support.settings import ConfigError
from jaxshop.training.config import (
    BankConfig,
    Config,
    PoolConfig,
    check_complete,
    check_resume,
    from_dict,
    load_config,
    load_run,
)
from jaxshop.training.shop_process import ShopProcess
from jaxshop.training.sweep import check_together, members, read_members

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT = Path("configs/reference.toml")
"""Where a clone of the project has it; a wheel has no configs."""

_MANY_OPERATIONS = 15_000
"""Operations of generated shops that take as long as a process to import what it needs to make them."""


def start(
    config_path: str | None,
    resume: str | None,
    overrides: Sequence[str],
    console: Console,
    seeds: int | None = None,
    rates: Sequence[float] = (),
    command: str = "uv run train.py",
) -> tuple[dict[str, Any], int]:
    """Do what `train.py` was asked for.

    Arguments and errors of `resolve_all`, the console, what was typed, and results of `launch`.
    """
    gc.set_threshold(200_000, 20, 20)  # or garbage is looked for all along imports and tracing
    configs = resolve_all(config_path, resume, overrides, seeds, rates)
    with _shop_process(next(iter(configs.values()))) as process:
        from jaxshop.training.launch import launch

        if not gc.get_freeze_count():
            gc.freeze()  # what was imported stays, and need not be looked through
        return launch(configs, resume, console, process, command)


def resolve_all(
    config_path: str | None,
    resume: str | None,
    overrides: Sequence[str],
    seeds: int | None = None,
    rates: Sequence[float] = (),
) -> dict[str, Config]:
    """The runs of one program by the names of their folders inside the run folder; a single one has the name "".

    Args:
        config_path, resume, overrides: as in `resolve`; a sweep is resumed by its own folder.
        seeds: how many, from the config's on; None: only that.
        rates: learning rates, each with all of the seeds.

    Raises:
        ShopError: as `resolve`, or the runs cannot be trained together.
    """
    if resume is None:
        return members(resolve(config_path, None, overrides), 1 if seeds is None else seeds, rates)
    if seeds is not None or rates:
        raise ConfigError(f"{resume}: a resumed run keeps its seeds and learning rates: leave the options out")
    found = {
        name: resolve(config_path, str(Path(resume) / name) if name else resume, overrides)
        for name in read_members(Path(resume))
    }
    check_together(list(found.values()))
    return found


def resolve(config_path: str | None, resume: str | None, overrides: Sequence[str]) -> Config:
    """The config to run; on a resume, the run's own with what may change changed.

    Args:
        config_path: a TOML file; None for that of the reference shop or, on a resume, for none.
        resume: the run folder to go on with.
        overrides: as `section.key=value`.

    Raises:
        ShopError: a file cannot be read, a key or its value makes no sense, or the run cannot go on with the changes.
    """
    if resume is None:
        default = DEFAULT if DEFAULT.is_file() else None  # which has the values of the defaults
        return _with_target(load_run(config_path or default, overrides))
    record, where = read_json(Path(resume) / "config.json"), f"{resume}/config.json"
    before = from_dict(record, where)
    check_complete(record, where)
    after = load_config(None, overrides, base=before) if config_path is None else load_run(config_path, overrides)
    check_resume(before, after, resume)
    return _with_target(after)


def _with_target(config: Config) -> Config:
    """The config, now that its target is settled; refused where the run waits for one and has none."""
    if config.stop.when == "target" and config.run.target is None:
        raise ConfigError("stop.when: target needs run.target_hours")
    return config


def _operations(pool: PoolConfig | BankConfig) -> int:
    """Operations of a shop of the pool, about."""
    return pool.operations if isinstance(pool, BankConfig) else 3 * pool.jobs


def _shop_process(config: Config) -> AbstractContextManager[ShopProcess | None]:
    """A process for the shops where there is a core for it and enough to do; without one, they are made here."""
    pools = [lesson.pool for lesson in config.lessons() if lesson.pool is not None]
    operations = sum(pool.count * _operations(pool) for pool in pools)
    if usable_cores() > 1 and operations >= _MANY_OPERATIONS:
        with suppress(OSError):  # no more processes are allowed
            return ShopProcess()
    return nullcontext()
