"""What listens first: the application's imports take most of a second, and `/livez` must not wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from jaxshop.serving.middleware import Record
from jaxshop.serving.service import Service

if TYPE_CHECKING:  # loaded by `load`, behind the first answers
    from fastapi import FastAPI


class Front:
    """An ASGI application that answers `/livez` at once, and everything else when `load(service)` has returned."""

    def __init__(self, load: Callable[[Service], FastAPI], service: Service):
        self._load, self._service = load, service
        self._app: FastAPI | None = None
        self._loaded = asyncio.Event()
        self._early = Record(_alive, service.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is None and scope["path"] == "/livez":
            await self._early(scope, receive, send)
        else:
            await self._loaded.wait()
            assert self._app is not None
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})  # from now on there are requests
        try:
            self._app = await asyncio.to_thread(self._load, self._service)
        except Exception as error:
            self._service.fail(error)
            raise
        self._loaded.set()
        async with self._app.router.lifespan_context(self._app):
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _alive(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"status": "alive"})(scope, receive, send)
