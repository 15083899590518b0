"""Admission: a fixed number of threads and a bounded queue before them; beyond that, no. And places to search in."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jaxshop.serving.metrics import Metrics
from jaxshop.serving.problems import busy

T = TypeVar("T")


@dataclass(frozen=True)
class Search(Generic[T]):
    """What is left of a request's work: a search, which takes seconds and hardly ever the interpreter's lock."""

    run: Callable[[bool], T]
    """Told whether there is a place to search in; where not, it answers with what there is."""
    patience_s: float
    """How long it waits for a place before it asks for one of the spare ones."""


class Workers:
    """Threads for everything that takes longer than the event loop may.

    Reading, bounds, rules and the policy take turns in a few threads; searches have places of their own, so that a long
    one keeps nobody from an answer. A place is held from admission until the work has really ended, not until its
    caller gave up: otherwise work that timed out would pile up unseen behind the threads.
    """

    def __init__(self, threads: int, queue: int, searches: int, metrics: Metrics):
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._searchers = ThreadPoolExecutor(threads + queue, thread_name_prefix="search")
        self._threads, self._places = threads, threads + queue
        self._admitted = self._readers = self._searching = self._waiting = 0
        self._searches = searches
        self._free, self._spare = asyncio.Semaphore(searches), asyncio.Semaphore(searches)
        self._mean_seconds = 0.5
        self._metrics = metrics

    @property
    def idle(self) -> bool:
        """Whether nothing is under work, not even what its caller gave up."""
        return self._admitted == 0

    @property
    def crowd(self) -> float:
        """By how much the searches that run or wait outnumber the places; 1 where nobody waits."""
        return max(1.0, (self._searching + self._waiting) / self._searches) if self._waiting else 1.0

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

    async def run(self, function: Callable[[float], T | Search[T]], patience_s: float | None = None) -> T:
        """Run `function(seconds spent in the queue)` in a thread, and the search that it leaves; a 503 if it is full.

        Where its turn does not come within `patience_s`, that is a 503, too.
        Cancelling this coroutine takes waiting work out of the queue; work under way goes on to its end.
        """
        self.refuse_if_full()
        queued = time.monotonic()
        self._count(+1)
        future: Future[Any] = self._submit(self._pool, lambda: function(time.monotonic() - queued))
        expiry = None if patience_s is None else asyncio.get_running_loop().call_later(patience_s, future.cancel)
        try:
            result = await self._result(future, patience_s)
            if not isinstance(result, Search):
                return result
            place = await self._place(result.patience_s)
            future = self._submit(self._searchers, lambda: result.run(place is not None))
            self._searching += 1
            self._when_done(future, lambda: self._search_ended(place))
            return await asyncio.wrap_future(future)
        finally:
            self._when_done(future, lambda: self._count(-1))
            if expiry is not None:
                expiry.cancel()

    @staticmethod
    async def _result(future: Future[T], waited: float | None) -> T:
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if waited is None or (task is not None and task.cancelling()):
                raise
            raise busy("the queue took too much of the time that there was", waited, kind="queue-too-long") from None

    def _submit(self, pool: ThreadPoolExecutor, function: Callable[[], Any]) -> Future[Any]:
        context = contextvars.copy_context()

        def work() -> Any:
            began = time.monotonic()
            try:
                return context.run(function)
            finally:
                self._mean_seconds += 0.1 * (time.monotonic() - began - self._mean_seconds)

        return pool.submit(work)

    async def _place(self, patience: float) -> asyncio.Semaphore | None:
        """Wait for a place to search in, then look for a spare one; long searches hold up nobody with those."""
        self._waiting += 1
        try:
            async with asyncio.timeout(patience):
                await self._free.acquire()
                return self._free
        except TimeoutError:
            if self._spare.locked():
                return None
            await self._spare.acquire()
            return self._spare
        finally:
            self._waiting -= 1

    def _search_ended(self, place: asyncio.Semaphore | None) -> None:
        self._searching -= 1
        if place is not None:
            place.release()

    @staticmethod
    def _when_done(future: Future[Any], function: Callable[[], None]) -> None:
        """Call a function in the event loop when the work has ended, or now."""
        loop = asyncio.get_running_loop()

        def done(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the loop has been closed: the server stopped before the work did
                loop.call_soon_threadsafe(function)

        future.add_done_callback(done)

    def _count(self, change: int) -> None:
        self._admitted += change
        self._metrics.working.set(min(self._admitted, self._threads))
        self._metrics.queue.set(max(0, self._admitted - self._threads))

    def stop(self) -> None:
        """Let nothing new begin."""
        for pool in (self._pool, self._searchers):
            pool.shutdown(wait=False, cancel_futures=True)
