"""Who takes part in a run: devices, processes, and what they agree on; what they compute together: test_together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import jax
import pytest

from jaxshop.parallel.cluster import Cluster, find_cluster, first_host
from jaxshop.parallel.mesh import cap_instructions, instructions_capped, one_device_per_core
from jaxshop.support.errors import ShopError
from tests.cli.test_cli import ROOT
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


@pytest.mark.thorough
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


def joined(count: int) -> list[dict[str, str]]:
    """The variables of each of so many processes that join over loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"JAXSHOP_COORDINATOR": f"127.0.0.1:{port}", "JAXSHOP_PROCESSES": str(count)}
    return [shared | {"JAXSHOP_PROCESS": str(i)} for i in range(count)]


TOGETHER = """
import os
import jax
import numpy as np
from jaxshop.parallel.cluster import check_agreement, from_leader, largest, leads, membership
from jaxshop.parallel.mesh import data_mesh, local, replicate
from jaxshop.support.errors import ShopError

with membership(os.environ):
    me, mesh = jax.process_index(), data_mesh()
    told = [leads(), from_leader(lambda: f"of {me}"), largest(me, -me), mesh.size]
    whole = jax.make_array_from_process_local_data(jax.NamedSharding(mesh, jax.P("data")), np.arange(2) + 2 * me)
    told.append(int(local(jax.jit(jax.numpy.sum)(whole))))
    told.append(int(local(replicate(jax.numpy.ones(3), mesh)).sum()))
    check_agreement([3, "alike"], "config")
    try:
        check_agreement([me], "config")
    except ShopError as error:
        told.append(str(error))
print(told)
"""


def test_two_processes_agree_and_add_up():
    """Shows four devices of two processes as one row: a sum over all, what the first says, and what they differ in."""
    environ = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "2"}
    command = [sys.executable, "-c", TOGETHER]
    processes = [
        subprocess.Popen(command, env=environ | mine, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for mine in joined(2)
    ]
    said = [process.communicate(timeout=240) for process in processes]
    for i, (out, err) in enumerate(said):
        assert out == f"{[i == 0, 'of 0', (1, 0), 4, 6, 3, 'the processes do not have the same config']}\n", err
