"""The bound, made better beside a search: when both meet, the schedule is proven optimal."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from jaxshop.bounds import Certificate
from jaxshop.search import background
from jaxshop.search.types import Incumbent, Stop, Task
from jaxshop.support.errors import LateError

PATIENCE = 0.03
"""Seconds that the end of a search waits for the end of the proof."""

LATER, EACH = 0.5, 0.0005
"""Seconds behind its first schedule for which a search has the machine alone: so many at most, at most half of its time
limit, and so many for each operation, as a small shop is proven at once."""


@dataclass(frozen=True)
class Watched:
    """How far a search is."""

    best: Incumbent | None
    certificate: Certificate


class Prover:
    """Tightens a task's certificate for as long as its search runs, and tells the stop what is good enough.

    Where it does not work `beside` the search, the certificate stays what it is: how far a proof comes in the time that
    something short happens to take would be chance.

    Attributes:
        certificate: the best so far.
    """

    def __init__(self, task: Task, stop: Stop, watch: Callable[[Watched], None], beside: bool):
        self.certificate = task.certificate
        self._task, self._stop, self._watch = task, stop, watch
        self._best: Incumbent | None = None
        self._beside = beside
        self._begun, self._ended = threading.Event(), threading.Event()

    def seen(self, incumbents: Iterable[Incumbent]) -> Iterator[Incumbent]:
        """Pass incumbents on, those that are better than all before also to whoever watches."""
        for incumbent in incumbents:
            if self._best is None or incumbent.cost < self._best.cost:
                self._best = incumbent
                self._begun.set()
                self._watch(Watched(incumbent, self.certificate))
            yield incumbent

    def __enter__(self) -> Prover:
        self._stop.target = self._target()
        if self._beside:
            self._proof = background.start(self._tighten)
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._begun.set()
        with suppress(LateError):
            if self._beside:
                background.wait(self._proof, min(time.monotonic() + PATIENCE, self._stop.answer_by or math.inf))

    def _target(self) -> int:
        return self.certificate.cost(self._task.objective)

    def _allows(self) -> bool:
        return not self._ended.is_set() and (self._best is None or self._best.cost > self._target())

    def _known(self) -> int | None:
        return None if self._best is None else self._best.schedule.makespan

    def _alone(self) -> float:
        """Seconds until the proof begins."""
        operations = sum(len(lot.operations) for lot in self._task.plan.lots)
        limit = math.inf if self._stop.seconds is None else self._stop.seconds
        return min(LATER, EACH * operations, limit / 2)

    def _tighten(self) -> None:
        from jaxshop.bounds import tighten  # loads Numba, which nobody has to wait for

        self._begun.wait()  # to collect a large shop's arrays takes time that the first schedule waits for
        if self._ended.wait(self._alone()):
            return
        for certificate in tighten(self._task.plan, self.certificate, self._allows, self._known):
            if self._ended.is_set():
                return
            self.certificate = certificate
            self._stop.target = self._target()
            self._watch(Watched(self._best, certificate))
