"""Asynchronous requests: in memory, bounded, with a time to live."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from jaxshop.serving.auth import Caller
from jaxshop.serving.logs import log, request_id
from jaxshop.serving.problems import Problem, busy

UNKNOWN: dict[str, Any] = {
    **dict.fromkeys(("makespan_hours", "objective_hours", "lower_bound_hours", "gap_percent")),
    **dict.fromkeys(("source", "seconds", "limit_s")),
    "proven_optimal": False,
}
"""Of a request without any schedule so far, by field of its progress."""


class Job:
    """One asynchronous request. Lives in the event loop's thread; only `cancelled` and `stopped` are for others too."""

    def __init__(self, owner: Caller, samples: int | None):
        self.id = uuid.uuid4().hex
        self.owner = owner
        self.submitted_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.status = "queued"
        self.samples = samples
        self.samples_done = 0
        self.result: bytes | None = None
        self.problem: Problem | None = None
        self.cancelled, self.stopped = threading.Event(), threading.Event()
        self.ended: float | None = None
        self.task: asyncio.Task[None] | None = None
        self._found: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    def update(self, status: str, **values: Any) -> None:
        """Set fields and wake everyone who watches; once ended, a job does not change."""
        if self.ended is not None:
            return
        vars(self).update(status=status, **values)
        self._wake()

    def improve(self, found: dict[str, Any]) -> None:
        """Note a better schedule: the fields of `UNKNOWN`."""
        if self.ended is None and (not self._found or found != self._found[-1]):
            self._found.append(found)
            self._wake()

    def stop(self) -> None:
        """Ask the search to end with what it has."""
        if self.ended is None:
            self.stopped.set()
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def progress(self, found: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return how far it is, the data of its events; `found`: when that was the best so far."""
        head = {"id": self.id, "status": self.status, "stopped": self.stopped.is_set()}
        head |= {"samples": self.samples, "samples_done": self.samples_done}
        return head | (found or (self._found[-1] if self._found else UNKNOWN))

    def document(self) -> bytes:
        """Return the status resource; a result stands in it with the bytes of a synchronous reply."""
        head = self.progress() | {"submitted_at": self.submitted_at}
        error = None if self.problem is None else self.problem.document()
        text = json.dumps(head | {"error": error}, separators=(",", ":"))
        return text[:-1].encode() + b',"result":' + (self.result or b"null") + b"}"

    async def watch(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield (event, data): `progress` for each better schedule and at each change, then one `done`, `error` or
        `cancelled`."""
        told, last = 0, None
        while True:
            changed = self._changed
            while told < len(self._found):
                last = self.progress(self._found[told])
                told += 1
                yield "progress", last
            if self.ended is not None:
                break
            if changed is self._changed and (now := self.progress()) != last:
                last = now
                yield "progress", now
            await changed.wait()
        if self.problem is not None:
            yield "error", self.problem.document()
        else:
            yield self.status, self.progress()


class JobStore:
    """The jobs that are kept, at most `most`: finished ones for `ttl` seconds, or until a place is needed."""

    def __init__(self, most: int, ttl: float, gauge: Callable[[int], None] = lambda count: None):
        self._jobs: dict[str, Job] = {}
        self._most, self._ttl, self._gauge = most, ttl, gauge

    def submit(self, owner: Caller, samples: int | None, work: Callable[[Job], Awaitable[bytes]]) -> Job:
        """Start `work` as a job; raises a 503 if every place is taken by one that has not ended."""
        self._expire()
        if len(self._jobs) >= self._most:
            oldest = next((job for job in self._jobs.values() if job.ended is not None), None)
            if oldest is None:
                raise busy("too many asynchronous requests are under work", 5, kind="queue-full")
            del self._jobs[oldest.id]
        job = Job(owner, samples)
        self._jobs[job.id] = job
        self._gauge(len(self._jobs))
        job.task = asyncio.create_task(self._run(job, work))
        return job

    def get(self, name: str, caller: Caller) -> Job:
        """Return the job; whoever may not see it gets the same 404 as if there were none."""
        self._expire()
        job = self._jobs.get(name)
        if job is None or not (caller.admin or job.owner.name == caller.name):
            raise Problem(404, "not-found", "there is no such request (any more)")
        return job

    def remove(self, job: Job) -> None:
        """Forget the job; one under work is cancelled."""
        job.cancelled.set()
        job.update("cancelled", ended=time.monotonic())  # here, as a task that has not begun never runs its code
        if job.task is not None:
            job.task.cancel()
        self._jobs.pop(job.id, None)
        self._gauge(len(self._jobs))

    async def drain(self, timeout: float) -> None:
        """Let the jobs under work end, then cancel those that have not."""
        running = [job for job in self._jobs.values() if job.ended is None and job.task is not None]
        tasks = [job.task for job in running if job.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
        for job in running:
            self.remove(job)

    async def _run(self, job: Job, work: Callable[[Job], Awaitable[bytes]]) -> None:
        try:
            job.update("done", result=await work(job), ended=time.monotonic())
        except Problem as problem:
            job.update("failed", problem=problem, ended=time.monotonic())
        except Exception:
            log.exception("unhandled exception in an asynchronous request")
            detail = f"something went wrong here; the log has it under {request_id.get()}"
            job.update("failed", problem=Problem(500, "internal", detail), ended=time.monotonic())

    def _expire(self) -> None:
        oldest = time.monotonic() - self._ttl
        for job in [job for job in self._jobs.values() if job.ended is not None and job.ended < oldest]:
            del self._jobs[job.id]
        self._gauge(len(self._jobs))
