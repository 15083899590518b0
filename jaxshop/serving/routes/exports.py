"""The route that makes files of a schedule for other programs."""

from __future__ import annotations

import threading
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from jaxshop.serving.export_schemas import ExportOptions
from jaxshop.serving.exporter import XLSX, ZIP
from jaxshop.serving.routes.schedules import Body, ServiceOf, while_connected

_FILE = {"schema": {"type": "string", "format": "binary"}}
_REPLY: dict[str, Any] = {"description": "A file to download", "content": dict.fromkeys((XLSX, ZIP), _FILE)}

routes = APIRouter(prefix="/v1", tags=["schedules"])


@routes.post("/exports", response_class=Response, responses={200: _REPLY})
async def export(
    request: Request, service: ServiceOf, body: Body, options: Annotated[ExportOptions, Query()]
) -> Response:
    """Write a valid schedule as dispatch lists (XLSX, CSV) or as a calendar for each machine (iCalendar)."""
    file = await while_connected(request, service, partial(service.planner.export, body, options), threading.Event())
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.content, headers=headers, media_type=file.kind)
