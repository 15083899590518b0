"""Schedules under the plant's own rules: the verifier, the host's rules, the key figures, and what is certain."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.bounds import certify, tighten
from jaxshop.schedule import Row, kpis, verify
from jaxshop.schedule.dispatch import DUE_RULES, RULES, applicable, best_rule, dispatch_by_rule
from jaxshop.shop import (
    Calendar,
    Changeover,
    Downtime,
    Fixed,
    Job,
    LotPlan,
    Machine,
    Objective,
    Operation,
    Shift,
    Shop,
    split_lots,
)
from tests.oracles.plant import Runner, optimum
from tests.oracles.planted import KINDS, check
from tests.plant import plant_plan, random_schedule
from tests.shops import HOUR


def press(**changes: object) -> LotPlan:
    """A press that is open from 0 to 8 h every day and set up for red; red work of 5 h, then blue work of 5 h."""
    day = Calendar("day", "UTC", ((Shift(0, 8 * HOUR),),) * 7)
    red = Job(
        "red", (Operation("r", {"A": 5 * HOUR}, family="red", lag=HOUR), Operation("b", {"A": HOUR})), due=4 * HOUR
    )
    blue = Job("blue", (Operation("b2", {"A": 5 * HOUR}, family="blue"),), due=24 * HOUR, weight=2.0)
    shop = Shop(
        "press",
        (Machine("A", "W", calendar="day", family="red"),),
        (red, blue),
        "2026-11-23T00:00:00Z",
        calendars=(day,),
        changeovers=(Changeover("blue", 5400, "red", work_centre="W"),),
    )
    return split_lots(replace(shop, **changes), None)


def hours(rows: tuple[Row, ...]) -> list[tuple[str, float, float]]:
    """Operation, start and end in hours."""
    return [(row.operation, row.start / HOUR, row.end / HOUR) for row in rows]


def test_work_stops_at_night_and_pays_its_set_up():
    """By hand: red runs from 0 to 5 h; b, after its lag, could start at 6 h; blue starts at 5 h, with a set-up."""
    plan = press()
    schedule = dispatch_by_rule(plan, RULES["FIFO"], False)
    assert hours(schedule.rows) == [("r", 0, 5), ("b2", 5, 27.5), ("b", 27.5, 28.5)]
    assert verify(plan, schedule) == []
    figures = kpis(plan, schedule, certify(plan).value)
    assert figures["utilisation"] == {"W": 1.0}
    assert figures["setups"] == {"count": 1, "hours": 1.5}
    assert figures["lateness"] == {
        "jobs_with_due": 2,
        "late_jobs": 2,
        "max_tardiness_hours": 24.5,
        "total_tardiness_hours": 28.0,
        "weighted_tardiness_hours": 31.5,
        "jobs": [{"job": "red", "tardiness_hours": 24.5}, {"job": "blue", "tardiness_hours": 3.5}],
    }
    assert figures["makespan_hours"] == 28.5
    assert figures["lower_bound_hours"] == 27.0  # 11 h of work at 8 h a day; the bound leaves set-ups out


def test_work_that_must_not_stop_waits_for_the_morning():
    """By hand: with its set-up, blue no longer fits behind red, and runs from 24 h to 30.5 h; b comes before it."""
    plan = press()
    red, blue = plan.shop.jobs
    whole = replace(blue, operations=(replace(blue.operations[0], interruptible=False),))
    plan = press(jobs=(red, whole))
    schedule = dispatch_by_rule(plan, RULES["FIFO"], False)
    assert hours(schedule.rows) == [("r", 0, 5), ("b", 6, 7), ("b2", 24, 30.5)]
    assert verify(plan, schedule) == []


def test_work_that_runs_already_comes_first():
    """By hand: blue runs from -2 h, without a set-up, for 5 h; red follows, set up from blue at no cost."""
    day = Calendar("day", "UTC", ((Shift(0, 8 * HOUR), Shift(20 * HOUR, 24 * HOUR)),) * 7)
    plan = press(calendars=(day,))
    red, blue = plan.shop.jobs
    running = replace(blue, operations=(replace(blue.operations[0], fixed=Fixed("A", -2 * HOUR)),))
    plan = press(calendars=(day,), jobs=(red, running))
    schedule = dispatch_by_rule(plan, RULES["FIFO"], True)
    assert hours(schedule.rows) == [("b2", -2, 3), ("r", 3, 8), ("b", 20, 21)]
    assert verify(plan, schedule) == []
    assert kpis(plan, schedule, 1)["utilisation"] == {"W": 1.0}
    assert certify(plan).value == 21 * HOUR


def gap(**changes: object) -> LotPlan:
    """Work of 2 h beside what is fixed from 3 to 4 h, on a machine that is set up for red."""
    fixed = Job("F", (Operation("f", {"A": HOUR}, family="red", fixed=Fixed("A", 3 * HOUR)),))
    free = Job("G", (replace(Operation("g", {"A": 2 * HOUR}, family="red"), **changes),))
    shop = Shop("x", (Machine("A", family="red"),), (fixed, free))
    return split_lots(replace(shop, changeovers=(Changeover("blue", HOUR, None, machine="A"),)), None)


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, 0),
        ({"alternatives": {"A": 3 * HOUR}}, 0),
        ({"alternatives": {"A": 3 * HOUR + 1}}, 4),
        ({"family": "blue"}, 0),
        ({"family": "blue", "setup": 1}, 4),
    ],
)
def test_work_runs_before_fixed_work_where_it_fits(changes: dict, start: float):
    """By hand: it fits to the tick, its set-up included; else it runs behind, also though it could be interrupted."""
    plan = gap(**changes)
    for active in (False, True):
        schedule = dispatch_by_rule(plan, RULES["FIFO"], active)
        assert next(row.start for row in schedule.rows if row.operation == "g") == start * HOUR
        assert verify(plan, schedule) == []


def test_what_holds_a_set_up_is_not_given_another():
    """By hand: behind work of another family what stands would need a set-up that its time does not hold."""
    back = Changeover("red", HOUR, "blue", machine="A")
    for held, family, start in ((0, "red", 0), (HOUR, "red", 4), (0, "blue", 4), (HOUR, "blue", 0)):
        plan = gap(family=family)
        plan = replace(plan, shop=replace(plan.shop, changeovers=(*plan.shop.changeovers, back)))
        lots = [replace(lot, operations=tuple(_holding(op, held) for op in lot.operations)) for lot in plan.lots]
        schedule = dispatch_by_rule(replace(plan, lots=tuple(lots)), RULES["FIFO"], True)
        assert next(row.start for row in schedule.rows if row.operation == "g") == start * HOUR


def _holding(op: Operation, held: int) -> Operation:
    return op if op.fixed is None else replace(op, fixed=op.fixed._replace(held=held))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_each_operation_runs_as_soon_as_it_fits(seed: int):
    """Row by row of schedules by chance, as the oracle has it, which shares nothing with what builds them."""
    plan = plant_plan(seed, machines=1 + seed % 3, frozen=seed % 5)
    runner, schedule = Runner(plan), random_schedule(plan, seed)
    at, place = runner.begin, {(lot.job, lot.index): i for i, lot in enumerate(plan.lots)}
    for row in schedule.rows[sum(at.done) :]:
        i, m = place[row[:2]], runner.names.index(row.machine)
        run = next(runner.runs(at, i, m))
        assert (run.start, run.end) == (row.start, row.end)
        at = at.after(plan, i, m, run)


@pytest.mark.parametrize("part", range(4))
def test_no_schedule_is_refused_and_every_planted_fault_is_found(part: int):
    """Schedules by chance of random shops are valid; faults of 32 kinds are not, each said by its own sentence."""
    counts, wrong = check(200, first=200 * part)
    assert wrong == []
    assert set(counts) <= set(KINDS)
    assert len(counts) >= 25


@pytest.mark.parametrize(
    "seed", [*range(20), *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(20, 60))]
)
def test_bounds_and_rules_stand_around_the_optimum(seed: int):
    """Against all semi-active schedules of small shops: no bound is above, and no rule's schedule below, the best."""
    plan = plant_plan(seed, jobs=3, machines=2, most_operations=2, frozen=seed % 3, held=seed % 2)
    if sum(len(lot.operations) for lot in plan.lots) > 6:
        plan = plant_plan(seed, jobs=2, machines=2, most_operations=2)
    plain = split_lots(replace(plan.shop, objective=Objective()), plan.max_lot_hours)
    least, certificate = optimum(plain), certify(plain)
    assert certificate.value <= least
    assert max(c.value for c in (certificate, *tighten(plain, certificate, lambda: True))) <= least
    for rule in applicable(plain):
        for active in (False, True):
            schedule = dispatch_by_rule(plain, RULES[rule], active)
            assert verify(plain, schedule) == []
            assert schedule.makespan >= least
    _, schedule = best_rule(plan)
    assert plan.shop.objective.cost(schedule.job_ends, plan.shop.jobs) >= optimum(plan)


def test_rules_that_serve_an_objective():
    """Only shops with due dates have rules of tardiness, only those with set-ups that of set-ups; ATC wins by hand."""
    jobs = (
        Job("long", (Operation("l", {"A": 10 * HOUR}),), due=40 * HOUR),
        Job("urgent", (Operation("u", {"A": 2 * HOUR}),), due=3 * HOUR, weight=5.0),
    )
    plan = split_lots(Shop("x", (Machine("A"),), jobs, objective=Objective(0.0, 1.0)), None)
    assert set(DUE_RULES) < set(applicable(plan))
    assert "SST" not in applicable(plan)
    assert "SST" in applicable(press())
    for rule in ("ATC", "CR", "EDD"):
        assert hours(dispatch_by_rule(plan, RULES[rule], False).rows)[0] == ("u", 0, 2)
    assert hours(dispatch_by_rule(plan, RULES["MWKR"], False).rows)[0] == ("l", 0, 10)
    assert best_rule(plan)[0] == "ATC"
    late = replace(plan.shop.machines[0], unavailable=(Downtime(0, HOUR),))
    assert applicable(split_lots(replace(plan.shop, machines=(late,)), None)) == applicable(plan)


def test_the_shortest_set_up_goes_first():
    """By hand: after red, SST takes more red work before it sets up for blue; MWKR takes blue, which lasts longer."""
    jobs = [Job(n, (Operation(n, {"A": h * HOUR}, family=f),)) for n, h, f in (("1", 1, "red"), ("2", 3, "blue"))]
    plan = press(jobs=tuple(jobs))
    assert [row.job for row in dispatch_by_rule(plan, RULES["SST"], False).rows] == ["1", "2"]
    assert [row.job for row in dispatch_by_rule(plan, RULES["MWKR"], False).rows] == ["2", "1"]
