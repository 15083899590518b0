"""Where a run's progress goes: metrics.jsonl always, the console, TensorBoard when asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from jaxshop.shop import TICKS_PER_HOUR, span
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_text, write_atomic
from jaxshop.views.curves import write_curves

Metrics = Mapping[str, Any]
"""Numbers of an update by name, and `stage`, the name of its stage."""


class Callback:
    """Receives what happens in a run, in order; what it does not care for passes it by."""

    def on_stage(self, name: str, begin: int, end: int) -> None:
        """Called before the first update of a stage, which has the updates after `begin` up to `end`, compiles."""

    def doing(self, what: str) -> None:
        """Called when something else than an update begins that takes a while."""

    def on_update(self, update: int, total: int, metrics: Metrics) -> None:
        """Called after every update; evaluations add the keys `own_hours`, `own_gap` and `selection_gap`."""

    def close(self) -> None:
        """Called once at the end, however the run ended."""


class JsonLines(Callback):
    """Appends one line per update; a resumed run first drops what the checkpoint does not know."""

    def __init__(self, path: Path, keep: int = 0):
        """Raises ShopError where the file cannot be read or written."""
        lines = read_text(path).splitlines() if path.exists() else []
        known = [line for line in lines if (update := _update_of(line)) is not None and update <= keep]
        self.known: list[dict[str, float]] = [json.loads(line) for line in known]
        write_atomic(path, "".join(f"{line}\n" for line in known))
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
        update = json.loads(line)["update"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return update if isinstance(update, int) else None


class TensorBoard(Callback):
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


class ConsoleProgress(Callback):
    """A progress bar on a terminal, of the stage and what is done in it; elsewhere a plain line at every evaluation."""

    def __init__(self, console: Console, unit: str = "hours", runs: int = 1):
        """`runs` at once, whose means are shown."""
        self._console, self._unit, self._runs = console, unit, runs
        self._stage, self._begin, self._end = "training", 0, 0
        self._bar: Progress | None = None
        self._task: Any = None
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[note]}"), console=console)
            self._task = self._bar.add_task("training", note="")
            self._bar.start()

    def on_stage(self, name: str, begin: int, end: int) -> None:
        """Begin to count anew."""
        self._stage, self._begin, self._end = name, begin, end
        if self._bar is not None:
            self._bar.update(self._task, description=name, completed=0, total=end - begin, note="compiling")
        else:
            self._console.print(f"{name}: {end - begin} updates; compiling the first", highlight=False)

    def doing(self, what: str) -> None:
        """Show it beside the bar."""
        if self._bar is not None:
            self._bar.update(self._task, note=what)

    def on_update(self, update: int, total: int, metrics: Metrics) -> None:
        """Show where training stands."""
        done, count = update - self._begin, (self._end or total) - self._begin
        if self._bar is not None:
            note = f"gap {100 * metrics['gap']:.1f} %  kl {metrics['kl']:.4f}"
            self._bar.update(self._task, completed=done, total=count, note=note)
        if "own_hours" in metrics:
            own = span(metrics["own_hours"] * TICKS_PER_HOUR, self._unit)
            mean, over = ("", "over the bound") if self._runs == 1 else (f"mean of {self._runs}: ", "over")
            text = (
                f"{metrics['stage']} {done}/{count}  {mean}greedy {own} ({100 * metrics['own_gap']:.2f} % {over})  "
                f"kept {100 * metrics['selection_gap']:.2f} %  samples {100 * metrics['gap']:.1f} %  "
                f"{metrics['steps_per_second']:,.0f} op/s"
            )
            self._console.print(text, highlight=False)

    def close(self) -> None:
        """Take the bar down."""
        if self._bar is not None:
            self._bar.stop()


class Ending:
    """Says what the end of a run is at: a bar on a terminal, else a line each."""

    def __init__(self, console: Console, whose: str = ""):
        """`whose` stands before what is done."""
        self._console, self._whose = console, f"{whose}: " if whose else ""

    def of(self, whose: str) -> Ending:
        """The end of one of several runs."""
        return Ending(self._console, whose)

    @contextmanager
    def step(self, what: str, seconds: float | None = None) -> Iterator[Callable[[float], None]]:
        """While something is done that takes so many seconds, if that is known; yields how far it is."""
        what = f"{self._whose}{what}"
        if not self._console.is_terminal:
            limit = "" if seconds is None else f" for {seconds:.0f} s"
            self._console.print(f"{what}{limit}", highlight=False)
            yield lambda passed: None
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.fields[note]}"))
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(what, total=seconds, note="")

            def passed_so_far(passed: float) -> None:
                bar.update(task, completed=passed, note=f"{passed:.0f} of {seconds:.0f} s" if seconds else "")

            yield passed_so_far


class LearningCurves(Callback):
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


class Callbacks(Callback):
    """Several callbacks as one, closed together."""

    def __init__(self, *members: Callback):
        self._members = members

    def on_stage(self, name: str, begin: int, end: int) -> None:
        """Pass it on."""
        for member in self._members:
            member.on_stage(name, begin, end)

    def doing(self, what: str) -> None:
        """Pass it on."""
        for member in self._members:
            member.doing(what)

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
    """The console of a command: stderr when stdout carries JSON. Names of shops and paths are printed as they are."""
    return Console(file=sys.stderr if to_stderr else sys.stdout, soft_wrap=True, markup=False, emoji=False)
