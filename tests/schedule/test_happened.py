"""What has happened of a plan: what stands, what is open, what was begun in vain, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jaxshop.schedule import Row, Schedule, verify
from jaxshop.schedule.changes import changes_of, changes_to_json, disturbance, why_late
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.schedule.events import Down, Events, Kept, Told, read_events
from jaxshop.schedule.happened import Past, happened
from jaxshop.schedule.repair import Repair, repaired
from jaxshop.shop import Changeover, Fixed, Job, Machine, Operation, Shop, fingerprint, rules_of, split_lots
from jaxshop.support.errors import ShopError
from tests.plant import HOUR
from tests.shops import from_routes
from tests.underway import hours, past_of, planned, presses

STOPS = {"down": (Down("P1", 5 * HOUR // 2, 5 * HOUR),)}
"""P1 stops at 2.5 h and goes on at 5 h."""


def without_stopping(shop: Shop, name: str) -> Shop:
    """The shop where an operation must not stop."""

    def changed(op: Operation) -> Operation:
        return replace(op, interruptible=False) if op.id == name else op

    return replace(shop, jobs=tuple(replace(j, operations=tuple(map(changed, j.operations))) for j in shop.jobs))


def shifted(past: Past, repair: Repair = Repair.RIGHT_SHIFT, urgent: bool = False) -> dict:
    """The whole schedule after a repair, in hours; the verifier accepts it."""
    schedule = past.whole(repaired(past, repair, urgent))
    assert verify(past.plan, schedule) == []
    return hours(schedule.rows)


def test_what_began_stands_and_the_rest_is_open():
    """By hand at 2.5 h: a1 runs and c1 has ended; a2 waits for a1, b1 for the press that is left by a1."""
    past = past_of(presses(), 2.5)
    assert hours(past.kept) == {"a1": ("P1", 0, 4), "c1": ("P2", 0, 2)}
    assert [(lot.job, lot.release / HOUR) for lot in past.rest.lots] == [("A", 4), ("B", 2.5)]
    assert [machine.available_from / HOUR for machine in past.rest.shop.machines] == [4, 2.5, 2.5]
    assert rules_of(past.rest) == ()  # so that every method can plan it
    assert shifted(past)["b1"] == ("P1", 4, 7)
    assert shifted(past, Repair.REASSIGN)["b1"] == ("P2", 2.5, 5.5)


def test_what_starts_within_the_frozen_time_stays():
    """With 2 h frozen, all of the plan stays and nothing is left to plan."""
    past = past_of(presses(), 2.5, freeze=2 * HOUR)
    assert past.rest.lots == ()
    assert set(past.whole(None).rows) == set(planned(presses()).rows)


def test_what_shall_be_kept_stays_with_what_goes_before_it():
    """By hand at 0.5 h: to keep a2 keeps a1, and its machine's other work comes after it; unknown names are refused."""
    plan = hours(planned(presses()).rows)
    past = past_of(presses(), 0.5, keep=(Kept("a2"),))
    kept = hours(past.kept)
    assert {name: kept[name] for name in ("a1", "a2")} == {name: plan[name] for name in ("a1", "a2")}
    assert "b1" not in kept
    assert all(row == plan[name] for name, row in shifted(past).items() if name in kept)
    with pytest.raises(ShopError, match=r"keep\[0\]\.operation: unknown operation 'z'"):
        past_of(presses(), 0.5, keep=(Kept("z", 0),))


def test_work_stops_with_its_machine_and_goes_on():
    """By hand: 1.5 h of a1 are left at 5 h; what follows moves by 2.5 h, or goes to the other press."""
    past = past_of(presses(), 2.5, **STOPS)
    assert hours(past.stopped) == {"a1": ("P1", 0, 6.5)}
    assert shifted(past) == {"a1": ("P1", 0, 6.5), "c1": ("P2", 0, 2), "a2": ("S", 6.5, 8.5), "b1": ("P1", 6.5, 9.5)}
    assert shifted(past, Repair.REASSIGN)["b1"] == ("P2", 2.5, 5.5)


def test_a_set_up_that_is_another_is_no_stop():
    """By hand: without a1 the press is set up for b1, which is kept at 4 h, takes an hour more and stops nowhere."""
    a, b, c = presses().jobs
    red = (
        replace(a, operations=(Operation("a1", {"P1": 3 * HOUR}, family="red"), *a.operations[1:])),
        replace(b, operations=(replace(b.operations[0], family="red"),)),
    )
    machines = (Machine("P1", "press", family="blue"), Machine("P2", "press"), Machine("S"))
    shop = presses(jobs=(*red, c), machines=machines, changeovers=(Changeover("red", HOUR, "blue", machine="P1"),))
    past = past_of(shop, 0, drop=("A",), keep=(Kept("b1"),), down=(Down("P1", 0, 3 * HOUR),))
    assert (hours(past.kept), past.stopped) == ({"b1": ("P1", 4, 8)}, ())


def test_work_that_must_not_stop_is_started_anew():
    """By hand: a1 is begun in vain, and runs from 5 h to 9 h."""
    past = past_of(without_stopping(presses(), "a1"), 2.5, **STOPS)
    assert hours(past.restarted) == {"a1": ("P1", 0, 4)}
    assert hours(past.kept) == {"c1": ("P2", 0, 2)}
    assert shifted(past)["a1"] == ("P1", 5, 9)
    # Of a job that is dropped nobody begins it again, and the list of what became of it says so.
    past = past_of(without_stopping(presses(), "a1"), 2.5, drop=("A",), **STOPS)
    assert (hours(past.ended), past.restarted) == ({"a1": ("P1", 0, 4)}, ())
    assert [row["operation"] for row in changes_to_json(past, [])["ended"]] == ["a1"]
    assert "a1" not in shifted(past)
    # In a plan that is announced, too: it is not let run until the machine goes down in its midst.
    past = past_of(without_stopping(presses(), "a1"), 2.5, down=(Down("P1", 3 * HOUR, 5 * HOUR),))
    assert shifted(past)["a1"] == ("P1", 5, 9)


def test_what_cannot_have_begun_has_not():
    """By hand at 5 h: as P1 stopped at 2.5 h, neither a2 nor b1 began at 4 h, whatever the plan says."""
    past = past_of(presses(), 5, down=(Down("P1", 5 * HOUR // 2, 8 * HOUR),))
    assert hours(past.kept) == {"a1": ("P1", 0, 9.5), "c1": ("P2", 0, 2)}
    assert set(hours(past.loosened)) == {"a2", "b1"}
    assert shifted(past, Repair.REASSIGN)["b1"] == ("P2", 5, 8)


@pytest.mark.parametrize("told", [{"late": (Told("a1", None, 11 * HOUR // 2),)}, {"worked": (Told("a1", 0, HOUR),)}])
@pytest.mark.parametrize("stops", [True, False])
def test_work_runs_late(told: dict, stops: bool):
    """By hand: a1 ends at 5.5 h, said so or as 3 of its 4 h are left at 2.5 h; also where it must not stop."""
    shop = presses() if stops else without_stopping(presses(), "a1")
    past = past_of(shop, 2.5, **told)
    assert shifted(past) == {"a1": ("P1", 0, 5.5), "c1": ("P2", 0, 2), "a2": ("S", 5.5, 7.5), "b1": ("P1", 5.5, 8.5)}
    again = happened(past.plan.shop, past.whole(repaired(past, Repair.RIGHT_SHIFT)), Events(5 * HOUR))
    assert hours(again.kept)["a1"] == ("P1", 0, 5.5)


def test_orders_go_and_come():
    """By hand: b1 goes and leaves nothing; of A, a1 stays until it ends; N comes at 2.5 h at the earliest."""
    comes = Job("N", (Operation("n", {"P1": HOUR}),), due=6 * HOUR)
    past = past_of(presses(), 2.5, drop=("A", "B"), add=(comes,))
    assert [job.id for job in past.plan.shop.jobs] == ["A", "C", "N"]
    assert shifted(past) == {"a1": ("P1", 0, 4), "c1": ("P2", 0, 2), "n": ("P1", 4, 5)}
    past = past_of(presses(), 2.5, add=(comes,))
    assert shifted(past)["n"] == ("P1", 7, 8)
    assert shifted(past, urgent=True)["n"] == ("P1", 4, 5)


def test_families_and_fixed_work_go_on():
    """By hand: P1 is set up for red by a1, b1 needs 1 h; what was fixed on a machine that is down is open again."""
    shop = presses(changeovers=(Changeover("blue", HOUR, "red", "press"),))
    a, b, c = shop.jobs
    red = replace(a, operations=(replace(a.operations[0], family="red"), a.operations[1]))
    blue = replace(b, operations=(replace(b.operations[0], family="blue", fixed=Fixed("P1", 4 * HOUR)),))
    shop = replace(shop, jobs=(red, blue, c))
    assert hours(past_of(shop, 2.5).kept)["b1"] == ("P1", 4, 7)
    past = past_of(shop, 2.5, down=(Down("P1", 4 * HOUR, 5 * HOUR),))
    assert hours(past.loosened) == {"b1": ("P1", 4, 7)}
    assert shifted(past)["b1"] == ("P1", 5, 9)
    assert shifted(past, Repair.REASSIGN)["b1"] == ("P2", 2.5, 5.5)  # the other press was never set up for red


def test_fixed_work_stays_where_what_goes_before_it_finds_another_time():
    """By hand: P1 stops before a1 has begun, which is done at 6 h then, in time for a2 at 7 h, not for 5.5 h."""
    plan = (("A", "a1", "P1", 1, 5), ("C", "c1", "P2", 0, 2), ("B", "b1", "P1", 5, 8))
    for start, stays in ((7, True), (5.5, False)):
        shop = presses()
        first, second = shop.jobs[0].operations
        held = replace(second, fixed=Fixed("S", round(start * HOUR)))
        shop = replace(shop, jobs=(replace(shop.jobs[0], operations=(first, held)), *shop.jobs[1:]))
        rows = (*(Row(j, 0, name, m, a * HOUR, b * HOUR) for j, name, m, a, b in plan), _row("a2", start))
        schedule = Schedule(fingerprint(shop), None, rows)
        past = happened(shop, schedule, Events(HOUR // 2, down=(Down("P1", HOUR // 2, 2 * HOUR),)))
        assert ("a2" in hours(past.kept)) == stays
        assert set(hours(past.loosened)) == (set() if stays else {"a2"})
        for repair in Repair:
            assert shifted(past, repair)["a1"] == ("P1", 2, 6)
            assert shifted(past, repair)["a2"] == ("S", start if stays else 6, start + 2 if stays else 8)


def _row(name: str, start: float) -> Row:
    return Row("A", 0, name, "S", round(start * HOUR), round((start + 2) * HOUR))


def test_changes_are_told():
    """By hand: a2 and b1 start 2.5 h later; moved to the other press, b1 starts 1.5 h earlier."""
    past = past_of(presses(), 2.5, **STOPS)
    changes = changes_of(past, past.whole(repaired(past, Repair.RIGHT_SHIFT)))
    told = changes_to_json(past, changes)
    assert (told["moved"], told["machine_changed"], told["later_hours"], told["earlier_hours"]) == (2, 0, 5.0, 0.0)
    assert disturbance(changes) == 5 * HOUR
    assert [row["operation"] for row in told["stopped"]] == ["a1"]
    changes = changes_of(past, past.whole(repaired(past, Repair.REASSIGN)))
    told = changes_to_json(past, changes)
    assert (told["moved"], told["machine_changed"], told["later_hours"], told["earlier_hours"]) == (2, 1, 2.5, 1.5)
    assert told["list"][1] == {
        **{"job": "B", "lot": 0, "operation": "b1", "machine": "P2", "machine_before": "P1"},
        **{"start": 9000, "start_before": 14400, "later_hours": -1.5},
    }
    assert disturbance(changes) == 5 * HOUR


def test_why_a_job_is_late():
    """By hand: B, due at 7 h, ends at 9.5 h; until then its press is closed for 2.5 h, has 4 h of a1 to do, and 3 h."""
    past = past_of(presses(), 2.5, **STOPS)
    (late,) = why_late(past.plan, past.whole(repaired(past, Repair.RIGHT_SHIFT)))
    assert (late["job"], late["late_hours"], late["due_hours"], late["end_hours"]) == ("B", 2.5, 7.0, 9.5)
    assert late["reasons"] == [
        {"what": "waits for machine", "hours": 4.0, "machine": "P1", "behind": "a1"},
        {"what": "work", "hours": 3.0},
        {"what": "closed time", "hours": 2.5},
    ]


def test_release_and_lag_make_late():
    """By hand: released at 1 h, after 1 h of work a lag of 2 h, then 0.5 h of set-up and 1 h of work: done at 5.5 h."""
    route = (
        Operation("x", {"M": HOUR}, lag=2 * HOUR),
        Operation("y", {"M": HOUR}, setup=HOUR // 2),
    )
    shop = replace(presses(), machines=(Machine("M"),), jobs=(Job("X", route, HOUR, 0),))
    plan = split_lots(shop, None)
    (late,) = why_late(plan, dispatch_by_rule(plan, RULES["FIFO"], False))
    assert {each["what"]: each["hours"] for each in late["reasons"]} == {
        **{"release": 1.0, "lag": 2.0, "set-up": 0.5, "work": 2.0}
    }
    assert late["late_hours"] == 5.5


@pytest.mark.parametrize(
    ("now", "told", "said"),
    [
        (7, {}, "now: 7 h: must be from 0 on and before the end of the plan at 7 h"),
        (-1, {}, "now: -1 h"),
        (1, {"freeze": -HOUR}, "freeze_hours: -1 h: must be >= 0"),
        (1, {"down": (Down("P9", 0, 1),)}, "down[0].machine: unknown machine 'P9', must be one of the shop's machines"),
        (1, {"down": (Down("P1", HOUR, HOUR),)}, "down[0].to: machine 'P1' is down from 1 h to 1 h: must end"),
        (1, {"drop": ("Z",)}, "drop[0]: unknown job 'Z', must be one of the shop's jobs"),
        (1, {"drop": ("A", "A")}, "drop[1]: job 'A' stands at drop[0] already; leave one"),
        (1, {"add": (Job("A", (Operation("n", {"P1": 1}),)),)}, "add[0].id: job 'A' is in the shop already"),
        (
            1,
            {"add": (Job("N", (Operation("n", {"P1": 1}, fixed=Fixed("P1", 0)),)),)},
            "add[0].operations[0].fixed: job 'N' has fixed work; leave it out",
        ),
        (
            1,
            {"add": (Job("N", (Operation("n", {"P9": 1}),)),)},
            "add[0].operations[0].alternatives.P9: unknown",
        ),
        (1, {"add": (Job("N", (Operation("a1", {"P1": 1}),)),)}, "add[0].operations[0].id: duplicate id 'a1'"),
        (1, {"late": (Told("z", None, HOUR),)}, "late[0].operation: unknown operation 'z'"),
        (1, {"late": (Told("b1", None, 9 * HOUR),)}, "late[0]: operation 'b1' has not begun before now"),
        (1, {"late": (Told("a1", 3, 9 * HOUR),)}, "late[0]: operation 'a1', lot 4, has not begun"),
        (1, {"late": (Told("a1", None, 3 * HOUR),)}, "would end at 3 h, before its planned end at 4 h"),
        (1, {"worked": (Told("a1", None, 9 * HOUR),)}, "worked[0]: operation 'a1' takes 4 h, set-ups"),
        (1, {"worked": (Told("a1", None, 3 * HOUR),)}, "worked[0]: operation 'a1' would end at 2 h"),
        (
            1,
            {"late": (Told("a1", None, 5 * HOUR), Told("a1", 0, 6 * HOUR))},
            "late[1]: operation 'a1' is told of at late[0] already; leave one of them out",
        ),
        (
            1,
            {"late": (Told("a1", 0, 5 * HOUR),), "worked": (Told("a1", 0, 1),)},
            "worked[0]: operation 'a1' is told of at late[0] already",
        ),
        (1, {"drop": ("A", "B", "C"), "down": ()}, ""),
        (
            5,
            {"late": (Told("b1", None, 9 * HOUR),), "down": (Down("P1", HOUR, 9 * HOUR),)},
            "late[0]: operation 'b1' cannot have begun before now: its machine was down",
        ),
        (
            1,
            {"late": (Told("a1", None, 9 * HOUR),), "down": (Down("P1", 8 * HOUR, 10 * HOUR),)},
            "late[0]: operation 'a1' would end on machine 'P1' at 9 h, when that is closed",
        ),
    ],
)
def test_what_cannot_be_told(now: float, told: dict, said: str):
    """Each in a line that names it; to drop all is no fault while something of it runs."""
    if not said:
        assert past_of(presses(), now, **told).rest.lots == ()
        return
    with pytest.raises(ShopError) as error:
        past_of(presses(), now, **told)
    assert said in str(error.value)


def test_the_schedule_is_of_the_shop_and_valid():
    """Another shop's is refused, and one that the verifier refuses, by the schedule's name."""
    shop = presses()
    with pytest.raises(ShopError, match=r"plan\.json: The schedule is for shop"):
        happened(replace(shop, jobs=shop.jobs[:2]), planned(shop), Events(1), "plan.json")
    schedule = planned(shop)
    wrong = replace(schedule, rows=(schedule.rows[0]._replace(end=5), *schedule.rows[1:]))
    with pytest.raises(ShopError, match=r"plan\.json: Job 'A', lot 1, operation 'a1' runs"):
        happened(shop, wrong, Events(1), "plan.json")


def test_lots_are_told_apart():
    """Of two lots that run, one has to be named; a job that is cut cannot go once one of its lots has begun."""
    shop = from_routes([[{0: 8, 1: 8}]], 2)
    plan = split_lots(shop, 4 / 3600)
    schedule = dispatch_by_rule(plan, RULES["FIFO"], False)
    assert [(row.lot, row.start, row.end) for row in schedule.rows] == [(0, 0, 4), (1, 0, 4)]
    with pytest.raises(ShopError, match=r"late\[0\]\.lot: 2 lots of operation 'J0/0' have begun \(1, 2\): say which"):
        happened(shop, schedule, Events(2, late=(Told("J0/0", None, 6),)))
    with pytest.raises(ShopError, match=r"drop\[0\]: job 'J0' is cut into lots, of which some have begun"):
        happened(shop, schedule, Events(2, drop=("J0",)))
    past = happened(shop, schedule, Events(2, late=(Told("J0/0", 1, 6),)))
    assert [(row.lot, row.end) for row in past.kept] == [(0, 4), (1, 6)]
    assert verify(past.plan, past.whole(None)) == []


def test_events_are_read():
    """All keys of a request, in hours; each fault by its path."""
    events = read_events(
        {
            **{"now": 1.5, "freeze_hours": 2, "down": [{"machine": "P1", "from": -1, "to": 2}], "drop": ["A"]},
            **{"add": [{"id": "N", "operations": [{"id": "n", "alternatives": {"P1": 1}}]}]},
            **{"late": [{"operation": "a", "end": 3}], "worked": [{"operation": "b", "lot": 1, "hours": 0.5}]},
            "keep": [{"operation": "c"}, {"operation": "d", "lot": 2}],
        },
        "body",
    )
    new = Job("N", (Operation("n", {"P1": HOUR}),))
    late, worked = (Told("a", None, 3 * HOUR),), (Told("b", 1, HOUR // 2),)
    assert events == Events(
        5400, 7200, (Down("P1", -HOUR, 2 * HOUR),), (new,), ("A",), late, worked, (Kept("c"), Kept("d", 2))
    )
    with pytest.raises(ShopError) as error:
        read_events(
            {
                **{"nou": 1, "freeze_hours": -1, "down": [{"machine": "P1", "from": float("nan")}], "drop": [1]},
                **{"add": 3, "late": [{"operation": "a", "end": 1, "lot": "x"}]},
            },
            "body",
        )
    told = "\n".join(error.value.faults)
    for path in ("nou: unknown key", "now: missing", "freeze_hours: must be >= 0", "down[0].to: missing"):
        assert f"body: {path}" in told
    for path in ("down[0].from", "drop[0]", "add: must be a list", "late[0].lot"):
        assert f"body: {path}" in told
