"""When training ends: by its config, or by a signal."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from jaxshop.training.config import Config


class StopRule:
    """At the last update, after `stop.max_seconds`, or once two evaluations in a row meet the target, as configured."""

    def __init__(self, config: Config, met: bool = False) -> None:
        """`met`: the last evaluation before the run was resumed met the target."""
        self._stop, self._total, self._target = config.stop, config.updates, config.run.target
        self._met = int(met)

    def after_update(self, done: int, seconds: float) -> bool:
        """Whether that was the last update; `seconds` are those of this process."""
        return done >= self._total or (self._stop.max_seconds is not None and seconds >= self._stop.max_seconds)

    def meets_target(self, cost: int) -> bool:
        """Whether a cost, in ticks, is good enough."""
        return self._target is not None and cost <= self._target

    def after_evaluation(self, cost: int) -> bool:
        """Whether the target is met for good, if the run is to end with it; to be asked at every evaluation."""
        self._met = self._met + 1 if self.meets_target(cost) else 0
        return self._stop.when == "target" and self._met >= 2


@contextmanager
def signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT instead of dying of them; a second one does as the system says."""
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        signal.signal(number, previous[number])

    previous: dict[int, Any] = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        for number in previous:
            signal.signal(number, note)
    except ValueError:  # not the main thread: whoever runs us there handles signals
        previous = {}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
