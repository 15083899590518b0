"""Routes that schedule and verify. Nothing computes here: bodies go to a worker thread even to be decoded."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.requests import ClientDisconnect

from jaxshop.serving.jobs import Job
from jaxshop.serving.problems import Problem
from jaxshop.serving.reschedule_schemas import RescheduleReply
from jaxshop.serving.schemas import JobProgress, JobState, Options, ScheduleReply, VerifyReply
from jaxshop.serving.service import Service, service_of
from jaxshop.serving.workers import Search
from jaxshop.shop import TICKS_PER_HOUR

if TYPE_CHECKING:  # loaded by the warm-up thread
    from jaxshop.serving.types import Progress

routes = APIRouter(prefix="/v1", tags=["schedules"])
ServiceOf = Annotated[Service, Depends(service_of)]
T = TypeVar("T")

BUDGET = 0.8
"""Share of a timeout that the scheduler may use; the rest is for reading, verifying and writing."""


async def body_of(request: Request, service: ServiceOf) -> bytes:
    """Read a JSON body, if there is room for another request and a model for it (a FastAPI dependency)."""
    _ = service.planner
    service.workers.refuse_if_full()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "media-type", "send the body as application/json")
    try:
        with service.workers.reading():
            async with asyncio.timeout(service.settings.request_timeout_s):
                return await request.body()
    except TimeoutError:
        raise Problem(408, "slow-body", "the body did not arrive in time") from None


Body = Annotated[bytes, Depends(body_of)]


@routes.post(
    "/schedules",
    response_class=Response,
    responses={
        200: {
            "model": ScheduleReply,
            "description": "A verified schedule; times are in the Server-Timing header",
        },
        202: {"model": JobProgress, "description": "Accepted; the Location header names the status resource"},
    },
)
async def schedule(
    request: Request,
    service: ServiceOf,
    body: Body,
    options: Annotated[Options, Query()],
    prefer: Annotated[str, Header(description="respond-async: answer 202 at once")] = "",
) -> Response:
    """Schedule the shop in the body; with `Prefer: respond-async`, in the background."""
    planner, settings = service.planner, service.settings
    if "respond-async" in (wish.partition(";")[0].strip().lower() for wish in prefer.split(",")):
        job = service.jobs.submit(request.scope["caller"], options.samples, partial(_work, service, body, options))
        headers = {"Location": f"/v1/schedules/{job.id}", "Preference-Applied": "respond-async"}
        return Response(job.document(), 202, headers, "application/json")

    cancelled = threading.Event()
    work = partial(planner.schedule, body, options, budget_s=BUDGET * settings.request_timeout_s, cancelled=cancelled)
    reply = await _while_connected(request, service, work, cancelled, _patience(options))
    return Response(reply.body, headers={"Server-Timing": reply.server_timing}, media_type="application/json")


@routes.post("/schedules:verify", response_class=Response, responses={200: {"model": VerifyReply}})
async def verify(request: Request, service: ServiceOf, body: Body) -> Response:
    """Check a schedule, whoever made it, against its shop."""
    reply = await _while_connected(request, service, partial(service.planner.verify, body), threading.Event())
    return Response(reply.body, headers={"Server-Timing": reply.server_timing}, media_type="application/json")


@routes.post(
    "/reschedules",
    response_class=Response,
    responses={200: {"model": RescheduleReply, "description": "A verified schedule of the whole shop as it is now"}},
)
async def reschedule(request: Request, service: ServiceOf, body: Body) -> Response:
    """Plan anew what is left of a schedule under way."""
    cancelled = threading.Event()
    budget = BUDGET * service.settings.request_timeout_s
    work = partial(service.planner.reschedule, body, budget_s=budget, cancelled=cancelled)
    reply = await _while_connected(request, service, work, cancelled)
    return Response(reply.body, headers={"Server-Timing": reply.server_timing}, media_type="application/json")


async def job_of(request: Request, service: ServiceOf, id: str) -> Job:
    """Return the caller's asynchronous request of that id (a FastAPI dependency)."""
    return service.jobs.get(id, request.scope["caller"])


JobOf = Annotated[Job, Depends(job_of)]


@routes.get("/schedules/{id}", response_class=Response, responses={200: {"model": JobState}})
async def job_state(job: JobOf) -> Response:
    """Tell how an asynchronous request is doing, and its result once it has one."""
    return Response(job.document(), media_type="application/json")


@routes.get("/schedules/{id}/events", response_class=EventSourceResponse)
async def job_events(job: JobOf) -> AsyncIterator[ServerSentEvent]:
    """Stream server-sent events: `progress` until one of `done`, `error`, `cancelled` ends the stream."""
    async for name, data in job.watch():
        yield ServerSentEvent(event=name, data=data)


@routes.delete("/schedules/{id}", status_code=204)
async def cancel_job(job: JobOf, service: ServiceOf) -> None:
    """Cancel an asynchronous request, or forget its result."""
    service.jobs.remove(job)


@routes.post(
    "/schedules/{id}:stop",
    status_code=202,
    response_class=Response,
    responses={202: {"model": JobProgress, "description": "Asked to; the result is at the status resource at once"}},
)
async def stop_job(job: JobOf) -> Response:
    """End an asynchronous request's search here; its best schedule so far becomes its result."""
    job.stop()
    return Response(json.dumps(job.progress()), 202, media_type="application/json")


def _patience(options: Options) -> float | None:
    """How long a request may wait for its turn; one that is too short is told so in its turn."""
    return None if options.time_limit_s is None else max(0.5, options.time_limit_s)


async def _work(service: Service, body: bytes, options: Options, job: Job) -> bytes:
    """Do the work of an asynchronous request."""
    loop = asyncio.get_running_loop()

    def report(progress: Progress) -> None:
        def tell() -> None:
            job.update("running", samples_done=progress.samples_done)
            job.improve(_found(progress))

        with suppress(RuntimeError):  # the loop has been closed: the server stopped before the search did
            loop.call_soon_threadsafe(tell)

    timeout = service.settings.job_timeout_s
    work = partial(
        service.planner.schedule,
        *(body, options),
        budget_s=BUDGET * timeout,
        cancelled=job.cancelled,
        stopped=job.stopped,
        report=report,
    )
    try:
        async with asyncio.timeout(timeout):
            return (await service.workers.run(work, _patience(options))).body
    except TimeoutError:
        raise _too_late(timeout) from None
    finally:
        job.cancelled.set()


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


async def _while_connected(
    request: Request,
    service: Service,
    work: Callable[[float], T | Search[T]],
    cancelled: threading.Event,
    patience_s: float | None = None,
) -> T:
    """Run `work` in a worker thread while the client stays, for as long as a request may take."""
    task = asyncio.create_task(service.workers.run(work, patience_s))
    gone = asyncio.create_task(_disconnect(request))
    timeout = service.settings.request_timeout_s
    try:
        await asyncio.wait({task, gone}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect if gone.done() else _too_late(timeout)
    finally:
        cancelled.set()
        task.cancel()
        gone.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_late(timeout: float) -> Problem:
    return Problem(504, "timeout", f"there was no answer within {timeout:g} s")
