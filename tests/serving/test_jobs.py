"""Asynchronous requests and their store, without the API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine

from jaxshop.serving.auth import Caller
from jaxshop.serving.job import UNKNOWN, Ask, Job
from jaxshop.serving.jobs import Jobs
from jaxshop.serving.problems import Problem, busy
from jaxshop.serving.store import Store, open_store

ANN, BOB, ADMIN = Caller("ann"), Caller("bob"), Caller("boss", "admin")


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's coroutine, for 10 s at most."""
    asyncio.run(asyncio.wait_for(main(), 10))


def jobs_of(work: Any, most: int = 4, ttl: float = 60, store: Store | None = None, **more: Any) -> Jobs:
    """Jobs over a store in memory."""
    return Jobs(store or open_store("memory", 5), work, most, ttl, **{"keep": 100, **more})


def asked(name: str, key: str | None = None) -> Ask:
    """A request that tells `by_name` what to do."""
    return Ask(b"{}", name.encode(), None, key)


async def by_name(job: Job) -> bytes:
    """End at once, after a moment, with an error, or never, as the body says."""
    if job.ask.body == b"soon":
        job.update("running", samples_done=1)
        await asyncio.sleep(0.05)
    if job.ask.body == b"never":
        await asyncio.sleep(3600)
    if job.ask.body == b"fail":
        raise ValueError("an inner text")
    if job.ask.body == b"busy":
        raise busy("not now", 1)
    return b'{"answer":1}'


async def by_name_or_never(job: Job) -> bytes:
    """What does not end at once never ends, however long a loaded machine takes for the rest of a test."""
    if job.ask.body != b"now":
        await asyncio.sleep(3600)
    return await by_name(job)


async def names(jobs: Jobs, job: Job) -> list[str]:
    """The names of a job's events."""
    return [name async for name, _ in jobs.watch(job)]


def test_a_job_is_seen_by_its_owner_and_administrators_only() -> None:
    """Anyone else gets the same 404 as for a job that never was; lists hold the caller's, the latest first."""

    async def main() -> None:
        jobs = jobs_of(by_name)
        mine = [await jobs.submit(ANN, asked(name)) for name in ("never", "now", "never")]
        await names(jobs, mine[1])
        for job in mine:
            assert (await jobs.get(job.id, ANN)).id == (await jobs.get(job.id, ADMIN)).id == job.id
        for name, caller in ((mine[0].id, BOB), (mine[1].id, BOB), ("nothing", ANN)):
            with pytest.raises(Problem) as caught:
                await jobs.get(name, caller)
            assert caught.value.status == 404
        told = [(entry["id"], entry["status"]) for entry in await jobs.listed(ANN, 2, None)]
        assert told == [(mine[2].id, "queued"), (mine[1].id, "done")]
        assert [entry["id"] for entry in await jobs.listed(ANN, 2, mine[1].id)] == [mine[0].id]
        assert await jobs.listed(BOB, 9, None) == []
        await jobs.close(0)

    run(main)


def test_what_is_under_work_is_bounded_and_what_has_ended_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 503 beyond the places; an end frees one; the oldest ended go where there are too many, all when it is time."""
    now = [1000.0]
    monkeypatch.setattr("jaxshop.serving.jobs.time", SimpleNamespace(time=lambda: now[0]))

    async def main() -> None:
        counts: list[int] = []
        jobs = jobs_of(by_name, most=2, ttl=30, keep=1, gauge=counts.append)
        running, first = await jobs.submit(ANN, asked("never")), await jobs.submit(ANN, asked("soon"))
        with pytest.raises(Problem) as caught:
            await jobs.submit(ANN, asked("now"))
        assert (caught.value.status, "Retry-After" in caught.value.headers) == (503, True)
        await names(jobs, first)
        now[0] += 1
        second = await jobs.submit(ANN, asked("now"))
        await names(jobs, second)
        now[0] += 29
        await jobs.beat_once()
        with pytest.raises(Problem):
            await jobs.get(first.id, ANN)
        assert (await jobs.get(second.id, ANN)).result == b'{"answer":1}'
        now[0] += 1
        await jobs.beat_once()
        with pytest.raises(Problem):
            await jobs.get(second.id, ANN)
        assert await jobs.get(running.id, ANN) is running
        assert (max(counts), counts[-1]) == (2, 1)
        await jobs.close(0)

    run(main)


def test_everyone_who_watches_sees_the_end() -> None:
    """Two watchers get progress and the end, and so does who comes when it is over; a removed job ends for all."""

    async def main() -> None:
        jobs = jobs_of(by_name)
        job = await jobs.submit(ANN, asked("soon"))
        first, second = await asyncio.gather(names(jobs, job), names(jobs, job))
        assert first == second == ["progress", "done"]
        assert await names(jobs, await jobs.get(job.id, ANN)) == ["done"]

        job = await jobs.submit(ANN, asked("never"))
        watcher = asyncio.create_task(names(jobs, job))
        await jobs.remove(job)
        assert (await watcher)[-1] == "cancelled"
        assert job.cancelled.is_set()

        job = await jobs.submit(ANN, asked("fail"))
        assert (await names(jobs, job))[-1] == "error"
        assert b"inner text" not in job.document()
        assert (await jobs.get(job.id, ANN)).problem.status == 500

    run(main)


def test_an_idempotency_key_stands_for_one_request() -> None:
    """The same request is not begun again; another is a 422; other callers have their own; a 503 keeps no key."""

    async def main() -> None:
        jobs = jobs_of(by_name)
        job = await jobs.submit(ANN, asked("soon", "k"))
        assert await jobs.submit(ANN, asked("soon", "k")) is job
        await names(jobs, job)
        again = await jobs.submit(ANN, asked("soon", "k"))
        assert (again.id, again.result) == (job.id, b'{"answer":1}')
        with pytest.raises(Problem) as caught:
            await jobs.submit(ANN, asked("now", "k"))
        assert (caught.value.status, caught.value.kind) == (422, "idempotency-key-reused")
        assert (await jobs.submit(BOB, asked("now", "k"))).id != job.id
        refused = await jobs.submit(ANN, asked("busy", "again"))
        await names(jobs, refused)
        assert (await jobs.submit(ANN, asked("busy", "again"))).id != refused.id
        await jobs.close(1)

    run(main)


def test_what_a_killed_server_had_under_work_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its results are there at once, the rest when its lease is over; at the fifth death a request is given up."""
    monkeypatch.setenv("JAXSHOP_STATE_DIR", str(tmp_path))
    now = [1000.0]
    monkeypatch.setattr("jaxshop.serving.store.time", SimpleNamespace(time=lambda: now[0]))

    async def main() -> None:
        def another(work: Any = by_name) -> Jobs:
            jobs = jobs_of(work, ttl=time.time(), store=open_store("sqlite", 12))
            jobs.takes_over = True
            return jobs

        killed, heir = another(by_name_or_never), another()
        done, under_work = await killed.submit(ANN, asked("now")), await killed.submit(ANN, asked("soon"))
        poison = await killed.submit(ANN, asked("never"))
        await names(killed, done)
        for job in (under_work, poison):  # as kill -9 does: nothing is told to anybody
            job.task.cancel()
        assert (await heir.get(done.id, ANN)).result == b'{"answer":1}'
        assert (await heir.get(under_work.id, ANN)).status == "queued"
        await heir.beat_once()
        assert not heir._live
        now[0] += 13
        await heir.beat_once()
        assert set(heir._live) == {under_work.id, poison.id}
        assert (await names(heir, heir._live[under_work.id]))[-1] == "done"
        await killed.beat_once()  # it was not dead: what was taken from it is not its own any more
        assert not killed._live
        for attempt in range(4):
            heir._live[poison.id].task.cancel()
            heir = another()
            now[0] += 13
            await heir.beat_once()
            assert (poison.id in heir._live) == (attempt < 3)
        lost = await heir.get(poison.id, ANN)
        assert (lost.status, lost.problem.kind) == ("failed", "lost")

    run(main)


def test_who_follows_a_request_that_is_taken_over_changes_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the killed server's progress on he sees the heir's; others see all of that, and all of it is kept."""
    monkeypatch.setenv("JAXSHOP_STATE_DIR", str(tmp_path))
    now = [1000.0]
    monkeypatch.setattr("jaxshop.serving.store.time", SimpleNamespace(time=lambda: now[0]))

    async def main() -> None:
        go_on = asyncio.Event()

        async def improving(job: Job) -> bytes:
            for cost in (6, 5, 4):
                job.improve(UNKNOWN | {"objective_hours": cost, "seconds": 1})
            await go_on.wait()
            for cost in (3, 2):
                job.improve(UNKNOWN | {"objective_hours": cost, "seconds": 1})
                await asyncio.sleep(0)
            return b"{}"

        async def follow(job: Job, seen: list[Any]) -> None:
            async for name, data in heir.watch(job):
                seen.append(data["objective_hours"] if name == "progress" else name)

        killed, heir = (jobs_of(improving, store=open_store("sqlite", 12)) for _ in range(2))
        job = await killed.submit(ANN, asked("x"))
        await asyncio.sleep(0)
        await killed.beat_once()
        before, during = list[Any](), list[Any]()
        watchers = [asyncio.create_task(follow(await heir.get(job.id, ANN), before))]
        while len(before) < 3:
            await asyncio.sleep(0.01)
        job.task.cancel()
        now[0] += 13
        heir.takes_over = True
        await heir.beat_once()
        watchers.append(asyncio.create_task(follow(await heir.get(job.id, ANN), during)))
        while len(before) < 4:  # the first one sees at its next look whose request it is now
            await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.gather(*watchers)
        assert (before, during) == ([6, 5, 4, 4, 3, 2, "done"], [6, 5, 4, 3, 2, "done"])
        kept = await heir.get(job.id, ANN)
        assert [found["objective_hours"] for found in kept.found] == [6, 5, 4, 3, 2]
        for jobs in (killed, heir):
            await jobs.close(0)

    run(main)


def test_a_store_that_goes_away_loses_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks gets a 503; what ends meanwhile is kept here, and stored when the store is back."""

    async def main() -> None:
        store = open_store("memory", 5)
        jobs = jobs_of(by_name, store=store)
        job = await jobs.submit(ANN, asked("soon"))
        with monkeypatch.context() as patch:
            patch.setattr(store, "_engine", create_engine("sqlite:////nowhere/x"))
            assert (await names(jobs, job))[-1] == "done"
            assert (await jobs.get(job.id, ANN)).result == b'{"answer":1}'
            for question in (jobs.get("x", ANN), jobs.submit(ANN, asked("now")), jobs.listed(ANN, 1, None)):
                with pytest.raises(Problem) as caught:
                    await question
                assert (caught.value.status, caught.value.kind) == (503, "store-away")
        await jobs.beat_once()
        assert (not jobs._live, (await jobs.get(job.id, ANN)).result) == (True, b'{"answer":1}')

    run(main)


def test_a_drain_waits_then_leaves_the_rest_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends in time has its result; what does not is begun anew by the next server, at once, though this one goes
    on for a while, works at what comes then, and leaves that, too, at its end."""
    monkeypatch.setenv("JAXSHOP_STATE_DIR", str(tmp_path))

    async def main() -> None:
        jobs = jobs_of(by_name, store=open_store("sqlite", 60))
        quick, slow = await jobs.submit(ANN, asked("soon")), await jobs.submit(ANN, asked("never"))
        watcher = asyncio.create_task(names(jobs, slow))
        await jobs.drain(0.3)
        assert (quick.status, slow.status, (await watcher)[-1]) == ("done", "queued", "error")
        quick, late = await jobs.submit(ANN, asked("soon")), await jobs.submit(ANN, asked("never"))
        await jobs.beat_once()
        heir = jobs_of(by_name, store=open_store("sqlite", 60))
        heir.takes_over = True
        await heir.beat_once()
        assert list(heir._live) == [slow.id]
        await jobs.close(0.3)
        assert (quick.status, late.status) == ("done", "queued")
        await heir.beat_once()
        assert list(heir._live) == [slow.id, late.id]
        await heir.close(0)

    run(main)
