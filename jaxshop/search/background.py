"""Calls that nobody has to wait for: one into XLA can be neither interrupted nor killed.

Their threads are daemons, so that a process may end without them; but a process that ends in the middle of a
compilation is aborted. So an ordinary end waits for them, and `leave` ends the process at once.
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


def start(function: Callable[[], T]) -> Future[T]:
    """Begin a call in a thread of its own."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # whoever waits gets it
            future.set_exception(error)
        finally:
            _threads.discard(threading.current_thread())

    thread = threading.Thread(target=run, name="search", daemon=True)
    _threads.add(thread)
    thread.start()
    return future


def wait(future: Future[T], deadline: float | None) -> T:
    """The call's result.

    Args:
        future: of `start`.
        deadline: in `time.monotonic()`; None waits for as long as it takes.

    Raises:
        LateError: there is none by the deadline; the call goes on.
        BaseException: whatever the call raised.
    """
    try:
        left = None if deadline is None else min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)
        return future.result(left)
    except TimeoutError:
        if future.done():  # just now, or it was the call itself that raised a TimeoutError
            return future.result()
        raise LateError("no answer by the deadline") from None


def leave(code: int) -> int:
    """The exit code; where a call goes on, the process ends here and now instead."""
    if _threads:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


@atexit.register
def _join() -> None:
    for thread in list(_threads):
        thread.join()
