"""The planner's page in a headless Chromium, over a real server with its real headers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from jaxshop.serving.routes.page import STATIC, VIEWER
from tests.shops import shop_body
from tests.views.page.conftest import open_page, started  # noqa: F401 - a fixture
from tests.views.page.drive import OpenPage, drop, eventually, figure, run, status

from .conftest import Process

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for these tests."""
    with started() as chromium:
        yield chromium


def test_a_dropped_file_becomes_a_schedule(open_page: OpenPage, server: Process) -> None:  # noqa: F811
    """Type the key, drop a shop file, ask for samples: the makespan on the page is the API's."""
    body = shop_body(jobs=10)
    page = open_page(server.url)
    page.fill("#key", "the-key-of-planner")
    page.dispatch_event("#key", "change")
    drop(page, body)
    page.click("#request summary")
    page.fill("[name=samples]", "8")
    run(page)
    expected = server.client.post("/v1/schedules?samples=8", json=body).json()["kpis"]["makespan_hours"]
    assert figure(page, "makespan") == pytest.approx(expected, abs=0.05)


def test_the_rest_is_planned_and_accepted(open_page: OpenPage, server: Process) -> None:  # noqa: F811
    """An order comes: the server plans the rest, checks what is accepted, and knows the shop that it is of."""
    page = open_page(server.url)
    page.fill("#key", "the-key-of-planner")
    page.dispatch_event("#key", "change")
    drop(page, shop_body(jobs=4))
    run(page)
    page.click("#add-open")
    page.fill("#add-id", "Urgent")
    page.click("#add-dialog .primary")
    page.click("#accept")  # as the page has put it in, which makes it another shop
    status(page, "Accepted")
    page.click("#rest-open")
    page.click("#rest-dialog .primary")
    status(page, "The rest is planned")
    page.click("#accept")
    status(page, "Accepted")
    assert page.evaluate("page.planning.state.rows.filter(({ job }) => job === 'Urgent').length") == 3


def test_a_search_is_watched_and_stopped(open_page: OpenPage, server: Process) -> None:  # noqa: F811
    """Take the demo, give it minutes, see the curve and the time left, stop here: the best so far is the schedule."""
    page = open_page(server.url)
    page.fill("#key", "the-key-of-planner")
    page.dispatch_event("#key", "change")
    page.click("#demo")
    status(page, "Ready")
    drop(page, shop_body())  # the server's stand-in has no room for the demo itself
    page.fill("[name=max_lot_hours]", "")
    page.fill("[name=time_limit_s]", "300")
    page.click("#run")
    eventually(page, "document.querySelector('#curve .best')?.getAttribute('d')?.includes('V')")
    shown = page.inner_text("#searching")
    assert "Time left" in shown
    page.click("#stop")
    status(page, "Done")
    assert page.text_content("#source") == "search:auto"
    assert figure(page, "makespan") == pytest.approx(page.evaluate("page.running.view.found.at(-1).hours"), abs=0.05)


def test_what_the_page_loads_is_there_and_open(server: Process) -> None:
    """Every file of the page is served without a key, with its own policy and type."""
    for file in (*STATIC.iterdir(), *VIEWER.iterdir()):
        response = httpx.get(f"{server.url}/static/{file.name}")
        assert response.status_code == 200
        assert "'self'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{server.url}/static/../settings.py").status_code in (401, 404)
    assert httpx.get(f"{server.url}/static/%2e%2e/settings.py").status_code in (401, 404)
