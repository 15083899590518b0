"""`jaxshop reschedule`: what it prints and writes, told of again on the day after, and bad input."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from jaxshop import schedule as schedules
from jaxshop.cli.solve import over_bound
from jaxshop.schedule import write
from jaxshop.shop import Calendar, Job, Machine, Objective, Operation, shop_to_json
from tests.cli.refusals import assert_refused
from tests.shops import HOUR
from tests.trained import run
from tests.underway import planned, presses


@pytest.fixture
def day(tmp_path) -> tuple[Path, Path, Path]:
    """The files of shop and plan, and where the new plan goes."""
    shop, plan = tmp_path / "shop.json", tmp_path / "plan.json"
    shop.write_text(json.dumps(shop_to_json(presses())))
    write(plan, planned(presses()))
    return shop, plan, tmp_path / "new.json"


def test_a_press_stops(day, tmp_path):
    """By hand: b1 goes to the other press, a2 waits for a1, which stops and goes on; the verifier accepts it."""
    shop, plan, out = day
    now = tmp_path / "now.json"
    told = ("--now", 2.5, "--down", "P1:2.5-5", "--out", out, "--shop-out", now, "--gantt", tmp_path / "g.html")
    found = run("reschedule", shop, plan, *told, "--json").json
    assert (found["makespan_hours"], found["lower_bound_hours"], found["proven_optimal"]) == (8.5, 8.5, True)
    assert found["source"].startswith("repair:")
    assert '"now":9000' in (tmp_path / "g.html").read_text()
    changes = found["changes"]
    assert (changes["moved"], changes["machine_changed"]) == (2, 1)
    assert (changes["later_hours"], changes["earlier_hours"]) == (2.5, 1.5)
    assert (found["late"], found["late_jobs"], found["before"]["makespan_hours"]) == ([], 0, 7.0)
    assert run("verify", now, out).code == 0
    assert run("verify", shop, out).code == 1  # it is of the shop as it is now

    # At 5 h it turns out that a1 takes longer still.
    again = run("reschedule", now, out, "--now", 5, "--late", "a1:8", "--out", tmp_path / "newer.json", "--json").json
    assert again["makespan_hours"] == 10.0
    assert [row["operation"] for row in again["changes"]["list"]] == ["a2"]


def test_what_a_person_is_told(day):
    """What moved, what stopped, and why a job is late."""
    shop, plan, out = day
    result = run(*("reschedule", shop, plan, "--now", 2.5, "--down", "P1:2.5-5", "--down", "P2:2.5-9", "--out", out))
    assert result.code == 0
    assert "presses: 9.50 h (7.00 h before)" in result.out
    assert "moved: 2 operations, 0 of them to another machine, 5.00 h later and 0.00 h earlier in all" in result.out
    assert "b1: P1, 4.00 h -> 6.50 h" in result.out
    assert "a1 stops while its machine is down, and goes on" in result.out
    assert "B: 2.50 h late: waits for machine P1 (behind a1) 4.00 h, work 3.00 h, closed time 2.50 h" in result.out


def test_an_interrupted_plan_is_told(day, monkeypatch):
    """Shows that SIGTERM while the plan is written leaves it whole, and is told on stderr and by the exit code."""
    shop, plan, out = day

    def told_to_end(path, schedule):
        signal.raise_signal(signal.SIGTERM)
        write(path, schedule)

    monkeypatch.setattr(schedules, "write", told_to_end)
    result = run("reschedule", shop, plan, "--now", 2.5, "--time-limit", 0, "--out", out)
    assert (result.code, result.err) == (143, f"interrupted: {out} holds the best schedule so far\n")
    assert run("verify", shop, out).code == 0


def test_how_far_a_plan_is_from_its_bounds():
    """Of the makespan, unless it is proven optimal; and of an objective that is another."""
    shop, late = presses(), presses(objective=Objective(1.0, 0.5))
    over = ", 10.00 % over the certified bound of 10.00 h"
    figures = (11 * HOUR, 10 * HOUR, 12 * HOUR, 10 * HOUR)
    assert over_bound(shop, *figures, False) == over
    assert over_bound(late, *figures, False) == f"{over}, objective 12.00 h of at least 10.00 h"
    assert over_bound(late, *figures, True) == ", proven optimal, objective 12.00 h of at least 10.00 h"
    assert over_bound(shop, *figures, False, claimed=True) == f"{over} (CP-SAT claims that it is optimal)"


def test_orders_come_and_go(day, tmp_path):
    """Jobs of another file, whose plan starts 2 h later, so that what is due at 4 h there is due at 6 h."""
    shop, plan, out = day
    urgent = tmp_path / "urgent.json"
    jobs = (Job("N", (Operation("n", {"P2": HOUR}),), due=4 * HOUR),)
    other = replace(presses(), machines=(Machine("P2"),), jobs=jobs, plan_start="2026-11-23T08:00:00Z")
    urgent.write_text(json.dumps(shop_to_json(other)))
    told = ("--now", 2.5, "--add", urgent, "--drop", "B", "--stability", 1, "--time-limit", 0)
    found = run("reschedule", shop, plan, *told, "--out", out, "--json").json
    assert (found["changes"]["added"], found["changes"]["dropped"]) == (["N"], ["B"])
    rows = {row["operation"]: row for row in json.loads(out.read_text())["operations"]}
    assert set(rows) == {"a1", "a2", "c1", "n"}
    assert rows["n"]["start"] == 2.5 * HOUR
    assert found["late"] == []


def test_the_day_of_the_docs(tmp_path):
    """The shop of docs/day.md: a press stops, an order comes, and the verifier accepts what follows."""
    folder = Path(__file__).parents[2] / "examples/day"
    plan, out, now = (tmp_path / name for name in ("monday.json", "afternoon.json", "now.json"))
    assert run("solve", folder / "shop.json", "--rule", "ATC", "--out", plan).code == 0
    told = ("--now", 4.5, "--down", "PP09:4.5-9", "--add", folder / "urgent.json", "--time-limit", 0)
    found = run("reschedule", folder / "shop.json", plan, *told, "--out", out, "--shop-out", now, "--json").json
    assert found["changes"]["added"] == ["U900"]
    assert all(row["start"] >= 9 * HOUR for row in found["changes"]["list"] if row["machine"] == "PP09")
    assert run("verify", now, out).code == 0


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("--now", 7), "now: 7 h"),
        (("--now", "nan"), "--now"),
        (("--now", -1), "now: -1 h"),
        (("--now", 1, "--freeze-hours", -1), "freeze_hours"),
        (("--now", 1, "--down", "P9:1-2"), "unknown machine 'P9'"),
        (("--now", 1, "--down", "P1:2-1"), "must end after it begins"),
        (("--now", 1, "--down", "P1"), "must be MACHINE:FROM-TO"),
        (("--now", 1, "--down", "P1:nan-2"), "must be MACHINE:FROM-TO"),
        (("--now", 1, "--drop", "Z"), "unknown job 'Z'"),
        (("--now", 1, "--late", "z:3"), "unknown operation 'z'"),
        (("--now", 1, "--late", "a1"), "must be OPERATION:HOURS"),
        (("--now", 1, "--late", "a1#2:9"), "operation 'a1', lot 2, has not begun"),
        (("--now", 1, "--late", "a1#0:9"), "a1#0: lots count from 1"),
        (("--now", 1, "--late", "a1#" + "9" * 5000 + ":9"), "unknown operation"),
        (("--now", 1, "--worked", "a1:9"), "worked[0]: operation 'a1' takes 4 h"),
        (("--now", 1, "--worked", "a1:-5"), "worked[0].hours: operation 'a1': -5 h: must be >= 0"),
        (("--now", 1, "--keep", "a1#2"), "keep[0].lot: operation 'a1' has no lot 2: it has 1"),
        (("--now", 1, "--keep", "a1", "--drop", "A"), "keep[0]: operation 'a1' is of job 'A', which drop[0] drops"),
        (("--now", 1, "--stability", -1), "--stability"),
        (("--now", 1, "--time-limit", 1, "--work", 1), "--work: ends the search in place of a time limit"),
        (("--now", 1, "--stability", "nan"), "--stability"),
        (("--now", 1, "--add", "nowhere.json"), "nowhere.json"),
    ],
)
def test_bad_input_is_one_line(day, told: tuple, said: str):
    """Exit 2, the fault by its name, and nothing is written."""
    shop, plan, out = day
    assert_refused(run("reschedule", shop, plan, *told, "--out", out), said)
    assert not out.exists()


def test_the_last_order_with_a_date_may_go(day, tmp_path):
    """Where lateness alone counted, what is left is planned to be done soon."""
    shop, plan, out = day
    dated = replace(presses(), objective=Objective(0.0, 1.0))
    shop.write_text(json.dumps(shop_to_json(dated)))
    write(plan, planned(dated))
    gone = [each for job in dated.jobs if job.due is not None for each in ("--drop", job.id)]
    now = tmp_path / "now.json"
    assert run("reschedule", shop, plan, "--now", 0, *gone, "--out", out, "--shop-out", now).code == 0
    assert "objective" not in json.loads(now.read_text())
    assert run("verify", now, out).code == 0


def test_another_schedule_is_refused(day, tmp_path):
    """A schedule of another shop, one that breaks the verifier, and one that is none, by their file."""
    shop, plan, out = day
    data = json.loads(plan.read_text())
    plan.write_text(json.dumps(data | {"shop": "0" * 64}))
    assert_refused(run("reschedule", shop, plan, "--now", 1, "--out", out), "plan.json: The schedule is for shop")
    data["operations"][0]["start"] += 1
    plan.write_text(json.dumps(data))
    assert_refused(run("reschedule", shop, plan, "--now", 1, "--out", out), "plan.json: Job 'A', lot 1, operation 'a1'")
    plan.write_text("{}")
    assert_refused(run("reschedule", shop, plan, "--now", 1, "--out", out), "plan.json: format: missing")


def test_only_jobs_come(day, tmp_path):
    """What another file says of machines, calendars and the objective is refused, as it would be left out."""
    shop, plan, out = day
    other = tmp_path / "other.json"
    night = Calendar("night", "UTC", (((0, 3600),),) * 7)
    job = (Job("N", (Operation("n", {"P2": HOUR}),)),)
    for changes, said in (
        ({"machines": (Machine("P2"), Machine("P9"))}, "machines[1].id: unknown machine 'P9'"),
        ({"plan_start": "2036-11-24T06:00:00Z"}, "plan_start: must be within 87600 hours (10 years) of presses's"),
        ({"machines": (Machine("P2", available_from=HOUR),)}, "machines[0].available_from: is otherwise in presses"),
        ({"calendars": (night,)}, "calendars: are otherwise in presses"),
    ):
        other.write_text(json.dumps(shop_to_json(replace(presses(), jobs=job, **changes))))
        result = run("reschedule", shop, plan, "--now", 1, "--add", other, "--out", out)
        assert_refused(result, "other.json", said)
