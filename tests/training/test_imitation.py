"""Runs that begin with imitation of search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jaxshop.search.types import Task
from jaxshop.training.config import BankConfig
from jaxshop.training.shops import MIX, ShopOrder, plans_of, searched_starts
from tests.trained import run_train, write_tiny

IMITATED = ("imitation.steps=20", "imitation.work=2", "imitation.decisions=16", "own.updates=0", "general.updates=3")


def test_starts_keep_routes_and_releases():
    """Shows starts that a route's operations follow each other in, and none before zero; padding is zero."""
    order = ShopOrder(BankConfig(makes=("jobshop", "routes"), count=2, operations=24), MIX, 0, 16, 1)
    starts = searched_starts(order)
    for row, plan in zip(starts, plans_of(order), strict=True):
        task, at = Task.of(plan), 0
        for lot in plan.lots:
            ends = row[at : at + len(lot.operations)]
            assert (np.diff(ends) > 0).all()
            assert ends[0] >= lot.release
            at += len(lot.operations)
        assert row[:at].max() < 2 * task.certificate.value
        assert not row[at:].any()


@pytest.mark.thorough
def test_a_run_imitates_before_its_first_update_and_not_again(tmp_path: Path):
    """Shows what is said, and that a run stopped after an update goes on as if it had not been."""
    config = write_tiny(tmp_path)
    whole = run_train("--config", config, *IMITATED, "--json")
    assert "imitation of 16 searched schedules, 20 steps" in whole.err
    stopped = run_train("--config", config, *IMITATED, "stop.max_seconds=1e-6", "--json")
    resumed = run_train("--resume", stopped.json["run_dir"], "stop.max_seconds=none", "--json")
    assert "imitation" not in resumed.err
    assert resumed.json["policy"] == whole.json["policy"]
    uses = [part.get("use") for part in whole.json["trained_on"]]
    assert uses == ["imitation of search", None, "choice of the checkpoint"]


def test_there_must_be_shops_to_imitate(tmp_path: Path):
    """Shows one line where a run learns from its own shop alone."""
    config = write_tiny(tmp_path)
    refused = run_train("--config", config, "imitation.steps=5", "general.updates=0")
    assert refused.code == 2
    assert "imitation.steps: the run learns from its own shop alone" in refused.err


def test_an_interrupted_imitation_leaves_nothing(tmp_path: Path, monkeypatch):
    """Shows exit code 130 and no run folder, as there is nothing to go on with."""

    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxshop.training.launch.imitated", interrupt)
    config = write_tiny(tmp_path)
    assert run_train("--config", config, *IMITATED).code == 130
    assert not list((tmp_path / "runs").iterdir())
