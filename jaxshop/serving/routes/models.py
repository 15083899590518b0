"""Routes about the model, and the demo shop."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from jaxshop.serving.schemas import ModelInfo, Models
from jaxshop.serving.service import Service, needs, service_of
from jaxshop.serving.shop_schemas import ShopFile

routes = APIRouter(tags=["models"])
ServiceOf = Annotated[Service, Depends(service_of)]


@routes.get("/v1/models", response_model=Models)
async def models(service: ServiceOf) -> dict[str, Any]:
    """Describe the model in use and the sizes that it takes."""
    return service.planner.models()


@routes.post("/v1/models:reload", response_model=ModelInfo, dependencies=[Depends(needs("admin"))])
async def reload(service: ServiceOf) -> dict[str, Any]:
    """Read the checkpoint again, try it on a canary shop, then use it; on a 409 the old model stays."""
    return await asyncio.to_thread(service.planner.reload)


@routes.get("/v1/demo-shop", response_class=Response, responses={200: {"model": ShopFile}})
async def demo_shop(service: ServiceOf) -> Response:
    """Return the reference shop: 149 machines, 411 jobs; best with `max_lot_hours=60`."""
    return Response(service.planner.demo_shop, media_type="application/json")
