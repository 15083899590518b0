"""`jaxshop solve`: what it writes, prints, refuses, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from jaxshop import schedule as schedules
from jaxshop.cli.progress import ProgressLine
from jaxshop.search import cpsat
from jaxshop.search.improve import kernels
from jaxshop.support.errors import InvalidScheduleError, LateError
from tests.cli.refusals import assert_refused
from tests.trained import run

SOURCES = {"policy:greedy", "policy:samples"}


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
    """Shows that a limit is kept and answered: the trace tells of a rule and of search, which finds the optimum.

    One that is too short for any schedule is answered as well, and named.
    """
    report = run("solve", ft06, "--out", tmp_path / "s", "--json", "--time-limit", 60, "--work", 200).json
    assert report["trace"][0][2].startswith("rule:")
    assert (report["source"], report["makespan_hours"]) == ("search:improve", 55 / 3600)
    again = run("solve", ft06, "--out", tmp_path / "t", "--json", "--work", report["work_done"]).json
    assert again["work_done"] <= report["work_done"]  # the proof may come sooner, but not among the rules
    for limit in ((), ("--time-limit", 60)):
        few = run("solve", ft06, "--out", tmp_path / "u", "--json", "--work", 5, *limit).json
        assert few["work_done"] == 5
    assert (tmp_path / "s").read_bytes() == (tmp_path / "t").read_bytes()
    assert run("verify", ft06, tmp_path / "s").code == 0
    short = run("solve", ft06, "--out", tmp_path / "s", "--json", "--time-limit", 0.001)
    assert (short.json["source"], short.json["work_done"]) == ("rule:MWKR", 0)
    assert "--time-limit 0.001: over before the first schedule was there" in short.err
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


@pytest.fixture(scope="module")
def start(ft06, tmp_path_factory):
    """An optimal schedule of the 6 x 6."""
    path = tmp_path_factory.mktemp("start") / "start.json"
    assert run("solve", ft06, "--out", path, "--work", 60).code == 0
    return path


def test_a_search_begins_with_a_start(ft06, start, tmp_path):
    """Shows that a start as good as can be proven, or with no work allowed, is the answer, to the byte."""
    for given in ([], ["--work", 0], ["--time-limit", 0.001]):
        report = run("solve", ft06, "--out", tmp_path / "s", "--json", "--start", start, *given).json
        assert (report["source"], report["makespan_hours"]) == ("start", 55 / 3600)
        assert sorted(json.loads((tmp_path / "s").read_text())["operations"], key=str) == sorted(
            json.loads(start.read_text())["operations"], key=str
        )


def test_a_start_that_is_none_is_refused(ft06, start, tmp_path):
    """Shows what is said of a start that is cut off, invalid, of another shop, of other lots, or given no time."""
    text = start.read_text()
    (tmp_path / "cut.json").write_text(text[: len(text) // 2])
    (tmp_path / "invalid.json").write_text(text.replace('"start": 0', '"start": 1', 1))
    (tmp_path / "other.txt").write_text("1 1\n0 5\n")
    faults = {
        (ft06, tmp_path / "cut.json"): ("cut.json", "not valid JSON", "is the file cut short?"),
        (ft06, tmp_path / "invalid.json"): ("invalid.json: is no schedule of ft06", "takes"),
        (ft06, tmp_path / "none.json"): ("none.json", "no such file"),
        (tmp_path / "other.txt", start): ("start.json: is no schedule of other",),
        (ft06, start, "--max-lot-hours", 1): ("for whole jobs, not for lots",),
        (ft06, start, "--time-limit", 0): ("--start: wants a search", "no --time-limit 0"),
        (ft06, start, "--samples", 4): ("--start: wants a search", "no --samples"),
    }
    for (shop, begin, *given), said in faults.items():
        assert_refused(run("solve", shop, "--start", begin, "--out", tmp_path / "s.json", *given), *said)
    assert not (tmp_path / "s.json").exists()


@pytest.mark.parametrize("text", ["1 1\n0 5\n", "3 1\n0 5\n0 3\n0 0\n", "1 1\n0 0\n", "1 2 1\n1 2 1 4 2 3\n"])
def test_the_least_shops_are_solved_at_once(tmp_path, text: str):
    """Shows one operation, one machine, no time at all, and one choice: proven optimal without search."""
    shop = tmp_path / ("shop.fjs" if text.startswith("1 2 1") else "shop.txt")
    shop.write_text(text)
    report = run("solve", shop, "--out", tmp_path / "s", "--json").json
    assert report["proven_optimal"]
    assert run("verify", shop, tmp_path / "s").code == 0


def test_no_work_is_answered_by_a_rule(ft06, tmp_path):
    """Shows that work 0, which a limit too short for more reports, gives what that limit gave."""
    for name, given in (("limit", ["--time-limit", 0.001]), ("work", ["--work", 0])):
        report = run("solve", ft06, "--out", tmp_path / name, "--json", *given).json
        assert (report["source"], report["work_done"]) == ("rule:MWKR", 0)
    assert (tmp_path / "limit").read_bytes() == (tmp_path / "work").read_bytes()


def test_what_would_be_ignored_is_refused(ft06, tmp_path):
    """Shows one line for threads, checkpoints and no time at all where nothing would use or keep them."""
    methods = ("rules", "greedy", "samples", "beam", "tune", "evolve")
    for rest in ("--rule SPT", *(f"--method {name}" for name in methods)):
        given = (*rest.split(), "--threads", 2, "--time-limit", 1)
        assert_refused(run("solve", ft06, "--out", tmp_path / "s", *given), "--threads: is for auto, improve")
    for rest in ("--samples 2", "--time-limit 0"):
        assert_refused(run("solve", ft06, "--out", tmp_path / "s", *rest.split(), "--threads", 2), "--threads: is for")
    for method in ("rules", "tune", "cpsat"):
        given = ("--method", method, "--checkpoint", tmp_path, "--time-limit", 1)
        assert_refused(run("solve", ft06, "--out", tmp_path / "s", *given), f"--method {method}: takes no --checkpoint")
    for rest in ("--method samples", "--method beam --samples 2", "--samples 2", "--patience 2"):
        given = (*rest.split(), "--time-limit", 0)
        assert_refused(run("solve", ft06, "--out", tmp_path / "s", *given), "--time-limit 0: ")


def test_cp_sat_polishes_what_was_found(ft06, tmp_path, monkeypatch):
    """Shows a better schedule than the search's, the bound that CP-SAT claims for it, which is not called proven, and a
    line that tells of the seconds of both."""
    monkeypatch.setattr("jaxshop.bounds.tighten", lambda *_: iter(()))  # which would prove it, if it were the quicker
    watch, told = ProgressLine.watch, []

    def seen(line, watched):
        watch(line, watched)
        told.append(line.text())

    monkeypatch.setattr(ProgressLine, "watch", seen)
    given = ("--time-limit", 30, "--work", 0, "--polish", 60, "--threads", 1, "--out", tmp_path / "s")
    report = run("solve", ft06, *given, "--json").json
    assert (report["source"], report["makespan_hours"]) == ("search:cpsat", 55 / 3600)
    assert (report["solver_bound_hours"], report["proven_optimal"]) == (55 / 3600, False)
    assert report["lower_bound_hours"] < 55 / 3600
    sources = [source for _, _, source in report["trace"]]
    assert (sources[0], set(sources[1:])) == ("rule:MWKR", {"search:cpsat"})
    assert run("verify", ft06, tmp_path / "s").code == 0
    left = [re.search(r"(\d+\.\d) s left(.*)$", text) for text in told]
    assert (60 < float(left[0][1]) <= 90, left[0][2]) == (True, "")
    assert (0 < float(left[-1][1]) <= 60, left[-1][2]) == (True, " for CP-SAT")
    assert "CP-SAT claims that it is optimal" in run("solve", ft06, *given).out


@pytest.mark.parametrize("given", [["--method", "cpsat", "--time-limit", 1], ["--polish", 1]])
def test_a_missing_solver_is_said_before_the_search(ft06, tmp_path, monkeypatch, given: list):
    """Shows one line with the extra's name, and that nothing was searched or written."""
    monkeypatch.setattr(cpsat, "find_spec", lambda name: None)
    began = time.monotonic()
    assert_refused(run("solve", ft06, "--out", tmp_path / "s", *given), "--extra solver")
    assert time.monotonic() - began < 4
    assert list(tmp_path.iterdir()) == []


def test_the_time_limit_is_held(tmp_path):
    """Shows the limit on a shop of 5,000 operations and on the reference; on an idle machine it is kept to 0.05 s."""
    for shop in (["family:large:0"], ["reference", "--max-lot-hours", 60, "--seed", 1]):
        report = run("solve", *shop, "--out", tmp_path / "s", "--json", "--time-limit", 1.5).json
        assert report["seconds"] < 1.5 + 0.5


@pytest.mark.parametrize(
    ("method", "sent"), [("improve", signal.SIGTERM), ("improve", signal.SIGINT), ("cpsat", signal.SIGINT)]
)
def test_an_interrupted_search_writes_its_best(tmp_path, method: str, sent: signal.Signals):
    """Shows for a real process that a signal gives a valid schedule, one line that says so, and exit code 128 + signal,
    also while OR-Tools is at work, which has a handler of its own."""
    out = tmp_path / "s.json"
    command = [sys.executable, "-m", "jaxshop.cli", "solve", "family:jobshop:4", "--out", out, "--work", "10000000"]
    command += ["--method", method]
    watching, terminal = os.openpty()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    shown = b""
    while b"best " not in shown:
        shown += os.read(watching, 1000)
    while method == "cpsat" and b"by search:cpsat" not in shown:
        shown += os.read(watching, 1000)
    process.send_signal(sent)
    said, _ = process.communicate(timeout=60)
    while b"best schedule so far" not in shown:
        shown += os.read(watching, 1000)
    os.close(watching)
    assert process.returncode == 128 + sent
    assert b"family:jobshop:4" in said
    assert f"interrupted: {out} holds the best schedule so far".encode() in shown
    assert b"over the bound" in shown
    assert b"\r\x1b[K" in shown
    assert run("verify", "family:jobshop:4", out).code == 0


def test_what_was_found_is_written_whatever_is_pressed_meanwhile(ft06, tmp_path, monkeypatch):
    """Shows that Ctrl-C after the search, where it once lost the schedule, leaves it whole, and is told."""

    def pressed(path, schedule):
        signal.raise_signal(signal.SIGINT)
        write(path, schedule)

    write = schedules.write
    monkeypatch.setattr(schedules, "write", pressed)
    result = run("solve", ft06, "--work", 5, "--out", tmp_path / "s", "--json")
    assert (result.code, result.json["interrupted"]) == (130, True)
    assert run("verify", ft06, tmp_path / "s").code == 0


def test_the_first_run_compiles_before_a_search_that_nobody_limited(ft06, tmp_path, monkeypatch):
    """Shows that kernels that are not there soon are waited for, and that it is told; with a limit they are not."""
    wait, patience = kernels.wait, []

    def compiling(wide, deadline, cancelled=None):
        patience.append(deadline)
        if len(patience) == 1:
            raise LateError("not yet")
        wait(wide, deadline, cancelled)

    monkeypatch.setattr(kernels, "wait", compiling)
    result = run("solve", ft06, "--out", tmp_path / "s")
    assert result.code == 0, result.err
    assert "compiling the search's kernels, once" in result.err
    assert patience[1] is None
    patience.clear()
    limited = run("solve", ft06, "--out", tmp_path / "s", "--time-limit", 20)
    assert "compiling" not in limited.err
    assert None not in patience


def test_a_process_that_refuses_its_input_says_no_more(tmp_path):
    """Shows one line and exit code 2 of a real process, whose kernels are being imported beside it by then."""
    (tmp_path / "shop.json").write_text("{")
    command = [sys.executable, "-m", "jaxshop.cli", "solve", tmp_path / "shop.json", "--out", tmp_path / "s"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
