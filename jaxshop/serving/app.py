"""Puts the application together: middleware, routes, problems, OpenAPI, start and stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.responses import Response

from jaxshop.serving import openapi
from jaxshop.serving.auth import Authentication, KeyRing
from jaxshop.serving.middleware import BodyLimit, Record
from jaxshop.serving.problems import Problem
from jaxshop.serving.routes import models, operation, page, schedules
from jaxshop.serving.service import Service
from jaxshop.serving.settings import Settings, parse_keys

if TYPE_CHECKING:
    from jaxshop.serving.metrics import Metrics
    from jaxshop.serving.scheduler import Engine
    from jaxshop.serving.service import EngineFactory


def jax_engine(settings: Settings, metrics: Metrics) -> Engine:
    """Make the engine that runs the policy; imports JAX."""
    from jaxshop.serving.engine import JaxEngine

    return JaxEngine(settings.checkpoint, lambda: metrics.compilations.labels(metrics.phase).inc())


def create_app(
    settings: Settings, make_engine: EngineFactory = jax_engine, on_failure: Callable[[], None] = lambda: None
) -> FastAPI:
    """Return the application.

    Args:
        settings: of `load_settings`.
        make_engine: makes the engine, in the warm-up thread.
        on_failure: called from that thread if the server can never become ready.
    """
    service = Service(settings, make_engine, on_failure)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # A moment later, since imports in the warm-up thread would hold up the first thing to do: to listen.
        asyncio.get_running_loop().call_later(0.05, service.start)
        yield
        await service.stop()

    # No interactive documentation: its scripts would come from another host.
    app = FastAPI(title="jaxshop", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    for routes in (operation.open_routes, operation.routes, models.routes, schedules.routes):
        app.include_router(routes)
    page.mount(app)
    openapi.install(app)
    app.add_exception_handler(Problem, _problem)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _validation)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]

    # The last one added is the first to see a request.
    keys = KeyRing(
        parse_keys(settings.api_keys, "JAXSHOP_API_KEYS"),
        parse_keys(settings.admin_keys, "JAXSHOP_ADMIN_KEYS"),
    )
    app.add_middleware(BodyLimit, most=int(settings.max_body_mb * 2**20))
    app.add_middleware(Authentication, keys=keys, required=not settings.no_auth)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["X-API-Key", "Authorization", "Content-Type", "Prefer", "X-Request-ID"],
            expose_headers=["Location", "Retry-After", "Server-Timing", "X-Request-ID"],
        )
    app.add_middleware(Record, metrics=service.metrics)
    return app


async def _problem(request: Request, problem: Problem) -> Response:
    return problem.response()


async def _validation(request: Request, error: RequestValidationError) -> Response:
    errors = [{"path": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
    first = errors[0]
    return Problem(422, "invalid-input", f"{first['path']}: {first['message']}", errors=errors).response()


async def _http(request: Request, error: HTTPException) -> Response:
    kind = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http")
    return Problem(error.status_code, kind, error.detail, headers=error.headers).response()
