"""How the page shows a search: curve, numbers, best so far; pure functions, run under node."""

from __future__ import annotations

from tests.views.script import run_script


def of_search(expression: str, given: object = None) -> object:
    """The value of an expression over the functions that show a search."""
    return run_script(["search.js"], f"return {expression};", given)


def test_the_curve_of_a_search_steps_down_to_its_bound() -> None:
    """Shows a step at each better schedule, to scale in time and hours, up to now; the bound crosses the box below."""
    found = [{"seconds": 0, "hours": 20}, {"seconds": 1, "hours": 15}, {"seconds": 2, "hours": 12}]
    box = {"bound": 10, "now": 3, "limit": 4, "width": 200, "height": 120, "margin": 10}
    curve = of_search("searchCurve(given.found, given.box)", {"found": found, "box": box})
    assert curve == {"best": "M0 10H50V60H100V90H150", "bound": "M0 110H200", "now": {"x": 150, "y": 90}}
    flat = of_search("searchCurve(given.found, given.box)", {"found": [{"seconds": 0, "hours": 10}], "box": box})
    assert flat == {"best": "M0 110H150", "bound": "M0 110H200", "now": {"x": 150, "y": 110}}
    free = of_search(
        "searchCurve(given.found, given.box)", {"found": found, "box": {**box, "limit": None, "bound": None}}
    )
    assert (free["now"]["x"], free["bound"]) == (200, "")


def test_the_figures_of_a_search_say_what_is_proven() -> None:
    """Shows best, bound, gap, source and the time left in words; a schedule at its bound is called proven optimal."""
    progress = {
        "objective_hours": 104.25,
        "lower_bound_hours": 102.4,
        "gap_percent": 1.8066,
        "source": "search:improve",
    }
    figures = of_search("searchFigures(given, 1.24)", {**progress, "proven_optimal": False})
    assert [text for _, text, _ in figures] == ["104.25 h", "102.40 h", "1.81 %", "1.2 s"]
    dated = {**progress, "makespan_hours": 110.5, "proven_optimal": False}
    body = "searchFigures(given, 1.24, { late: 2, tardiness: 5400, clock: { figure: (t) => `${t / 3600} h` } })"
    assert [text for _, text, _ in of_search(body, dated)] == ["2", "1.5 h", "110.50 h", "1.2 s"]
    proven = of_search("searchFigures(given, null)", {**progress, "proven_optimal": True})
    assert ["Gap", "proven optimal", "good"] in proven
    assert of_search("[0, 9.96, 119.4, 125].map(inWords)") == ["0.0 s", "10 s", "119 s", "2 min 5 s"]


def test_an_event_that_tells_nothing_better_changes_nothing() -> None:
    """Shows that a stream that tells the curve from its start again adds no points; a better bound is shown."""
    body = """
        const [view, shown] = [Object.create(SearchView.prototype), []];
        const show = () => shown.push([view.found.length, view.latest.lower_bound_hours]);
        Object.assign(view, { found: [], clock: () => 5, show, box: { scrollIntoView() {} } });
        globalThis.setInterval = () => 1;
        for (const [hours, bound] of given) view.take({ objective_hours: hours, lower_bound_hours: bound, seconds: 1 });
        return [view.found.map(({ hours }) => hours), shown, view.began];"""
    told = [[None, None], [9, 5], [8, 5], [9, 5], [8, 5], [8, 6], [8, 5], [7, 6]]
    assert run_script(["search.js"], body, told) == [[9, 8, 7], [[1, 5], [2, 5], [2, 6], [3, 6]], 4]


def test_a_search_outlasts_a_network_that_breaks() -> None:
    """A stream that is cut and a server that is away for three asks lose nothing; refused or away for good ends it;
    Stop and Cancel are sent until they arrive."""
    body = """
        globalThis.window = { location: { href: "" } };
        globalThis.URL = class { constructor(path) { this.pathname = path; } };
        const headers = { get: (name) => (name === "Location" ? "/v1/schedules/0" : "application/json") };
        const json = (data, status = 200) => ({ ok: status < 300, status, headers, json: async () => data });
        const cut = () => ({ ok: true, body: new ReadableStream({ pull: (stream) => stream.error(new TypeError()) }) });
        const searched = async (answers) => {
          const waits = [];
          globalThis.setTimeout = (go, pause) => { waits.push(pause); go(); };
          globalThis.fetch = async () => answers.shift()?.() ?? Promise.reject(new TypeError("Failed to fetch"));
          const reply = await new Api("").schedule({}, {}, () => {}, { aborted: false }).catch(({ title }) => title);
          return [reply, waits, answers.length];
        };
        const stopped = async (signal, stop, ...answers) => {
          const [sent, waits] = [[], []];
          globalThis.setTimeout = (go, pause) => { waits.push(pause); go(); };
          globalThis.fetch = async (path, { method = "GET" }) => {
            sent.push(`${method} ${path}`);
            if (sent.length === 1) return accepted();
            if (path.endsWith("/events") && signal.aborted) throw new TypeError("aborted");
            if (path.endsWith("/events")) for (let i = 0; i < 99; i++) await null;
            if (path.endsWith("/events")) return cut();
            if (method === "GET") return done();
            return answers.shift()?.() ?? Promise.reject(new TypeError("Failed to fetch"));
          };
          await new Api("").schedule({}, {}, () => {}, signal, stop).catch(() => {});
          for (let i = 0; i < 99; i++) await null;
          return [sent.filter((each) => /:stop|DELETE/.test(each)), waits, answers.length];
        };
        const accepted = () => json({}, 202);
        const [away, done] = [() => null, () => json({ result: { schedule: "found" } })];
        return [
          await searched([accepted, cut, away, away, () => json({ status: "running" }), away, done]),
          await searched([accepted, cut]),
          await searched([accepted, cut, () => json({ title: "Gone" }, 404), done]),
          await stopped({ aborted: false }, { aborted: true }, away, () => json({}, 503), away, accepted),
          await stopped({ aborted: true }, undefined, away, away, accepted),
        ];"""
    found = run_script(["api.js"], body)
    assert found == [
        [{"schedule": "found"}, [500, 1000, 500], 0],
        ["No answer from the server", [500, 1000, 2000, 4000], 0],
        ["Gone", [], 1],
        [["POST /v1/schedules/0:stop"] * 4, [500, 1000, 2000], 0],
        [["DELETE /v1/schedules/0"] * 3, [500, 1000], 0],
    ]


def test_of_the_schedules_found_while_one_is_fetched_the_last_is_drawn() -> None:
    """Shows one fetch at a time, worse schedules passed over, and nothing drawn after the end of the search."""
    body = """
        globalThis.setTimeout = (go) => Promise.resolve().then(go);
        const [drawn, answers] = [[], []];
        const preview = new Preview((best, again) => drawn.push([best, again]));
        const asked = (hours) => () => new Promise((answer) => answers.push(() => answer(hours)));
        const tell = (hours) => preview.take({ objective_hours: hours }, asked(hours));
        const settle = async () => { for (let i = 0; i < 9; i++) await null; };
        const first = tell(9);
        for (const hours of [null, 8, 7, 7.5]) tell(hours);
        const fetched = [answers.length];
        answers.shift()();
        await settle();
        fetched.push(answers.length);
        answers.shift()();
        await first;
        const last = tell(6);
        preview.end();
        answers.shift()();
        await last;
        return [drawn, fetched];"""
    assert run_script(["preview.js"], body) == [[[9, False], [7, True]], [1, 1]]
