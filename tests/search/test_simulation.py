"""A simulated week: the same chance for every policy, no plan that contradicts what has happened, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from jaxshop.schedule import Schedule, verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search.replan import POLICIES, Replanned
from jaxshop.search.simulation import Chances, Happening, Manner, Week, live, promised, told_of
from jaxshop.shop import Shop, fingerprint, split_lots
from tests.plant import plant_shop
from tests.shops import HOUR
from tests.underway import planned, presses


def a_week(shop: Shop, policy: str, seed: int, chances: Chances) -> tuple[Schedule, list[Replanned], Week]:
    """A week of a shop that is planned by a rule, with every plan in between."""
    plan = split_lots(shop, None)
    schedule = dispatch_by_rule(plan, RULES["MWKR"], False)
    shop, schedule = promised(shop, schedule, HOUR)
    found: list[Replanned] = []
    events = chances.happenings(schedule.makespan // 2, seed)
    manner = Manner(policy, None, 6, threads=1)
    week = live(split_lots(shop, None), schedule, events, manner, seed, watch=lambda number, each: found.append(each))
    assert week is not None
    return schedule, found, week


@pytest.mark.parametrize("seed", range(12))
def test_no_plan_of_a_week_contradicts_what_has_happened(seed: int):
    """Plants with every rule: the verifier accepts each plan, what had ended stays, what began stays or is named."""
    first, found, week = a_week(plant_shop(seed, plain=True), POLICIES[seed % 2], seed, Chances(2, 2, 2))
    before = first
    for each in found:
        schedule, now = each.best.schedule, each.past.events.now
        assert verify(each.past.plan, schedule) == []
        rows = {row[:3]: row for row in schedule.rows}
        told = {row[:3] for row in (*each.past.stopped, *each.past.restarted)}
        told |= {key for key in rows if any(key[2] == late.operation for late in each.past.events.late)}
        for row in before.rows:
            if row.end <= now or (row.start < now and row[:3] not in told):
                assert rows[row[:3]] == row
        before = schedule
    assert [each.past.events.now for each in found] == sorted(each.past.events.now for each in found)
    assert week.events == len(found)
    assert week.makespan == before.makespan
    assert week.moved == sum(len(each.best.changes) for each in found)


def test_the_same_seed_and_work_give_the_same_week():
    """Nothing but the seconds differs, and another seed is another week."""
    weeks = [a_week(presses(), "search", seed, Chances(1, 1, 1))[2] for seed in (3, 3, 4)]
    told = [{name: value for name, value in vars(week).items() if "seconds" not in name} for week in weeks]
    assert told[0] == told[1] != told[2]


def test_chance_is_the_same_for_every_policy():
    """What happens, when, for how long and to whom it may, is drawn before any plan is made anew."""
    events = Chances(2, 3, 4).happenings(100 * HOUR, 5)
    assert events == Chances(2, 3, 4).happenings(100 * HOUR, 5)
    assert [event.kind for event in events] != sorted(event.kind for event in events)
    assert sorted(event.kind for event in events) == ["breakdowns"] * 2 + ["late"] * 3 + ["urgent"] * 4
    assert all(a.at <= b.at for a, b in pairwise(events))
    assert all(0 < event.at < 100 * HOUR and HOUR <= event.lost <= 8 * HOUR for event in events)


def test_whom_it_strikes():
    """By hand, at 2.5 h, when a1 runs on P1 alone: P1 breaks down, a1 is late; an order like b1 or c1, the shorter."""
    shop = presses()
    plan, schedule = split_lots(shop, None), planned(shop)
    models = [job for job in shop.jobs if job.id != "A"]
    for seed in range(5):
        told = told_of(plan, schedule, Happening(5 * HOUR // 2, "breakdowns", HOUR, seed), models, "new")
        assert told is not None
        assert told.down[0][:3] == ("P1", 2.5 * HOUR, 3.5 * HOUR)
        told = told_of(plan, schedule, Happening(5 * HOUR // 2, "late", HOUR, seed), models, "new")
        assert told is not None
        assert told.late[0] == ("a1", 0, 5 * HOUR)
        told = told_of(plan, schedule, Happening(5 * HOUR // 2, "urgent", HOUR, seed), models, "new")
        assert told is not None
        hours = min(told.add[0].operations[0].alternatives.values())
        assert (told.add[0].id, told.add[0].due) == ("new", 2.5 * HOUR + 3 * hours)


def test_right_shift_keeps_machines_and_search_does_not_have_to():
    """A week of one breakdown, by hand: b1 waits for P1 until 8 h, or goes to P2."""
    shop = presses()
    late = promised(shop, planned(shop), 0)[0]
    plan, schedule = split_lots(late, None), planned(late)
    event = [Happening(5 * HOUR // 2, "breakdowns", HOUR, 0)]
    shift, search = (live(plan, schedule, event, Manner(policy, None, 20, threads=1)) for policy in POLICIES[::2])
    assert shift is not None
    assert search is not None
    assert (shift.makespan, shift.machine_changed, shift.late_jobs) == (8 * HOUR, 0, 2)
    assert (search.makespan, search.machine_changed) == (7 * HOUR, 1)
    assert shift.tardiness == (shift.later if shift.earlier == 0 else 0)
    assert fingerprint(plan.shop) == schedule.fingerprint


def test_an_urgent_order_takes_no_name_of_the_shop():
    """Shows a shop that has an order URGENT-0 already: the urgent one is named otherwise."""
    shop = presses()
    shop = replace(shop, jobs=(replace(shop.jobs[0], id="URGENT-0"), *shop.jobs[1:]))
    _, (found,), _ = a_week(shop, "search", 3, Chances(0, 0, 1))
    assert found.past.plan.shop.jobs[-1].id == "URGENT_-0"


def test_a_week_can_be_cancelled():
    """No week is told that was not lived to its end."""
    plan = split_lots(presses(), None)
    events = Chances(1, 1, 1).happenings(3 * HOUR, 0)
    assert live(plan, planned(presses()), events, Manner("rules", None, 1), cancelled=lambda: True) is None
