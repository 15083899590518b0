"""The beginning of a training run, before JAX is imported: its config, and the process that makes its shops."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxshop.config import Config, check_complete, check_resume, from_dict, load_config
from jaxshop.hosts import usable_cores
from jaxshop.io import read_json
from jaxshop.ppo.shop_process import ShopProcess

if TYPE_CHECKING:
    from rich.console import Console

_MANY_JOBS = 5000
"""Jobs of generated shops that take longer (2 s) than a process that imports what it needs to make them (1.3 s)."""


def start(
    config_path: str | None, resume: str | None, overrides: Sequence[str], console: Console
) -> tuple[dict[str, Any], int]:
    """Do what `train.py` was asked for.

    Returns:
        The final JSON and the exit code, as `launch` does.
    """
    config = resolve(config_path, resume, overrides)
    process = ShopProcess() if usable_cores() > 1 and _generated_jobs(config) >= _MANY_JOBS else None
    from jaxshop.launch import launch

    if not gc.get_freeze_count():  # to look through all that was imported again and again is a seventh of tracing
        gc.freeze()
    return launch(config, resume, console, process)


def resolve(config_path: str | None, resume: str | None, overrides: Sequence[str]) -> Config:
    """The config to run; on a resume, the run's own with what may change changed."""
    if resume is None:
        return load_config(config_path or "configs/reference.toml", overrides)
    record, where = read_json(Path(resume) / "config.json"), f"{resume}/config.json"
    before = from_dict(record, where)
    check_complete(record, where)
    after = (
        load_config(config_path, overrides, base=before) if config_path is None else load_config(config_path, overrides)
    )
    check_resume(before, after, resume)
    return after


def _generated_jobs(config: Config) -> int:
    pools = {"general": config.pool, "full": config.full_pool}
    return sum(pools[name].count * pools[name].jobs for name, _ in config.stages() if name in pools)
