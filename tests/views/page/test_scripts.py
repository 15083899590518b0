"""The pure functions of the page's scripts, run under node: no browser, no page."""

from __future__ import annotations

import csv
import io

import pytest

from tests.views.script import run_script

PLAN = ["dom.js", "clock.js", "colours.js", "plan.js", "frame.js", "sheets.js", "viewer.js", "tiles.js"]
HOUR = 3600

SHOP = {
    "name": "night shift",
    "unit": "h",
    "plan_start": "2026-11-23T06:00:00+01:00",
    "timezone": "Europe/Berlin",
    "machines": [
        {"id": "M10", "work_centre": "press"},
        {"id": "M9", "work_centre": "press", "available_from": HOUR},
        {"id": "S1"},
    ],
    "jobs": [
        {"id": "=A", "due": 3 * HOUR, "operations": [{"id": "A/1", "setup": 1800}, {"id": "A/2"}]},
        {"id": 'B,"b"', "operations": [{"id": "B/1"}]},
    ],
}
ROWS = [
    {"job": "=A", "lot": 0, "operation": "A/1", "machine": "M9", "start": HOUR, "end": 2 * HOUR},
    {"job": "=A", "lot": 0, "operation": "A/2", "machine": "S1", "start": 2 * HOUR, "end": 4 * HOUR},
    {"job": 'B,"b"', "lot": 0, "operation": "B/1", "machine": "M10", "start": 0, "end": 2 * HOUR},
]


def of_plan(expression: str, **more) -> object:
    """The value of an expression over `plan`, the schedule above, and `given`."""
    body = f"const plan = new Plan(given.shop, given.rows, given.marks ?? {{}}); return {expression};"
    return run_script(PLAN, body, {"shop": SHOP, "rows": ROWS, **more})


def test_a_plan_adds_up() -> None:
    """Shows makespan, load and shares of machines, and lateness of jobs, against sums done by hand."""
    found = of_plan(
        "[plan.makespan, plan.utilisation, plan.late, plan.gapPercent, plan.jobs.map((job) => job.lateness),"
        " plan.machines.map((machine) => machine.busy), plan.centres, Array.from(plan.load(4, 4 * 3600))]",
        marks={"bound": 3 * HOUR},
    )
    assert found[:3] == [4 * HOUR, pytest.approx(5 / 12), 1]
    assert found[3] == pytest.approx(100 / 3)
    assert found[4:] == [[HOUR, None], [2 * HOUR, HOUR, 2 * HOUR], ["", "press"], [1, 2, 1, 1]]


def test_closed_time_is_no_idle_time() -> None:
    """By hand: M9 is closed for half an hour of its bar and an hour later; S1's bar holds half an hour of set-up."""
    shut = [[5400, 7200], [9000, 9000 + HOUR]]
    machines = [{**machine, "closed": shut if machine["id"] == "M9" else []} for machine in SHOP["machines"]]
    rows = [ROWS[0], {**ROWS[1], "changeover": 1800}, ROWS[2]]
    body = """const plan = new Plan(given.shop, given.rows);
      return [plan.machines.map((m) => [m.busy, m.utilisation]), plan.bars.map((bar) => bar.setup)];"""
    figures, setups = run_script(PLAN, body, {"shop": {**SHOP, "machines": machines}, "rows": rows})
    assert figures == [[2 * HOUR, 0.5], [1800, 1800 / (4 * HOUR - 5400)], [2 * HOUR, 0.5]]
    assert setups == [1800, 1800, 0]


def test_a_set_up_goes_on_after_closed_time() -> None:
    """By hand: a set-up that begins before a closing ends as much later as that takes; one that ends by it does not."""
    closed = [[0, 1800], [5400, 7200], [9000, 9000 + HOUR]]
    cases = [[3600, 1800], [3600, 1801], [4500, 3600], [7200, 0]]
    body = "return given.cases.map(([from, ticks]) => afterOpen(given, from, ticks));"
    assert run_script(PLAN, body, {"closed": closed, "cases": cases}) == [5400, 7201, 13500, 7200]


def test_machines_are_ordered_as_people_count() -> None:
    """Shows M9 before M10 by name, its work centre first by centre, and the busiest first by load."""
    orders = "['centre', 'machine', 'busiest'].map((order) => plan.ordered(order).map((machine) => machine.id))"
    assert of_plan(orders) == [["S1", "M9", "M10"], ["M9", "M10", "S1"], ["M10", "S1", "M9"]]


def test_a_schedule_of_another_shop_is_refused_by_name() -> None:
    """Shows that a row without its machine in the shop names job, operation and machine."""
    body = "try { new Plan(given.shop, given.rows) } catch (error) { return error.message }"
    rows = [{**ROWS[0], "machine": "M11"}]
    said = run_script(PLAN, body, {"shop": SHOP, "rows": rows})
    assert said == "The schedule is of another shop: job =A, operation A/1, machine M11."


def test_differences_are_counted_by_kind() -> None:
    """Shows that a bar of the other plan is the same, on another machine, at another time, or missing."""
    other = [ROWS[0], {**ROWS[1], "start": ROWS[1]["start"] + 1}]
    found = of_plan(
        "(({ same, ...counts }) => ({ ...counts, same: same.size }))"
        "(plan.differences(new Plan(given.shop, given.other)))",
        other=other,
    )
    assert found == {"same": 2, "moved": 0, "shifted": 1, "missing": 1}
    moved = of_plan("plan.differences(new Plan(given.shop, given.other)).moved", other=[{**ROWS[0], "machine": "S1"}])
    assert moved == 1


@pytest.mark.parametrize(
    ("mode", "heads", "begins"),
    [
        ("plant", ["start, Europe/Berlin", "end, Europe/Berlin"], ["2026-11-23 07:00:00", "2026-11-23 08:00:00"]),
        ("utc", ["start, UTC", "end, UTC"], ["2026-11-23 06:00:00", "2026-11-23 07:00:00"]),
        ("hours", ["start h", "end h"], ["1", "2"]),
    ],
)
def test_the_csv_is_read_back_and_runs_no_formula(mode: str, heads: list[str], begins: list[str]) -> None:
    """Shows that a CSV reader finds every bar at its time, quotes in names survive, and a name such as `=A` is text."""
    text = of_plan("csv(SHEETS.table.columns(plan), plan.bars)", marks={"mode": mode})
    assert text.endswith("\r\n")
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head[:6] == ["job", "lot", "operation", "step", "machine", "work centre"]
    assert head[6:10] == [*heads, "length h", "set-up h"]
    assert rows[0] == ["'=A", "1", "A/1", "1", "M9", "press", *begins, "1", "0.5", *rows[0][10:]]
    assert rows[0][-1] == "1"
    assert rows[2][0] == 'B,"b"'
    assert rows[2][-2:] == ["", ""]


def test_orders_and_machines_are_listed() -> None:
    """By hand: due, promised, late by, weight and lots of the orders; busy, open and next free of the machines."""
    body = "[['orders', plan.jobs], ['machines', plan.machines]].map(([n, rows]) => csv(SHEETS[n].columns(plan), rows))"
    orders, machines = of_plan(body, marks={"mode": "hours"})
    assert [row[3:] for row in csv.reader(io.StringIO(orders, newline=""))] == [
        ["begins h", "promised h", "due h", "late by h", "weight", "weighted late h"],
        ["1", "4", "3", "1", "1", "1"],
        ["0", "2", "", "", "1", ""],
    ]
    assert [row[2:5] + row[6:] for row in csv.reader(io.StringIO(machines, newline=""))] == [
        ["operations", "busy h", "open h", "next free h"],
        ["1", "2", "4", "2"],
        ["1", "1", "4", "2"],
        ["1", "2", "4", "4"],
    ]


def test_key_figures_say_what_is_good_and_bad() -> None:
    """Shows the tiles of a plan that misses its target and a date, and their changes against another plan."""
    read = (
        "const element = () => ({ children: [], append(...more) { this.children.push(...more); } });"
        "globalThis.document = { createElement: element };"
        "const plan = new Plan(given.shop, given.rows, given.marks);"
        "const other = given.other && new Plan(given.shop, given.other, given.marks);"
        "return tiles(plan, other).map(({ children }) => children.map((part) => [...part.children, part.className]));"
    )
    task = {"shop": SHOP, "rows": ROWS, "marks": {"bound": 3 * HOUR, "target": 3.5 * HOUR}}
    shown = {
        parts[0][0]: [text for part in parts[1:] for text in part if text] for parts in run_script(PLAN, read, task)
    }
    assert shown == {
        "Makespan": ["4.0 h", "ends Mon 23 Nov 10:00", "remark "],
        "Lower bound": ["3.0 h", "no schedule is shorter", "remark "],
        "Gap to the bound": ["33.3 %"],
        "Target": ["3.5 h", "missed by 0.5 h", "remark bad"],
        "Machines busy": ["41.7 %"],
        "Late jobs": ["1 of 1", "worst by 1.0 h", "remark bad"],
        "Tardiness": ["1.0 h", "over all late jobs", "remark "],
    }
    later = [*ROWS[:2], {**ROWS[2], "end": 6 * HOUR}]
    beside = run_script(PLAN, read, {**task, "other": later})
    assert beside[0][2][:2] == ["−2.0 h vs other", "remark good"]


@pytest.mark.parametrize(
    ("start", "options", "shown"),
    [
        ("2026-11-23T06:00:00Z", {"zone": "Europe/Berlin"}, ["Mon 23 Nov 08:30", "Europe/Berlin"]),
        ("2026-11-23T23:00:00-05:00", {"zone": "America/New_York"}, ["Tue 24 Nov 00:30", "America/New_York"]),
        ("2026-11-23T06:00:00", {"zone": "Europe/Berlin", "mode": "utc"}, ["Mon 23 Nov 07:30", "UTC"]),
        ("2026-11-23T06:00:00+01:00", {"zone": "Not/There"}, ["Mon 23 Nov 06:30", "UTC"]),
        ("2026-11-23T06:00:00", {"mode": "hours"}, ["1.5 h", None]),
    ],
)
def test_moments_are_told_in_the_plants_zone(start: str, options: dict, shown: list[str]) -> None:
    """Shows dates as the clock in the plant has them, as UTC, or as hours; a zone that nobody knows reads as UTC."""
    body = "const c = new Clock('h', given[0], given[1]); return [c.moment(5400), c.dated ? c.zone : null];"
    assert run_script(PLAN, body, [start, options]) == shown


def test_a_clock_that_is_changed_is_followed() -> None:
    """By hand, Berlin in March and October 2026: moments, the way back, and an axis without a gap at either change."""
    body = """return given.map((start) => {
        const clock = new Clock("h", start, { zone: "Europe/Berlin" });
        const hours = Array.from({ length: 5 }, (_, i) => clock.minute(3600 * i));
        const marks = clock.marks(0, 2 * 86400, 6 * 3600).map(({ at, label }) => [at / 3600, label]);
        return [hours, clock.tickAt(Date.UTC(2026, 9, 25, 2)) / 3600, marks];
      });"""
    spring, autumn = run_script(PLAN, body, ["2026-03-29T00:00:00+01:00", "2026-10-25T00:00:00+02:00"])
    assert spring[0] == ["00:00", "01:00", "03:00", "04:00", "05:00"]
    assert autumn[0] == ["00:00", "01:00", "02:00", "02:00", "03:00"]
    assert autumn[1] == 2
    assert spring[2][:5] == [[0, "Sun 29 Mar"], [5, "06:00"], [11, "12:00"], [17, "18:00"], [23, "Mon 30 Mar"]]
    assert autumn[2][:3] == [[0, "Sun 25 Oct"], [7, "06:00"], [13, "12:00"]]


def test_times_carry_the_shops_unit() -> None:
    """Shows hours with decimals, and ticks, which have neither decimals nor a date."""
    body = (
        "const [h, t] = [new Clock('h', null), new Clock('ticks', '2026-11-23T06:00:00Z')];"
        "return [h.text(5400), h.figure(3600), h.dated, t.text(5400), t.figure(5400), t.dated];"
    )
    assert run_script(PLAN, body) == ["1.5 h", "1.0 h", False, "5,400 ticks", "5,400 ticks", False]


def test_axis_steps_are_round_and_wide_enough() -> None:
    """Shows for 400 widths that the step is at least as wide as asked, one of few, and never falls."""
    body = (
        "const clocks = [new Clock('h', null), new Clock('ticks', null)];"
        "return clocks.map((clock) => given.map((width) => axisStep(clock, width)));"
    )
    widths = [1.05**i for i in range(400)]
    for steps in run_script(PLAN, body, widths):
        assert all(step >= width for step, width in zip(steps, widths, strict=True))
        assert steps == sorted(steps)
    assert run_script(PLAN, body, [0.1, 7, 70, 900])[1] == [1, 10, 100, 1000]


def test_first_above_is_found_by_bisection() -> None:
    """Shows the first element above a value for every value below, between, at and above the elements."""
    body = "return given.map((value) => firstAbove([1, 3, 3, 7], value));"
    assert run_script(PLAN, body, [0, 1, 2, 3, 5, 7, 9]) == [0, 1, 1, 3, 3, 4, 4]


def test_lateness_classes_meet_at_a_day() -> None:
    """Shows where one class of lateness ends and the next begins, and in what words a job is late."""
    lateness = [None, -86400, -86399, 0, 1, 86400, 86401]
    found = of_plan("given.lateness.map((lateness) => latenessClass(plan, { lateness }))", lateness=lateness)
    assert found == ["none", "early", "tight", "tight", "late", "late", "far"]
    words = of_plan(
        "given.lateness.map((lateness) => lateText({ lateness }, plan.clock))", lateness=[None, -HOUR, HOUR]
    )
    assert words == ["no due date", "1.0 h before its due date", "1.0 h late"]


def test_work_centres_share_no_fill_before_three_rounds_of_hues() -> None:
    """Shows thirty centres, each with a colour and stripes of its own; the one after them is the first again."""
    body = "return Array.from({ length: 31 }, (_, i) => centreFill(i)).map((fill) => fill.colour + fill.series);"
    fills = run_script(PLAN, body)
    assert len(set(fills[:30])) == 30
    assert fills[30] == fills[0]


def test_an_order_has_one_colour_in_two_plans() -> None:
    """Shows that orders and centres keep the colours of the first plan, and that what it lacks comes after them."""
    body = """const first = new Plan(given.shop, given.rows);
        const [, b] = given.shop.jobs;
        const machines = [{ id: "M10", work_centre: "press" }];
        const shop = { ...given.shop, jobs: [{ id: "new", operations: [] }, b], machines };
        const second = new Plan(shop, given.rows.slice(2));
        const { job, centre } = COLOURINGS;
        const colours = (plan) => [job, centre].map((each) => each.of(plan, first)(plan.bars.at(-1)).colour);
        const [ours, theirs] = [first, second].map(colours);
        const fresh = job.of(second, first)({ job: second.jobs[0] }).colour;
        const named = ({ colour, text }) => [HUES.indexOf(colour), text];
        const legend = (...plans) => centre.legend(plans, first).map(named);
        return [ours, theirs, HUES.indexOf(fresh), legend(first, second), legend(second)];"""
    ours, theirs, fresh, *legends = run_script(PLAN, body, {"shop": SHOP, "rows": ROWS})
    assert ours == theirs
    assert fresh == 2
    assert legends == [[[0, "no work centre"], [1, "press"]], [[1, "press"]]]


def test_a_search_reads_every_name_of_a_bar() -> None:
    """Shows that a bar is found by job, operation, machine and work centre in any case, and by no other text."""
    queries = ["=a", "a/1", "m9", "press", "s1"]
    assert of_plan("given.queries.map((query) => matches(plan.bars[0], query))", queries=queries) == [
        True, True, True, True, False,
    ]  # fmt: skip


def test_a_refusal_is_told_in_one_sentence_or_as_a_list() -> None:
    """Shows that one fault is the message, several are a list, and that a known status has a title for planners."""
    body = (
        "return given.map((refusal) => { const p = new Problem(refusal);"
        " return [p.title, p.message, p.faults, p.request ?? null]; });"
    )
    one, more = {"path": "jobs[0]", "message": "is empty"}, {"message": "no machine"}
    refusals = [
        {"title": "No", "status": 422, "detail": "jobs[0]: is empty", "errors": [one], "request_id": "r-1"},
        {"status": 422, "detail": "jobs[0]: is empty (and 1 more)", "errors": [one, more]},
        {"title": "Gone", "status": 410},
    ]
    refused = "The shop or an option was refused"
    assert run_script(["api.js"], body, refusals) == [
        [refused, "jobs[0]: is empty", ["jobs[0]: is empty"], "r-1"],
        [refused, "", ["jobs[0]: is empty", "no machine"], None],
        ["Gone", "Gone", [], None],
    ]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_events_are_read_whatever_the_packets(size: int) -> None:
    """Shows that a stream cut at any place, in either line end, gives the same events; comments are no events."""
    body = (
        "const bytes = new TextEncoder().encode(given.text);"
        "const stream = new ReadableStream({ start(controller) {"
        " for (let i = 0; i < bytes.length; i += given.size) controller.enqueue(bytes.slice(i, i + given.size));"
        " controller.close(); } });"
        "const found = []; for await (const event of serverSentEvents(stream)) found.push(event); return found;"
    )
    text = "event: progress\r\ndata: {\r\ndata: }\r\n\r\n: ping\n\nevent: done\ndata: ü\n\ndata: lost"
    found = run_script(["api.js"], body, {"text": text, "size": size})
    assert found == [{"event": "progress", "data": "{\n}"}, {"event": "done", "data": "ü"}]
