"""Routes for whoever runs the server."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response

from jaxshop.search.background import lasting
from jaxshop.serving.schemas import Status, Version
from jaxshop.serving.service import Service, service_of

open_routes = APIRouter(tags=["operation"])
routes = APIRouter(tags=["operation"])


@open_routes.get("/livez", response_model=Status, response_model_exclude_none=True)
async def livez(service: Annotated[Service, Depends(service_of)]) -> dict[str, object]:
    """Say that the process answers (a supervisor restarts one that does not), and whether it asks for keys."""
    return {"status": "alive", "needs_key": not service.settings.no_auth}


@open_routes.get("/readyz", response_model=Status, responses={503: {"model": Status, "description": "Not ready"}})
async def readyz(service: Annotated[Service, Depends(service_of)]) -> JSONResponse:
    """Say whether to send requests: 200 `ready`, or 503 `starting`, `draining`, `stalled`, `failed`."""
    told: dict[str, object] = {"status": service.status}
    if service.warming is not None:
        told["warming"] = service.warming
    if compiled := lasting():
        told["beside"] = compiled
    return JSONResponse(told, 200 if service.status == "ready" else 503)


@routes.get("/version", response_model=Version)
async def show_version() -> dict[str, str]:
    """Tell versions."""
    return {"jaxshop": version("jaxshop"), "jax": version("jax"), "python": platform.python_version()}


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(service: Annotated[Service, Depends(service_of)]) -> Response:
    """Return Prometheus metrics."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
