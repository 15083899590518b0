"""The work of asynchronous requests: what the planner is asked, and what it tells meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jaxshop.schedule import to_json, verify
from jaxshop.serving.job import Job
from jaxshop.serving.jobs import Work
from jaxshop.serving.problems import Problem
from jaxshop.serving.reschedule_schemas import RescheduleOptions
from jaxshop.serving.schemas import Options
from jaxshop.shop import TICKS_PER_HOUR

if TYPE_CHECKING:
    from jaxshop.serving.service import Service
    from jaxshop.serving.types import Progress

BUDGET = 0.8
"""Share of a timeout that the scheduler may use; the rest is for reading, verifying and writing."""
AGAIN_S = 1.0
"""A request that was accepted is not refused because the queue is full at the moment."""


def work_of(service: Service) -> Work:
    """What answers an asynchronous request."""

    async def work(job: Job) -> bytes:
        timeout = service.settings.job_timeout_s
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        return await _answer(service, job)
                    except Problem as problem:
                        if problem.kind != "queue-full":
                            raise
                    await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            raise too_late(timeout) from None
        finally:
            job.cancelled.set()

    return work


async def _answer(service: Service, job: Job) -> bytes:
    loop = asyncio.get_running_loop()

    def report(progress: Progress) -> None:
        def tell() -> None:
            job.update("running", samples_done=progress.samples_done, best=progress)
            job.improve(_found(progress))

        with suppress(RuntimeError):  # the loop has been closed: the server stopped before the search did
            loop.call_soon_threadsafe(tell)

    planner, asked = service.planner, job.ask.options
    options: Options | RescheduleOptions
    if job.ask.kind == "reschedule":
        options = RescheduleOptions.model_validate(asked)
        plan: Callable[..., Any] = partial(planner.reschedule, job.ask.body, options)
        waits = None
    else:
        options = Options.model_validate(asked)
        plan, waits = partial(planner.schedule, job.ask.body, options), patience(options)
    work = partial(
        plan,
        budget_s=BUDGET * service.settings.job_timeout_s,
        cancelled=job.cancelled,
        stopped=job.stopped,
        report=report,
        author=job.owner,
    )
    return (await service.workers.run(work, waits)).body


def _found(progress: Progress) -> dict[str, Any]:
    """What a job's progress says of the best so far."""
    best, bound = progress.best, progress.bound
    return {
        "makespan_hours": best.schedule.makespan / TICKS_PER_HOUR,
        "objective_hours": best.cost / TICKS_PER_HOUR,
        "lower_bound_hours": bound / TICKS_PER_HOUR,
        "gap_percent": 100 * (best.cost - bound) / bound if bound else None,
        "source": best.source,
        "seconds": round(best.seconds, 3),
        "limit_s": progress.seconds,
        "proven_optimal": best.cost <= bound,
    }


def best_of(job: Job) -> dict[str, Any]:
    """The best schedule so far of a request and what is told of it; verified here, since a search's first is not.

    Raises:
        Problem: a 409 where there is none.
    """
    progress = job.best
    if job.result is not None:
        return job.progress() | {"schedule": json.loads(job.result)["schedule"]}
    if progress is None or verify(progress.plan, progress.best.schedule):
        raise Problem(409, "no-schedule", "this request has no schedule so far, or another server works on it")
    return job.progress(_found(progress)) | {"schedule": to_json(progress.best.schedule)}


def patience(options: Options) -> float | None:
    """How long a request may wait for its turn; one that is too short is told so in its turn."""
    return None if options.time_limit_s is None else max(0.5, options.time_limit_s)


def too_late(timeout: float) -> Problem:
    """Where a timeout was over first."""
    return Problem(504, "timeout", f"there was no answer within {timeout:g} s")
