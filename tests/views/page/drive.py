"""How the tests use the page: what a planner does with mouse and keys, and what is then read off."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

BLOCKED = "http://127.0.0.1:9/"
"""An address that a page's policy must keep it from."""


class OpenPage(Protocol):
    """The fixture `open_page`: open an address in a browser context with these options."""

    def __call__(self, url: str, **options: object) -> Page: ...  # noqa: D102


def drop(page: Page, content: object, name: str = "shop.json") -> None:
    """Drop a file onto the page."""
    page.evaluate(
        """([name, text]) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], name));
          const options = { dataTransfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        [name, content if isinstance(content, str) else json.dumps(content)],
    )


def run(page: Page) -> None:
    """Ask for a schedule and wait for it."""
    page.click("#run")
    status(page, "Done")


def status(page: Page, text: str) -> None:
    """Wait until the status line holds the text."""
    eventually(page, f"document.getElementById('status').textContent.includes({json.dumps(text)})")


def eventually(page: Page, condition: str | Callable[[], bool]) -> None:
    """Wait until a JavaScript expression, or a Python condition, holds.

    Playwright's own wait calls eval, which the page's policy forbids.
    """
    deadline = time.monotonic() + 20
    while not (page.evaluate(condition) if isinstance(condition, str) else condition()):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


@contextmanager
def held(page: Page, path: str) -> Iterator[Callable[[], Route]]:
    """Requests of a path wait: calling what is given waits for the next of them and returns it, to be continued."""
    routes: list[Route] = []

    def taken() -> Route:
        eventually(page, lambda: bool(routes))
        return routes.pop(0)

    page.route(f"**{path}", lambda route: routes.append(route))
    yield taken
    page.unroute(f"**{path}")


def figure(page: Page, name: str) -> float:
    """Read a key figure."""
    return float(page.inner_text(f"#{name}").split()[0].replace(",", ""))
