"""What a run has spent so far, in this process and in those that it was resumed from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """Seconds of training, those of them that it waited for compilation, operations dispatched, seconds to the target.

    A policy is compared with baselines of as much time as all processes of its run took.
    """

    seconds: float = 0.0
    compile_seconds: float = 0.0
    env_steps: int = 0
    seconds_to_target: float | None = None


def spent_before(lines: Sequence[Mapping[str, float]], target_hours: float | None) -> Spent:
    """Sum up the lines of metrics.jsonl that a checkpoint knows of."""
    if not lines:
        return Spent()
    hits = (x["seconds"] for x in lines if target_hours is not None and x.get("own_hours", math.inf) <= target_hours)
    last, steps = lines[-1], int(sum(x.get("steps", 0) for x in lines))
    return Spent(last.get("seconds", 0.0), last.get("compile_seconds", 0.0), steps, next(hits, None))


def met_target(lines: Sequence[Mapping[str, float]], target_hours: float | None) -> bool:
    """Whether the last evaluation in the lines of metrics.jsonl did."""
    hours = [line["own_hours"] for line in lines if "own_hours" in line]
    return bool(hours) and target_hours is not None and hours[-1] <= target_hours


def per_second(steps: int, seconds: float) -> int | None:
    """Operations per second; None where all seconds went into compilation, but for rounding."""
    return round(steps / seconds) if seconds > 1e-6 else None


class Clock:
    """Wall time of calls; the first of each kind waits for compilation: what it takes beyond the second."""

    def __init__(self, before: Spent = Spent()) -> None:
        self._before = before
        self._calls: dict[str, list[float]] = {}
        self._steps = 0
        self._reached = before.seconds_to_target

    def add(self, kind: str, seconds: float, steps: int = 0) -> None:
        """Count a call, and the operations that were dispatched in it."""
        self._calls.setdefault(kind, []).append(seconds)
        self._steps += steps

    def reach_target(self) -> None:
        """The target is met; only the first time counts."""
        if self._reached is None:
            self._reached = self._before.seconds + self.here

    @property
    def here(self) -> float:
        """Seconds in this process."""
        return sum(map(sum, self._calls.values()))

    def spent(self) -> Spent:
        """By all of the run."""
        compiling = sum(max(0.0, calls[0] - min(calls[1:2] or [0.0])) for calls in self._calls.values())
        before = self._before
        return Spent(
            before.seconds + self.here,
            before.compile_seconds + compiling,
            before.env_steps + self._steps,
            self._reached,
        )
