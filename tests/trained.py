"""One tiny training run that many tests look at, and what it takes to run it again in pieces."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxshop.cli.main import main, train_main
from jaxshop.shop import shop_to_json
from jaxshop.training.config import Config, load_config
from tests.shops import tiny_shop

TOML = """
[run]
name = "tiny"
shop = "{shop}"
runs_dir = "{runs}"
max_lot_hours = "none"
target_hours = 130.0
[network]
width = 16
[ppo]
epochs = 4
minibatches = 4
microbatch = "none"
[pool]
count = 16
machines = 6
jobs = 12
[general]
updates = 8
shops = 8
samples = 8
candidates = 12
[own]
updates = 4
samples = 8
candidates = 12
[evaluation]
every = 2
selection_shops = 24
samples = 2
rule_seeds = 1
baseline_seconds = 0.01
plan_work = 10
[logging]
checkpoint_every = 5
"""
"""Learns in a second, once compiled; `every` and `checkpoint_every` have no common divisor on purpose. Parts of
minibatches, each width of which is compiled, are for test_microbatches and the smoke run."""

UPDATES = 12


@dataclass(frozen=True)
class Result:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What `--json` printed: exactly one line."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


def run(*arguments: object, command=main) -> Result:
    """Run `jaxshop ARGUMENTS`, or train.py, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command([str(argument) for argument in arguments])
    return Result(code, out.getvalue(), err.getvalue())


def run_train(*arguments: object) -> Result:
    """Run `train.py ARGUMENTS` in this process."""
    return run(*arguments, command=train_main)


def write_tiny(folder: Path) -> Path:
    """Write shop and config into `folder`; returns the config's path."""
    (folder / "shop.json").write_text(json.dumps(shop_to_json(tiny_shop())))
    config = folder / "tiny.toml"
    config.write_text(TOML.format(shop=folder / "shop.json", runs=folder / "runs"))
    return config


@dataclass(frozen=True)
class Finished:
    """A finished run: its config file, what train.py printed, and its run folder."""

    config_path: Path
    result: Result

    @property
    def report(self) -> dict:
        """The final JSON."""
        return self.result.json

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(self.report["run_dir"])

    @property
    def shop(self) -> Path:
        """The shop file."""
        return self.config_path.parent / "shop.json"

    @property
    def config(self) -> Config:
        """The config that was run."""
        return load_config(self.config_path)
