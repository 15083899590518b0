"""Calls that nobody has to wait for."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from jaxshop.search import background
from jaxshop.support.errors import LateError


def test_results_and_errors_reach_whoever_waits():
    """Shows a result, an error, also one that looks like a time-out of the waiting."""
    assert background.wait(background.start(lambda: 7), None) == 7
    for error in (KeyError("x"), TimeoutError("own")):

        def fail(error=error):
            raise error

        with pytest.raises(type(error)):
            background.wait(background.start(fail), time.monotonic() + 5)


def test_a_deadline_ends_the_waiting_and_not_the_call():
    """Shows that a call goes on past the deadline of whoever waited, and that others may wait longer."""
    release = threading.Event()
    future = background.start(lambda: release.wait(60))
    with pytest.raises(LateError):
        background.wait(future, time.monotonic() + 0.01)
    release.set()
    assert background.wait(future, None) is True


@pytest.mark.parametrize(
    ("end", "code", "at_least"),
    [("background.leave(3)", 3, 0.0), ("background.leave(3, kept=False)", 3, 0.0), ("pass", 0, 2.0)],
)
def test_a_process_leaves_at_once_or_waits(end, code, at_least):
    """Shows that `leave` ends a process in the middle of a call, of a lasting one where nothing of it is kept, and
    that an ordinary end waits for the call."""
    lasting = "something lasting" if "kept" in end else ""
    script = "\n".join(
        [
            "import sys, time, threading; from jaxshop.search import background",
            f"background.start(lambda: time.sleep(2), {lasting!r}); began = time.monotonic(); print('said')",
            "import atexit; atexit.register(lambda: None)",
            end,
        ]
    )
    began = time.monotonic()
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (code, "said\n", "")
    assert time.monotonic() - began >= at_least


def test_ctrl_c_ends_a_process_that_stays():
    """Shows that what later processes need is waited for, which is said, and that Ctrl-C ends the waiting."""
    script = "\n".join(
        [
            "import time; from jaxshop.search import background",
            "background.start(lambda: time.sleep(60), 'something lasting'); background.leave(0)",
        ]
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "something lasting: this process stays until then\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == (None, "")
    assert process.returncode == 130
