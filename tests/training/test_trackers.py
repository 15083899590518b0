"""Numbers in MLflow and Weights & Biases: by stand-ins for their packages, which nothing here installs."""

from __future__ import annotations

import json
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from jaxshop.training import trackers
from jaxshop.training.trackers import TRACKERS, Subject, Tracker, require

SETTINGS = {"run.seed": 0, "ppo.clip": 0.3}
NUMBERS = {"stage": "general", "gap": 0.25, "steps": 7, "kl": float("nan")}


class FakeRun:
    """What both stand-ins keep of a run."""

    def __init__(self, number: int):
        self.id, self.logged, self.params, self.over = f"run {number}", [], {}, False

    def log(self, numbers: dict, step: int) -> None:
        """As Weights & Biases'."""
        if step == 3:
            raise ConnectionError("the server went away\nsecond line")
        self.logged.append((step, numbers))

    def finish(self) -> None:
        """As Weights & Biases'."""
        self.over = True


class FakeClient:
    """MLflow's client, of the calls that are made."""

    runs: dict[str, FakeRun]

    def get_experiment_by_name(self, name: str) -> None:
        """None is known."""

    def create_experiment(self, name: str) -> str:
        """Its name is its id."""
        return name

    def create_run(self, experiment: str, run_name: str) -> Any:
        """A new one."""
        assert experiment == "jaxshop"
        run = FakeRun(len(self.runs))
        self.runs[run.id] = run
        return SimpleNamespace(info=SimpleNamespace(run_id=run.id))

    def update_run(self, run_id: str, status: str) -> None:
        """The run goes on."""
        assert status == "RUNNING"
        self.runs[run_id].over = False

    def log_batch(self, run_id: str, metrics=(), params=()) -> None:
        """Metrics of one step, or params."""
        self.runs[run_id].params |= dict(params)
        if metrics:
            self.runs[run_id].log({name: value for name, value, *_ in metrics}, metrics[0][3])

    def set_terminated(self, run_id: str) -> None:
        """The end."""
        self.runs[run_id].finish()


@pytest.fixture
def runs(monkeypatch) -> dict[str, FakeRun]:
    """Stand-ins for both packages; the runs that they know."""
    known: dict[str, FakeRun] = {}

    def init(id: str | None, config: dict, **options: Any) -> FakeRun:
        assert (options["resume"], options["reinit"], options["project"]) == ("allow", "create_new", "jaxshop")
        run = known.setdefault(id or f"run {len(known)}", FakeRun(len(known)))
        run.params, run.over = config, False
        return run

    mlflow, entities, wandb = ModuleType("mlflow"), ModuleType("mlflow.entities"), ModuleType("wandb")
    client = type("Client", (FakeClient,), {"runs": known})
    vars(mlflow).update(MlflowClient=client, entities=entities)
    vars(entities).update(Param=lambda *pair: pair, Metric=lambda *entry: entry)
    vars(wandb).update(init=init)
    for module in (mlflow, entities, wandb):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return known


@pytest.mark.parametrize("kind", TRACKERS)
def test_numbers_arrive_and_a_resumed_run_goes_on_in_its_own(kind, runs, tmp_path):
    """Shows settings, finite numbers by update, the end, and one run of the tracker for two processes of a run."""
    said: list[str] = []
    for update in (1, 2):
        tracker = Tracker(kind, tmp_path, "tiny", SETTINGS, said.append)
        tracker.on_update(update, 9, NUMBERS)
        tracker.close()
    (run,) = runs.values()
    assert run.logged == [(update, {"gap": 0.25, "steps": 7.0}) for update in (1, 2)]
    assert {key: float(value) for key, value in run.params.items()} == SETTINGS
    assert run.over
    assert json.loads((tmp_path / "tracker.json").read_text()) == {kind: run.id}
    assert said == []


@pytest.mark.parametrize("kind", TRACKERS)
def test_a_tracker_that_fails_is_left_out(kind, runs, tmp_path):
    """Shows that it says so once, in a line, and takes later numbers in silence."""
    said: list[str] = []
    tracker = Tracker(kind, tmp_path, "tiny", SETTINGS, said.append)
    for update in (1, 2, 3, 4):
        tracker.on_update(update, 9, NUMBERS)
    tracker.close()
    assert said == [f"{kind} failed, training goes on without it: the server went away"]
    assert [step for run in runs.values() for step, _ in run.logged] == [1, 2]


def test_a_tracker_that_hangs_delays_nothing(tmp_path, monkeypatch):
    """Shows that neither an update nor the end waits for a server that does not answer."""
    over = threading.Event()

    def hangs(subject: Subject):
        over.wait(60)
        raise ConnectionError

    monkeypatch.setitem(TRACKERS, "mlflow", hangs)
    monkeypatch.setattr(trackers, "PATIENCE", 0.01)
    said: list[str] = []
    tracker = Tracker("mlflow", tmp_path, "tiny", SETTINGS, said.append)
    tracker.on_update(1, 9, NUMBERS)
    tracker.close()
    over.set()
    assert said[0] == "mlflow still has numbers of this run to take after 0 s: they are left out"


def test_an_extra_that_is_missing_is_named(monkeypatch):
    """Shows the one line that a run is refused with; test_refused_runs has the whole command."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(trackers.ShopError, match=r"logging\.tracker: install the extra: uv sync --extra wandb"):
        require("wandb")
