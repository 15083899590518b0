"""Headless Chromium for the tests of the page and of gantt.html; they are skipped where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from jaxshop.schedule import to_json
from tests.views.page.drive import BLOCKED, OpenPage, drop, status
from tests.views.page.presses import SCHEDULE, presses
from tests.views.page.stub import KEY, StubServer, stub_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def started() -> Iterator[Browser]:
    """Chromium, with a profile of its own."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is missing")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: install the package chromium, or name one in CHROMIUM")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all files of the page that follow each other; elsewhere Playwright's event loop would be in the way."""
    with started() as chromium:
        yield chromium


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open an address in a fresh context; at the end, no page may have logged an error or shown a dialog."""
    contexts, complaints = [], []

    def note(message: ConsoleMessage) -> None:
        # The browser itself logs what was refused or blocked, and some tests are about that.
        expected = "status of 4" in message.text or BLOCKED in message.text
        if message.type == "error" and not expected:
            complaints.append(message.text)

    def open_at(url: str, **options: object) -> Page:
        usual = {"viewport": {"width": 1366, "height": 768}, "timezone_id": "UTC"}
        contexts.append(browser.new_context(**(usual | options)))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("console", note)
        page.goto(url)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def server() -> Iterator[StubServer]:
    """A server that answers as the real one does."""
    with stub_server() as running:
        yield running


@pytest.fixture(scope="module")
def desk_server() -> Iterator[StubServer]:
    """One server for the module."""
    with stub_server() as running:
        yield running


@pytest.fixture(scope="module")
def opened(browser: Browser, desk_server: StubServer) -> Iterator[Any]:
    """The page in New York with the key given and the presses dropped; it may not complain of anything."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, timezone_id="America/New_York")
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(desk_server.url)
    page.fill("#key", KEY)
    page.dispatch_event("#key", "change")
    drop(page, presses())
    status(page, "Ready")
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def page(opened: Any) -> Any:
    """The page with the presses' plan as it was made."""
    opened.evaluate(
        """(schedule) => {
          page.other = null;
          page.say("");
          page.viewer.view("chart");
          page.viewer.clock.value = "plant";
          page.viewer.gantt.select(null);
          page.planning.begin(firstState(page.shop, schedule));
          page.viewer.gantt.fit();
        }""",
        to_json(SCHEDULE),
    )
    return opened
