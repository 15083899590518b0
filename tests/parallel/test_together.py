"""An update does not depend on how many devices or processes share it, and the loss of a process is survived."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxshop.policies.checkpoint import Store
from jaxshop.ppo.update import UpdateMetrics
from jaxshop.training.config import load_config
from jaxshop.training.stages import untrained
from tests.cli.test_cli import ROOT
from tests.parallel.on_devices import DEVICES
from tests.parallel.test_distributed import joined
from tests.trained import write_tiny

pytestmark = pytest.mark.thorough

TINY = """
[run]
name = "many"
shop = "{folder}/shop.json"
runs_dir = "{folder}/runs"
max_lot_hours = "none"
target_hours = "none"
[network]
width = 8
depth = 1
[ppo]
minibatches = 3
epochs = 1
[pool]
count = 2
machines = 4
jobs = 6
[general]
updates = 1000000
shops = 2
samples = 8
candidates = 2
[own]
updates = 0
[evaluation]
every = 1000000
selection_shops = 1
[logging]
checkpoint_every = 1
"""
"""One program to compile, and a checkpoint after every update."""
QUICK = {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
"""The quickest compiler will do: what is shown here is who computes what, who writes, who waits and who ends."""


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    """A run that goes on until it is stopped."""
    folder = tmp_path_factory.mktemp("many")
    write_tiny(folder)
    (folder / "many.toml").write_text(TINY.format(folder=folder))
    return folder / "many.toml"


@pytest.fixture(scope="module")
def shared(config) -> Path:
    """What tests/parallel/on_devices.py found, for 1, 2 and 8 devices of one process."""
    out = config.parent / "shared"
    out.mkdir()
    environ = os.environ | QUICK | {"JAX_NUM_CPU_DEVICES": "8"}
    command = [sys.executable, "-m", "tests.parallel.on_devices", str(config), str(out)]
    run = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr[-2000:]
    return out


def test_rollouts_are_the_same_bit_for_bit_on_1_2_and_8_devices(shared):
    """Shows equal choices, candidates, lengths and makespans, with the samples shared evenly among the devices."""
    one, *more = (np.load(shared / f"{devices}.npz") for devices in DEVICES)
    assert np.ptp(one["makespans"], axis=1).min() > 0
    for found in more:
        for name in ("action", "candidates", "alive", "makespans"):
            np.testing.assert_array_equal(found[name], one[name], err_msg=name)
        np.testing.assert_allclose(found["log_prob"], one["log_prob"], atol=1e-5)
    assert [np.load(shared / f"{n}.npz")["samples_each"].tolist() for n in DEVICES] == [[8 // n] * n for n in DEVICES]


def test_an_update_agrees_on_1_2_and_8_devices(shared):
    """Shows weights within a hundredth of a step of the optimiser, and metrics within 1e-4: advantages are global."""
    one, *more = (np.load(shared / f"{devices}.npz") for devices in DEVICES)
    for found in more:
        np.testing.assert_allclose(found["weights"], one["weights"], atol=1e-4)
        np.testing.assert_allclose(found["metrics"], one["metrics"], rtol=1e-4, atol=1e-5)


def test_updates_share_one_trace_and_one_program(shared):
    """Shows that a second update neither traces nor compiles anew, on any number of devices."""
    found = [np.load(shared / f"{devices}.npz") for devices in DEVICES]
    assert [(int(x["traces"]), int(x["programs"])) for x in found] == [(1, 1)] * len(DEVICES)


def test_a_checkpoint_of_8_devices_is_restored_on_fewer(shared):
    """Shows the same weights on 1, 2 and 8 devices."""
    saved = np.load(shared / "8.npz")["weights"]
    for devices in DEVICES:
        restored = np.load(shared / f"restored-{devices}.npz")
        np.testing.assert_array_equal(restored["weights"], saved)
        assert restored["on"] == devices


@contextlib.contextmanager
def two_processes(folder: Path, *arguments: object) -> Iterator[list[subprocess.Popen]]:
    """train.py twice, joined over loopback; what process I writes goes to `I.out` and `I.err` in the folder."""
    command = [sys.executable, str(ROOT / "train.py"), *map(str, arguments), "--json"]
    processes = []
    try:
        for i, mine in enumerate(joined(2)):
            with (folder / f"{i}.out").open("w") as out, (folder / f"{i}.err").open("w") as err:
                environ = os.environ | QUICK | mine
                processes.append(subprocess.Popen(command, env=environ, stdout=out, stderr=err, cwd=ROOT))
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def wait_for_updates(count: int, folder: Path, processes: list[subprocess.Popen]) -> list[dict]:
    """The metrics of the only run, once there are `count` lines."""
    deadline = time.monotonic() + 240
    while True:
        lines = [line for path in folder.glob("runs/*/metrics.jsonl") for line in path.read_text().splitlines()]
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        said = (folder / "0.err").read_text() + (folder / "1.err").read_text()
        assert all(process.poll() is None for process in processes), said
        assert time.monotonic() < deadline, said
        time.sleep(0.05)


def test_two_processes_train_lose_one_and_go_on(config, shared):
    """Shows one run of two processes: the same update as of one, the end of one as that of both, and a restart."""
    folder = config.parent
    with two_processes(folder, "--config", config) as processes:
        before = wait_for_updates(2, folder, processes)
        processes[1].kill()
        assert processes[0].wait(60) != 0
    assert "another process was lost" in (folder / "0.err").read_text()
    alone = dict(zip(UpdateMetrics._fields[1:], np.load(shared / "1.npz")["metrics"][-5:], strict=True))
    for name, value in alone.items():
        assert before[0][name] == pytest.approx(value, rel=1e-4, abs=1e-5)

    (run,) = (folder / "runs").iterdir()
    step = Store(run / "checkpoints", read_only=True).latest()
    with two_processes(folder, "--resume", run) as processes:
        wait_for_updates(step + 1, folder, processes)
        processes[1].send_signal(signal.SIGTERM)
        assert [process.wait(60) for process in processes] == [128 + signal.SIGTERM] * 2
    after = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["update"] for record in after] == list(range(1, len(after) + 1))
    assert after[: len(before)] == before
    said = json.loads((folder / "0.out").read_text())
    assert (said["interrupted"], said["update"]) == ("SIGTERM", len(after))
    assert (folder / "1.out").read_text() == ""

    store, loaded = Store(run / "checkpoints", read_only=True), load_config(config)
    assert store.latest() == len(after) > step
    learner = store.learner(store.latest(), untrained(loaded))
    assert int(learner.update) == len(after)
    assert learner.update.devices() == {jax.devices()[0]}
