"""One thread for one device: calls run in order, callers have deadlines, a stuck call delays no stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, TimeoutError
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from jaxshop.support.errors import LateError

__all__ = ["DeviceThread", "LateError"]

T = TypeVar("T")


class DeviceThread:
    """Runs calls one after the other in a daemon thread.

    A call into XLA can be neither interrupted nor killed. So nobody waits for one without a deadline, and
    the thread is a daemon: `ThreadPoolExecutor` joins its threads when the process ends, and a stuck one
    would keep it alive.
    """

    def __init__(self, name: str = "device"):
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._awaited: set[Future[Any]] = set()
        self._busy_since: float | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., T], *args: object, deadline: float | None = None) -> T:
        """Run `function(*args)` in the device's thread and return its result.

        Args:
            function: what to run.
            *args: its arguments.
            deadline: in `time.monotonic()`; None waits for as long as it takes.

        Raises:
            LateError: there is no result by the deadline, or the thread was stopped; a call that has not begun will
                not begin.
            Exception: whatever the call raised.
        """
        future: Future[T] = Future()
        self._awaited.add(future)
        try:
            if self._stopped:  # nobody would hear of what is put there now
                raise LateError("the device was stopped")
            self._calls.put((future, lambda: function(*args)))
            return future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            if future.done():  # just now, or it was the call itself that raised a TimeoutError
                return future.result()
            future.cancel()
            raise LateError("the device did not answer by the deadline") from None
        finally:
            self._awaited.discard(future)

    @property
    def busy_seconds(self) -> float:
        """How long the present call has been running; 0 between calls."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def stop(self, timeout: float) -> bool:
        """End the thread after the present call; returns whether it ended in time.

        If it did not, it is left behind, and whoever waits for it gets a LateError.
        """
        self._stopped = True
        self._calls.put(None)
        self._thread.join(timeout)
        for future in list(self._awaited):
            with suppress(InvalidStateError):
                future.set_exception(LateError("the device was stopped"))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            if future.done() or not future.set_running_or_notify_cancel():
                continue
            self._busy_since = time.monotonic()
            try:
                result, error = call(), None
            except BaseException as raised:  # the caller gets it; the thread must outlive every call
                result, error = None, raised
            with suppress(InvalidStateError):  # `stop` was quicker
                future.set_exception(error) if error else future.set_result(result)
            self._busy_since = None
            del item, future, call, result, error  # or the last result would live until the next call
