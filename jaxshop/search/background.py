"""Calls that nobody has to wait for: one into XLA can be neither interrupted nor killed.

Their threads are daemons, so that a process may end without them; but a process that ends in the middle of a
compilation is aborted. So an ordinary end waits for them, and `leave` ends the process at once, unless one of them
does something that later processes need.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from typing import TypeVar

from jaxshop.support.errors import LateError

T = TypeVar("T")

_threads: set[threading.Thread] = set()
_lasting: dict[threading.Thread, str] = {}

POLL = 0.05
"""Seconds between looks at whether a wait was cancelled."""


def start(function: Callable[[], T], lasting: str = "") -> Future[T]:
    """Begin a call in a thread of its own; `lasting` says, in words, why a process should not end before it does."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # whoever waits gets it
            future.set_exception(error)
        finally:
            _threads.discard(threading.current_thread())
            _lasting.pop(threading.current_thread(), None)

    thread = threading.Thread(target=run, name="search", daemon=True)
    _threads.add(thread)
    if lasting:
        _lasting[thread] = lasting
    thread.start()
    return future


def wait(future: Future[T], deadline: float | None, cancelled: Callable[[], bool] | None = None) -> T:
    """The call's result.

    Args:
        future: of `start`.
        deadline: in `time.monotonic()`; None waits for as long as it takes.
        cancelled: looked at now and then; True is as if the deadline had come.

    Raises:
        LateError: there is none by the deadline; the call goes on.
        BaseException: whatever the call raised.
    """
    while True:
        left = threading.TIMEOUT_MAX if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return future.result(min(left, POLL) if cancelled else min(left, threading.TIMEOUT_MAX))
        except TimeoutError:
            if future.done():  # just now, or it was the call itself that raised a TimeoutError
                return future.result()
            if not cancelled or (deadline is not None and deadline <= time.monotonic()):
                raise LateError("no answer by the deadline") from None
            if cancelled():
                raise LateError("cancelled") from None


def leave(code: int, kept: bool = True) -> int:
    """The exit code; where a call goes on, the process ends here and now instead, or when what is lasting has ended.

    Bad input (2) waits for nothing: whoever mistyped wants to try again. Nor does anybody who presses Ctrl-C now.

    Args:
        code: the exit code.
        kept: whether later processes have anything of what is lasting.
    """
    try:
        for thread, why in list(_lasting.items()) if kept and code != 2 else ():
            thread.join(0.5)
            if thread.is_alive():
                print(f"{why}: this process stays until then", file=sys.stderr, flush=True)
                thread.join()
    except KeyboardInterrupt:
        code = 130
    if _threads:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def lasting() -> list[str]:
    """What goes on that later processes need, in words."""
    return sorted({why for thread, why in list(_lasting.items()) if thread.is_alive()})


def under_way() -> bool:
    """Whether a call goes on, which an ordinary end would wait for."""
    return any(thread.is_alive() for thread in _threads.copy())


@atexit.register
def _join() -> None:
    for thread in list(_threads):
        thread.join()
