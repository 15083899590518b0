"""benchmarks/gpu_train.py: the device first, training and evaluation in their shares of the time, and what is left."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from jaxshop.policies.checkpoint import load_policy
from jaxshop.training.config import load_config
from jaxshop.views.evaluation import read_csv

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("gpu_train")


@pytest.fixture
def main(script: ModuleType, monkeypatch: pytest.MonkeyPatch):
    """Its `main` for these arguments, with what the self-test is to find."""

    def run(*arguments: object, platform: str = "gpu", agrees: bool = True) -> int:
        monkeypatch.setattr(sys, "argv", ["gpu_train.py", *map(str, arguments)])
        monkeypatch.setattr(script, "run_row", lambda *_: [{"platform": platform}, {"agrees": agrees}])
        monkeypatch.setattr(script.signal, "signal", lambda *_: None)
        return script.main()

    return run


@pytest.fixture
def carried(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[list[str], float]]:
    """Commands and seconds of the processes; the first, training, leaves a run folder with two updates."""
    seen: list[tuple[list[str], float]] = []

    def carry_out(command: list[str], seconds: float) -> int:
        if not seen:
            (tmp_path / "out" / "run-0").mkdir()
            (tmp_path / "out" / "run-0" / "metrics.jsonl").write_text("{}\n{}\n")
        seen.append((list(command), seconds))
        return 0

    monkeypatch.setattr(script, "carry_out", carry_out)
    return seen


def summary(out: Path) -> dict:
    """What the folder tells."""
    return json.loads((out / "summary.json").read_text())


def test_a_device_that_errs_trains_nothing(main, carried, tmp_path: Path):
    """Shows exit code 1 with the self-test told, and 2 on a CPU that was not asked for and for a folder with files."""
    assert main(tmp_path / "out", agrees=False) == 1
    assert summary(tmp_path / "out")["selftest"]["agrees"] is False
    with pytest.raises(SystemExit, match="2"):
        main(tmp_path / "out")
    assert main(tmp_path / "other", platform="cpu") == 2
    assert carried == []


def test_the_minutes_are_shared(script: ModuleType, main, carried, tmp_path: Path):
    """Shows that training stops by itself in three quarters of them, and that evaluation has what is left."""
    out = tmp_path / "out"
    assert main(out, "ppo.learning_rate=2e-3", "--minutes", 8, "--start", "shipped", "mix.updates=90") == 0
    (train, seconds), (reference, left), (families, _) = carried
    config = load_config(train[2], train[3:])
    assert (config.run.start_from, config.ppo.learning_rate, config.mix.updates) == ("shipped", 2e-3, 90)
    assert seconds == pytest.approx(0.75 * 480 - script.GRACE, abs=1)
    assert config.stop.max_seconds == pytest.approx(seconds - script.AROUND, abs=1)
    assert left == pytest.approx(480 - script.GRACE, abs=1)
    assert "reference:9" in reference
    assert "family:flow:6" in families
    told = summary(out)
    assert told["training"]["updates"] == 2
    assert told["evaluation"]["exit_codes"] == [0, 0]


@pytest.mark.thorough
def test_a_small_run_leaves_all_of_it(main, capfd, tmp_path: Path):
    """Shows a run on this CPU from random weights: checkpoint, curves, policy, table and summary in the folder."""
    out = tmp_path / "out"
    assert main(out, "--small", "--minutes", 20, platform="cpu") == 0, capfd.readouterr().err
    told = summary(out)
    run = out / told["training"]["run"]
    assert (run / "curves.html").stat().st_size > 0
    assert told["training"]["updates"] == len((run / "metrics.jsonl").read_text().splitlines()) == 3
    assert load_policy(run).id == load_policy(out / "policy").id
    lines = read_csv(str(out / "evaluate.csv"))
    means = told["evaluation"]["gap_to_bound_percent"]["flexible"]
    assert means["shops"] == 1
    for line in lines:
        assert means[line.method] == pytest.approx(line.derived["gap_to_bound_percent"], abs=1e-3)
