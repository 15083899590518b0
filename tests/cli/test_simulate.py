"""`jaxshop simulate`: what it prints, the same for the same seed and work, and bad input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jaxshop.schedule import write
from jaxshop.shop import Objective, shop_to_json
from tests.cli.refusals import assert_refused
from tests.shops import HOUR
from tests.trained import run
from tests.underway import planned, presses

WORK = ("--work", 4, "--threads", 1)


@pytest.fixture
def monday(tmp_path) -> tuple[Path, Path]:
    """The files of shop and plan."""
    shop, plan = tmp_path / "shop.json", tmp_path / "plan.json"
    shop.write_text(json.dumps(shop_to_json(presses())))
    write(plan, planned(presses()))
    return shop, plan


def test_weeks_are_compared(monday):
    """A week for each seed and policy, medians and spread of them, and the plan that they begin with."""
    told = run("simulate", monday[0], "--seeds", 2, *WORK, "--json").json
    assert (told["shop"], told["first"]["makespan_hours"], told["first"]["tardiness_hours"]) == ("presses", 6.0, 0.0)
    assert [(week["seed"], week["policy"]) for week in told["weeks"]] == [
        (seed, policy) for seed in (0, 1) for policy in ("right-shift", "rules", "search")
    ]
    assert list(told["policies"]) == ["right-shift", "rules", "search"]
    for name, of in told["policies"].items():
        makespans = [week["makespan_hours"] for week in told["weeks"] if week["policy"] == name]
        assert of["makespan_hours"] == {
            "median": sum(makespans) / 2,
            "least": min(makespans),
            "most": max(makespans),
        }
    assert all(week["machine_changed"] == 0 for week in told["weeks"] if week["policy"] == "right-shift")


def test_what_a_person_is_told(monday):
    """A table with a row a policy; tardiness may count."""
    shop, plan = monday
    told = ("--start", plan, "--policy", "rules", "--tardiness", 1, "--late", 0, "--urgent", 1)
    result = run("simulate", shop, *told, *WORK)
    assert result.code == 0
    assert "presses: the first plan is of 7.00 h by start, 0.00 h late, weighted" in result.out
    assert "a week; breakdowns: 4, late operations: 0, urgent orders: 1" in result.out
    assert "right-shift" not in result.out
    assert "rules" in result.out


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("--time-limit", 1, "--work", 3), "--work: ends each plan in place of a time limit"),
        (("--hours", 0), "--hours: 0 h: must be > 0"),
        (("--freeze-hours", -1), "--freeze-hours: must be >= 0"),
        (("--promise-hours", -1), "--promise-hours: must be >= 0"),
        (("--breakdowns", 0, "--late", 0, "--urgent", 0), "nothing happens"),
        (("--urgent", 1001), "at most 1000 each"),
        (("--policy", "hope"), "hope"),
        (("--tardiness", "nan"), "--tardiness"),
        (("--stability", -1), "--stability"),
        (("--seeds", 0), "--seeds"),
        (("--start", "nowhere.json"), "nowhere.json"),
        (("--start", "nowhere.json", "--max-lot-hours", 9), "leave --max-lot-hours out"),
    ],
)
def test_bad_input_is_one_line(monday, told: tuple, said: str):
    """Exit 2, the fault by its name."""
    assert_refused(run("simulate", monday[0], *told), said)


def test_another_plan_and_another_unit_are_refused(monday, tmp_path):
    """A start that is of another shop, by its file; a shop whose times are no hours."""
    shop, plan = monday
    write(plan, replace(planned(presses()), fingerprint="0" * 64))
    assert_refused(run("simulate", shop, "--start", plan), "plan.json: The schedule is for shop")
    (tmp_path / "two.txt").write_text("1 1\n0 5\n")
    assert_refused(run("simulate", tmp_path / "two.txt", *WORK), "two.txt: is in ticks")


def test_an_objective_of_nothing_is_refused_before_a_plan_is_made(tmp_path):
    """--tardiness 0 where the makespan weighs nothing is refused by its name."""
    shop = replace(presses(), objective=Objective(0.0, 1.0))
    shop = replace(shop, jobs=(replace(shop.jobs[0], due=HOUR), *shop.jobs[1:]))
    (tmp_path / "shop.json").write_text(json.dumps(shop_to_json(shop)))
    assert_refused(run("simulate", tmp_path / "shop.json", "--tardiness", 0), "--tardiness 0: the shop's makespan")
