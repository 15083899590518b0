"""The planner's page: static files, open to everyone; the page itself sends a key with what it asks for."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from jaxshop import views

STATIC = Path(__file__).parent.parent / "static"
VIEWER = Path(views.__file__).parent / "static"
"""The chart, which the pages of `jaxshop.views` are made of, too."""
routes = APIRouter(include_in_schema=False)


@routes.get("/")
async def page() -> FileResponse:
    """Return the page."""
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


def mount(app: FastAPI) -> None:
    """Add the page and its files."""
    app.include_router(routes)
    files = StaticFiles(directory=STATIC)
    files.all_directories.append(VIEWER)
    app.mount("/static", files)
