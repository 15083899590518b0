"""Asynchronous requests: under work here, or kept in the store, where a killed server loses none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from jaxshop.serving.auth import Caller
from jaxshop.serving.job import UNKNOWN, Ask, Job
from jaxshop.serving.logs import event, log, request_id
from jaxshop.serving.problems import Problem, busy

if TYPE_CHECKING:  # it imports SQLAlchemy
    from jaxshop.serving.store import Record, Store

T = TypeVar("T")

TRANSIENT = (429, 499, 503, 504)
"""What the same request may get another answer than: such an end keeps no idempotency key."""
PATIENCE_S = 10.0
"""For the store."""
LOST = "the server ended {} times while it worked at this request, which is given up"

Work = Callable[[Job], Awaitable[bytes]]


class Jobs:
    """The asynchronous requests: at most `most` under work here; those that have ended are kept in the store."""

    def __init__(
        self,
        store: Store,
        work: Work,
        most: int,
        ttl_s: float,
        keep: int,
        gauge: Callable[[int], None] = lambda count: None,
        ended: Callable[[Job], None] = lambda job: None,
    ):
        """Use a store.

        Args:
            store: that keeps them.
            work: answers one; it may be called again for the same request, after the server was killed.
            most: under work at once, beyond which there is a 503.
            ttl_s: seconds that one is kept which has ended.
            keep: how many of those are kept.
            gauge: told how many are under work.
            ended: told of each that has ended, once.
        """
        self._store, self._work, self._most, self._ttl, self._keep = store, work, most, ttl_s, keep
        self._gauge, self._ended = gauge, ended
        self._live: dict[str, Job] = {}
        self._told: dict[str, bytes] = {}
        # One thread: SQLite takes one writer at a time.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self.takes_over = False
        """Whether requests of servers that died are begun anew; a server that is not ready has no use for them."""

    async def submit(self, owner: Caller, ask: Ask) -> Job:
        """Begin a request, once it is kept; what was asked before with the same idempotency key is returned as it is.

        Raises:
            Problem: a 422 where that key stands for another request; a 503 if no place is free, or the store is away.
        """
        if len(self._live) >= self._most:
            raise busy("too many asynchronous requests are under work", 5, kind="queue-full")
        job = Job(owner.name, ask)
        self._live[job.id] = job  # its place, while it is being kept
        try:
            there = await self._ask_store(lambda store: store.add(job.record()))
        except BaseException:
            self._forget(job)
            raise
        if there.id == job.id:
            self._start(job)
            return job
        self._forget(job)
        if there.digest != ask.digest:
            raise Problem(
                422, "idempotency-key-reused", "Idempotency-Key: this key was sent before, with another request"
            )
        return self._live.get(there.id) or Job.of(there)

    async def get(self, id: str, caller: Caller) -> Job:
        """Return the job; whoever may not see it gets the same 404 as if there were none."""
        job = self._live.get(id)
        if job is None:
            record = await self._ask_store(lambda store: store.get(id))
            job = None if record is None else Job.of(record)
        if job is None or not (caller.admin or job.owner == caller.name):
            raise Problem(404, "not-found", "there is no such request (any more)")
        return job

    async def listed(self, owner: Caller, most: int, before: str | None) -> list[dict[str, Any]]:
        """The caller's requests, the latest first, as `Job.entry` tells of them."""
        records = await self._ask_store(lambda store: store.listed(owner.name, most, before))
        return [(self._live.get(record.id) or Job.of(record)).entry() for record in records]

    async def watch(self, job: Job) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """What `Job.watch` yields, whoever works on the job."""
        id, told, begun = job.id, 0, False
        while id not in self._live and job.ended is None:  # another server's
            for found in job.found[told:] or ([] if begun else [UNKNOWN]):
                yield "progress", job.progress(found)
            told, begun = max(told, len(job.found)), True
            await asyncio.sleep(1)
            record = await self._ask_store(lambda store: store.get(id))
            if record is None:
                yield "cancelled", job.progress() | {"status": "cancelled"}
                return
            job = self._live.get(id) or Job.of(record)
        async for name, data in job.watch(told):
            yield name, data

    async def stop(self, job: Job) -> None:
        """End its search with what it has, whoever works on it."""
        job.stop()
        await self._ask_store(lambda store: store.stop(job.id))

    async def remove(self, job: Job) -> None:
        """Forget the job; one under work is cancelled."""
        await self._ask_store(lambda store: store.remove(job.id))
        self._cancel(job)

    async def amend(self, job: Job, result: bytes) -> None:
        """Replace the result of a job that has ended."""
        job.result = result
        await self._ask_store(lambda store: store.amend(job.id, result))

    async def beat(self, every_s: float) -> None:
        """Until cancelled: renew the leases, save what is new, and take over what servers that died have left."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.beat_once()
            except Problem as problem:
                log.warning("%s", problem.detail)
            except Exception:
                log.exception("the store of asynchronous requests")

    async def beat_once(self) -> None:
        """What `beat` does each time."""
        for job in [job for job in self._live.values() if job.ended is not None]:
            await self._save(job)
        live = [job for job in self._live.values() if job.ended is None and job.task is not None]
        told = {job.id: job.told() for job in live}
        new = {job.id: (job.status, told[job.id]) for job in live if self._told.get(job.id) != told[job.id]}
        mine = await self._ask_store(lambda store: store.beat(new))
        self._told = told
        for job in live:
            if job.ended is None and not job.ending and job.id not in mine:
                self._cancel(job)  # forgotten, or taken over, by another server
            elif mine.get(job.id):
                job.stop()
        oldest = time.time() - self._ttl
        await self._ask_store(lambda store: store.expire(oldest, self._keep))
        if self.takes_over and (places := self._most - len(self._live)) > 0:
            for record in await self._ask_store(lambda store: store.claim(places)):
                await self._take_over(record)

    async def drain(self, timeout: float) -> None:
        """Let the jobs under work end, then leave those that have not to the next server.

        Requests still come and are worked on: readiness goes before the server does.
        """
        self.takes_over = False
        clock = asyncio.get_running_loop().time
        until = clock() + timeout
        while (tasks := self._tasks()) and (left := until - clock()) > 0:
            await asyncio.wait(tasks, timeout=left)
        with suppress(Problem):
            await self._ask_store(lambda store: store.give_up())
        for job in list(self._live.values()):
            if job.ended is None and job.task is not None:  # without one it is being kept, and will be under work
                told = busy("the server stops; the next one begins this request anew", 5, kind="stopping")
                self._cancel(job, told if self._store.lasts else None)

    async def close(self, timeout: float) -> None:
        """Drain what has come since `drain`, too, and close the store; nothing may be asked any more."""
        await self.drain(timeout)
        self._thread.submit(self._store.close)
        self._thread.shutdown(wait=False)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [job.task for job in self._live.values() if job.task is not None and not job.task.done()]

    async def _take_over(self, record: Record) -> None:
        """Begin anew what a server that died has left."""
        from jaxshop.serving.store import MOST_ATTEMPTS

        job = Job.of(replace(record, progress=b"[]", status="queued"))
        self._live[job.id] = job
        event("request begun anew", id=job.id, attempt=job.attempts)
        if job.attempts > MOST_ATTEMPTS:
            await self._end(job, "failed", problem=Problem(500, "lost", LOST.format(MOST_ATTEMPTS)))
        else:
            self._start(job)

    def _start(self, job: Job) -> None:
        job.task = asyncio.create_task(self._run(job))
        self._gauge(len(self._live))

    async def _run(self, job: Job) -> None:
        try:
            result = await self._work(job)
        except Problem as problem:
            await self._end(job, "failed", problem=problem)
        except Exception:
            log.exception("unhandled exception in an asynchronous request")
            detail = f"something went wrong here; the log has it under {request_id.get()}"
            await self._end(job, "failed", problem=Problem(500, "internal", detail))
        else:
            await self._end(job, "done", result=result)

    async def _end(self, job: Job, status: str, **values: Any) -> None:
        """Tell of an end only when it is kept, lest somebody saw a result that a killed server has not."""
        if job.ended is not None:
            return
        job.ending = True
        problem = values.get("problem")
        if problem is not None and problem.status in TRANSIENT:
            job.ask = replace(job.ask, idempotency_key=None)
        ended = Job.of(job.record())
        vars(ended).update(values, status=status, ended=time.time())
        await self._save(ended)
        job.update(status, **values, ended=ended.ended)
        self._ended(job)

    async def _save(self, job: Job) -> None:
        """Store how a job ended; where the store is away it stays here, and is stored at a later beat."""
        try:
            if not await self._ask_store(lambda store: store.finish(job.record())):
                event("an end that is not kept", id=job.id)  # forgotten, or taken over, meanwhile
        except Problem:
            self._live[job.id] = job
        else:
            self._forget(job)

    def _cancel(self, job: Job, problem: Problem | None = None) -> None:
        job.cancelled.set()
        if problem is None:
            job.update("cancelled", ended=time.time())  # here, as a task that has not begun never runs its code
        else:
            job.update("queued", ended=time.time(), problem=problem)
        if job.task is not None:
            job.task.cancel()
        self._forget(job)

    def _forget(self, job: Job) -> None:
        self._live.pop(job.id, None)
        self._gauge(len(self._live))

    async def _ask_store(self, question: Callable[[Store], T]) -> T:
        """Ask the store, in its thread; a 503 where it is away or takes too long."""
        from jaxshop.serving.store import StoreError

        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await loop.run_in_executor(self._thread, question, self._store)
        except TimeoutError:
            raise busy("the store of asynchronous requests does not answer", 5, kind="store-away") from None
        except StoreError as error:
            log.warning("the store of asynchronous requests: %s", error)
            raise busy("the store of asynchronous requests is away", 5, kind="store-away") from None
