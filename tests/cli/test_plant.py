"""The commands with a shop that has the plant's own rules: inspect, solve by rules, verify, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxshop.policies.checkpoint import SHIPPED
from tests.cli.refusals import assert_refused
from tests.plant import changed, plant
from tests.plant_faults import FAULTS, words_for
from tests.trained import run


@pytest.fixture
def shop(tmp_path) -> Path:
    """A file of a shop with every rule in use."""
    path = tmp_path / "plant.json"
    path.write_text(json.dumps(plant()))
    return path


def test_inspect_solve_verify(shop, tmp_path):
    """End to end: the bound counts closed time, a rule's schedule is valid, and a tick's change is not."""
    report = json.loads(run("inspect", shop, "--json").out)
    assert report["lower_bound_hours"] == 5.0  # A/1 from -0.5 to 1.5 h, its lag to 2 h, A/2 for 3 h
    out = tmp_path / "s.json"
    found = json.loads(
        run("solve", shop, "--method", "rules", "--out", out, "--gantt", tmp_path / "g.html", "--json").out
    )
    assert (found["makespan_hours"], found["proven_optimal"], found["objective"]) == (5.0, True, 5.0)
    assert found["source"].startswith("rule:")
    assert "valid" in run("verify", shop, out).out
    written = json.loads(out.read_text())
    assert {row["operation"]: row["start"] for row in written["operations"]}["A/1"] == -1800
    written["operations"][0]["end"] += 1
    out.write_text(json.dumps(written))
    assert run("verify", shop, out).code == 1


def test_cpsat_keeps_every_rule(shop, tmp_path):
    """End to end: the solver's schedule is valid, and at least as good as the bound."""
    out = tmp_path / "s.json"
    found = json.loads(run("solve", shop, "--method", "cpsat", "--out", out, "--time-limit", 5, "--json").out)
    assert found["objective"] == found["objective_bound"] == 5.0
    assert run("verify", shop, out).code == 0


def test_jobs_that_are_late_in_every_plan_are_named(tmp_path):
    """Job A is done at 5 h at the earliest; promised for 3 h, it is late by two, and costs half of that and 5 h."""
    path = tmp_path / "late.json"
    path.write_text(json.dumps(changed(["jobs", 0, "due"], 3.0)))
    report = json.loads(run("inspect", path, "--json").out)
    assert report["late_in_every_plan"] == [{"job": "A", "hours": 2.0}]
    assert report["objective_bound_hours"] == 6.0
    said = run("inspect", path).out
    assert "late in every plan: 1 job (A by 2.00 h)" in said
    assert "objective 1 x makespan + 0.5 x weighted tardiness: at least 6.00 h in every plan" in said


@pytest.mark.parametrize("method", ["auto", "improve"])
def test_search_keeps_every_rule(shop, tmp_path, method: str):
    """End to end: nothing has to be said for a verified schedule, at the bound, that begins with the rules' best."""
    out = tmp_path / "s.json"
    found = json.loads(run("solve", shop, "--method", method, "--out", out, "--time-limit", 2, "--json").out)
    assert found["objective"] == found["objective_bound"] == 5.0
    assert run("verify", shop, out).code == 0


def test_search_from_the_policy_keeps_every_rule(shop, tmp_path):
    """End to end: with a checkpoint search may begin with its schedule, and what comes of it is verified."""
    out = tmp_path / "s.json"
    assert run("solve", shop, "--checkpoint", SHIPPED, "--out", out, "--time-limit", 1).code == 0
    assert run("verify", shop, out).code == 0


def test_the_policy_keeps_the_rules(shop, tmp_path):
    """End to end: the shipped policy's own schedule passes the verifier, fixed work, lags and lateness among it."""
    out = tmp_path / "s.json"
    found = json.loads(run("solve", shop, "--method", "greedy", "--out", out, "--json").out)
    assert (found["source"], found["valid"]) == ("policy:greedy", True)
    assert found["objective"] >= found["objective_bound"] == 5.0
    assert run("verify", shop, out).code == 0


@pytest.mark.parametrize("name", FAULTS)
def test_bad_rules_are_one_line(tmp_path, name: str):
    """Exit 2 with file and path, whatever is wrong."""
    path = tmp_path / "bad.json"
    data, words = FAULTS[name]
    path.write_text(text := json.dumps(data))
    assert_refused(run("inspect", path), f"{path}: ", words_for(text, words))
