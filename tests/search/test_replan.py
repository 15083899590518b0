"""Planning anew: repair, rules and search, what stability changes, and that no plan contradicts what has happened."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.bounds import certify
from jaxshop.schedule import verify
from jaxshop.schedule.events import Down, Kept
from jaxshop.search import replan as planning
from jaxshop.search.replan import contradictions, facts, replan
from jaxshop.search.solver import Solution, solve
from jaxshop.shop import Job, Objective, Operation
from tests.shops import HOUR
from tests.underway import days, hours, past_of, presses

DOWN = {"down": (Down("P1", 5 * HOUR // 2, 5 * HOUR),)}


@pytest.mark.parametrize("seed", range(40))
def test_no_plan_contradicts_what_has_happened(seed: int):
    """Plants with every rule, told of again and again: what ended or began stands, and the verifier accepts all."""
    for found in days(seed):
        past, schedule = found.past, found.best.schedule
        assert verify(past.plan, schedule) == []
        assert contradictions(past, schedule) == []
        assert schedule.makespan >= found.bound
        assert found.best.objective >= found.least
        told = facts(found)
        assert told["changes"]["moved"] == len(told["changes"]["list"])
        before = {key for key, row in past.planned.items() if row.start < past.events.now}
        lost = {row[:3] for row in (*past.restarted, *past.loosened)}
        assert before - lost == {row[:3] for row in past.kept if row.start < past.events.now}


@settings(max_examples=25, deadline=None)
@given(st.integers(1000, 10**6))
def test_no_plan_contradicts_whatever_is_drawn(seed: int):
    """The same for any seed; `replan` itself refuses what contradicts."""
    for found in days(seed):
        assert contradictions(found.past, found.best.schedule) == []


def test_search_finds_what_is_best():
    """By hand: b1 on the other press ends at 5.5 h, a2 at 8.5 h, which is the bound."""
    found = replan(past_of(presses(), 2.5, **DOWN), 0.5)
    assert (found.best.schedule.makespan, found.bound) == (8.5 * HOUR, 8.5 * HOUR)
    assert hours(found.best.schedule.rows)["b1"][0] == "P2"
    told = facts(found)
    assert told["proven_optimal"]
    assert (told["before"]["makespan_hours"], told["makespan_hours"], told["late_jobs"]) == (7.0, 8.5, 0)


def test_what_must_be_late_is_part_of_the_bound():
    """By hand: the saw works from 2.5 h to 6.5 h, what comes overdue is 3.5 h late at least, and c1 has been, by an
    hour; the plan that is no worse is proven to be the best."""
    a, b, c = presses().jobs
    shop = presses(jobs=(a, b, replace(c, due=HOUR)), objective=Objective(1.0, 1.0))
    overdue = Job("N", (Operation("n", {"S": 2 * HOUR}),), due=HOUR)
    told = []
    found = replan(past_of(shop, 2.5, add=(overdue,)), 0.5, report=lambda candidate, least: told.append(least))
    assert (found.bound, found.least, found.best.objective) == (6.5 * HOUR, 11 * HOUR, 11 * HOUR)
    assert (facts(found)["objective_bound"], facts(found)["proven_optimal"]) == (11.0, True)
    assert set(told) == {11 * HOUR}


def test_stability_keeps_what_hurts_little():
    """By hand: on P2, b1 ends 1.5 h sooner and the makespan is 6 h, not 7 h; with W = 1 that costs 2.5 h."""
    calm = past_of(presses(), 2.5)
    assert replan(calm, 0.5, policy="right-shift").best.changes == []
    moved, kept = replan(calm, 0.3), replan(calm, 0.3, stability=1.0)
    assert moved.best.objective == 6 * HOUR
    assert kept.best.objective == 7 * HOUR
    assert kept.best.changes == []


def test_no_rule_is_begun_too_late(monkeypatch: pytest.MonkeyPatch):
    """The repairs alone are an answer where the time is over by then; without any time a rule is tried all the same."""

    def asked(*arguments: object) -> NoReturn:
        raise AssertionError("a rule")

    monkeypatch.setattr("jaxshop.search.replan.best_rule", asked)
    past = past_of(presses(), 2.5, **DOWN)
    assert replan(past, 1e-6).best.source == "repair:reassign"
    with pytest.raises(AssertionError, match="a rule"):
        replan(past, 0)


def test_policies_are_told_apart():
    """Right shift keeps machines; rules and search do not have to, and are never worse."""
    past = past_of(presses(), 2.5, **DOWN)
    shift, rules = replan(past, 1.0, policy="right-shift"), replan(past, 1.0, policy="rules")
    assert shift.best.source == "repair:right-shift"
    assert (shift.best.objective, rules.best.objective) == (9.5 * HOUR, 8.5 * HOUR)


def test_time_before_what_is_kept_is_not_lost():
    """By hand: a2 stands on S from 4 h on; the order that comes runs before it, and no bound says that it cannot."""
    comes = Job("N", (Operation("n", {"S": 7 * HOUR // 5}),), due=4 * HOUR)
    past = past_of(presses(), 2.5, add=(comes,), keep=(Kept("a2"),))
    assert [op.fixed for lot in past.rest.lots for op in lot.operations if op.fixed] == [("S", 4 * HOUR, 0)]
    found = replan(past, 0)
    assert hours(found.best.schedule.rows)["n"] == ("S", 2.5, 3.9)
    assert (found.best.schedule.makespan, facts(found)["late_jobs"]) == (6 * HOUR, 0)
    assert found.bound == 6 * HOUR
    longer = replace(comes, operations=(Operation("n", {"S": 2 * HOUR}),))
    behind = replan(past_of(presses(), 2.5, add=(longer,), keep=(Kept("a2"),)), 0)
    assert hours(behind.best.schedule.rows)["n"] == ("S", 6, 8)


def test_nothing_left_to_plan():
    """Where all stands, the plan is the one before and says so."""
    found = replan(past_of(presses(), 2.5, freeze=5 * HOUR), 1.0)
    assert (found.best.source, found.best.changes, found.bound) == ("repair:nothing", [], 7 * HOUR)


def test_the_same_work_gives_the_same_plan():
    """Without search, nothing depends on the time."""
    past = past_of(presses(), 2.5, **DOWN)
    first, second = (replan(past, 0).best for _ in range(2))
    assert first.schedule == second.schedule
    assert replace(first, seconds=0) == replace(second, seconds=0)


def test_the_same_work_and_stability_give_the_same_plan(monkeypatch: pytest.MonkeyPatch):
    """Shows that with an end by work nothing is chosen that a search only happened to show on its way."""
    past, shown = next(days(10)).past, []

    def searched(*args: object, **named: object) -> Solution:
        found = solve(*args, **named)
        started = [each for each in found.trace if each.source == "start"]
        last = found.trace[-1]
        shown.append(replace(last, schedule=started[0].schedule, cost=started[0].cost, source="on the way"))
        return replace(found, trace=(*started, shown[-1], last))

    monkeypatch.setattr(planning, "solve", searched)
    by_work, by_time = replan(past, None, 10.0, work=20), replan(past, 1.0, 10.0)
    assert len(shown) == 2
    assert "on the way" not in {each.source for each in by_work.trace}
    assert by_time.best.objective <= by_work.best.objective


def test_work_is_what_the_search_did(monkeypatch: pytest.MonkeyPatch):
    """Shows that neither repairs nor the rules before a search are counted, so that the figure is one for `--work`."""
    past, done = next(days(10)).past, []

    def searched(*args: object, **named: object) -> Solution:
        found = solve(*args, **named)
        done.append(found.work_done)
        return found

    monkeypatch.setattr(planning, "solve", searched)
    assert [replan(past, None, work=20).work_done] == done
    assert 0 < done[0] <= 20
    assert replan(past, None, work=0).work_done == replan(past, 1.0, policy="right-shift").work_done == 0


def test_search_has_the_whole_bound_of_the_rest(monkeypatch: pytest.MonkeyPatch):
    """Shows that search is given the bound that is there, however much of its time is over by then."""
    past, given = next(days(10)).past, []
    monkeypatch.setattr(
        planning, "solve", lambda *args, **named: given.append(named["certificate"]) or solve(*args, **named)
    )
    found = replan(past, 1.0, begun=time.monotonic() - 0.5)
    assert given == [certify(past.rest)]
    assert found.bound >= given[0].value
