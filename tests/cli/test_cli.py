"""The commands: what they print, what they leave, and how they end."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jaxshop.env import make
from jaxshop.search.solver import solve
from jaxshop.shop import shop_to_json, split_lots
from jaxshop.sources import load_shop
from jaxshop.support.errors import InvalidScheduleError
from jaxshop.training.evaluate import rule_makespans
from tests.oracles import dispatch as oracle
from tests.shops import FT06, from_routes
from tests.trained import Result, run, run_train

ROOT = Path(__file__).parents[2]
SOURCES = {"policy:greedy", "policy:samples"}


def assert_refused(result: Result, *said: str) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that says all of `said`."""
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1, result.err
    for words in said:
        assert words in result.err


@pytest.fixture(scope="module")
def ft06(tmp_path_factory) -> Path:
    """The 6 x 6 of Fisher and Thompson as a standard text."""
    path = tmp_path_factory.mktemp("ft06") / "ft06.txt"
    path.write_text("6 6" + FT06)
    return path


@pytest.fixture
def good() -> dict:
    """A shop file's JSON: two machines, and two jobs of two operations."""
    routes = [[{0: 3600, 1: 7200}, {1: 3600}], [{1: 1800}, {0: 900}]]
    return shop_to_json(from_routes(routes, 2))


def with_value(data: dict, path: list, value: object) -> dict:
    """A copy with one value changed; a value of `del` takes the key away."""
    changed = copy.deepcopy(data)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


FIRST = ["jobs", 0, "operations", 0]
FAULTS: dict[str, tuple[list, object, str]] = {
    "no machines": (["machines"], [], "machines"),
    "no jobs": (["jobs"], [], "jobs: the shop has no jobs"),
    "no operations": (["jobs", 1, "operations"], [], "jobs[1].operations: the job 'J1' has no operations"),
    "no alternatives": ([*FIRST, "alternatives"], {}, "jobs[0].operations[0].alternatives"),
    "unknown machine": ([*FIRST, "alternatives"], {"M7": 1.0}, "alternatives.M7: unknown machine"),
    "zero hours": ([*FIRST, "alternatives", "M0"], 0, "alternatives.M0: must be > 0"),
    "negative hours": ([*FIRST, "alternatives", "M0"], -1.5, "alternatives.M0: must be > 0"),
    "absurd hours": ([*FIRST, "alternatives", "M0"], 1e9, "alternatives.M0: must be"),
    "text for hours": ([*FIRST, "alternatives", "M0"], "2", "alternatives.M0: must be a number, not a text"),
    "negative set-up": ([*FIRST, "setup"], -0.1, "jobs[0].operations[0].setup: must be >= 0"),
    "duplicate job": (["jobs", 1, "id"], "J0", "jobs[1].id: duplicate id 'J0'"),
    "duplicate machine": (["machines", 1, "id"], "M0", "machines[1].id: duplicate id 'M0'"),
    "duplicate operation": ([*FIRST, "id"], "J1/0", "duplicate id 'J1/0'"),
    "reserved key": (["setups"], [{"from": "a"}], "setups: not supported yet"),
    "reserved key of an operation": ([*FIRST, "after"], ["x"], "jobs[0].operations[0].after: not supported yet"),
    "unknown key": (["jobs", 0, "relase"], 1, "jobs[0].relase: unknown key, did you mean 'release'?"),
    "another format": (["format"], "jaxshop-shop/9", "format: must be"),
}
TEXTS = {
    "no JSON": "hello",
    "cut short": '{"format": "jaxshop-shop/1", "machines": [{"id": "M',
    "nothing": "",
    "NaN": '{"format": NaN}',
    "infinite": '{"format": Infinity}',
    "a key twice": '{"format": 1, "format": 2}',
    "not UTF-8": b"\xff\xfe{}",
}


def assert_every_command_refuses(folder: Path, shop: object, *said: str) -> None:
    """Ask inspect, solve, verify, evaluate and train for a bad shop; none may leave anything behind."""
    out = folder / "out"
    out.mkdir()
    schedule = folder / "some.json"
    head = {"format": "jaxshop-schedule/1", "shop": "", "max_lot_hours": None, "makespan": 0, "operations": []}
    schedule.write_text(json.dumps(head))
    results = [
        run("inspect", shop, "--out", out / "shop.json"),
        run("inspect", shop, "--json", "--target-hours", 5),
        run("solve", shop, "--rule", "SPT", "--out", out / "schedule.json", "--gantt", out / "gantt.html"),
        run("verify", shop, schedule, "--json"),
        run("evaluate", shop, "--json"),
        run_train("--config", ROOT / "configs" / "smoke.toml", f"run.runs_dir={out}", "--shop", shop, "--json"),
    ]
    for result in results:
        assert_refused(result, str(shop), *said)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_shop_is_refused_by_every_command(good, tmp_path, fault: str):
    """Shows exit code 2, file, path and problem in one line, and nothing left behind."""
    path, value, said = FAULTS[fault]
    (tmp_path / "bad.json").write_text(json.dumps(with_value(good, path, value)))
    assert_every_command_refuses(tmp_path, tmp_path / "bad.json", said)


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_no_shop_file_is_refused_by_every_command(tmp_path, text: str):
    """Shows the same for files that are no JSON, or no strict one."""
    content = TEXTS[text]
    (tmp_path / "bad.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert_every_command_refuses(tmp_path, tmp_path / "bad.json")


def test_a_horizon_past_the_limit_is_refused(good, tmp_path):
    """Shows that times which no int32 plan holds are refused with the limit."""
    for job in range(2):
        for operation in range(2):
            alternatives = good["jobs"][job]["operations"][operation]["alternatives"]
            good["jobs"][job]["operations"][operation]["alternatives"] = dict.fromkeys(alternatives, 87_600.0)
    good["jobs"][0]["release"] = 87_600.0
    (tmp_path / "long.json").write_text(json.dumps(good))
    assert_every_command_refuses(tmp_path, tmp_path / "long.json", "past the limit of 2^30")


@pytest.mark.parametrize(
    ("shop", "said"),
    [
        ("missing.json", "no such file"),
        ("reference:12", "reference:1 to reference:9"),
        ("shop.xlsx", "unknown ending"),
        (".", "unknown ending"),
    ],
)
def test_a_shop_that_is_not_there_is_refused(tmp_path, monkeypatch, shop: str, said: str):
    """Shows what is said of names that lead to no shop."""
    monkeypatch.chdir(tmp_path)
    assert_refused(run("inspect", shop), said)
    assert_refused(run("solve", shop, "--rule", "SPT", "--out", "s.json", "--json"), said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "nonsense",
        "inspect",
        "inspect X --target-hours 0",
        "inspect X --target-hours nan",
        "inspect X --target-hours inf",
        "inspect X --target-hours abc",
        "inspect X --max-lot-hours -1",
        "inspect X --unknown",
        "solve X",
        "solve X --out o --samples -1",
        "solve X --out o --samples 1.5",
        "solve X --out o --seed 99999999999",
        "solve X --out o --time-limit 0 --method improve",
        "solve X --out o --work -1",
        "solve X --out o --threads 0",
        "solve X --out o --polish 0",
        "solve X --out o --rule SPT --start s",
        "solve X --out o --checkpoint c --start s",
        "solve X --out o --time-limit -3",
        "solve X --out o --time-limit nan",
        "solve X --out o --method nonsense",
        "solve X --out o --method rules --rule SPT",
        "solve X --out o --rule SPT --checkpoint c",
        "solve X --out o --rule SPT --write-back",
        "verify X",
        "evaluate",
        "evaluate X --method nonsense",
        "evaluate X --method tune",
        "evaluate X --time-limit nan",
    ],
)
def test_wrong_usage_is_one_line(arguments: str):
    """Shows that usage errors, too, are one line and exit code 2."""
    assert_refused(run(*arguments.split()))


def test_an_unknown_rule_is_refused_with_the_known_ones(ft06, tmp_path):
    """Shows that a misspelt rule lists the rules, and writes nothing."""
    assert_refused(run("solve", ft06, "--rule", "SPTT", "--out", tmp_path / "s.json"), "SPTT", "MWKR/active")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--out", "--gantt"])
def test_a_place_that_cannot_be_written_is_found_before_the_search(ft06, tmp_path, option: str):
    """Shows that no half of two outputs is written, and no search done, where the other has no place."""
    places = {"--out": tmp_path / "s.json", "--gantt": tmp_path / "g.html"} | {option: tmp_path / "no" / "where"}
    given = [word for pair in places.items() for word in pair]
    assert_refused(run("solve", ft06, "--rule", "SPT", *given), "the folder", "does not exist")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", ["nothing", "empty folder", "file", "foreign folder"])
def test_a_checkpoint_that_is_none_is_refused(ft06, tmp_path, made: str):
    """Shows that solve and evaluate name the checkpoint's folder, and leave nothing behind."""
    folder = tmp_path / "checkpoint"
    if made == "file":
        folder.write_text("x")
    elif made != "nothing":
        folder.mkdir()
        if made == "foreign folder":
            (folder / "model.safetensors").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    assert_refused(run("solve", ft06, "--checkpoint", folder, "--out", tmp_path / "s.json"), str(folder))
    assert_refused(run("evaluate", ft06, "--checkpoint", folder), str(folder))
    assert sorted(tmp_path.rglob("*")) == before


def test_inspect_says_why_a_target_is_impossible(good, tmp_path):
    """Shows design section 7's keys, the job that stands in the way, the lot size that would do, and exit code 0."""
    good["jobs"][0]["operations"] = [{"id": "long", "alternatives": {"M0": 10.0, "M1": 10.0}}]
    (tmp_path / "shop.json").write_text(json.dumps(good))
    result = run("inspect", tmp_path / "shop.json", "--target-hours", 8, "--json")
    report = result.json
    assert result.code == 0
    assert set(report) >= {
        *("shop", "bounds", "lower_bound_hours", "witness", "longest_job_hours", "target_hours", "feasible", "reason")
    }
    assert set(report["shop"]) == {
        *("name", "fingerprint", "provenance", "machines", "jobs", "lots", "operations", "total_hours")
    }
    assert set(report["bounds"]) == {"load", "chain", "assignment", "head_tail"}
    assert report["feasible"] is False
    assert "J0" in report["reason"]
    assert "lots of at most" in report["reason"]
    assert run("inspect", tmp_path / "shop.json", "--target-hours", 20, "--json").json["feasible"] is None


def test_train_stops_at_an_impossible_target(good, tmp_path):
    """Shows exit code 2 before the first step, with the job to blame and the lot size that would do."""
    good["jobs"][0]["operations"] = [{"id": "long", "alternatives": {"M0": 10.0, "M1": 10.0}}]
    (tmp_path / "shop.json").write_text(json.dumps(good))
    given = ["run.max_lot_hours=none", "run.target_hours=8", f"run.runs_dir={tmp_path / 'runs'}"]
    result = run_train("--config", ROOT / "configs" / "smoke.toml", "--shop", tmp_path / "shop.json", *given)
    assert_refused(result, "8 h", "impossible", "job J0", "lots of at most")
    assert not (tmp_path / "runs").exists()


def test_inspect_writes_the_shop_that_it_read(good, tmp_path):
    """Shows that --out keeps the fingerprint, and that the written file is read like the first."""
    (tmp_path / "shop.json").write_text(json.dumps(good))
    first = run("inspect", tmp_path / "shop.json", "--out", tmp_path / "again.json", "--json").json
    assert run("inspect", tmp_path / "again.json", "--json").json["shop"] == first["shop"]


def test_solve_then_verify(ft06, tmp_path):
    """Shows that a rule's schedule passes verify, and that each change to it is found: exit codes 0 and 1."""
    out, gantt = tmp_path / "schedule.json", tmp_path / "gantt.html"
    result = run("solve", ft06, "--rule", "MWKR", "--out", out, "--gantt", gantt, "--json")
    report = result.json
    assert result.code == 0
    assert set(report) >= {"makespan_hours", "lower_bound_hours", "gap_percent", "source", "valid", "seconds"}
    assert (report["source"], report["valid"]) == ("rule:MWKR", True)
    assert gantt.read_text().startswith("<!doctype html>")
    assert run("verify", ft06, out).code == 0
    assert run("verify", ft06, out, "--json").json["violations"] == []

    schedule = json.loads(out.read_text())
    schedule["operations"][0]["start"] += 1
    out.write_text(json.dumps(schedule))
    broken = run("verify", ft06, out, "--json")
    assert (broken.code, broken.json["valid"]) == (1, False)
    assert broken.json["violations"]
    shown = run("verify", ft06, out)
    assert (shown.code, shown.err) == (1, "")
    assert len(shown.out.splitlines()) == len(broken.json["violations"]) + 1


def test_solve_with_the_shipped_policy(ft06, tmp_path):
    """Shows that without a checkpoint the package's own policy schedules, greedy and by samples, the same each time."""
    files = []
    for name, given in (("greedy", []), ("samples", ["--samples", 4]), ("again", ["--samples", 4])):
        result = run(
            "solve", ft06, "--out", tmp_path / name, "--json", "--method", "samples" if given else "greedy", *given
        )
        assert result.code == 0
        assert result.json["source"] in SOURCES
        assert result.err == ""
        assert run("verify", ft06, tmp_path / name).code == 0
        files.append((tmp_path / name).read_bytes())
    assert files[1] == files[2]


def test_solve_gives_the_best_of_policy_and_rules(ft06, tmp_path):
    """Shows that without search no rule is shorter than the answer, and that what it cost is told along the way."""
    best = {
        name: run("solve", ft06, "--out", tmp_path / name, "--json", *given).json
        for name, given in {
            "any": ["--time-limit", 0],
            "greedy": ["--method", "greedy"],
            "rules": ["--method", "rules"],
        }.items()
    }
    shortest = min((best[name] for name in ("greedy", "rules")), key=lambda report: report["makespan_hours"])
    assert best["any"]["makespan_hours"] == shortest["makespan_hours"]
    assert best["any"]["source"] == shortest["source"]
    for report in best.values():
        seconds, objective, source = report["trace"][-1]
        assert (objective, source) == (report["objective"], report["source"])
        assert 0 <= seconds <= report["seconds"]
        assert report["objective"] == report["makespan_hours"]
        assert (report["tardiness_hours"], report["late_jobs"], report["samples_done"]) == (0.0, 0, 0)
    assert [report["work_done"] for report in best.values()] == [15, 1, 14]


def test_solve_under_a_time_limit(ft06, tmp_path):
    """Shows that a limit is kept and answered: the trace tells of a rule and of search, which finds the optimum."""
    report = run("solve", ft06, "--out", tmp_path / "s", "--json", "--time-limit", 60, "--work", 200).json
    assert report["trace"][0][2].startswith("rule:")
    assert (report["source"], report["makespan_hours"]) == ("search:improve", 55 / 3600)
    again = run("solve", ft06, "--out", tmp_path / "t", "--json", "--work", report["work_done"]).json
    assert again["work_done"] == report["work_done"]
    assert (tmp_path / "s").read_bytes() == (tmp_path / "t").read_bytes()
    assert run("verify", ft06, tmp_path / "s").code == 0
    short = run("solve", ft06, "--out", tmp_path / "s", "--json", "--time-limit", 0.001).json
    assert (short["source"], short["work_done"]) == ("rule:MWKR", 0)
    assert run("verify", ft06, tmp_path / "s").code == 0


def test_a_wrong_schedule_of_ours_is_no_bad_input(ft06, tmp_path, monkeypatch):
    """Shows exit code 1 and one line where a search builds what the verifier refuses, and that no file is written."""

    def lie(*_: object, **__: object):
        raise InvalidScheduleError("the schedule of policy:greedy is invalid: Machine 'M0' is used twice.")

    monkeypatch.setattr("jaxshop.search.solver.solve", lie)
    result = run("solve", ft06, "--out", tmp_path / "s")
    assert (result.code, result.out) == (1, "")
    assert result.err == "error: the schedule of policy:greedy is invalid: Machine 'M0' is used twice.\n"
    assert list(tmp_path.iterdir()) == []


def test_evaluate_lists_methods_with_gaps(ft06, tmp_path):
    """Shows unit, bound, best known value, rules equal to the simulator's, and gaps that follow from the makespans."""
    (tmp_path / "known.csv").write_text("instance,upper_bound\nft06,55\n")
    given = [
        "--rules",
        "--samples",
        4,
        "--best-known",
        tmp_path / "known.csv",
        "--method",
        "rules",
        "--method",
        "samples",
    ]
    result = run("evaluate", ft06, *given, "--json")
    (row,) = result.json
    assert (result.code, row["shop"], row["unit"], row["best_known"]) == (0, "ft06", "ticks", 55)
    assert {"policy:greedy", "policy:best-of-4", "MWKR", "MWKR/active", "random/active"} <= set(row["results"])
    plan = split_lots(load_shop(str(ft06)), None)
    for name, rule in oracle.RULES.items():
        assert row["results"][name]["makespan"] == oracle.dispatch(plan, rule, active=False).makespan
        assert row["results"][f"{name}/active"]["makespan"] == oracle.dispatch(plan, rule).makespan
    draws = [solve(plan, rule_name="random", seed=seed).makespan for seed in range(32)]
    assert row["results"]["random"]["makespan"] == pytest.approx(sum(draws) / 32)
    assert rule_makespans(*make(plan), 32, with_due=False)["random"] == pytest.approx(sum(draws) / 32)
    ruled = min(row["results"][name + kind]["makespan"] for name in oracle.RULES for kind in ("", "/active"))
    assert row["results"]["rules"]["makespan"] <= ruled
    assert row["results"]["samples"]["makespan"] == row["results"]["policy:best-of-4"]["makespan"]
    for entry in row["results"].values():
        assert entry["makespan"] >= 55
        assert entry["gap_to_best_known_percent"] == pytest.approx(100 * (entry["makespan"] / 55 - 1))
        assert entry["gap_to_bound_percent"] == pytest.approx(100 * (entry["makespan"] / row["lower_bound"] - 1))
    shown = run("evaluate", ft06, *given)
    assert shown.code == 0
    assert "MWKR/active" in shown.out


def test_a_faulty_table_of_best_known_values_is_refused(ft06, tmp_path):
    """Shows that columns and numbers are checked before anything is scheduled."""
    for text, said in (("a,b\n1,2\n", "columns"), ("instance,upper_bound\nft06,x\n", "line 2")):
        (tmp_path / "known.csv").write_text(text)
        assert_refused(run("evaluate", ft06, "--best-known", tmp_path / "known.csv"), "known.csv", said)


def test_real_processes_end_the_same_way(tmp_path, good):
    """Shows exit code, streams and the absence of traces through real processes of jaxshop and train.py."""
    (tmp_path / "shop.json").write_text(json.dumps(good))
    for command in (
        ["-m", "jaxshop.cli", "inspect", "missing.json"],
        [str(ROOT / "train.py"), "--config", "missing.toml"],
    ):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
        assert_refused(Result(done.returncode, done.stdout, done.stderr), "missing.")
    command = [sys.executable, "-m", "jaxshop.cli", "inspect", str(tmp_path / "shop.json"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert Result(0, done.stdout, "").json["shop"]["machines"] == 2
