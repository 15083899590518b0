"""train.py as a command: what a run leaves, how it ends, how it is interrupted, and what a resume refuses."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jaxshop.schedule import read
from jaxshop.search.compiled import CompiledRollouts
from jaxshop.training.config import load_config
from jaxshop.training.launch import introduction
from jaxshop.training.problem import prepare
from tests.cli.test_cli import ROOT
from tests.shops import from_routes, tiny_shop
from tests.trained import UPDATES, Finished, run, run_train

REPORT = {
    *("run_dir", "shop", "lower_bound_hours", "target_hours", "target_met", "initialised_from", "trained_on", "policy"),
    *("rules", "baselines", "gap_percent", "seconds_to_target", "wall_seconds", "compile_seconds", "env_steps"),
    *("env_steps_per_second", "device"),
}
CLOCK = {
    *("run_dir", "seconds_to_target", "wall_seconds", "compile_seconds", "training_seconds", "baseline_seconds"),
    *("env_steps_per_second", "baselines", "method_seconds"),
}
"""What differs between a run and the same run in pieces; the baseline gets as many seconds as there are."""


def test_a_run_ends_with_one_line_of_json(finished: Finished):
    """Shows exit code 0, every key of design section 7, and figures that agree with each other."""
    result, report = finished.result, finished.report
    assert result.code == 0
    assert set(report) >= REPORT
    assert report["target_met"] is True
    assert report["initialised_from"] is None
    assert report["policy"]["greedy_hours"] <= report["target_hours"]
    for name in ("initial_hours", "greedy_hours", "best_of_hours", "last_greedy_hours"):
        assert report["policy"][name] >= report["lower_bound_hours"]
    gap = 100 * (report["policy"]["greedy_hours"] / report["lower_bound_hours"] - 1)
    assert report["gap_percent"] == pytest.approx(gap, abs=0.001)
    assert {"MWKR", "MWKR/active", "random", "random/active"} <= set(report["rules"])
    assert {part["kind"] for part in report["trained_on"]} == {"generated", "shop"}
    assert 0 < report["seconds_to_target"] <= report["training_seconds"] <= report["wall_seconds"]
    assert "MWKR/active" in result.err
    assert "certified lower bound" in result.err


def test_the_console_tells_what_goes_on(finished: Finished):
    """Shows stages with their own counts, what the end is at, methods from best to worst, and one verdict; no line is
    longer than 100 columns but for the run folder's name.
    """
    lines = finished.result.err.splitlines()
    assert "general: 8 updates; compiling the first" in lines
    assert "tuning the baseline, a linear priority, for 0 s" in lines
    assert [line for line in lines if line.startswith("own 4/4  greedy ")]
    report = finished.report
    shown = [float(line.split("│")[2]) for line in lines if line.count("│") == 6]
    made = shown[: len(report["rules"]) + 5]
    assert made == sorted(made)
    assert set(report["method_seconds"]) == {*report["rules"], "linear_cem", "greedy", "best_of", "plan"}
    plan, policy, files = lines[-3:]
    assert plan.startswith("plan: ")
    assert "target 130.00 h met after" in policy
    assert files == f"{report['run_dir']}: schedule.json, gantt.html, curves.html, report.json"
    assert not [line for line in lines if len(line) > 100 and report["run_dir"] not in line]


def test_a_run_leaves_a_folder(finished: Finished):
    """Shows every file of the run folder, and a valid schedule, whose maker `plan` names."""
    names = {path.name for path in finished.folder.iterdir()}
    files = {"config.json", "metrics.jsonl", "schedule.json", "gantt.html", "curves.html", "report.json"}
    assert names == files | {"checkpoints", ".lock"}
    assert finished.folder.name.startswith("tiny-")
    assert finished.folder.name.endswith("-0")
    assert json.loads((finished.folder / "report.json").read_text()) == finished.report
    assert len((finished.folder / "metrics.jsonl").read_text().splitlines()) == UPDATES
    assert run("verify", finished.shop, finished.folder / "schedule.json").code == 0
    plan, schedule = finished.report["plan"], read(finished.folder / "schedule.json")
    assert schedule.makespan / 3600 == pytest.approx(plan["hours"], abs=1e-5)
    assert plan["proven_optimal"] == (plan["hours"] <= finished.report["lower_bound_hours"])
    assert "by search:improve, begun with" in finished.result.err


def test_search_goes_on_from_the_best_of_policy_and_rules(finished: Finished):
    """Shows that `plan` tells what search began with and is better, and that the policy's figures stay its own."""
    policy, plan = finished.report["policy"], finished.report["plan"]
    own, begun = min(policy["greedy_hours"], policy["best_of_hours"]), plan["begun_with"]
    rules = {name: hours for name, hours in finished.report["rules"].items() if not name.startswith("random")}
    assert begun["hours"] == pytest.approx(min(own, *rules.values()), abs=1e-5)
    if begun["hours"] < own:
        assert rules[begun["source"].removeprefix("rule:")] == begun["hours"]
    else:
        assert begun["source"].startswith("policy:")
    assert finished.report["lower_bound_hours"] <= plan["hours"] < begun["hours"]
    assert plan["source"] == "search:improve"


def test_without_work_the_plan_is_what_search_would_begin_with(finished: Finished, copied):
    """Shows that `plan_work` may be set on a resume, and that 0 leaves search out: all else is as before."""
    result = run_train("--resume", copied, "evaluation.plan_work=0", "--json")
    begun = finished.report["plan"]["begun_with"]
    assert result.json["plan"] == {**begun, "proven_optimal": False, "begun_with": begun}
    assert read(copied / "schedule.json").makespan / 3600 == pytest.approx(begun["hours"], abs=1e-5)
    same = finished.report.keys() - CLOCK - {"plan"}
    assert {k: result.json[k] for k in same} == {k: finished.report[k] for k in same}
    assert f"by {begun['source']}\n" in result.err
    assert "searching on" in finished.result.err
    assert "searching on" not in result.err


def test_the_checkpoint_of_a_run_is_as_good_as_the_run_says(finished: Finished):
    """Shows that evaluate, with the run's folder and seed, gives the report's hours of greedy, best-of and rules."""
    found = run("evaluate", finished.shop, "--checkpoint", finished.folder, "--samples", 2, "--rules", "--json")
    hours = {name: entry["makespan"] for name, entry in found.json[0]["results"].items()}
    policy, rules = finished.report["policy"], finished.report["rules"]
    assert hours["policy:greedy"] == pytest.approx(policy["greedy_hours"], abs=1e-5)
    assert hours["policy:best-of-2"] == pytest.approx(policy["best_of_hours"], abs=1e-5)
    for name in rules.keys() - {"random", "random/active"}:  # of which the run plays fewer
        assert hours[name] == pytest.approx(rules[name], abs=1e-5)


def test_a_missed_target_is_exit_code_3(finished: Finished, copied):
    """Shows that a missed target ends with 3, and may be set on a resume, which drops metrics past its checkpoint."""
    metrics = copied / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"update": 13}\n{"upd')  # as a killed process leaves it
    hours = finished.report["lower_bound_hours"] * 1.0001
    result = run_train("--resume", copied, f"run.target_hours={hours}", "--json")
    assert result.code == 3
    assert result.json["target_met"] is False
    same = finished.report.keys() - CLOCK - {"target_hours", "target_met"}
    assert {k: result.json[k] for k in same} == {k: finished.report[k] for k in same}
    assert metrics.read_text() == (finished.folder / "metrics.jsonl").read_text()
    # Nothing was left to train, but the report, env_steps too, is of the whole run.
    assert result.json["training_seconds"] == pytest.approx(finished.report["training_seconds"], abs=1)


def test_an_export_that_fails_at_the_end_costs_nothing_else(finished: Finished, copied, monkeypatch):
    """Shows one line for a folder that could be written when the run began, and that the run's own files are there."""
    for name in ("schedule.json", "gantt.html", "report.json"):
        (copied / name).unlink()
    monkeypatch.setattr("jaxshop.training.launch.check_export", lambda folder: None)
    result = run_train("--resume", copied, "run.export_to=/proc/policy", "--json")
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1].startswith("error: run.export_to: /proc/policy cannot be written: ")
    assert {path.name for path in finished.folder.iterdir()} <= {path.name for path in copied.iterdir()}


def test_times_and_rates_are_of_the_whole_run(finished: Finished, copied):
    """Shows that a resume with nothing left to train reports compilation, rate and target of the process before it."""
    result = run_train("--resume", copied, "--json")
    *_, last = (json.loads(line) for line in (finished.folder / "metrics.jsonl").read_text().splitlines())
    assert last["compile_seconds"] >= 0  # all may come from a cache, and the first call be the quickest
    assert result.json["compile_seconds"] == finished.report["compile_seconds"]
    assert result.json["env_steps_per_second"] == pytest.approx(finished.report["env_steps_per_second"], rel=0.01)
    assert result.json["seconds_to_target"] == finished.report["seconds_to_target"]


def test_the_report_tells_the_chosen_update_from_the_last(finished: Finished):
    """Shows the update whose evaluation was the best, and the hours of the last, as the metrics have them."""
    lines = [json.loads(line) for line in (finished.folder / "metrics.jsonl").read_text().splitlines()]
    evaluated = {line["update"]: line["own_hours"] for line in lines if "own_hours" in line}
    policy = finished.report["policy"]
    assert evaluated[policy["chosen_update"]] == pytest.approx(policy["greedy_hours"], abs=1e-5)
    assert evaluated[UPDATES] == pytest.approx(policy["last_greedy_hours"], abs=1e-5)


def test_the_first_invalid_schedule_ends_the_run(finished: Finished, tmp_path, monkeypatch):
    """Shows exit code 1 and one line that names the update, at the first evaluation and not after the last."""

    greedy = CompiledRollouts.greedy

    def overlapping(rollouts):
        schedule = greedy(rollouts)
        return replace(schedule, rows=tuple(row._replace(start=0) for row in schedule.rows))

    monkeypatch.setattr(CompiledRollouts, "greedy", overlapping)
    result = run_train("--config", finished.config_path, f"run.runs_dir={tmp_path}", "--json")
    assert result.code == 1
    assert result.out == ""
    last = result.err.splitlines()[-1]
    assert last.startswith("error: update 2: the schedule of policy:greedy is invalid: ")
    (folder,) = tmp_path.iterdir()
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 1
    assert not (folder / "report.json").exists()


def start(*arguments: object, log: Path) -> subprocess.Popen:
    """train.py as a process of its own, with both streams in one file."""
    with log.open("w") as stream:
        command = [sys.executable, str(ROOT / "train.py"), *map(str, arguments)]
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT)


def wait_for_update(runs: Path, process: subprocess.Popen, log: Path) -> None:
    """Wait until the first line of metrics."""
    deadline = time.monotonic() + 240
    while not any(path.stat().st_size for path in runs.glob("*/metrics.jsonl")):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


@pytest.mark.thorough
def test_a_process_that_is_told_to_stop_saves_and_can_be_resumed(finished: Finished, tmp_path):
    """Shows SIGTERM to a real process: exit code 143, how to resume, and a resume that ends as if nothing was.

    Its metrics go on counting seconds, and the report has those of both processes.
    """
    runs, log = tmp_path / "runs", tmp_path / "log"
    process = start("--config", finished.config_path, f"run.runs_dir={runs}", log=log)
    try:
        wait_for_update(runs, process, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 128 + signal.SIGTERM
    finally:
        process.kill()
    (folder,) = runs.iterdir()
    said = log.read_text()
    assert f"\nuv run train.py --resume {folder}\n" in said
    assert "Traceback" not in said
    done = len((folder / "metrics.jsonl").read_text().splitlines())
    assert 0 < done < UPDATES
    assert not (folder / "report.json").exists()

    result = run_train("--resume", folder, "--json")
    assert result.code == 0
    same = finished.report.keys() - CLOCK
    assert {k: result.json[k] for k in same} == {k: finished.report[k] for k in same}
    assert numbers(folder) == numbers(finished.folder)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)
    assert result.json["training_seconds"] == pytest.approx(seconds[-1], abs=0.1)
    met = (line["seconds"] for line in lines if line.get("own_hours", math.inf) <= finished.report["target_hours"])
    assert result.json["seconds_to_target"] == pytest.approx(next(met), abs=0.1)


def numbers(folder: Path) -> list[dict]:
    """The metrics of a run, without what depends on the clock."""
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in record.items() if "second" not in k} for record in records]


@pytest.mark.parametrize("routes", [[[{0: 3600}]], [[{0: 9}, {1: 9}, {2: 9}]] * 2])
def test_small_shops_can_be_trained_for(finished: Finished, routes):
    """Shows that shops of one or two jobs, too, come with generated shops to train and to choose on."""
    config = load_config(finished.config_path, ["run.target_hours=none", "ppo.minibatches=1"])
    problem = prepare(from_routes(routes, 3), config)
    assert problem.selections["reference"].kept.shops.operations.shape == (24,)


def test_train_says_that_whole_jobs_are_too_long(finished: Finished):
    """Shows that the output names the job that is too long while whole, and the lot size used instead."""
    shop = tiny_shop()
    longest = max(shop.jobs, key=lambda job: sum(max(op.alternatives.values()) for op in job.operations))
    twice = tuple(replace(op, alternatives={m: 3 * t for m, t in op.alternatives.items()}) for op in longest.operations)
    shop = replace(shop, jobs=tuple(replace(j, operations=twice) if j is longest else j for j in shop.jobs))
    config = load_config(finished.config_path, ["run.max_lot_hours=20", "run.target_hours=150"])
    *_, said = introduction(prepare(shop, config))
    assert f"job {longest.id} runs" in said
    assert "Lots of at most 20 h are used instead." in said


def test_ctrl_c_before_training_is_one_line(monkeypatch):
    """Shows that an interrupted command ends with 130 and without a trace."""

    def interrupted(spec: str):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxshop.sources.load_shop", interrupted)
    result = run("inspect", "reference")
    assert (result.code, result.out, result.err) == (130, "", "interrupted\n")
