"""What becomes of a test run when a worker dies: it ends at once, and every process that tests started ends with it."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent, a worker, dies; and end in good order on SIGTERM, too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(os, "pidfd_open"):  # Linux
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> set[int]:
    """The processes whose parent is this one."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        if int(parent) == os.getpid():
            found.add(int(stat.parent.name))
    return found


def end_children() -> None:
    """Kill them all; a killed process's own children are the next to be adopted, so until there are none."""
    while left := children():
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController, error: object) -> None:
    """A worker that dies between two tests ends the run, too."""
    if error:
        node.config.pluginmanager.getplugin("dsession").shouldstop = f"worker {node.gateway.id} crashed"


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """End the run once a crash is reported: xdist would wait for the other worker, or run the crashing test again."""
    if report.when not in ("setup", "call", "teardown"):
        pytest.exit(str(report.longrepr), returncode=pytest.ExitCode.TESTS_FAILED)
