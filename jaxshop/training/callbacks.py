"""Where a run's progress goes: metrics.jsonl always, the console, TensorBoard when asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from jaxshop.support.errors import ShopError
from jaxshop.views.curves import write_curves

Metrics = Mapping[str, Any]
"""Numbers of an update by name, and `stage`, the name of its stage."""


class Callback(Protocol):
    """Receives one flat mapping after every update."""

    def on_update(self, update: int, total: int, metrics: Metrics) -> None:
        """Called after every update; evaluations add the keys `own_hours`, `own_gap` and `selection_gap`."""

    def close(self) -> None:
        """Called once at the end, however the run ended."""


class JsonLines:
    """Appends one line per update; a resumed run first drops what the checkpoint does not know."""

    def __init__(self, path: Path, keep: int = 0):
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        known = [line for line in lines if _update_of(line) is not None and _update_of(line) <= keep]  # type: ignore[operator]
        self.known: list[dict[str, float]] = [json.loads(line) for line in known]
        path.write_text("".join(f"{line}\n" for line in known), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def on_update(self, update: int, total: int, metrics: Metrics) -> None:
        """Write and flush, so that a killed run loses nothing."""
        self._file.write(json.dumps({"update": update, **metrics}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _update_of(line: str) -> int | None:
    try:
        return json.loads(line)["update"]
    except (ValueError, KeyError, TypeError):
        return None


class TensorBoard:
    """Scalars for TensorBoard; needs the extra `tensorboard`."""

    def __init__(self, folder: Path):
        self._writer = self.writer()(str(folder))

    @staticmethod
    def writer() -> Any:
        """The class that writes; raises ShopError where the extra is missing."""
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ShopError("logging.tensorboard: install the extra: uv sync --extra tensorboard") from None
        return SummaryWriter

    def on_update(self, update: int, total: int, metrics: Metrics) -> None:
        """Write every number as a scalar."""
        for name, value in metrics.items():
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, update)

    def close(self) -> None:
        """Flush the event file."""
        self._writer.close()


class ConsoleProgress:
    """A progress bar on a terminal; elsewhere a plain line at every evaluation."""

    def __init__(self, console: Console):
        self._console = console
        self._bar: Progress | None = None
        self._task: Any = None
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, TextColumn("{task.fields[note]}"), console=console)
            self._task = self._bar.add_task("training", note="")
            self._bar.start()

    def on_update(self, update: int, total: int, metrics: Metrics) -> None:
        """Show where training stands."""
        note = f"gap {100 * metrics['gap']:.1f} %  kl {metrics['kl']:.4f}"
        if self._bar is not None:
            self._bar.update(self._task, completed=update, total=total, note=note)
        if "own_hours" in metrics:
            text = (
                f"{metrics['stage']} {update}/{total}  greedy {metrics['own_hours']:.2f} h "
                f"({100 * metrics['own_gap']:.2f} % over the bound)  "
                f"kept shops {100 * metrics['selection_gap']:.2f} %  samples {100 * metrics['gap']:.1f} %  "
                f"kl {metrics['kl']:.4f}  entropy {metrics['entropy']:.2f}  "
                f"{metrics['steps_per_second']:,.0f} operations/s"
            )
            self._console.print(text, highlight=False)

    def close(self) -> None:
        """Take the bar down."""
        if self._bar is not None:
            self._bar.stop()


class LearningCurves:
    """Draws the page `curves.html` anew at every evaluation and at the end."""

    def __init__(self, path: Path, known: Sequence[Metrics]):
        self._path, self._lines = path, list(known)

    def on_update(self, update: int, total: int, metrics: Metrics) -> None:
        """Remember, and draw where there was an evaluation."""
        self._lines.append({"update": update, **metrics})
        if "own_hours" in metrics:
            self._draw()

    def close(self) -> None:
        """Draw what came after the last evaluation."""
        if self._lines:
            self._draw()

    def _draw(self) -> None:
        write_curves(self._path, self._lines, f"Learning curves of {self._path.parent.name}")


class Callbacks:
    """Several callbacks as one, closed together."""

    def __init__(self, *members: Callback):
        self._members = members

    def on_update(self, update: int, total: int, metrics: Metrics) -> None:
        """Pass the numbers on."""
        for member in self._members:
            member.on_update(update, total, metrics)

    def close(self) -> None:
        """Close every member."""
        for member in self._members:
            member.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def make_console(to_stderr: bool) -> Console:
    """The console of a command: stderr when stdout carries JSON."""
    return Console(file=sys.stderr if to_stderr else sys.stdout, soft_wrap=True)
