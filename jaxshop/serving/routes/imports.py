"""The route that makes shop files of tables."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import Response

from jaxshop.serving.background import too_late
from jaxshop.serving.import_schemas import ImportReply
from jaxshop.serving.routes.schedules import Body, ServiceOf

routes = APIRouter(prefix="/v1", tags=["shops"])


@routes.post("/imports", response_class=Response, responses={200: {"model": ImportReply}})
async def import_files(service: ServiceOf, body: Body) -> Response:
    """Make a shop file of CSV and XLSX tables: orders, routes, machines, and what else `jaxshop import` reads."""
    from jaxshop.serving.importer import imported

    timeout = service.settings.request_timeout_s
    try:
        async with asyncio.timeout(timeout):
            reply = await service.workers.run(lambda waited_s: imported(body))
    except TimeoutError:
        raise too_late(timeout) from None
    return Response(reply, media_type="application/json")
