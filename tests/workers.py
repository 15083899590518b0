"""Which worker of a test run gets which tests; and what becomes of the run when a worker dies.

It ends at once, and every process that tests started ends with it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

PR_SET_CHILD_SUBREAPER = 36

LONGEST = (
    "training",
    "parallel",
    "sources",
    "profiling",
    "env",
    "search",
    "serving",
    "ppo",
    "policies",
    "views",
    "cli",
)
"""Rooms whose tests take longest, in the order in which they are begun: a late one is done by one worker alone."""

TOGETHER = {
    "finished": ("tests/training/", "tests/policies/test_checkpoint.py"),
    "update": ("tests/profiling/",),
    "mariadb": ("tests/sources/mariadb/",),
}
"""Where tests look at one thing that takes its time: the finished training run, which every worker that gets one of
them has to do, the update that is measured, and a database server."""


class Scheduling(LoadFileScheduling):
    """The tests of a file go to one worker, so that they share what is compiled; so do those of `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((name for name, files in TOGETHER.items() if file.startswith(files)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Take ours."""
    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, where there are workers to share it."""
    if hasattr(config, "workerinput"):
        order = {room: place for place, room in enumerate(LONGEST)}
        items.sort(key=lambda item: order.get(item.nodeid.partition("tests/")[2].partition("/")[0], len(order)))


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent, a worker, dies; and end in good order on SIGTERM, too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(os, "pidfd_open"):  # Linux
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextmanager
def only_here(name: str) -> Iterator[None]:
    """One worker of a run at a time, by a lock in the folder that they share."""
    with Path(os.environ["JAX_COMPILATION_CACHE_DIR"], f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
