"""One asynchronous request: what is asked, how far it is, and what the store keeps of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jaxshop.serving.problems import Problem

if TYPE_CHECKING:  # they import SQLAlchemy and Pydantic
    from pydantic import BaseModel

    from jaxshop.serving.store import Record
    from jaxshop.serving.types import Progress

UNKNOWN: dict[str, Any] = {
    **dict.fromkeys(("makespan_hours", "objective_hours", "lower_bound_hours", "gap_percent")),
    **dict.fromkeys(("source", "seconds", "limit_s")),
    "proven_optimal": False,
}
"""Of a request without any schedule so far, by field of its progress."""

KINDS = ("schedule", "reschedule")
"""What may be asked."""


@dataclass(frozen=True)
class Ask:
    """What is asked: enough to begin anew after the server was killed."""

    query: bytes
    """JSON of the options; with them its `kind`, where it is not the first."""
    body: bytes
    samples: int | None = None
    idempotency_key: str | None = None

    @classmethod
    def of(cls, kind: str, options: BaseModel, body: bytes, idempotency_key: str | None) -> Ask:
        """What a request of a kind asks, with the options of its query."""
        given = options.model_dump(mode="json", exclude_unset=True) | ({} if kind == KINDS[0] else {"kind": kind})
        query = json.dumps(given, separators=(",", ":")).encode()
        return cls(query, body, given.get("samples"), idempotency_key)

    @property
    def options(self) -> dict[str, Any]:
        """The query's options that were given."""
        return {name: value for name, value in json.loads(self.query or b"{}").items() if name != "kind"}

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return json.loads(self.query or b"{}").get("kind", KINDS[0])

    @property
    def digest(self) -> str:
        """By which two requests are the same."""
        return hashlib.sha256(self.query + b"\0" + self.body).hexdigest()


class Job:
    """One asynchronous request. Lives in the event loop's thread; only `cancelled` and `stopped` are for others too.

    What the store alone knows, since another server works on it or it has ended, is a job too, made for each question.
    """

    def __init__(self, owner: str, ask: Ask, id: str | None = None, submitted_at: float | None = None):
        self.id = id or uuid.uuid4().hex
        self.owner, self.ask = owner, ask
        self.submitted_at = time.time() if submitted_at is None else submitted_at
        self.status = "queued"
        self.samples = ask.samples
        self.samples_done = 0
        self.result: bytes | None = None
        self.problem: Problem | None = None
        self.cancelled, self.stopped = threading.Event(), threading.Event()
        self.ended: float | None = None
        self.attempts = 1
        self.task: asyncio.Task[None] | None = None
        self.ending = False
        """Whether its end is being stored."""
        self.found: list[dict[str, Any]] = []
        self.best: Progress | None = None
        """The latest report of the work here: it has the schedule."""
        self._changed = asyncio.Event()

    @classmethod
    def of(cls, record: Record) -> Job:
        """The job that a record tells of."""
        ask = Ask(record.query, record.body, idempotency_key=record.idempotency_key)
        ask = replace(ask, samples=ask.options.get("samples"))
        job = cls(record.owner, ask, record.id, record.submitted_at)
        told = json.loads(record.progress)
        job.found = [{name: entry[name] for name in UNKNOWN} for entry in told if entry["seconds"] is not None]
        if told:
            job.samples, job.samples_done = told[-1]["samples"], told[-1]["samples_done"]
        job.status, job.ended, job.attempts, job.result = record.status, record.ended_at, record.attempts, record.result
        job.problem = None if record.problem is None else Problem.read(json.loads(record.problem))
        if record.stopped:
            job.stopped.set()
        return job

    def record(self) -> Record:
        """What the store keeps of it."""
        from jaxshop.serving.store import Record

        return Record(
            *(self.id, self.owner, self.ask.query, self.ask.body, self.ask.digest, self.submitted_at),
            idempotency_key=self.ask.idempotency_key,
            status=self.status,
            stopped=self.stopped.is_set(),
            ended_at=self.ended,
            progress=self.told(),
            problem=None if self.problem is None else json.dumps(self.problem.document()).encode(),
            result=self.result,
        )

    def told(self) -> bytes:
        """Its progress after each better schedule, as the store keeps it."""
        return json.dumps([self.progress(found) for found in self.found] or [self.progress()]).encode()

    def update(self, status: str, **values: Any) -> None:
        """Set fields and wake everyone who watches; once ended, a job does not change."""
        if self.ended is not None:
            return
        vars(self).update(status=status, **values)
        self._wake()

    def improve(self, found: dict[str, Any]) -> None:
        """Note a better schedule: the fields of `UNKNOWN`."""
        if self.ended is None and (not self.found or found != self.found[-1]):
            self.found.append(found)
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
        head = {"id": self.id, "kind": self.ask.kind, "status": self.status, "stopped": self.stopped.is_set()}
        head |= {"samples": self.samples, "samples_done": self.samples_done}
        return head | (found or (self.found[-1] if self.found else UNKNOWN))

    def entry(self) -> dict[str, Any]:
        """Its progress and dates, as lists show it."""
        return self.progress() | {"submitted_at": _date(self.submitted_at), "ended_at": _date(self.ended)}

    def document(self) -> bytes:
        """Return the status resource; a result stands in it with the bytes of a synchronous reply."""
        error = None if self.problem is None else self.problem.document()
        text = json.dumps(self.entry() | {"error": error}, separators=(",", ":"))
        return text[:-1].encode() + b',"result":' + (self.result or b"null") + b"}"

    async def watch(self, told: int = 0) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield (event, data): `progress` for each better schedule and at each change, then one `done`, `error` or
        `cancelled`; of the first `told` schedules only the last, where there is none after them."""
        told, last = max(0, min(told, len(self.found) - 1)), None
        while True:
            changed = self._changed
            while told < len(self.found):
                last = self.progress(self.found[told])
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


def _date(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
