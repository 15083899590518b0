"""Routes that schedule and verify. Nothing computes here: bodies go to a worker thread even to be decoded."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.requests import ClientDisconnect

from jaxshop.serving.auth import Caller
from jaxshop.serving.background import BUDGET, best_of, patience, too_late
from jaxshop.serving.job import Ask, Job
from jaxshop.serving.job_schemas import JobBest, JobList, JobProgress, JobState, Page
from jaxshop.serving.problems import Problem
from jaxshop.serving.replies import Reply
from jaxshop.serving.reschedule_schemas import RescheduleOptions, RescheduleReply
from jaxshop.serving.schemas import (
    Options,
    Plans,
    ReleasedPlan,
    ScheduleReply,
    StoredPlan,
    VerifyOptions,
    VerifyReply,
)
from jaxshop.serving.service import Service, needs, service_of
from jaxshop.serving.workers import Search

QUEUED = 0.5
"""Share of its timeout that a request may wait for its turn."""
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")

SCHEDULE_ID = re.compile(r"[0-9a-f]{64}")

routes = APIRouter(prefix="/v1", tags=["schedules"])
ServiceOf = Annotated[Service, Depends(service_of)]
T = TypeVar("T")


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


@dataclass(frozen=True)
class Wishes:
    """How a request is to be answered: at once or in the background, and under which idempotency key."""

    later: bool
    key: str | None


def wishes_of(
    prefer: Annotated[str, Header(description="respond-async: answer 202 at once")] = "",
    idempotency_key: Annotated[str | None, Header(description="the same key again: the same answer")] = None,
) -> Wishes:
    """Read the headers (a FastAPI dependency)."""
    if idempotency_key is not None and not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise Problem(422, "invalid-input", "Idempotency-Key: must be 1 to 255 printable ASCII characters, no blanks")
    wishes = [wish.partition(";")[0].strip().lower() for wish in prefer.split(",")]
    return Wishes("respond-async" in wishes, idempotency_key)


WishesOf = Annotated[Wishes, Depends(wishes_of)]
ACCEPTED = {"model": JobState, "description": "Accepted; the Location header names the status resource"}


@routes.post(
    "/schedules",
    response_class=Response,
    responses={
        200: {
            "model": ScheduleReply,
            "description": "A verified schedule; times are in the Server-Timing header",
        },
        202: ACCEPTED,
    },
)
async def schedule(
    request: Request, service: ServiceOf, body: Body, options: Annotated[Options, Query()], wishes: WishesOf
) -> Response:
    """Schedule the shop in the body; with `Prefer: respond-async`, in the background."""
    ask = Ask.of("schedule", options, body, wishes.key)
    return await _planned(request, service, ask, options, wishes, service.planner.schedule, patience(options))


async def _planned(
    request: Request,
    service: Service,
    ask: Ask,
    options: Options | RescheduleOptions,
    wishes: Wishes,
    plan: Callable[..., Reply | Search[Reply]],
    patience_s: float | None = None,
) -> Response:
    """Answer while the client waits, or have the request kept, and answered whatever the client does."""
    if options.webhook is not None:
        _check_webhook(service, options.webhook, wishes.later)
    if wishes.later or wishes.key is not None or options.write_back:
        job = await service.jobs.submit(request.scope["caller"], ask)
        if not wishes.later:
            return await _ended(service, job, options.write_back)
        headers = {"Location": f"/v1/schedules/{job.id}", "Preference-Applied": "respond-async"}
        return Response(job.document(), 202, headers, "application/json")
    cancelled, budget = threading.Event(), BUDGET * service.settings.request_timeout_s
    work = partial(plan, ask.body, options, budget_s=budget, cancelled=cancelled)
    # Who has not had a turn by then would hardly have an answer in time: better told when to come back.
    longest = QUEUED * service.settings.request_timeout_s
    reply = await while_connected(request, service, work, cancelled, min(patience_s or longest, longest))
    return Response(reply.body, headers={"Server-Timing": reply.server_timing}, media_type="application/json")


def _check_webhook(service: Service, url: str, later: bool) -> None:
    """Refuse one that would never be told of anything."""
    from jaxshop.serving.webhook import WebhookError, check_url

    message = None
    if service.webhooks is None:
        message = "this server tells nobody: it has no JAXSHOP_WEBHOOK_KEY"
    elif not later:
        message = "is for asynchronous requests, with the header Prefer: respond-async"
    try:
        check_url(url)
    except WebhookError as error:
        message = message or str(error)
    if message:
        errors = [{"path": "query.webhook", "message": message}]
        raise Problem(422, "invalid-input", f"query.webhook: {message}", errors=errors)


@routes.post("/schedules:verify", response_class=Response, responses={200: {"model": VerifyReply}})
async def verify(
    request: Request, service: ServiceOf, body: Body, options: Annotated[VerifyOptions, Query()]
) -> Response:
    """Check a schedule, whoever made it, against its shop."""
    work = partial(service.planner.verify, body, options.bound)
    reply = await while_connected(request, service, work, threading.Event())
    return Response(reply.body, headers={"Server-Timing": reply.server_timing}, media_type="application/json")


@routes.post(
    "/reschedules",
    response_class=Response,
    responses={
        200: {"model": RescheduleReply, "description": "A verified schedule of the whole shop as it is now"},
        202: ACCEPTED,
    },
)
async def reschedule(
    request: Request, service: ServiceOf, body: Body, options: Annotated[RescheduleOptions, Query()], wishes: WishesOf
) -> Response:
    """Plan anew what is left of a schedule under way; with `Prefer: respond-async`, in the background."""
    ask = Ask.of("reschedule", options, body, wishes.key)
    return await _planned(request, service, ask, options, wishes, service.planner.reschedule)


@routes.get("/schedules", response_model=JobList)
async def job_list(request: Request, service: ServiceOf, page: Annotated[Page, Query()]) -> dict[str, Any]:
    """List the caller's asynchronous requests, the latest first."""
    found = await service.jobs.listed(request.scope["caller"], page.limit, page.before)
    return {"schedules": found, "next": found[-1]["id"] if len(found) == page.limit else None}


async def job_of(request: Request, service: ServiceOf, id: str) -> Job:
    """Return the caller's asynchronous request of that id (a FastAPI dependency)."""
    return await service.jobs.get(id, request.scope["caller"])


JobOf = Annotated[Job, Depends(job_of)]


@routes.get("/schedules/{id}", response_class=Response, responses={200: {"model": JobState}})
async def job_state(job: JobOf) -> Response:
    """Tell how an asynchronous request is doing, and its result once it has one."""
    return Response(job.document(), media_type="application/json")


@routes.get("/schedules/{id}/events", response_class=EventSourceResponse)
async def job_events(job: JobOf, service: ServiceOf) -> AsyncIterator[ServerSentEvent]:
    """Stream server-sent events: `progress` until one of `done`, `error`, `cancelled` ends the stream."""
    async for name, data in service.jobs.watch(job):
        yield ServerSentEvent(event=name, data=data)


@routes.get("/schedules/{id}/best", response_class=JSONResponse, responses={200: {"model": JobBest}})
async def job_best(job: JobOf) -> Response:
    """Return the best schedule so far of an asynchronous request, verified."""
    return JSONResponse(await asyncio.to_thread(best_of, job))


@routes.delete("/schedules/{id}", status_code=204)
async def cancel_job(job: JobOf, service: ServiceOf) -> None:
    """Cancel an asynchronous request, or forget its result."""
    await service.jobs.remove(job)


@routes.post(
    "/schedules/{id}:stop",
    status_code=202,
    response_class=Response,
    responses={202: {"model": JobProgress, "description": "Asked to; the result is at the status resource at once"}},
)
async def stop_job(job: JobOf, service: ServiceOf) -> Response:
    """End an asynchronous request's search here; its best schedule so far becomes its result."""
    await service.jobs.stop(job)
    return Response(json.dumps(job.progress()), 202, media_type="application/json")


@routes.post("/schedules/{id}:write-back", response_model=StoredPlan)
async def write_back(request: Request, job: JobOf, service: ServiceOf) -> dict[str, Any]:
    """Store the plan of an asynchronous request in the database, where that was away or nobody had asked for it."""
    from jaxshop.serving import database

    if job.result is None:
        raise Problem(409, "no-result", "this request has no schedule to store")
    query, author = job.ask.options, request.scope["caller"].name
    result = await asyncio.to_thread(database.store_again, job.result, query, author)
    await service.jobs.amend(job, result)
    return json.loads(result)["stored"]


@routes.post("/schedules/{id}:release", response_model=ReleasedPlan, dependencies=[Depends(needs("release"))])
async def release(
    request: Request,
    service: ServiceOf,
    id: Annotated[str, Path(description="of the plan in the database, or of the request that stored it")],
    replaces: Annotated[str | None, Query(description="the plan that is released now, if another than before")] = None,
) -> dict[str, Any]:
    """Make a stored plan the one that the floor works by; whoever comes second gets a 409."""
    from jaxshop.serving import database

    caller = request.scope["caller"]
    stored: str | None = id
    if not SCHEDULE_ID.fullmatch(id):
        result = json.loads((await service.jobs.get(id, caller)).result or b"{}")
        stored = (result.get("stored") or {}).get("schedule_id")
    if stored is None:
        raise Problem(409, "not-stored", "this request's plan is not in the database: POST :write-back stores it")
    return await asyncio.to_thread(database.release, stored, caller.name, replaces)


@routes.get("/plans", response_model=Plans)
async def plans(
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    status: Annotated[Literal["draft", "released", "superseded"] | None, Query(description="only those")] = None,
) -> dict[str, Any]:
    """List the plans in the database, the latest first."""
    from jaxshop.serving import database

    return await asyncio.to_thread(database.plans, limit, status)


async def _ended(service: Service, job: Job, stored: bool) -> Response:
    """The answer of a request that goes on where its client goes away; a 503 where it was to be stored, and is not."""
    timeout = service.settings.request_timeout_s
    try:
        async with asyncio.timeout(timeout):
            async for _ in service.jobs.watch(job):
                pass
    except TimeoutError:
        raise too_late(timeout) from None
    if job.ended is None or (job.result is None and job.problem is None):  # another server worked on it
        job = await service.jobs.get(job.id, Caller(job.owner))
    if job.problem is not None:
        raise job.problem
    headers = {"Location": f"/v1/schedules/{job.id}"}
    if stored and (error := json.loads(job.result or b"")["stored"]["error"]):
        detail = f"{error}; GET {headers['Location']} has it, POST {headers['Location']}:write-back stores it"
        raise Problem(503, "not-stored", detail, headers=headers)
    return Response(job.result, headers=headers, media_type="application/json")


async def while_connected(
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
        raise ClientDisconnect if gone.done() else too_late(timeout)
    finally:
        cancelled.set()
        task.cancel()
        gone.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
