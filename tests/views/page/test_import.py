"""Tables on the planner's page: dropped or chosen, every fault shown, and imported by the server's own code."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook

from tests.sources.test_tables import MACHINES, ORDERS, ROUTES
from tests.views.page.drive import OpenPage, drop, run, status
from tests.views.page.stub import KEY, StubServer
from tests.views.script import run_script

if TYPE_CHECKING:
    from playwright.sync_api import Page


def choose(page: Page, **files: str | bytes) -> None:
    """Choose files by the form's button; a name's last underscore stands for the dot."""
    with page.expect_file_chooser() as chooser:
        page.click("#choose")
    named = {".".join(name.rsplit("_", 1)): data for name, data in files.items()}
    packed = [(name, data.encode() if isinstance(data, str) else data) for name, data in named.items()]
    chooser.value.set_files([{"name": name, "mimeType": "", "buffer": data} for name, data in packed])


def test_dropped_tables_become_a_plan_once_their_faults_are_mended(server: StubServer, open_page: OpenPage) -> None:
    """Two faults in CSV files are shown with row and column; what is dropped again takes its place, and is imported."""
    page = open_page(server.url, timezone_id="Europe/Berlin")
    page.fill("#key", KEY)
    drop(page, ORDERS.replace("2026-11-24T06:00+01:00", "soon"), "orders.csv")
    page.wait_for_selector("#import-dialog[open]")
    assert page.input_value("#import-dialog [name=timezone]") == "Europe/Berlin"
    drop(page, ROUTES.replace("0.5", '"0,5"'), "routes.csv")
    drop(page, MACHINES, "machines.csv")
    assert page.locator("#import-files li").all_inner_texts() == [
        f"{name}.csv leave out" for name in ("orders", "routes", "machines")
    ]
    page.fill("[name=plan_start]", "2026-11-28T06:00")
    page.click("#import-run")
    page.wait_for_selector("#import-faults:visible")
    due, hours = page.locator("#import-faults li").all_inner_texts()
    assert due.startswith("orders.csv, row 2, column 'due': must be a number, not 'soon'")
    assert hours.startswith("routes.csv, row 5, column 'hours': '0,5' has a decimal comma")
    assert "say “Numbers” comma" in hours
    drop(page, ORDERS, "orders.csv")
    drop(page, ROUTES, "routes.csv")
    page.click("#import-run")
    page.wait_for_selector("#import-faults:visible")
    assert "1 of 1 due dates lie before the plan starts" in page.inner_text("#import-faults")
    assert page.input_value("[name=plan_start]") == "2026-11-24T06:00"
    page.fill("[name=plan_start]", "2026-11-23T06:00")
    page.click("#import-run")
    status(page, "Ready")
    assert page.inner_text("#shop-detail") == "3 machines, 2 jobs, from orders.csv, routes.csv, machines.csv"
    run(page)
    assert (
        page.evaluate("page.viewer.gantt.plan.clock.moment(page.viewer.gantt.plan.jobs[0].due)") == "Tue 24 Nov 06:00"
    )


def test_a_workbook_is_chosen_and_read(server: StubServer, open_page: OpenPage) -> None:
    """Sheets are tables; an own header is said for a column; what was not read is told; the zone stays."""
    book, out = Workbook(), io.BytesIO()
    book.remove(book.active)
    tables: dict[str, list[list[Any]]] = {
        "Orders": [["order", "promised on", "colour"], ["A", 48, "red"]],
        "Routes": [["order", "step", "machine", "hours"], ["A", 10, "M1", 2.5]],
        "Machines": [["machine"], ["M1"]],
    }
    for title, rows in tables.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(out)
    page = open_page(server.url, timezone_id="America/New_York")
    page.fill("#key", KEY)
    choose(page, plan_xlsx=out.getvalue())
    page.fill("#import-dialog [name=timezone]", "Europe/Berlin")
    page.fill("[name=plan_start]", "2026-11-23T06:00")
    page.click("#import-dialog summary")
    page.fill("#import-dialog [name=columns]", "due=promised on\n")
    page.click("#import-run")
    status(page, "Not read: plan.xlsx: sheet 'Orders': colour")
    assert page.evaluate("page.shop.jobs[0].due") == 48
    run(page)
    assert page.evaluate("page.viewer.gantt.plan.clock.moment(0)") == "Mon 23 Nov 06:00"
    page.reload()
    assert page.input_value("#import-dialog [name=timezone]") == "Europe/Berlin"


def test_the_forms_options_are_the_servers() -> None:
    """Empty fields say nothing; columns are a line each, sheets between commas; the server's names become labels."""
    given = {"plan_start": "", "timezone": "UTC", "columns": "due = On = time\n\n minutes=Min", "skip_sheets": "A, B,"}
    body = """return [importOptions(given), inFormWords("say options.skip_sheets 'A' or options.other"),
      inFormWords("query.time_limit_s: must be at least 2; query.sample: unknown option")];"""
    options, words, query = run_script(["import.js"], body, given)
    assert options == {
        "timezone": "UTC",
        "columns": {"due": "On = time", "minutes": "Min"},
        "skip_sheets": ["A", "B"],
    }
    assert words == "say “Sheets to leave out” 'A' or options.other"
    assert query == "“Search for”: must be at least 2; query.sample: unknown option"
