"""The planner's page under axe: names, roles, contrast and order, in light and dark."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.views.page.drive import OpenPage, drop, run
from tests.views.page.presses import drag, presses
from tests.views.page.stub import KEY, StubServer

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe, which a package for Playwright brings along."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-playwright-python is missing: uv sync")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def complaints(page: Page, scheme: str) -> list[str]:
    """What axe finds, each with the element that it is about; dark, only colours are another matter than light."""
    only = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
    found = page.evaluate("(only) => axe.run({ resultTypes: ['violations'], ...only })", only)["violations"]
    return [f"{each['help']}: {node['html']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.thorough)])
def test_axe_finds_nothing(server: StubServer, open_page: OpenPage, axe: str, scheme: str) -> None:
    """The page as it opens, with a plan and a change that breaks a rule, each list, and a dialog with a fault."""
    page = open_page(server.url, color_scheme=scheme)
    page.evaluate(axe)
    assert complaints(page, scheme) == []
    page.fill("#key", KEY)
    drop(page, presses())
    run(page)
    drag(page, "1/press", 3)
    page.click("#list-moved")
    assert complaints(page, scheme) == []
    cut = "[...document.querySelectorAll('#draft-text, .summary')].filter((e) => e.scrollWidth > e.clientWidth)"
    assert page.evaluate(f"{cut}.length") == 0
    page.click("#add-open")
    page.fill("#add-id", "Order 9")
    page.click("#add-dialog .primary")
    page.click("#entered-open")
    assert complaints(page, scheme) == []
    page.click("#entered-dialog .primary")
    for name in ("Orders", "Table"):
        page.click(f".group >> text={name}")
        assert complaints(page, scheme) == []
    drop(page, presses())
    page.wait_for_selector("#replace-dialog[open]")
    assert complaints(page, scheme) == []
    page.click("#replace-dialog .cancel")
    drop(page, "a", "orders.csv")
    page.click("#import-run")
    page.wait_for_selector("#import-faults:visible")
    assert complaints(page, scheme) == []
