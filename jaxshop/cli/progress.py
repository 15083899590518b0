"""What a person sees while a search works, and how she ends it."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, TypeVar

from jaxshop.search.proof import Watched
from jaxshop.shop import Shop, gap_percent, span

EVERY = 0.2
"""Seconds between two lines, each in place of the one before."""

BAR = 20
"""Columns of the bar."""

Each = TypeVar("Each")


class Interrupt:
    """Ctrl-C or SIGTERM ends the search with the best so far; Ctrl-C after that ends the process as usual."""

    def __init__(self) -> None:
        self._signal = 0
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Whether it was asked for."""
        return self._signal > 0

    @property
    def code(self) -> int:
        """The exit code: 0, or 128 + the first signal."""
        return 128 + self._signal if self._signal else 0

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._signal = self._signal or number
        signal.signal(signal.SIGINT, self._before[signal.SIGINT])  # not SIGTERM, which `timeout` sends twice


class ProgressLine:
    """One line on stderr with best, bound, gap, source and the seconds left; silent where that is no terminal."""

    def __init__(self, shop: Shop, seconds: float | None, begun: float):
        self._shop, self._seconds, self._begun = shop, seconds, begun
        self._watched: Watched | None = None
        self._left = "s left"
        self._ended = threading.Event()
        self._shown = sys.stderr.isatty()

    def watch(self, watched: Watched) -> None:
        """Take note of an incumbent or a bound."""
        self._watched = watched

    def hand_on(self, name: str, seconds: float) -> None:
        """Somebody else goes on from here for so many seconds, however long the search took."""
        self._seconds = time.monotonic() - self._begun + seconds
        self._left = f"s left for {name}"

    def __enter__(self) -> ProgressLine:
        if self._shown:
            self._thread = threading.Thread(target=self._show, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._shown:
            self._thread.join()
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _show(self) -> None:
        while not self._ended.wait(EVERY):
            line = f"{self.text()} {self.bar()}"[: shutil.get_terminal_size().columns - 1]  # a wrapped line would stay
            print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)

    def bar(self) -> str:
        """How much of the time is over, nothing where it has no limit."""
        if not self._seconds:
            return ""
        done = min(BAR, int(BAR * (time.monotonic() - self._begun) / self._seconds))
        return f"[{'#' * done}{'-' * (BAR - done)}]"

    def text(self) -> str:
        """The line as it is now."""
        passed = time.monotonic() - self._begun
        left = f"{passed:.1f} s" if self._seconds is None else f"{max(0.0, self._seconds - passed):.1f} {self._left}"
        if self._watched is None or self._watched.best is None:
            return f"no schedule yet, {left}"
        best, least = self._watched.best, self._watched.certificate.cost(self._shop.objective)
        gap, unit = gap_percent(best.cost, least), self._shop.unit
        over = "" if gap is None else f", {gap:.2f} % over the bound {span(least, unit)}"
        return f"best {span(best.cost, unit)}{over}, by {best.source}, {left}"


def one_by_one(items: Sequence[Each], name: Callable[[Each], str]) -> Iterator[tuple[Each, Callable[[str], None]]]:
    """Each item, with what to tell of it meanwhile: a bar on stderr where that is a terminal, else nothing."""
    from rich.console import Console  # here, as a single search needs none of it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    named = TextColumn("{task.description}", markup=False)  # a shop's name may hold brackets
    columns = (named, BarColumn(BAR), MofNCompleteColumn(), TimeElapsedColumn())
    note = TextColumn("{task.fields[note]}")
    with Progress(*columns, note, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=len(items), note="")
        for item in items:
            bar.update(task, description=name(item), note="")
            yield item, lambda text: bar.update(task, note=text)
            bar.advance(task)
