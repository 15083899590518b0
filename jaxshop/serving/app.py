"""Puts the application together: middleware, routes, problems, OpenAPI, start and stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from starlette.exceptions import HTTPException
from starlette.responses import Response

from jaxshop.serving import openapi
from jaxshop.serving.auth import Authentication, KeyRing
from jaxshop.serving.middleware import BodyLimit, Inflate, Record
from jaxshop.serving.problems import Problem
from jaxshop.serving.routes import docs, exports, imports, models, operation, page, schedules
from jaxshop.serving.service import Service


def create_app(service: Service) -> FastAPI:
    """Return the application in front of a service, which starts and stops with it; blocks to open the store."""
    service.open()
    settings = service.settings

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()

    # FastAPI's own documentation takes its scripts from another host.
    app = FastAPI(title="jaxshop", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    about_plans = (schedules.routes, imports.routes, exports.routes)
    for routes in (operation.open_routes, operation.routes, models.routes, *about_plans):
        app.include_router(routes)
    docs.mount(app)
    page.mount(app)
    openapi.install(app)
    app.add_exception_handler(Problem, _problem)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _validation)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]

    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, most=int(settings.max_body_mb * 2**20))
    app.add_middleware(Inflate)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(Authentication, keys=KeyRing(settings.keys), required=not settings.no_auth)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["X-API-Key", "Authorization", "Content-Type", "Idempotency-Key", "Prefer", "X-Request-ID"],
            expose_headers=["Location", "Preference-Applied", "Retry-After", "Server-Timing", "X-Request-ID"],
        )
    app.add_middleware(Record, metrics=service.metrics)
    return app


async def _problem(request: Request, problem: Problem) -> Response:
    return problem.response()


async def _validation(request: Request, error: RequestValidationError) -> Response:
    errors = [{"path": ".".join(map(str, e["loc"])), "message": _told(request, e)} for e in error.errors()]
    first = errors[0]
    return Problem(422, "invalid-input", f"{first['path']}: {first['message']}", errors=errors).response()


def _told(request: Request, fault: dict[str, Any]) -> str:
    """What is wrong with a value; of an option that there is not, which ones there are."""
    if fault["type"] != "extra_forbidden" or fault["loc"][0] != "query":
        return fault["msg"]
    path = getattr(request.scope.get("route"), "path", "")
    operation = request.app.openapi()["paths"].get(path, {}).get(request.method.lower(), {})
    known = sorted(entry["name"] for entry in operation.get("parameters", ()) if entry["in"] == "query")
    return f"unknown option; the known ones are {', '.join(known)}"


async def _http(request: Request, error: HTTPException) -> Response:
    kind = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http")
    return Problem(error.status_code, kind, error.detail, headers=error.headers).response()
