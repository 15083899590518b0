"""An order on its way through the scheduler: what was found so far, what is certain, and what went wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from jaxshop.bounds import Certificate
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search import Incumbent, Stop, Task
from jaxshop.search.proof import Watched
from jaxshop.serving.stopwatch import Stopwatch
from jaxshop.serving.types import Order, Progress, Rejection, least_cost
from jaxshop.support.errors import InvalidScheduleError, LateError

log = logging.getLogger(__name__)

BOUNDS_EVERY_S = 0.1
"""At least so long after a report comes one of a better bound alone."""


@dataclass
class Course:
    """An order under work: what is certain, what was found, and what went wrong."""

    order: Order
    task: Task
    size: Any
    stop: Stop
    left: float
    """Seconds from the stop's begin to the order's deadline."""
    clock: Stopwatch = field(default_factory=Stopwatch)
    found: list[Incumbent] = field(default_factory=list)
    """Each better than the one before."""
    rejections: list[Rejection] = field(default_factory=list)
    certificate: Certificate = field(init=False)
    """The best so far."""
    samples_done: int = 0
    told: float = 0.0
    """By the stop's clock, when the latest report was made."""
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.certificate = self.task.certificate

    def pursue(self, search: Callable[[], Iterator[Incumbent]]) -> None:
        """Take what a search finds, and note what ends it before its time."""
        try:
            for incumbent in search():
                if self.ended.is_set():
                    return
                self.take(incumbent)
        except LateError as error:
            if not self.found:
                self.rejections.append(Rejection("late", str(error)))
        except InvalidScheduleError as error:
            self.rejections.append(Rejection("invalid", str(error)))
        except Exception as error:  # its text, which may tell of the machine, goes to the log
            log.warning("the search failed", exc_info=error)
            self.rejections.append(Rejection("failed", type(error).__name__))
        finally:
            self.ended.set()

    def take(self, incumbent: Incumbent) -> None:
        """Keep a schedule that is better than those before it."""
        if not self.found or incumbent.cost < self.found[-1].cost:
            self.found.append(incumbent)
            self.tell()

    def watch(self, watched: Watched) -> None:
        """Keep a better bound; those that follow each other closely are not told."""
        if watched.certificate.value > self.certificate.value and not self.ended.is_set():
            self.certificate = watched.certificate
            if self.stop.elapsed - self.told > BOUNDS_EVERY_S:
                self.tell()

    def tell(self, samples: int = 0) -> None:
        """Report how far it is."""
        self.samples_done, self.told = max(self.samples_done, samples), self.stop.elapsed
        if self.found:
            bound = least_cost(self.task, self.certificate)
            self.order.report(Progress(self.samples_done, self.found[-1], bound, self.stop.seconds, self.order.plan))

    def rule(self, kind: str, deadline: float | None) -> Incumbent:
        """The best of the rules that can be tried by the deadline, at least one, on the host; unverified."""
        name, schedule = best_rule(self.task.plan, deadline, self.task.objective)
        return Incumbent(schedule, self.task.cost(schedule), f"{kind}:{name}", self.stop.elapsed, self.stop.done)
