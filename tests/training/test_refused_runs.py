"""What train.py refuses, in one line and before it does harm: new runs that cannot begin, and resumes."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from jaxshop.training.resume import LOCK, only_here
from tests.cli.test_cli import assert_refused
from tests.trained import UPDATES, Finished, run_train


def test_a_resume_with_another_config_or_shop_is_refused(finished: Finished, copied, tmp_path):
    """Shows that the differences are named, and that the run's files are as they were."""
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    assert_refused(run_train("--resume", copied, "ppo.clip=0.1"), str(copied), "ppo.clip was 0.3, now 0.1")
    assert_refused(run_train("--resume", copied, "network.width=8"), "network.width was 16, now 8")
    assert_refused(run_train("--resume", copied, "--seed", 1), "run.seed was 0, now 1")
    assert_refused(run_train("--resume", copied, "general.updates=20"), "general.updates was 8, now 20")
    shop = json.loads(finished.shop.read_text())
    shop["jobs"][0]["release"] = 1.0
    finished.shop.rename(tmp_path / "kept.json")
    try:
        finished.shop.write_text(json.dumps(shop))
        assert_refused(run_train("--resume", copied), str(copied), "was trained for shop")
    finally:
        (tmp_path / "kept.json").replace(finished.shop)
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


def test_a_resume_from_damage_is_refused(copied, tmp_path):
    """Shows one line for a folder that is missing, is no run, or whose checkpoints are gone, foreign or damaged."""
    assert_refused(run_train("--resume", tmp_path / "missing"), "missing/config.json")
    (tmp_path / "other").mkdir()
    assert_refused(run_train("--resume", tmp_path / "other"), "other/config.json")
    config = json.loads((copied / "config.json").read_text())
    del config["ppo"]["microbatch"]
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "config.json").write_text(json.dumps(config))
    assert_refused(run_train("--resume", tmp_path / "older"), "older/config.json", "ppo.microbatch", "another version")
    latest = copied / "checkpoints" / str(UPDATES)
    largest = max((latest / "learner").rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    largest.write_bytes(largest.read_bytes()[:-100])
    assert_refused(run_train("--resume", copied), str(latest), "damaged", largest.name)
    shutil.rmtree(copied / "checkpoints")
    assert_refused(run_train("--resume", copied), "holds no checkpoint to resume from")
    assert not (copied / "checkpoints").exists()
    (copied / "config.json").write_text('{"ppo"')
    assert_refused(run_train("--resume", copied), "config.json", "cut short")


def test_a_resume_whose_metrics_cannot_be_read_is_refused(copied):
    """Shows one line where they are no text, or no file."""
    metrics = copied / "metrics.jsonl"
    metrics.write_bytes(b"\xff")
    result = run_train("--resume", copied)
    assert (result.code, result.err) == (2, f"error: {metrics}: not UTF-8 text (byte 0)\n")
    metrics.unlink()
    metrics.mkdir()
    result = run_train("--resume", copied)
    assert (result.code, result.err) == (2, f"error: {metrics}: is a directory\n")


def test_two_processes_do_not_train_in_one_folder(copied):
    """Shows that the second is refused before it writes, that both may in turn, and that a folder must take a lock."""
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    with only_here(copied):
        refused = run_train("--resume", copied, "evaluation.samples=3")
        assert_refused(refused, f"{copied}: another process trains in it")
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before
    with only_here(copied):
        pass
    (copied / LOCK).unlink()
    (copied / LOCK).mkdir()
    assert_refused(run_train("--resume", copied), f"{copied}: cannot be written: is a directory")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("ppo.learning_rat=1", "did you mean ppo.learning_rate?"),
        ("run.max_lot_hours=0.00001", "max_lot_hours"),
        ("run.export_to=/no/such/folder/policy", "run.export_to"),
        ("run.export_to=/proc/policy", "run.export_to: /proc/policy cannot be written: "),
        ("run.export_to={folder}", "run.export_to: {folder} holds something else than an exported policy"),
        ('run.export_to="policy\\u0000"', "run.export_to: policy\\x00: a path cannot hold a NUL character"),
        ("run.runs_dir=/dev/null", "cannot be made"),
        ('run.runs_dir="a\\u0000b"', "a path cannot hold a NUL character"),
        ('run.name="a\\u0000b"', "a path cannot hold a NUL character"),
        ("run.name='night[old]'", "checkpoints cannot be written where the path has a bracket"),
        ("run.start_from=shipped", "run.start_from: shipped is a Gated(width=64"),
        ("ppo.minibatches=100000", "ppo.minibatches: general has only"),
        ("general.samples=100000000", "lower general.shops or general.samples"),
        ("logging.tensorboard=true", "--extra tensorboard"),
        ("logging.tracker=mlflow", "--extra mlflow"),
        ("logging.tracker=tensorboard", "logging.tracker: must be one of mlflow, wandb"),
        ("run.require_real_data=true", "require_real_data"),
        ("pool.machines=1.5", "pool.machines: must be an integer"),
    ],
)
def test_what_cannot_work_is_refused_before_a_folder_is_made(finished: Finished, tmp_path, monkeypatch, override, said):
    """Shows that no run folder is left by a run that could not begin."""
    for extra in ("tensorboardX", "mlflow"):
        monkeypatch.setitem(sys.modules, extra, None)  # as if it were not installed
    (tmp_path / "notes").write_text("x")
    given = [f"run.runs_dir={tmp_path / 'runs'}", override.format(folder=tmp_path)]
    assert_refused(run_train("--config", finished.config_path, *given), said.format(folder=tmp_path))
    assert not (tmp_path / "runs").exists()


def test_a_shop_without_work_is_refused(finished: Finished, tmp_path):
    """Shows that a benchmark text whose operations take no time has nothing to train for, and says so."""
    (tmp_path / "idle.txt").write_text("1 1\n0 0\n")
    given = ["--shop", tmp_path / "idle.txt", "run.target_hours=none"]
    assert_refused(run_train("--config", finished.config_path, *given), "nothing to train for")
