"""Where a run's numbers go outside its folder, MLflow or Weights & Biases: beside the training, never in its way."""

from __future__ import annotations

import importlib
import json
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jaxshop.support.errors import ShopError
from jaxshop.support.files import write_atomic
from jaxshop.training.callbacks import Callback, Metrics

PROJECT = "jaxshop"
"""MLflow's experiment, and Weights & Biases' project; theirs in the environment goes before it."""

PATIENCE = 30.0
"""Seconds that the end of a run waits for what is still to be sent."""


class Connection(Protocol):
    """A run in a tracker."""

    id: str
    """What the tracker knows it by, so that a resumed run goes on there."""

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Take an update's numbers."""

    def finish(self) -> None:
        """Close the run."""


class Subject(NamedTuple):
    """What is tracked: a name, the settings by `section.key`, and the id of the run in the tracker, if it has one."""

    name: str
    settings: Mapping[str, Any]
    id: str | None


class MLflow:
    """By MLflow's client, which holds nothing global: several runs of one process do not meet."""

    def __init__(self, subject: Subject):
        mlflow = importlib.import_module("mlflow")
        self._client, self._entities = mlflow.MlflowClient(), importlib.import_module("mlflow.entities")
        if subject.id is not None:
            self.id = subject.id
            self._client.update_run(self.id, status="RUNNING")
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        found = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name) if found is None else found.experiment_id
        self.id = self._client.create_run(experiment, run_name=subject.name).info.run_id
        params = [self._entities.Param(key, str(value)) for key, value in subject.settings.items()]
        for i in range(0, len(params), 100):  # as many as a batch may hold
            self._client.log_batch(self.id, params=params[i : i + 100])

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """One request."""
        now = int(1000 * time.time())
        metrics = [self._entities.Metric(key, value, now, step) for key, value in numbers.items()]
        self._client.log_batch(self.id, metrics=metrics)

    def finish(self) -> None:
        """Say that it is done."""
        self._client.set_terminated(self.id)


class WandB:
    """By a run of its own of Weights & Biases."""

    def __init__(self, subject: Subject):
        wandb = importlib.import_module("wandb")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=subject.name,
            id=subject.id,
            resume="allow",
            reinit="create_new",
            config=dict(subject.settings),
        )
        self.id = self._run.id

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Into its queue."""
        self._run.log(dict(numbers), step=step)

    def finish(self) -> None:
        """Send what is left."""
        self._run.finish()


TRACKERS: dict[str, Callable[[Subject], Connection]] = {"mlflow": MLflow, "wandb": WandB}
"""By the word that `logging.tracker` takes, which is the name of the package and of the extra as well."""


def require(name: str) -> None:
    """ShopError where a tracker's package is missing."""
    try:
        importlib.import_module(name)
    except ImportError:
        raise ShopError(f"logging.tracker: install the extra: uv sync --extra {name}") from None


class Tracker(Callback):
    """Sends every update's numbers from a thread of its own; when that fails, says so once and goes on without."""

    def __init__(self, kind: str, folder: Path, name: str, settings: Mapping[str, Any], say: Callable[[str], None]):
        """Begin; returns at once.

        Args:
            kind: of `TRACKERS`.
            folder: the run's, where the id of the tracker's run is kept.
            name: of the run.
            settings: by `section.key`.
            say: is told of a failure, a line.
        """
        self._kind, self._file, self._say = kind, folder / "tracker.json", say
        self._queue: queue.SimpleQueue[tuple[dict[str, float], int] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._work, args=(Subject(name, settings, self._known()),), name=kind, daemon=True
        )
        self._thread.start()

    def on_update(self, update: int, total: int, metrics: Metrics) -> None:
        """Put the numbers into the queue; what is not finite is left out."""
        numbers = {key: float(x) for key, x in metrics.items() if isinstance(x, int | float) and math.isfinite(x)}
        self._queue.put((numbers, update))

    def close(self) -> None:
        """Wait for what is still to be sent, for a while."""
        self._queue.put(None)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._say(f"{self._kind} still has numbers of this run to take after {PATIENCE:.0f} s: they are left out")

    def _work(self, subject: Subject) -> None:
        try:
            connection = TRACKERS[self._kind](subject)
            write_atomic(self._file, json.dumps({self._kind: connection.id}) + "\n")
            while (item := self._queue.get()) is not None:
                connection.log(*item)
            connection.finish()
        except Exception as error:  # whatever it is, training goes on
            reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            self._say(f"{self._kind} failed, training goes on without it: {reason[:200]}")

    def _known(self) -> str | None:
        """The id under which the run is known already."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = found.get(self._kind) if isinstance(found, dict) else None
        return known if isinstance(known, str) else None
