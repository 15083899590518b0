"""The bound, made better beside a search: when both meet, the schedule is proven optimal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jaxshop.bounds import Certificate
from jaxshop.search.types import Incumbent, Stop, Task


@dataclass(frozen=True)
class Watched:
    """How far a search is."""

    best: Incumbent | None
    certificate: Certificate


class Prover:
    """Tightens a task's certificate for as long as its search runs, and tells the stop what is good enough.

    Attributes:
        certificate: the best so far.
    """

    def __init__(self, task: Task, stop: Stop, watch: Callable[[Watched], None] = lambda watched: None):
        self.certificate = task.certificate
        self._task, self._stop, self._watch = task, stop, watch
        self._best: Incumbent | None = None
        self._ended = False

    def seen(self, incumbents: Iterable[Incumbent]) -> Iterator[Incumbent]:
        """Pass incumbents on, those that are better than all before also to whoever watches."""
        for incumbent in incumbents:
            if self._best is None or incumbent.cost < self._best.cost:
                self._best = incumbent
                self._watch(Watched(incumbent, self.certificate))
            yield incumbent

    def __enter__(self) -> Prover:
        self._stop.target = self._target()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = True

    def _target(self) -> int:
        return self._task.objective.lower_bound(self.certificate.value)
