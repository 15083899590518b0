"""Where a run's progress goes."""

from __future__ import annotations

import errno
import io
import json

import pytest
from rich.console import Console
from rich.table import Table

from jaxshop.support.errors import ShopError
from jaxshop.training.callbacks import Callbacks, ConsoleProgress, Ending, JsonLines, TensorBoard, make_console
from jaxshop.views.tables import comparison_table
from tests.trained import Finished

UPDATE = {"stage": "general", "gap": 0.25, "kl": 0.01, "entropy": 0.5, "steps_per_second": 1000.0}
EVALUATED = UPDATE | {"own_hours": 123.4, "own_gap": 0.2, "selection_gap": 0.3}


def shown(terminal: bool) -> str:
    """What the console gets of two updates, the second one evaluated."""
    stream = io.StringIO()
    with Callbacks(ConsoleProgress(Console(file=stream, force_terminal=terminal, soft_wrap=True, width=200))) as sinks:
        sinks.on_stage("general", 3, 5)
        sinks.on_update(4, 9, UPDATE)
        sinks.doing("evaluating")
        sinks.on_update(5, 9, EVALUATED)
    return stream.getvalue()


def test_a_log_gets_a_plain_line_at_each_evaluation():
    """Shows that without a terminal there is no bar and no escape sequence, but a line a stage and an evaluation."""
    text = shown(terminal=False)
    assert "\x1b" not in text
    stage, evaluation = text.splitlines()
    assert stage == "general: 2 updates; compiling the first"
    assert evaluation.startswith("general 2/2  greedy 123.40 h (20.00 % over the bound)")
    assert max(map(len, (stage, evaluation))) <= 100


def test_a_terminal_gets_a_bar():
    """Shows that on a terminal the bar counts within the stage and the evaluation's line is printed beside it."""
    text = shown(terminal=True)
    assert "2/2" in text
    assert "123.40 h" in text
    assert "\x1b" in text


def test_ticks_stay_ticks():
    """Shows that times of a benchmark text, which has no unit, are shown as they stand in it."""
    stream = io.StringIO()
    ConsoleProgress(Console(file=stream, width=200), "ticks").on_update(1, 2, EVALUATED | {"own_hours": 55 / 3600})
    assert "greedy 55 ticks" in stream.getvalue()


@pytest.mark.parametrize("to_stderr", [True, False])
def test_names_are_printed_as_they_are(capsys, to_stderr: bool):
    """Shows that brackets and colons of a shop's name or a path are no markup, in lines, titles and cells alike."""
    name = "hall [/west] runs/night[old] :bug:"
    table = Table(name, title=name)
    table.add_row(name)
    console = make_console(to_stderr)
    console.print(name, highlight=False)
    console.print(table)
    printed = capsys.readouterr()
    assert (printed.err if to_stderr else printed.out).count(name) == 4


def test_the_end_says_what_it_is_at():
    """Shows a plain line in a log, and on a terminal how far a step of known length is."""
    log, terminal = io.StringIO(), io.StringIO()
    for stream in (log, terminal):
        with Ending(Console(file=stream, force_terminal=stream is terminal, width=100)).step("tuning", 206) as watch:
            watch(80.0)
    assert log.getvalue() == "tuning for 206 s\n"
    assert "80 of 206 s" in terminal.getvalue()


def test_metrics_are_complete_lines_after_every_update(tmp_path):
    """Shows that each update is on the disk at once, and that a resumed run drops what its checkpoint does not know."""
    path = tmp_path / "metrics.jsonl"
    lines = JsonLines(path)
    for update in (1, 2, 3):
        lines.on_update(update, 9, UPDATE)
        assert json.loads(path.read_text().splitlines()[-1]) == {"update": update, **UPDATE}
    lines.close()
    path.write_text(path.read_text() + '{"update": "2"}\n{"update": 4, "ga')
    JsonLines(path, keep=2).close()
    assert [json.loads(line)["update"] for line in path.read_text().splitlines()] == [1, 2]


def test_a_rewrite_that_fails_leaves_the_metrics_as_they_were(tmp_path, monkeypatch):
    """Shows one line, and every number of the run in its place, where the disk is full when a run is resumed."""

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "metrics.jsonl"
    path.write_text('{"update": 1}\n{"update": 2}\n')
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ShopError, match=r"metrics\.jsonl: no space left on device$"):
        JsonLines(path, keep=2)
    assert path.read_text() == '{"update": 1}\n{"update": 2}\n'


def test_tensorboard_writes_an_event_file(tmp_path):
    """Shows that with the extra there is an event file with something in it."""
    pytest.importorskip("tensorboardX", reason="needs the extra tensorboard")
    board = TensorBoard(tmp_path / "tensorboard")
    board.on_update(1, 2, UPDATE)
    board.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    assert file.stat().st_size > 100


@pytest.mark.parametrize(("bound", "over"), [(50.0, "100.00 %"), (0.0, "")])
def test_costs_are_shown_over_the_bound_of_the_cost(finished: Finished, bound: float, over: str):
    """Shows the objective's own name and bound in the final table, and no share of a bound that is 0."""
    assert finished.report["objective"] == "makespan"
    assert finished.report["objective_bound_hours"] == finished.report["lower_bound_hours"]
    objective = "makespan + 0.5 x weighted tardiness"
    weighted = {"objective": objective, "objective_bound_hours": bound, "target_hours": 100.0}
    table = comparison_table(finished.report | weighted)
    assert f": {objective}; " in table.title
    hours, shares = (list(table.columns[i].cells)[-2:] for i in (1, 2))
    assert hours == ["100.00", f"{bound:.2f}"]
    assert shares == [over, "0.00 %" if over else ""]
