"""Several runs in one program: each is what it would be alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxshop.support.settings import ConfigError
from jaxshop.training import stages
from jaxshop.training.config import Config, load_config
from jaxshop.training.resume import same_update
from jaxshop.training.stages import check_memory
from jaxshop.training.sweep import members, paces, spread
from tests.cli.test_cli import assert_refused
from tests.ppo.test_memory import update  # noqa: F401
from tests.trained import Result, run_train, write_tiny

SHORT = (
    *("own.updates=0", "general.updates=3", "evaluation.plan_work=0", "run.target_hours=none"),
    *("ppo.epochs=1", "ppo.minibatches=2"),
)
"""Few gradient steps: what is rounded otherwise is soon another run."""


@pytest.fixture(scope="module")
def config_path(tmp_path_factory) -> Path:
    """A tiny shop and its config."""
    return write_tiny(tmp_path_factory.mktemp("swept"))


@pytest.fixture(scope="module")
def swept(config_path: Path) -> tuple[Result, Path]:
    """Two seeds at two rates, stopped after their first update and resumed."""
    given = ["--config", config_path, *SHORT, "stop.max_seconds=1e-6"]
    stopped = run_train(*given, "--seeds", 2, "--learning-rates", "1e-2,4e-3", "--json")
    folder = Path(stopped.json["run_dir"])
    assert [row["chosen_update"] for row in stopped.json["runs"]] == [1] * 4
    return run_train("--resume", folder, "stop.max_seconds=none", "--json"), folder


def metrics(folder: Path) -> list[dict]:
    """The numbers of a run's updates, without what depends on the clock."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in line.items() if "second" not in k} for line in lines]


@pytest.mark.thorough
def test_each_run_is_the_run_alone(config_path: Path, swept):
    """Shows metrics, evaluations and config of the last seed and rate, update by update."""
    _, folder = swept
    single = ["run.seed=1", "run.shops_seed=0", "ppo.learning_rate=4e-3", *SHORT]
    alone = Path(run_train("--config", config_path, *single, "--json").json["run_dir"])
    found, wanted = metrics(folder / "seed-1-rate-0.004"), metrics(alone)
    assert [line["update"] for line in found] == [1, 2, 3]
    for mine, theirs in zip(found, wanted, strict=True):
        for key, value in theirs.items():
            close = value if isinstance(value, str) else pytest.approx(value, rel=1e-3, abs=1e-5)
            assert mine[key] == close, (mine["update"], key)
    configs = [json.loads((run / "config.json").read_text()) for run in (folder / "seed-1-rate-0.004", alone)]
    assert configs[0] | {"stop": None} == configs[1] | {"stop": None}


@pytest.mark.thorough
def test_what_several_runs_come_to(swept):
    """Shows mean and spread by learning rate, the best by the score of checkpoints, and a whole run in each folder."""
    result, folder = swept
    report = result.json
    assert result.code == 0
    assert report == json.loads((folder / "report.json").read_text())
    assert [row["name"] for row in report["runs"]] == [f"seed-{s}-rate-{r}" for r in ("0.01", "0.004") for s in (0, 1)]
    slower = report["groups"][1]
    hours = [row["greedy_hours"] for row in report["runs"][2:]]
    assert (slower["learning_rate"], slower["runs"]) == (4e-3, 2)
    assert slower["greedy_hours"]["mean"] == pytest.approx(np.mean(hours), abs=1e-5)
    assert slower["greedy_hours"]["std"] == pytest.approx(np.std(hours, ddof=1), abs=1e-5)
    scores = {}
    for row in report["runs"]:
        inside = {path.name for path in Path(row["run_dir"]).iterdir()}
        assert inside >= {"config.json", "metrics.jsonl", "checkpoints", "report.json", "schedule.json", "gantt.html"}
        own = json.loads((Path(row["run_dir"]) / "report.json").read_text())
        assert own["policy"]["greedy_hours"] == row["greedy_hours"]
        scores[row["name"]] = min(line["selection_gap"] for line in metrics(Path(row["run_dir"])) if "own_gap" in line)
    assert report["best"] == min(scores, key=scores.__getitem__)
    assert "mean of 2 at 0.004" in result.err
    assert f"{report['best']} is the best by what checkpoints are chosen by" in result.err
    assert not [line for line in result.err.splitlines() if len(line) > 100 and str(folder) not in line]


@pytest.mark.thorough
def test_a_resumed_sweep_keeps_its_runs(swept, tmp_path):
    """Shows what a resume refuses: other seeds, runs that stand at unlike updates, and a list that names nobody."""
    _, folder = swept
    assert_refused(run_train("--resume", folder, "--seeds", 3), "keeps its seeds and learning rates")
    assert_refused(
        run_train("--resume", folder, "stop.when=target", "run.target_hours=130"), "runs of one program end together"
    )
    assert_refused(run_train("--resume", folder, "ppo.clip=0.1"), "seed-0-rate-0.01", "ppo.clip was 0.3, now 0.1")

    class At:
        """A store at an update."""

        def __init__(self, step: int | None):
            self.latest = lambda: step

    assert same_update([At(None), At(None)], folder) == 0
    with pytest.raises(ConfigError, match="its runs stand at updates 3 to 4: resume each by itself"):
        same_update([At(4), At(3)], folder)
    (tmp_path / "sweep.json").write_text('{"format": "jaxshop-sweep/1", "runs": ["seed-9"]}')
    assert_refused(run_train("--resume", tmp_path), "sweep.json: does not name the runs of a sweep")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--seeds", 0], "must be an integer from 1"),
        (["--seeds", 2, "--seed", 2147483647], "--seeds: 2147483648 must be from 0 to 2147483647"),
        (["--seeds", 99_999_999], "--seeds: 99,999,999 runs in one program are too many: at most 1,024"),
        (["--seeds", 513, "--learning-rates", "1e-3,1e-2"], "--seeds: 1,026 runs in one program are too many"),
        (["--seeds", 2, "stop.when=target"], "--seeds: runs of one program end together"),
        (["--seeds", 2, "run.export_to=policy"], "--seeds: several runs have several policies"),
        (["--learning-rates", "1e-3,-1"], "'-1' must be a number > 0"),
        (["--learning-rates", "1e-3,0.001"], "--learning-rates: a rate is named twice"),
        (["--learning-rates", "1e-3", "general.learning_rate=1", "own.learning_rate=1"], "none uses ppo.learning_rate"),
    ],
)
def test_what_several_runs_cannot_do_is_refused(config_path: Path, given, said):
    """Shows one line for each, before JAX is asked for anything."""
    assert_refused(run_train("--config", config_path, *given), said)


def test_one_run_is_a_run_like_any_other():
    """Shows that a single seed and rate is the config itself, and that stages with rates of their own keep them."""
    config = load_config(None, ["own.learning_rate=1e-3"])
    assert members(config) == {"": config}
    (alone,) = members(config, 1, [5e-3]).values()
    assert alone == replace(config, ppo=replace(config.ppo, learning_rate=5e-3))
    both = list(members(config, 1, [1e-2, 5e-3]).values())
    assert (paces(both, "general"), paces(both, "own")) == ([1.0, 0.5], [1.0, 1.0])
    assert [each.run.shops_seed for each in members(Config(), 2).values()] == [0, 0]
    assert spread([3.0]) == {"mean": 3.0, "std": 0.0, "min": 3.0, "max": 3.0}


def test_runs_that_do_not_fit_beside_each_other_are_refused(update, monkeypatch):  # noqa: F811
    """Shows how many would: half of the free memory over what one keeps of its episodes."""
    setup, _ = update
    each = stages.experience_bytes(setup)
    monkeypatch.setattr(stages, "free_memory", lambda: 7 * each)
    check_memory({"general": setup}, 7)
    with pytest.raises(ConfigError, match=r"--seeds: 8 runs at once make .* of experience for .*; about 3 would fit"):
        check_memory({"general": setup}, 8)
    monkeypatch.setattr(stages, "free_memory", lambda: None)
    check_memory({"general": setup}, 8)
