"""Admission: a fixed number of threads and a bounded queue before them; beyond that, no."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from jaxshop.serving.metrics import Metrics
from jaxshop.serving.problems import busy

T = TypeVar("T")


class Workers:
    """Threads for everything that takes longer than the event loop may.

    A place is held from admission until the work has really ended, not until its caller gave up: otherwise
    work that timed out would pile up unseen behind the threads.
    """

    def __init__(self, threads: int, queue: int, metrics: Metrics):
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._threads, self._places = threads, threads + queue
        self._admitted = self._readers = 0
        self._mean_seconds = 0.5
        self._metrics = metrics

    def refuse_if_full(self) -> None:
        """Raise a 503 with Retry-After if the queue is full; worth asking before a body is read."""
        if self._admitted >= self._places:
            self._metrics.rejected.inc()
            wait = min(60.0, self._admitted * self._mean_seconds / self._threads)
            raise busy("the queue is full", wait, kind="queue-full")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold one of as many places for requests whose body is on its way, so that bodies cannot fill the memory."""
        if self._readers >= self._places:
            raise busy("too many bodies are on their way", 1, kind="queue-full")
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    async def run(self, function: Callable[[float], T]) -> T:
        """Run `function(seconds spent in the queue)` in a thread; raises a 503 if the queue is full.

        Cancelling this coroutine takes waiting work out of the queue; work under way goes on to its end.
        """
        self.refuse_if_full()
        loop, context, queued = asyncio.get_running_loop(), contextvars.copy_context(), time.monotonic()

        def work() -> T:
            began = time.monotonic()
            try:
                return context.run(function, began - queued)
            finally:
                self._mean_seconds += 0.1 * (time.monotonic() - began - self._mean_seconds)

        self._count(+1)
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: _call_soon(loop, self._count, -1))
        return await asyncio.wrap_future(future)

    def _count(self, change: int) -> None:
        self._admitted += change
        self._metrics.working.set(min(self._admitted, self._threads))
        self._metrics.queue.set(max(0, self._admitted - self._threads))

    def stop(self) -> None:
        """Let nothing new begin."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: object) -> None:
    with suppress(RuntimeError):  # the loop has been closed: the server stopped before the work did
        loop.call_soon_threadsafe(function, *args)
