"""Where a run's progress goes."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from jaxshop.training.callbacks import Callbacks, ConsoleProgress, JsonLines, TensorBoard

UPDATE = {"stage": "general", "gap": 0.25, "kl": 0.01, "entropy": 0.5, "steps_per_second": 1000.0}
EVALUATED = UPDATE | {"own_hours": 123.4, "own_gap": 0.2, "selection_gap": 0.3}


def shown(terminal: bool) -> str:
    """What the console gets of two updates, the second one evaluated."""
    stream = io.StringIO()
    with Callbacks(ConsoleProgress(Console(file=stream, force_terminal=terminal, soft_wrap=True, width=200))) as sinks:
        sinks.on_update(1, 2, UPDATE)
        sinks.on_update(2, 2, EVALUATED)
    return stream.getvalue()


def test_a_log_gets_a_plain_line_at_each_evaluation():
    """Shows that without a terminal there is no bar, no escape sequence, and one line for each evaluation."""
    text = shown(terminal=False)
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert text.startswith("general 2/2  greedy 123.40 h (20.00 % over the bound)")


def test_a_terminal_gets_a_bar():
    """Shows that on a terminal the bar reaches its end and the evaluation's line is printed beside it."""
    text = shown(terminal=True)
    assert "2/2" in text
    assert "123.40 h" in text
    assert "\x1b" in text


def test_metrics_are_complete_lines_after_every_update(tmp_path):
    """Shows that each update is on the disk at once, and that a resumed run drops what its checkpoint does not know."""
    path = tmp_path / "metrics.jsonl"
    lines = JsonLines(path)
    for update in (1, 2, 3):
        lines.on_update(update, 9, UPDATE)
        assert json.loads(path.read_text().splitlines()[-1]) == {"update": update, **UPDATE}
    lines.close()
    path.write_text(path.read_text() + '{"update": 4, "ga')
    JsonLines(path, keep=2).close()
    assert [json.loads(line)["update"] for line in path.read_text().splitlines()] == [1, 2]


def test_tensorboard_writes_an_event_file(tmp_path):
    """Shows that with the extra there is an event file with something in it."""
    pytest.importorskip("tensorboardX", reason="needs the extra tensorboard")
    board = TensorBoard(tmp_path / "tensorboard")
    board.on_update(1, 2, UPDATE)
    board.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    assert file.stat().st_size > 100
