"""Who takes part in a run, that an update does not depend on how many devices share it, and that a loss is survived."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxshop.parallel.cluster import Cluster, find_cluster, first_host
from jaxshop.parallel.mesh import cap_instructions, instructions_capped, one_device_per_core
from jaxshop.policies.checkpoint import Store
from jaxshop.ppo.update import UpdateMetrics
from jaxshop.support.errors import ShopError
from jaxshop.training.config import load_config
from jaxshop.training.stages import untrained
from tests.cli.test_cli import ROOT
from tests.parallel.on_devices import DEVICES
from tests.trained import write_tiny

EXPLICIT = {"JAXSHOP_COORDINATOR": "a:1", "JAXSHOP_PROCESSES": "2", "JAXSHOP_PROCESS": "1"}
SLURM = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "gpu[03-05]", "SLURM_PROCID": "3"}
KUBERNETES = {
    "JAXSHOP_SERVICE": "train",
    "JAXSHOP_JOB": "shop",
    "JAXSHOP_PROCESSES": "2",
    "JOB_COMPLETION_INDEX": "0",
}


@pytest.mark.parametrize(
    ("environ", "cluster"),
    [
        ({}, None),
        ({"SLURM_STEP_NUM_TASKS": "1"}, None),
        (EXPLICIT, Cluster("a:1", 2, 1)),
        (SLURM, Cluster("gpu03:12321", 4, 3)),
        (SLURM | {"JAXSHOP_PORT": "77"}, Cluster("gpu03:77", 4, 3)),
        (SLURM | EXPLICIT, Cluster("a:1", 2, 1)),
        (KUBERNETES, Cluster("shop-0.train:12321", 2, 0)),
    ],
)
def test_cluster_is_found(environ, cluster):
    """Shows each launcher's variables, what wins, and that one process alone is no cluster."""
    assert find_cluster(environ) == cluster


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"JAXSHOP_COORDINATOR": "a:1"}, "JAXSHOP_PROCESSES"),
        (EXPLICIT | {"JAXSHOP_PROCESS": "2"}, "JAXSHOP_PROCESS=2"),
        (EXPLICIT | {"JAXSHOP_COORDINATOR": "a"}, "host:port"),
        (SLURM | {"SLURM_PROCID": "x"}, "SLURM_PROCID"),
        ({"JAXSHOP_SERVICE": "train"}, "JAXSHOP_JOB"),
    ],
)
def test_bad_cluster_is_named(environ, named):
    """Shows that a missing or senseless variable is an error that names it."""
    with pytest.raises(ShopError, match=named):
        find_cluster(environ)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("a", "a"),
        ("a,b", "a"),
        ("n[1,3]", "n1"),
        ("gpu[03-05,9],x", "gpu03"),
        ("a,n[1-2]", "a"),
        ("n[1-2]-ib", "n1-ib"),
    ],
)
def test_first_host_of_a_slurm_list(nodes, first):
    """Shows the compressed lists that SLURM writes."""
    assert first_host(nodes) == first


@pytest.mark.parametrize(
    ("shared", "flags", "by_hand", "devices"),
    [
        ((), "", -1, 6),
        ((24, 16), "", -1, 4),
        ((5,), "", -1, 5),
        ((7,), "", -1, 1),
        ((), "", 3, None),
        ((), "--xla_force_host_platform_device_count=2", -1, None),
    ],
)
def test_every_core_becomes_a_device(monkeypatch, shared, flags, by_hand, devices):
    """Shows the devices of 6 cores: as many as share the samples of every stage evenly, and none counted over again."""
    asked = {}
    monkeypatch.setattr("jaxshop.parallel.mesh.usable_cores", lambda: 6)
    monkeypatch.setenv("XLA_FLAGS", flags)
    monkeypatch.setattr(jax, "config", SimpleNamespace(jax_num_cpu_devices=by_hand, update=asked.__setitem__))
    one_device_per_core(*shared)
    assert asked.get("jax_num_cpu_devices") == devices


@pytest.mark.parametrize(
    ("machine", "flags", "then", "capped"),
    [
        ("x86_64", "", "--xla_cpu_max_isa=AVX2", True),
        ("AMD64", "--xla_dump_to=d", "--xla_dump_to=d --xla_cpu_max_isa=AVX2", True),
        ("x86_64", "--xla_cpu_max_isa=AVX512 --xla_dump_to=d", "--xla_cpu_max_isa=AVX512 --xla_dump_to=d", False),
        ("x86_64", "--xla_cpu_max_isa=AVX", "--xla_cpu_max_isa=AVX", True),
        ("aarch64", "", "", True),
    ],
)
def test_instructions_are_capped_unless_they_were_named(monkeypatch, machine, flags, then, capped):
    """Shows the flag that keeps XLA off AVX-512: added on x86 only, and never over one that the environment names."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setenv("XLA_FLAGS", flags)
    cap_instructions()
    assert os.environ["XLA_FLAGS"] == then
    assert instructions_capped() is capped


def test_smoke_run_as_a_user_starts_it(tmp_path):
    """Shows that the smoke config trains on two devices under the settings of a user's command.

    On a CPU with AVX-512 it ended in LLVM's abort (exit code -6). `.ci/newest` names that instruction set, and runs
    this again.
    """
    ours = ("JAX_NUM_CPU_DEVICES", "JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS")
    environ = {k: v for k, v in os.environ.items() if k not in ours}
    if not instructions_capped():
        environ["XLA_FLAGS"] = os.environ["XLA_FLAGS"]
    command = [sys.executable, "train.py", "--config", "configs/smoke.toml", f"run.runs_dir={tmp_path}", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["policy"]["greedy_hours"] > 0


def test_train_runs_on_every_core(tmp_path):
    """Shows that nothing has started JAX when a run asks for its devices: 4 for 4 cores and 8 samples."""
    script = (
        "import sys, jax, jaxshop.parallel.mesh as d, jaxshop.training.launch as launch, rich.console\n"
        "from jaxshop.training.start import resolve\n"
        "d.usable_cores = lambda: 4\n"
        "launch.load_and_report = lambda *given, **named: sys.exit(print(jax.device_count()))\n"
        "launch.launch({'': resolve({!r}, None, [])}, None, rich.console.Console())"
    )
    environ = {k: v for k, v in os.environ.items() if k not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")}
    command = [sys.executable, "-c", script.replace("{!r}", repr(str(write_tiny(tmp_path))))]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert done.stdout == "4\n", done.stderr


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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(ROOT / "train.py"), *map(str, arguments), "--json"]
    environ = os.environ | QUICK | {"JAXSHOP_COORDINATOR": f"127.0.0.1:{port}", "JAXSHOP_PROCESSES": "2"}
    processes = []
    try:
        for i in range(2):
            with (folder / f"{i}.out").open("w") as out, (folder / f"{i}.err").open("w") as err:
                mine = environ | {"JAXSHOP_PROCESS": str(i)}
                processes.append(subprocess.Popen(command, env=mine, stdout=out, stderr=err, cwd=ROOT))
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
