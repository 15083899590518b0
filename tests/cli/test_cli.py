"""The commands: what they print, what they leave, and how they end."""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jaxshop.cli.arguments import seconds
from jaxshop.cli.main import main
from jaxshop.search.solver import solve
from jaxshop.shop import split_lots
from jaxshop.sources import load_shop
from jaxshop.training.config import Config
from jaxshop.training.start import resolve
from tests.cli.refusals import assert_refused
from tests.oracles import dispatch as oracle
from tests.trained import Result, run, run_train

ROOT = Path(__file__).parents[2]


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
        ("shop.xlsx", "is a table; `jaxshop import` makes a shop file"),
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
        "inspect X --target-hours 1e306",
        "inspect X --max-lot-hours -1",
        "inspect X --unknown",
        "solve X",
        "solve X --out o --samples -1",
        "solve X --out o --samples 1.5",
        "solve X --out o --samples 2 --method improve",
        "solve X --out o --samples 2 --rule SPT",
        "solve X --out o --seed 99999999999",
        "solve X --out o --time-limit 0 --method improve",
        "solve X --out o --work -1",
        "solve X --out o --work 5 --time-limit 0",
        "solve X --out o --threads 0",
        "solve X --out o --threads 1025",
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
        "evaluate X --method auto",
        "evaluate X --time-limit nan",
        "evaluate reference --time-limit 5",
        "evaluate reference --report",
        f"evaluate {'X' * 300} --method rules",
        f"evaluate {'*' * 300} --method rules",
    ],
)
def test_wrong_usage_is_one_line(arguments: str):
    """Shows that usage errors, too, are one line and exit code 2, and that an unknown option leads to its own help."""
    refused = run(*arguments.split())
    own_help = f"see jaxshop {arguments.split()[0]} --help" if "unrecognized" in refused.err else ""
    assert_refused(refused, own_help)


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
    text = run("inspect", tmp_path / "shop.json", "--target-hours", 8).out
    assert "hint: --max-lot-hours " in text
    assert max(map(len, text.splitlines())) <= 100


def test_train_stops_at_an_impossible_target(good, tmp_path):
    """Shows exit code 2 before the first step, with the job to blame and the lot size that would do."""
    good["jobs"][0]["operations"] = [{"id": "long", "alternatives": {"M0": 10.0, "M1": 10.0}}]
    (tmp_path / "shop.json").write_text(json.dumps(good))
    given = ["run.max_lot_hours=none", "run.target_hours=8", f"run.runs_dir={tmp_path / 'runs'}"]
    result = run_train("--config", ROOT / "configs" / "smoke.toml", "--shop", tmp_path / "shop.json", *given)
    assert_refused(result, "8 h", "impossible", "job J0", "lots of at most", "(run.max_lot_hours=")
    assert not (tmp_path / "runs").exists()


def test_inspect_writes_the_shop_that_it_read(good, tmp_path):
    """Shows that --out keeps the fingerprint, and that the written file is read like the first."""
    (tmp_path / "shop.json").write_text(json.dumps(good))
    first = run("inspect", tmp_path / "shop.json", "--out", tmp_path / "again.json", "--json").json
    assert run("inspect", tmp_path / "again.json", "--json").json["shop"] == first["shop"]


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
    beyond = f"instance,upper_bound\nft06,1{'0' * 400}\n"
    for text, said in (
        ("a,b\n1,2\n", "columns"),
        ("instance,upper_bound\nft06,x\n", "line 2"),
        (beyond, "line 2"),
    ):
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


def test_a_full_disk_is_one_line():
    """Shows exit code 2 and one line of a real process whose stdout takes nothing, where Python complained at exit."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "jaxshop.cli", "--version"], stdout=full, stderr=subprocess.PIPE)
    assert_refused(Result(done.returncode, "", done.stderr.decode()), "no space left on device")


def test_ctrl_c_while_commands_are_imported_is_told():
    """Shows one word and exit code 130 of a real process that is interrupted by then; it was a traceback."""
    pressed = """
import signal, sys
class Pressed:
    def find_spec(self, name, *_):
        if name == "jaxshop.cli.solve":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Pressed())
from jaxshop.cli.main import main
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", pressed, "solve"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_train_and_serve_are_commands_of_the_package(tmp_path, monkeypatch, capsys):
    """Shows that both run without the scripts of a clone, in any folder, under their own names, with the defaults."""
    monkeypatch.chdir(tmp_path)
    for arguments, start, said in (
        (["--help"], "usage: jaxshop [-h]", "serve schedules over HTTP"),
        (["train", "--help"], "usage: jaxshop train", "--resume RUN"),
        (["serve", "--help"], "usage: jaxshop serve", "--port N"),
    ):
        with pytest.raises(SystemExit, match="0"):
            main(arguments)
        told = capsys.readouterr().out
        assert told.startswith(start)
        assert said in told
    assert resolve(None, None, []) == Config()
    assert_refused(run("train", "ppo.clp=1"), "overrides: ppo.clp: unknown key, did you mean ppo.clip?")
    assert_refused(run("serve", "--port", "99999"), "less than or equal to 65535")


def test_seconds_are_numbers_from_zero():
    """Shows that zero may be written in any way, and what is said of what is none."""
    assert [seconds(text) for text in ("0", "0.00", "-0", "1e-3")] == [0.0, 0.0, 0.0, 0.001]
    for text in ("-1", "nan", "inf", "soon", ""):
        with pytest.raises(argparse.ArgumentTypeError, match=">= 0"):
            seconds(text)
