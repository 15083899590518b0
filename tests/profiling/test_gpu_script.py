"""benchmarks/gpu.py in small: each row's results, the self-test first, and time limits that hold."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def beside() -> Iterator[None]:
    """Lets the script find its rows, which lie beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield


@pytest.fixture(scope="module")
def gpu():
    """The script as a module."""
    return importlib.import_module("gpu")


@pytest.fixture(scope="module")
def measured():
    """Its rows."""
    return importlib.import_module("gpu_rows")


@pytest.mark.usefixtures("ranks_meet")
@pytest.mark.parametrize("row", ["random_small", pytest.param("acting", marks=pytest.mark.thorough)])
def test_a_row_that_plays_has_its_figures(gpu, measured, row):
    """Shows rates, compile times and memory of each; the reference's random play is as that of the small shop."""
    for result in getattr(measured, row)(gpu.SMALL):
        assert result["operations_per_second"] > 0
        assert result["bytes_per_environment"] > 0


@pytest.mark.thorough
@pytest.mark.usefixtures("ranks_meet")
def test_row_of_the_kernel_says_whether_it_agrees(gpu, measured):
    """Shows rates of whole episodes in one kernel of both shops, each with XLA's schedules beside it."""
    small, small_agrees, reference, reference_agrees = measured.random_kernel(gpu.SMALL)
    assert (small["steps"], small["environments"]) == (12, 32)
    assert reference["operations_per_second"] > 0
    assert small_agrees == {"shop": "small", "agrees": True}
    assert reference_agrees == {"shop": "reference", "agrees": True}


@pytest.mark.thorough
def test_memory_and_updates_have_their_figures(gpu, measured):
    """Shows computed beside planned bytes, and an update beside the network's own passes."""
    (stored,) = measured.memory(gpu.SMALL)
    assert 0 < stored["computed_bytes"] < 10 * stored["planned_bytes"]
    (updated,) = measured.update_general(gpu.SMALL)
    assert updated["environments"] == 8
    assert updated["network_ratio"] > 0


@pytest.mark.thorough
def test_row_of_searches_tells_both(gpu, measured):
    """Shows that schedules that are bred and schedules that are drawn are told side by side, as many of each."""
    bred, drawn = measured.breeding(gpu.SMALL)
    assert (bred["method"], drawn["method"]) == ("evolve", "samples")
    for found in (bred, drawn):
        assert found["schedules"] == 8
        assert 0 <= found["percent"] <= found["first_percent"]


@pytest.mark.thorough
def test_training_row_tells_target_and_gaps(gpu, capsys):
    """Shows a whole run of train.py with gpu.toml's sections: first update, updates and the report's gaps."""
    row = next(row for row in gpu.ROWS if row.run is None)
    gpu.train(row, gpu.SMALL, 300, dict(os.environ) | {"PYTHONPATH": str(ROOT)}, to_target=False)
    met, found = lines(capsys)
    assert "error" not in found, found
    assert met["seconds_to_target"] == found["seconds_to_target"]  # told at once, whatever comes later
    assert found["updates"] == 2
    assert found["greedy_percent"] >= found["best_of_percent"]
    assert found["seconds_to_first_update"] > 0


def lines(capsys) -> list[dict]:
    """What was told."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def rows(gpu, *names: str) -> Iterator:
    """Rows that nobody runs here."""
    return tuple(gpu.Row(name, lambda sizes: iter(()), 5) for name in names)


def test_a_failed_selftest_ends_it(gpu, monkeypatch, capsys):
    """Shows exit code 1 and no other row."""
    monkeypatch.setattr(gpu, "run_row", lambda row, *rest: [{"agrees": row.name != "selftest"}])
    assert gpu.drive(rows(gpu, "selftest", "other"), True, 60) == 1
    assert lines(capsys) == []


def test_a_cpu_is_refused_in_full(gpu, monkeypatch, capsys):
    """Shows exit code 2 and no other row where a GPU's program came to a CPU, which would take all the time."""
    monkeypatch.setattr(gpu, "run_row", lambda row, *rest: [{"platform": "cpu"}, {"agrees": True}])
    assert gpu.drive(rows(gpu, "selftest", "other"), False, 60) == 2
    assert "only a CPU here" in lines(capsys)[0]["error"]


@pytest.mark.thorough
def test_a_selftest_that_has_no_time_for_all_shops_lets_the_rest_go_on(gpu, measured):
    """Shows that what agrees in time agrees, beside the number of cases that were not begun."""
    _, found = measured.selftest(gpu.SMALL)
    assert (found["agrees"], found["cases"], found["not_begun"], found["differ"]) == (True, 3, 15, [])


def test_time_is_kept_for_later_rows(gpu, monkeypatch):
    """Shows that a row that takes all that it gets leaves what is kept for those behind it."""
    given = {}
    monkeypatch.setattr(
        gpu, "run_row", lambda row, small, seconds, environ: given.update({row.name: seconds}) or [{"agrees": True}]
    )
    first, second, third = rows(gpu, "selftest", "other", "target")
    assert (
        gpu.drive((first._replace(limit=999), second._replace(limit=50), third._replace(kept=40)), True, gpu.SECONDS)
        == 0
    )
    assert given["selftest"] == pytest.approx(gpu.SECONDS - 40, abs=1)
    assert given["other"] == pytest.approx(50, abs=1)


def test_rows_are_chosen_by_their_beginnings(gpu):
    """Shows that the self-test is always among them, and that a name that no row has is refused."""
    names = [row.name for row in gpu.chosen(["update"], pytest.fail)]
    assert names == [
        *("selftest", "update, first stage", "update, factory's size"),
        *("update, first stage, bfloat16", "update, factory's size, in parts"),
    ]
    assert gpu.chosen(None, pytest.fail) == gpu.ROWS
    with pytest.raises(pytest.fail.Exception, match="no row begins with 'updates'"):
        gpu.chosen(["updates"], pytest.fail)


def test_rows_without_time_say_so(gpu, monkeypatch, capsys):
    """Shows that the whole ends in its time: what does not fit is left out by name."""
    monkeypatch.setattr(gpu, "run_row", lambda row, *rest: time.sleep(0.2) or [{"agrees": True}])
    assert gpu.drive(rows(gpu, "selftest", "a", "b"), True, gpu.LEAST + 0.1) == 0
    told = lines(capsys)
    assert [line["row"] for line in told] == ["a", "b", "all"]
    assert told[0]["left_out"] == "no time is left"


@pytest.mark.thorough
def test_a_row_that_hangs_is_ended(gpu, monkeypatch, capsys, tmp_path):
    """Shows the limit of a row, what it told before, and the last line of one that fails, or a signal's number."""
    script = tmp_path / "hanging.py"
    script.write_text(
        "import os, sys, time\nprint('{\"x\": 1}', flush=True)\nprint('{\"y', end='', flush=True)\n"
        "time.sleep(60 if 'a' in sys.argv else 0)\nos.abort() if 'c' in sys.argv else None\n1 / 0"
    )
    monkeypatch.setattr(gpu, "__file__", str(script))
    begun = time.monotonic()
    gpu.run_row(gpu.Row("a", None, 1), True, 3.0, dict(os.environ))
    assert time.monotonic() - begun < 30
    gpu.run_row(gpu.Row("b", None, 1), True, 60.0, dict(os.environ))
    gpu.run_row(gpu.Row("c", None, 1), True, 60.0, dict(os.environ))
    assert lines(capsys) == [
        {"row": "a", "x": 1},
        {"row": "a", "error": "not done after 3 s"},
        {"row": "b", "x": 1},
        {"row": "b", "error": "ZeroDivisionError: division by zero"},
        {"row": "c", "x": 1},
        {"row": "c", "error": "exit code -6"},
    ]


def test_a_row_that_fails_says_why_in_a_line(gpu, capsys):
    """Shows that results before it stay, and that an error's first line is told instead of JAX's note on tracebacks."""

    def failing(sizes):
        yield {"x": 1}
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nwith details")

    assert gpu.measured(gpu.Row("a", failing, 1), gpu.SMALL) == 1
    assert lines(capsys) == [{"x": 1}, {"error": "RuntimeError: RESOURCE_EXHAUSTED: Out of memory"}]


def test_an_ended_script_ends_its_row(tmp_path):
    """Shows that SIGTERM leaves no process of a row behind, which would hold the GPU's memory, and ends with 143."""
    script = tmp_path / "driver.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT / 'benchmarks')!r})\nimport gpu\n"
        f"gpu.__file__ = {str(tmp_path / 'row.py')!r}\nsys.argv[1:] = []\nraise SystemExit(gpu.main())"
    )
    (tmp_path / "row.py").write_text(
        "import json, os, time\nprint(json.dumps({'pid': os.getpid()}), flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    row = json.loads(process.stdout.readline())
    process.terminate()
    assert process.wait(30) == 143
    process.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.kill(row["pid"], 0)
