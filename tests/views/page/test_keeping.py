"""What a planner has made of a plan is not lost: kept, saved, reloaded, or asked for before another takes its place."""

from __future__ import annotations

from typing import Any

from tests.sources.test_tables import MACHINES, ORDERS, ROUTES
from tests.views.page.drive import drop, eventually, figure, held, status
from tests.views.page.presses import drag, presses, row_of, stop
from tests.views.page.stub import StubServer

HOUR = 3600


def test_plans_are_kept_compared_and_survive_a_reload(page: Any, desk_server: StubServer) -> None:
    """A plan kept under a name is compared with a later one: what moved, which orders lose; a reload loses nothing; of
    one that another window has forgotten that is said."""
    for name in ("Sunday", "Monday"):
        page.click("#keep-open")
        page.fill("#keep-name", name)
        page.click("#keep-dialog .primary")
        status(page, f"Kept as {name}")
    drag(page, "2/pack", 4)
    moved = row_of(page, "2/pack")["start"]
    page.select_option("#kept", "Monday")
    page.click("#kept-compare")
    page.wait_for_selector("#compare:visible")
    text = page.text_content("#compare")
    assert "0 operations run on another machine, 1 at another time" in text
    assert "Order 2: 4.0 h later" in text
    assert page.evaluate(WITH_ONE_LESS) == [["2/pack", "2/press"], "Order 2"]
    eventually(page, "!page.shelf.writing")
    page.reload()
    eventually(page, "page.planning.history !== null")
    assert row_of(page, "2/pack")["start"] == moved
    assert "waits to be accepted" in page.inner_text("#status")
    assert figure(page, "makespan") > 0
    drop(page, presses())
    page.wait_for_selector("#replace-dialog[open]")
    assert "2/pack starts Mon 23 Nov 16:15" in page.inner_text("#replace-text")
    page.click("#replace-dialog .cancel")
    assert row_of(page, "2/pack")["start"] == moved
    page.select_option("#kept", "Monday")
    page.click("#kept-open")
    page.click("#replace-dialog .primary")
    status(page, "Monday is open")
    assert row_of(page, "2/pack")["start"] == moved - 4 * HOUR
    page.select_option("#kept", "Monday")
    page.click("#kept-forget")
    status(page, "Monday is forgotten")
    page.select_option("#kept", "Sunday")
    page.evaluate("page.shelf.store.remove('Sunday')")
    page.click("#kept-open")
    eventually(page, "document.getElementById('problem').innerText.includes('Sunday is kept no longer')")
    assert page.is_disabled("#kept")


WITH_ONE_LESS = """() => {
  const { gantt } = page.viewer;
  const { state, plan } = page.planning;
  const jobs = state.shop.jobs.slice(1);
  const rows = state.rows.filter(({ job }) => jobs.some(({ id }) => id === job));
  const before = page.other;
  page.compareWith({ plan: new Model({ ...state.shop, jobs }).plan(rows), origin: "one less" });
  gantt.select(plan.jobs[1]);
  gantt.mode = "both";
  const lit = gantt.other.bars.filter((bar) => gantt.lit(bar)).map(({ operation }) => operation);
  gantt.mode = "other";
  gantt.arrange();
  const selected = gantt.selected.id;
  gantt.mode = "this";
  gantt.select(null);
  page.compareWith(before);
  return [lit.sort(), selected];
}"""


OTHER_SHOP = """() => {
  const { gantt } = page.viewer;
  const { state } = page.planning;
  const [, press, pack] = state.shop.machines;
  const jobs = [{ id: "Cart", operations: [{ id: "weld", alternatives: { Weld: 1 } }] }];
  const shop = { ...state.shop, machines: [pack, { id: "Weld" }, press], jobs };
  const rows = [{ job: "Cart", lot: 0, operation: "weld", machine: "Weld", start: 0, end: 3600 }];
  page.compareWith({ plan: new Model(shop, null).plan(rows), origin: "carts" });
  const lanes = (mode) => {
    gantt.mode = mode;
    gantt.arrange();
    const lanes = (row) => gantt.lanes(gantt.rows[row], row).map(({ machine }) => machine.id ?? null);
    return gantt.rows.map(({ id }, row) => [id, ...lanes(row)]);
  };
  const seen = ["both", "other"].map(lanes);
  page.viewer.view("machines");
  page.viewer.view("chart");
  gantt.mode = "both";
  gantt.arrange();
  gantt.select(gantt.other.jobs[0], gantt.other.bars[0]);
  const may = ["lock", "first"].filter((id) => !document.getElementById(id).disabled);
  return [...seen, may];
}"""


def test_two_tabs_do_not_take_each_others_plan(page: Any, desk_server: StubServer) -> None:
    """A tab shows after a reload what it had on show, lots and target too, whatever another did; what that keeps or
    forgets is seen."""
    page.evaluate("page.planning.begin({ ...page.planning.state, maxLotHours: 60, target: 36000 })")
    eventually(page, "!page.shelf.writing")
    other = page.context.new_page()
    other.goto(desk_server.url)
    eventually(other, "page.planning.history !== null")  # a new tab goes on with what was there last
    drop(other, presses() | {"name": "another"})
    eventually(other, "page.shop.name === 'another' && !page.shelf.writing")
    other.evaluate("page.shelf.store.save({ name: 'Tuesday' })")
    other.close()
    page.reload()
    eventually(page, "page.planning.history !== null")
    assert page.inner_text("#shop") == "presses"
    assert [page.input_value(f"[name={name}]") for name in ("max_lot_hours", "target_hours")] == ["60", "10"]
    eventually(page, "document.getElementById('kept').textContent.includes('Tuesday')")
    page.evaluate("page.shelf.store.remove('Tuesday').then(() => window.dispatchEvent(new Event('focus')))")
    eventually(page, "!document.getElementById('kept').textContent.includes('Tuesday')")


def test_a_plan_of_quite_another_shop_lies_beside(page: Any) -> None:
    """Its bars lie in the rows of their machines, by name; what either shop lacks has a row and is said."""
    both, other, may = page.evaluate(OTHER_SHOP)
    assert both == [["Pack"] * 3, ["Weld", None, "Weld"], ["P1", "P1", None], ["P2"] * 3]
    assert other == [["Pack"] * 2, ["Weld"] * 2, ["P2"] * 2]
    assert may == []
    page.focus(".stage canvas[tabindex]")
    page.keyboard.press("Alt+ArrowRight")
    assert not page.evaluate("page.planning.history.canUndo")
    text = page.inner_text("#compare")
    assert "It is of another shop: no operation is in both." in text
    assert "Only here: Order 1, Order 2, Order 3, Order 4. Only there: Cart." in text
    assert "Machines only here: P1. Machines only there: Weld." in text
    page.click("#uncompare")


def test_a_plan_is_kept_once_what_it_needs_is_saved(page: Any) -> None:
    """After a stop the schedule is not enough: its shop has to be saved, too, and can be, also after a reload."""
    stop(page, "P1", "07:00", "12:00")
    page.click("#push")
    page.click("#accept")
    status(page, "Accepted")
    eventually(page, "!page.shelf.writing")
    page.reload()
    eventually(page, "page.planning.history !== null")
    assert page.evaluate("page.planning.unkept")
    for button in ("#save", "#save-shop"):
        assert page.evaluate("page.planning.unkept")
        with page.expect_download():
            page.click(button)
    assert not page.evaluate("page.planning.unkept")
    eventually(page, "!page.shelf.writing")
    page.reload()
    eventually(page, "page.planning.history !== null")
    drop(page, presses())
    eventually(page, "page.planning.history === null")
    assert page.is_hidden("#replace-dialog")


def test_what_changes_during_the_check_is_not_accepted(page: Any) -> None:
    """The server has seen another plan: the change waits, and she is told to accept it again."""
    drag(page, "2/pack", 4)
    page.evaluate(
        """() => {
          document.getElementById("accept").click();
          page.planning.change("Another change", { locked: [] });
        }"""
    )
    eventually(page, "!document.getElementById('problem').hidden")
    assert "The plan changed while it was checked" in page.inner_text("#problem")
    assert page.inner_text("#draft-text").startswith("Another change. With 1 before it, it waits to be accepted.")
    page.click("#accept")
    status(page, "Accepted")


def test_what_has_happened_stays(page: Any, desk_server: StubServer) -> None:
    """A bound of plans that keep what had begun holds from then on only; a stop that is over stays."""
    bound = "page.planning.plan.bound"
    stop(page, "P1", "07:00", "08:00")
    page.click("#push")
    page.click("#accept")
    status(page, "Accepted")
    anywhere = page.evaluate(bound)
    page.fill("#now", "2026-11-23T10:00")
    page.press("#now", "Tab")
    assert page.evaluate(bound) == anywhere
    page.click("#rest-open")
    page.click("#rest-dialog .primary")
    status(page, "The rest is planned")
    assert desk_server.asked[-1]["now"] == 4
    assert page.evaluate(bound) > anywhere
    for button in ("Change", "Remove"):
        page.click("#entered-open")
        page.click(f"#entered [aria-label^='{button} P1']")
        if button == "Change":
            page.click("#stop-dialog .primary")
        eventually(page, "document.getElementById('problem').innerText.includes('The stop of P1 is over and stays')")
    page.fill("#now", "2026-11-23T06:00")
    page.press("#now", "Tab")
    assert page.evaluate(bound) is None
    page.click("#accept")
    status(page, "Accepted")
    assert page.evaluate(bound) == anywhere


def test_an_import_is_cancelled_and_asks_of_the_plan_that_it_finds(page: Any) -> None:
    """Cancel ends the request; of what changed while the server read, she is asked before another shop comes."""
    for name, text in {"orders": ORDERS, "routes": ROUTES, "machines": MACHINES}.items():
        drop(page, text, f"{name}.csv")
    page.fill("[name=plan_start]", "2026-11-23T06:00")
    with held(page, "/v1/imports") as request:
        page.click("#import-run")
        request()
        with page.expect_event("requestfailed", timeout=2000):
            page.click("#import-dialog .cancel")
        drop(page, MACHINES, "machines.csv")
        page.click("#import-run")
        reading = request()
        page.evaluate("page.planning.change('A change', { locked: [] })")
        reading.continue_()
        page.wait_for_selector("#replace-dialog[open]")
    assert "A change" in page.inner_text("#replace-text")
    page.click("#replace-dialog .cancel")
    eventually(page, "!document.getElementById('import-run').disabled")
    page.click("#import-dialog .cancel")
    assert page.inner_text("#shop") == "presses"
