"""The API's documentation to read and to try, by Swagger UI, which comes with the package; open to everyone."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

VENDOR = Path(__file__).parent.parent / "vendor"
routes = APIRouter(include_in_schema=False)


@routes.get("/docs")
async def docs() -> FileResponse:
    """Return the page."""
    return FileResponse(VENDOR / "docs.html", headers={"Cache-Control": "no-cache"})


def mount(app: FastAPI) -> None:
    """Add the page and its files."""
    app.include_router(routes)
    app.mount("/docs", StaticFiles(directory=VENDOR))
