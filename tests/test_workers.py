"""A test run that loses a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ABORTS = """
import os
import subprocess

def test_that_aborts():
    # Like a server that a fixture started: it holds the worker's streams, and outlives it.
    process = subprocess.Popen(["sleep", "654321"])
    subprocess.run(["sh", "-c", "sleep 654322 & echo $!"])
    os.abort()

def test_after_it():
    pass
"""

NO_KERNELS = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def kernels_are_ready():
    pass
"""
"""Neither test needs what others wait for."""

WAITS = """
import time

def test_of_the_other_worker():
    time.sleep(3600)
"""


def sleepers() -> list[str]:
    """The processes that a run of the tests above has left."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"sleep" in words[0] and words[1:2] in ([b"654321"], [b"654322"]):
            found.append(command.parent.name)
    return found


@pytest.mark.thorough
def test_a_worker_that_aborts_ends_the_run_and_leaves_no_process(tmp_path):
    """Shows that a run whose worker aborts fails without the other's hour, names the test, and leaves no process."""
    (tmp_path / "conftest.py").write_text(NO_KERNELS)
    (tmp_path / "test_aborts.py").write_text(ABORTS)
    (tmp_path / "test_waits.py").write_text(WAITS)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "JAX_"))}
    options = ("-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"), f"--basetemp={tmp_path / 'base'}")
    # Through a pipe, as in CI: what holds its other end keeps this command waiting, too.
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    assert run.returncode != 0
    assert "crashed while running" in run.stdout
    assert "test_aborts.py::test_that_aborts" in run.stdout
    assert "test_after_it" not in run.stdout
    assert sleepers() == []
