"""The planner's page, driven in headless Chromium against a server that answers as the real one does."""

from __future__ import annotations

from jaxshop.schedule import to_json
from jaxshop.shop import shop_to_json, split_lots
from tests.shops import hostile_shop
from tests.views.page.drive import OpenPage, drop, eventually, figure, held, run, status
from tests.views.page.stub import KEY, StubServer, make_schedule


def test_a_dropped_shop_becomes_a_schedule(server: StubServer, open_page: OpenPage) -> None:
    """Drop a file, give the key, ask: makespan, gap and source stand there, and the key only in headers."""
    page = open_page(server.url)
    assert page.is_disabled("#run")
    drop(page, shop_to_json(hostile_shop()))
    page.fill("#key", KEY)
    page.fill("[name=target_hours]", "1")
    page.fill("[name=max_lot_hours]", "4")
    run(page)
    expected = server.results[0]["kpis"]
    assert figure(page, "makespan") == round(expected["makespan_hours"], 1)
    assert figure(page, "gap") == round(expected["gap_percent"], 1)
    assert page.text_content("#source") == "policy:samples"
    assert "below the bound" in page.inner_text("#kpis")
    assert page.evaluate("[page.viewer.gantt.plan.bars.length, page.viewer.gantt.rows.length]") == [
        len(server.results[0]["schedule"]["operations"]),
        6,
    ]
    asked = [path for method, path, key in server.requests if key]
    assert asked[0] == "/v1/schedules?max_lot_hours=4&target_hours=1"
    assert not any(KEY in path for _, path, _ in server.requests)


def test_progress_is_shown_and_cancelling_reaches_the_server(server: StubServer, open_page: OpenPage) -> None:
    """While samples come in their number and the best makespan are shown; Cancel deletes the request."""
    server.go.clear()
    page = open_page(server.url)
    page.fill("#key", KEY)
    page.click("#demo")
    status(page, "Ready.")
    assert page.input_value("[name=max_lot_hours]") == "60"
    page.click("#run")
    status(page, "2 of 4 samples, best so far 18.0 h")
    page.click("#cancel")
    status(page, "Cancelled.")
    server.go.set()
    eventually(page, lambda: ("DELETE", "/v1/schedules/0", KEY) in server.requests)
    assert page.is_enabled("#run")


def test_a_search_is_shown_as_a_curve_and_stopped_where_it_is(server: StubServer, open_page: OpenPage) -> None:
    """While it works the page shows curve, bound, gap, source and time left; Stop here ends it with a schedule."""
    server.go.clear()
    server.samples = None
    page = open_page(server.url)
    page.fill("#key", KEY)
    page.click("#demo")
    page.click("#run")
    status(page, "Searching")
    eventually(page, "document.querySelector('#curve .best').getAttribute('d').includes('V')")
    shown = page.inner_text("#searching")
    for text in ("18.00 h", "16.00 h", "12.50 %", "Time left"):
        assert text in shown
    assert page.evaluate("document.querySelector('#curve .bound').getAttribute('d')").startswith("M0 ")
    page.click("#stop")
    status(page, "Done")
    assert ("POST", "/v1/schedules/0:stop", KEY) in server.requests
    assert "proven optimal" in page.inner_text("#searching")
    assert "Time left" not in page.inner_text("#searching")
    assert page.is_visible("#makespan")
    drop(page, shop_to_json(hostile_shop(jobs=5, name="day shift")))
    page.wait_for_selector("#searching", state="hidden")


def test_the_best_so_far_is_drawn_while_the_server_searches(server: StubServer, open_page: OpenPage) -> None:
    """The chart comes before the answer, and is no plan yet: Cancel takes it away, Stop here keeps it and its view."""
    server.go.clear()
    server.samples = None
    page = open_page(server.url)
    page.fill("#key", KEY)
    drop(page, shop_to_json(hostile_shop()))
    for button in ("#cancel", "#stop"):
        page.click("#run")
        page.wait_for_selector("#so-far:visible")
        assert "The best so far, found after 0.2 s" in page.inner_text("#so-far")
        operations = server.results[-1]["schedule"]["operations"]
        assert page.evaluate("page.viewer.gantt.plan.bars.length") == len(operations)
        assert page.is_visible("#makespan")
        assert page.is_hidden("#planning")
        page.evaluate("page.viewer.gantt.moveTo({ left: 3600, top: 0, zoom: 2 })")
        page.click(button)
        status(page, "Cancelled" if button == "#cancel" else "Done")
        assert page.is_hidden("#so-far")
        assert page.is_visible("#welcome") is (button == "#cancel")
        assert page.is_visible("#viewer") is page.is_visible("#planning") is (button == "#stop")
    assert page.evaluate("page.viewer.gantt.view.zoom") == 2


def test_a_narrow_window_shows_the_chart(server: StubServer, open_page: OpenPage) -> None:
    """The form makes way for the best so far, which can be stopped there; with nothing to show it is back."""
    server.go.clear()
    server.samples = None
    page = open_page(server.url, viewport={"width": 420, "height": 860})
    page.fill("#key", KEY)
    drop(page, shop_to_json(hostile_shop()))
    for button in ("#cancel-too", "#stop-too"):
        page.click("#run")
        page.wait_for_selector(f"{button}:visible")
        eventually(page, "document.getElementById('so-far').innerText.includes('Best 18.00 h')")
        page.click(button)
        status(page, "Cancelled" if button == "#cancel-too" else "Done")
        assert page.is_visible("#request") is (button == "#cancel-too")
    top = page.evaluate("page.viewer.stage.getBoundingClientRect().top")
    assert top < 700
    assert page.evaluate("document.documentElement.scrollWidth") <= 420


def test_the_form_fits_the_window(server: StubServer, open_page: OpenPage) -> None:
    """At 1440 x 900 every control of the form is in sight and no text cut off; the key comes first, every option has a
    sentence, and what is for few is under the details."""
    page = open_page(server.url, viewport={"width": 1440, "height": 900})
    controls = "[...document.querySelectorAll('#request button, #request input, #request select')]"
    shown = f"{controls}.filter((e) => e.checkVisibility() && e.id !== 'file')"
    assert page.evaluate(f"Math.max(...{shown}.map((e) => e.getBoundingClientRect().bottom))") <= 900
    assert page.evaluate(f"{shown}.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.id)") == []
    assert page.evaluate(f"{controls}.filter((e) => e.checkVisibility())[0].id") == "key"
    fields = "[...document.querySelectorAll('#request input:not([type=file]), #request select')]"
    said = f"{fields}.map((e) => document.getElementById(e.getAttribute('aria-describedby'))?.textContent.trim() ?? '')"
    assert all(sentence.endswith(".") for sentence in page.evaluate(said))
    details = "[...document.querySelectorAll('#request details [name]')].map((e) => e.name)"
    assert page.evaluate(details) == ["samples", "seed"]


def test_nothing_takes_the_place_of_a_search(server: StubServer, open_page: OpenPage) -> None:
    """Another shop, a schedule, the demo and a kept plan are refused over the best so far, which stays; after Cancel
    another shop comes. No key is asked for, nor one sent that the tab has kept, where the server wants none."""
    server.needs_key = False
    page = open_page(server.url)
    eventually(page, "document.getElementById('key-field').hidden")
    page.evaluate("document.getElementById('key').value = 'of a server before'")
    drop(page, shop_to_json(hostile_shop()))
    run(page)
    page.click("#keep-open")
    page.fill("#keep-name", "Monday")
    page.click("#keep-dialog .primary")
    status(page, "Kept as Monday")
    server.go.clear()
    page.click("#run")
    eventually(page, "page.running.drawn")
    day_shift = shop_to_json(hostile_shop(jobs=5, name="day shift"))

    def kept(button: str) -> None:
        page.select_option("#kept", "Monday")
        page.click(button)

    for act in (
        lambda: drop(page, day_shift),
        lambda: drop(page, server.results[0]["schedule"], "plan.json"),
        lambda: drop(page, "order\nA", "orders.csv"),
        lambda: page.click("#demo"),
        lambda: kept("#kept-open"),
        lambda: kept("#kept-compare"),
    ):
        page.evaluate("document.getElementById('problem').replaceChildren()")
        act()
        eventually(page, "document.getElementById('problem').innerText.includes('A search is under way')")
        assert page.evaluate("page.viewer.plan !== page.planning.plan && page.other === null && page.running.busy")
    assert page.inner_text("#status") != ""
    page.click("#cancel")
    status(page, "Cancelled.")
    assert page.is_hidden("#problem")
    server.go.set()
    drop(page, day_shift)
    status(page, "Ready.")
    assert page.inner_text("#shop") == "day shift"
    assert page.is_hidden("#makespan")
    run(page)
    assert page.evaluate("page.viewer.gantt.plan.jobs.length") == 5
    assert {key for _, _, key in server.requests} == {None}


def test_refusals_are_shown_with_every_fault(server: StubServer, open_page: OpenPage) -> None:
    """A missing key, a file that is no JSON, a shop with two faults, one with next to nothing and lots of no hours are
    each named on the page."""
    page = open_page(server.url)
    drop(page, "{'not': json", "bad.json")
    page.wait_for_selector("#problem:visible")
    assert "bad.json is not JSON" in page.inner_text("#problem")
    shop = shop_to_json(hostile_shop())
    shop["jobs"][0]["operations"][0]["alternatives"] = {"nowhere": 1.0}
    shop["jobs"][2]["release"] = -1
    drop(page, shop)
    page.wait_for_selector("#problem", state="hidden")
    page.click("#run")
    page.wait_for_selector("#problem:visible")
    assert "Enter an API key" in page.inner_text("#problem")
    page.fill("#key", "wrong")
    page.fill("#key", KEY)
    page.click("#run")
    page.wait_for_selector("#problem li")
    shown = page.inner_text("#problem")
    assert page.locator("#problem li").count() == 2
    assert "nowhere" in shown
    assert "jobs[2].release" in shown
    assert "The shop or an option was refused" in shown
    assert "r-17" in shown
    drop(page, {"format": "jaxshop-shop/1", "jobs": [{"id": "a"}]})
    page.wait_for_selector("#problem", state="hidden")
    page.click("#run")
    eventually(page, "document.getElementById('problem').innerText.includes('machines')")
    drop(page, shop_to_json(hostile_shop()))
    page.fill("[name=max_lot_hours]", "0")
    page.click("#run")
    eventually(page, "document.getElementById('problem').innerText.includes('must be from 1 s')")


def test_a_server_that_is_away_is_said_so(server: StubServer, open_page: OpenPage) -> None:
    """Where nothing answers, the form and the dialog of tables say so; of many data, that these may be the reason."""
    page = open_page(server.url)
    page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('Failed to fetch')); }")
    page.click("#demo")
    page.wait_for_selector("#problem:visible")
    assert "No answer from the server" in page.inner_text("#problem")
    assert "so much data" not in page.inner_text("#problem")
    drop(page, "order\n" + "A\n" * 500_000, "orders.csv")
    page.click("#import-run")
    page.wait_for_selector("#import-faults:visible")
    assert "so much data" in page.inner_text("#import-faults")


def test_two_schedules_are_compared(server: StubServer, open_page: OpenPage) -> None:
    """A second run is set beside the first, then a dropped schedule.json, which is called invalid; one that is none is
    refused by the server, and of another shop nothing is said."""
    page = open_page(server.url)
    page.fill("#key", KEY)
    drop(page, shop_to_json(hostile_shop()))
    run(page)
    run(page)
    page.wait_for_selector("#compare:visible")
    assert "the previous schedule" in page.inner_text("#compare")
    page.click(".group >> text=Both")
    lanes = page.evaluate(
        "page.viewer.gantt.lanes(page.viewer.gantt.rows[1], 1).map((lane) => lane.machine.bars.length)"
    )
    assert len(lanes) == 2
    first, second = (r["schedule"]["operations"] for r in server.results)
    machines = [{(r["job"], r["lot"], r["operation"]): r["machine"] for r in rows} for rows in (first, second)]
    moved = sum(machines[0][key] != machines[1][key] for key in machines[0])
    assert moved
    assert f"{moved} operations run on another machine" in page.inner_text("#compare")

    broken = to_json(make_schedule(split_lots(hostile_shop(), None)))
    last = max(broken["operations"], key=lambda row: row["end"])
    last["end"] += 60
    broken["makespan"] = last["end"] / 3600
    drop(page, broken, "broken.json")
    page.wait_for_selector("#problem li")
    assert page.locator("#problem li").count() == 1
    assert "broken.json" in page.inner_text("#compare")
    page.click("#uncompare")
    assert page.is_hidden("#compare")

    drop(page, {"format": "jaxshop-schedule/1"}, "empty.json")
    eventually(page, "document.getElementById('problem').innerText.includes('operations')")
    with held(page, "/v1/schedules:verify**") as request:
        drop(page, broken, "broken.json")
        checking = request()
        drop(page, shop_to_json(hostile_shop(jobs=5, name="day shift")))
        status(page, "Ready.")
        with page.expect_response("**/v1/schedules:verify**") as response:
            checking.continue_()
        response.value.finished()
        page.wait_for_timeout(50)
    assert page.is_hidden("#problem")


def test_everything_has_a_name_and_shows_its_focus(server: StubServer, open_page: OpenPage) -> None:
    """Every control has an accessible name, and Tab reaches the chart with a visible outline."""
    page = open_page(server.url)
    page.fill("#key", KEY)
    drop(page, shop_to_json(hostile_shop()))
    run(page)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas[tabindex]")]
          .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length))
          .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    page.click("[aria-label='Mouse and keys']")
    page.click("dialog button")
    assert page.locator("dialog[open]").count() == 0
    page.focus("#export")
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
