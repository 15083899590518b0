"""benchmarks/gpu.py in small: each row's results, the self-test first, and time limits that hold."""

from __future__ import annotations

import importlib
import json
import os
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
def test_a_row_that_plays_has_its_figures(measured, row):
    """Shows rates, compile times and memory of each; the reference's random play is as that of the small shop."""
    for result in getattr(measured, row)(measured.SMALL):
        assert result["operations_per_second"] > 0
        assert result["bytes_per_environment"] > 0


@pytest.mark.thorough
def test_memory_and_updates_have_their_figures(measured):
    """Shows computed beside planned bytes, and an update beside the network's own passes."""
    (stored,) = measured.memory(measured.SMALL)
    assert 0 < stored["computed_bytes"] < 10 * stored["planned_bytes"]
    (updated,) = measured.update_general(measured.SMALL)
    assert updated["environments"] == 8
    assert updated["network_ratio"] > 0


@pytest.mark.thorough
def test_row_of_searches_tells_both(measured):
    """Shows that schedules that are bred and schedules that are drawn are told side by side, as many of each."""
    bred, drawn = measured.breeding(measured.SMALL)
    assert (bred["method"], drawn["method"]) == ("evolve", "samples")
    for found in (bred, drawn):
        assert found["schedules"] == 8
        assert 0 <= found["percent"] <= found["first_percent"]


@pytest.mark.thorough
def test_training_row_tells_target_and_gaps(gpu, capsys):
    """Shows a whole run of train.py with gpu.toml's sections: first update, updates and the report's gaps."""
    row = next(row for row in gpu.ROWS if row.run is None)
    gpu.train(row, gpu.SMALL, 300, dict(os.environ) | {"PYTHONPATH": str(ROOT)}, to_target=False)
    found = json.loads(capsys.readouterr().out)
    assert "error" not in found, found
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


def test_rows_without_time_say_so(gpu, monkeypatch, capsys):
    """Shows that the whole ends in its time: what does not fit is left out by name."""
    monkeypatch.setattr(gpu, "run_row", lambda row, *rest: time.sleep(0.2) or [{"agrees": True}])
    assert gpu.drive(rows(gpu, "selftest", "a", "b"), True, gpu.LEAST + 0.1) == 0
    told = lines(capsys)
    assert [line["row"] for line in told] == ["a", "b", "all"]
    assert told[0]["left_out"] == "no time is left"


def test_a_row_that_hangs_is_ended(gpu, monkeypatch, capsys, tmp_path):
    """Shows the limit of a row, what it told before, and the last line of one that fails."""
    script = tmp_path / "hanging.py"
    script.write_text(
        "import sys, time\nprint('{\"x\": 1}', flush=True)\ntime.sleep(60 if 'a' in sys.argv else 0)\n1 / 0"
    )
    monkeypatch.setattr(gpu, "__file__", str(script))
    begun = time.monotonic()
    gpu.run_row(gpu.Row("a", None, 1), True, 3.0, dict(os.environ))
    assert time.monotonic() - begun < 30
    gpu.run_row(gpu.Row("b", None, 1), True, 60.0, dict(os.environ))
    assert lines(capsys) == [
        {"row": "a", "x": 1},
        {"row": "a", "error": "not done after 3 s"},
        {"row": "b", "x": 1},
        {"row": "b", "error": "ZeroDivisionError: division by zero"},
    ]
