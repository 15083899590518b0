"""What the page does to a plan when a planner changes it, under node, with the server's verifier as the judge."""

from __future__ import annotations

import random
from typing import Any

import pytest

from jaxshop.schedule import Row, Schedule, verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import LotPlan, fingerprint, parse_shop, shop_to_json, split_lots
from tests.plant import plant_plan
from tests.shops import random_shop, with_setups
from tests.views.script import run_script

BOARD = ["clock.js", "plan.js", "calendar.js", "model.js", "check.js", "board.js", "draft.js", "compare.js"]
HOUR = 3600


def order(id: str, *alternatives: dict[str, float], **more: Any) -> dict[str, Any]:
    """An order whose operations are named by it."""
    operations = [{"id": f"{id}/{k + 1}", "alternatives": each} for k, each in enumerate(alternatives)]
    return {"id": id, "operations": operations, **more}


SHOP = {
    "format": "jaxshop-shop/1",
    "name": "day",
    "machines": [{"id": "M1"}, {"id": "M2"}, {"id": "M3", "available_from": 2}],
    "jobs": [
        order("A", {"M1": 1, "M3": 1}, {"M2": 1}, due=3),
        order("B", {"M1": 2}, {"M2": 1}, release=1, due=9, weight=2),
        order("C", {"M2": 1}),
    ],
}
ROWS = [
    {"job": job, "lot": 0, "operation": operation, "machine": machine, "start": start * HOUR, "end": end * HOUR}
    for job, operation, machine, start, end in [
        ("A", "A/1", "M1", 0, 1),
        ("B", "B/1", "M1", 1, 3),
        ("C", "C/1", "M2", 0, 1),
        ("A", "A/2", "M2", 1, 2),
        ("B", "B/2", "M2", 3, 4),
    ]
]


def on_board(expression: str, **given: Any) -> Any:
    """The value of an expression over the board of the day above, `clock`, `key` (of an operation) and `given`."""
    body = f"""const model = new Model(given.shop);
      const board = new Board(model, given.rows, {{ now: given.now ?? 0, locked: new Set(given.locked ?? []) }});
      const clock = new Clock("h", null);
      const key = (operation) => rowKey({{ job: operation[0], lot: 0, operation }});
      return {expression};"""
    return run_script(BOARD, body, {"shop": SHOP, "rows": ROWS, **given})


@pytest.mark.parametrize(
    ("operation", "machine", "hour", "refusal"),
    [
        ("B/2", "M3", 5, "B/2 cannot run on M3, only on M2."),
        ("B/2", "M2", 0.5, "B/2 cannot start in the past: it is 1 h."),
        ("B/2", "M2", 2.5, "B/2 cannot start before B/1 is over at 3 h."),
        ("A/1", "M1", 5, "A/1 has begun and stays."),
        ("A/2", "M2", 5, "A/2 is locked: unlock it to move it."),
    ],
)
def test_a_move_that_cannot_be_is_refused_in_a_sentence(
    operation: str, machine: str, hour: float, refusal: str
) -> None:
    """An ineligible machine, the past, before the route, work that has begun, a locked bar: each says why."""
    now, locked = (HOUR, ["A\n0\nA/2"])
    asked = on_board(
        f"board.tried(key('{operation}'), '{machine}', {hour * HOUR}, clock)",
        now=now,
        locked=locked,
    )
    assert asked == {"refusal": refusal}


def test_a_move_is_tried_where_the_machine_is_free_or_not() -> None:
    """By hand: a move takes as long as it takes there; before release or availability it is refused."""
    tried = on_board(
        "[['A/1', 'M3', 3], ['B/1', 'M1', 0.5], ['A/1', 'M3', 1]]"
        ".map(([o, m, h]) => board.tried(key(o), m, 3600 * h, clock))"
    )
    assert (tried[0]["row"]["start"], tried[0]["row"]["end"]) == (3 * HOUR, 4 * HOUR)
    assert tried[1]["refusal"] == "B/1 cannot start before its release at 1 h."
    assert tried[2]["refusal"] == "A/1 cannot start before M3 is available at 2 h."


def test_the_cost_is_makespan_tardiness_and_late_orders() -> None:
    """By hand: A is due at 3 h and ends at 2 h; put off to 5 h it is two hours late, B three hours at weight 2."""
    late = [(3, 4), (4, 11)]
    rows = [*ROWS[:3], *({**ROWS[i], "start": start * HOUR, "end": (start + 1) * HOUR} for i, start in late)]
    assert on_board("[costOf(model, given.rows), costOf(model, given.moved)]", moved=rows) == [
        {"makespan": 4 * HOUR, "tardiness": 0, "late": 0},
        {"makespan": 12 * HOUR, "tardiness": 2 * HOUR + 2 * 3 * HOUR, "late": 2},
    ]


def plans(kind: str) -> list[tuple[LotPlan, Schedule]]:
    """Fifteen plans by rules: plain with set-ups, or with every rule of the plant."""
    found = []
    for seed in range(15):
        plan = plant_plan(seed) if kind == "plant" else split_lots(with_setups(random_shop(seed, 5), seed), None)
        found.append((plan, dispatch_by_rule(plan, RULES["FIFO"], bool(seed % 2))))
    return found


def faults(plan: LotPlan, rows: list[dict[str, Any]]) -> list[str]:
    """What the verifier finds."""
    found = tuple(Row(**row) for row in rows)
    return verify(plan, Schedule(fingerprint(plan.shop), plan.max_lot_hours, found))


@pytest.mark.parametrize("kind", ["plain", "plant"])
def test_room_is_made_for_what_was_moved(kind: str) -> None:
    """Fifteen plans, a bar put off in each: with room made it stays there, nothing is earlier, and all is valid."""
    cases = []
    for seed, (plan, schedule) in enumerate(plans(kind)):
        draw = random.Random(seed)
        fixed = {(lot.job, lot.index, op.id) for lot in plan.lots for op in lot.operations if op.fixed}
        row = draw.choice([row for row in schedule.rows if row[:3] not in fixed])
        rows = [each._asdict() for each in schedule.rows]
        cases.append([shop_to_json(plan.shop), plan.max_lot_hours, rows, row._asdict(), draw.randrange(1, 40000)])
    body = """return given.map(([shop, hours, rows, row, by]) => {
        const model = new Model(shop, hours);
        const now = Math.min(...rows.map(({ start }) => start));
        const board = new Board(model, rows, { now });
        const moved = board.tried(rowKey(row), row.machine, row.start + by, new Clock(shop.unit, shop.plan_start)).row;
        const pushed = new Board(model, board.replaced(moved), { now }).pushed(new Set([rowKey(row)]));
        return [board.pushed(), moved, pushed];
      });"""
    for (plan, schedule), case, (untouched, moved, pushed) in zip(
        plans(kind), cases, run_script(BOARD, body, cases), strict=True
    ):
        assert [tuple(row.values()) for row in untouched] == [tuple(row) for row in schedule.rows]
        assert moved in pushed
        assert all(after["start"] >= before["start"] for before, after in zip(case[2], pushed, strict=True))
        # What stands still by the shop file may be in the way of what was moved; all else gives way.
        if not any(op.fixed for lot in plan.lots for op in lot.operations) and not plan.shop.changeovers:
            assert faults(plan, pushed) == []


@pytest.mark.parametrize("kind", ["plain", "plant"])
def test_orders_go_first_and_come_anew(kind: str) -> None:
    """Fifteen plans: an order put first ends no later than before; one like it comes into gaps; both are valid."""
    cases = [
        [shop_to_json(plan.shop), plan.max_lot_hours, [row._asdict() for row in schedule.rows]]
        for plan, schedule in plans(kind)
    ]
    body = """return given.map(([shop, hours, rows]) => {
        const model = new Model(shop, hours);
        const job = shop.jobs.at(-1);
        const found = new Board(model, rows).first(job.id);
        const details = { id: "new", times: 1, release: 0, due: null, weight: 1 };
        const more = { ...shop, jobs: [...shop.jobs, orderLike(job, details)] };
        return [job.id, found?.rows ?? null, more, new Board(new Model(more, hours), rows).inserted("new")];
      });"""
    for (plan, schedule), (job, first, more, inserted) in zip(plans(kind), run_script(BOARD, body, cases), strict=True):
        plain = not plan.shop.changeovers and not any(op.fixed for lot in plan.lots for op in lot.operations)
        if first is not None and plain:
            assert faults(plan, first) == []
            assert max(row["end"] for row in first if row["job"] == job) <= schedule.job_ends[job]
        larger = split_lots(parse_shop(more, "shop"), plan.max_lot_hours)
        assert inserted is not None
        assert inserted[: len(schedule.rows)] == [row._asdict() for row in schedule.rows]
        assert faults(larger, inserted) == []


def test_now_is_the_clock_on_the_wall_while_the_plan_runs() -> None:
    """By hand: whole minutes of a plan under way; 0 before it begins, once it has ended, and without dates."""
    body = "return given.map(([instant, epoch, makespan]) => tickNow(instant, epoch, makespan));"
    page = "var document = { getElementById: () => null, querySelectorAll: () => [], addEventListener() {} };"
    cases = [[7_325_000, 0, 10_000], [7_325_000, 0, 7_000], [-60_000, 0, 10_000], [7_325_000, None, 10_000]]
    assert run_script([*BOARD, "planning.js"], body, cases, before=page) == [7_320, 0, 0, 0]


def test_changes_are_undone_and_redone() -> None:
    """Three changes, the last accepted: undo walks, a change after it forgets the rest, discard goes to what holds; it
    is said what waits: changes, an undo, or a change in place of what was undone."""
    body = """
        let history = new History([{ label: "start", rows: 0 }]);
        const seen = [];
        const words = [];
        const note = () => {
          seen.push([history.state.rows, history.open, history.canUndo, history.canRedo]);
          words.push(history.waiting && waitingWords(history.waiting).join(". "));
        };
        for (const rows of [1, 2, 3]) history = history.with(`change ${rows}`, { rows });
        note();
        history = history.settledHere({ fingerprint: "f" }).undo();
        note();
        history = history.discarded();
        note();
        history = history.undo().undo().with("other", { rows: 9 });
        note();
        const states = history.states.length;
        history = history.discarded();
        note();
        return [seen, states, words];"""
    seen, states, words = run_script(BOARD, body)
    assert seen[:3] == [[3, True, True, False], [2, True, True, True], [3, False, True, False]]
    assert seen[3:] == [[9, True, True, False], [3, False, True, False]]
    assert states == 3
    assert words == [
        "change 3. With 2 before it, it waits to be accepted.",
        "Undone: change 3. The plan without it waits to be accepted.",
        None,
        "other. In place of what was undone, it waits to be accepted.",
        None,
    ]


def test_what_the_server_is_told_is_valid_and_complete() -> None:
    """A stop, an order, a lock on a broken state: a valid schedule of the shop before, and all three; or a sentence."""
    rows = [{**ROWS[0], "start": 1800, "end": 1800 + HOUR}, *ROWS[1:]]
    expression = """(() => {
        const schedule = { operations: given.broken, shop: "f", max_lot_hours: null };
        let state = firstState(given.shop, schedule, { locked: given.lock.map(key) });
        state = { ...state, ...stopping(state, "M2", 7200, 10800, "") };
        const details = { id: "N", times: 2, release: 0, due: 8, weight: 1 };
        state = { ...state, ...adding(state, orderLike(given.shop.jobs[0], details), details) };
        return restRequest(state, 0, { freeze: 1, stability: 0.5 });
      })()"""
    refused = on_board(expression, broken=rows, lock=["B/2"])
    assert refused == {"fault": "B/2 starts before B/1 is over at 3.5 h."}
    body = on_board(expression, broken=rows, lock=["C/1"])["body"]
    assert faults(split_lots(parse_shop(body["shop"], "shop"), None), body["schedule"]["operations"]) == []
    assert body["down"] == [{"machine": "M2", "from": 2, "to": 3, "reason": "stopped"}]
    assert body["keep"] == [{"operation": "C/1", "lot": 0}]
    assert (body["now"], body["freeze_hours"], body["stability"]) == (0, 1, 0.5)
    (job,) = body["add"]
    assert [op["alternatives"] for op in job["operations"]] == [{"M1": 2, "M3": 2}, {"M2": 2}]


def test_two_plans_are_compared() -> None:
    """By hand: one bar elsewhere, one later, and what becomes of their orders."""
    other = [{**ROWS[0], "machine": "M3", "start": 2 * HOUR, "end": 3 * HOUR}, *ROWS[1:3]]
    other += [{**ROWS[3], "start": 3 * HOUR, "end": 4 * HOUR}, {**ROWS[4], "start": 4 * HOUR, "end": 5 * HOUR}]
    expression = """(() => {
        const found = compared(model.plan(given.other), model.plan(given.rows));
        const words = found.orders.map((each) => orderWords(each, clock));
        return [found.machines, found.times, found.later, found.earlier, words, comparedWords(found, clock)];
      })()"""
    *figures, orders, words = on_board(expression, other=other)
    assert figures == [1, 2, 5 * HOUR, 0]
    assert orders == ["A: 2.0 h later, now late", "B: 1.0 h later, in time in both"]
    assert words[0].startswith("1 operation runs on another machine, 2 at another time; begins are 5 h later")


def test_an_aim_changes_the_shop_only_where_it_says_something_else() -> None:
    """No aim, or the one that the shop has, leaves it as it is; due dates count a hundred times the end."""
    body = """const same = [aimed(given, ""), aimed(given, "end")].map((shop) => shop === given);
        const due = aimed(given, "dates");
        const more = [aimed(due, "dates") === due, aimed(due, "end").objective.tardiness, given.objective];
        return [same, due.objective, ...more];"""
    found = run_script(["draft.js"], body, {"jobs": []})
    assert found == [[True, True], {"makespan": 0.01, "tardiness": 1}, True, 0, None]


def test_a_target_that_whole_jobs_cannot_reach_gets_a_hint() -> None:
    """The job that alone takes longer is named, with the field that helps; not where none does, or it is one part."""
    long_job = {"id": "A", "release": 1, "operations": [{"id": "A/1", "setup": 0.5, "alternatives": {"M": 9, "N": 8}}]}
    short_job = {"id": "B", "operations": [{"id": "B/1", "alternatives": {"M": 1}}]}
    one_part = {"jobs": [long_job | {"quantity": 1}, short_job]}
    cases = [[{"jobs": [long_job]}, 9], [{"jobs": [long_job]}, 9.5], [one_part, 9]]
    hint, *none = run_script(["draft.js"], "return given.map(([shop, target]) => lotsHint(shop, target))", cases)
    assert hint == "A alone takes 9.5 h: with “Lots up to” it is cut into lots that run beside each other."
    assert none == ["", ""]
