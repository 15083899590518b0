"""The method `improve` for plans with the plant's own rules: the best of the rules, or a start, made better."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jaxshop.schedule import Schedule
from jaxshop.schedule.dispatch import RULES, applicable, best_first, dispatch_by_rule
from jaxshop.search.plant import kernels
from jaxshop.search.slices import go_on, seed_of
from jaxshop.search.types import Best, Incumbent, Key, Stop, Task
from jaxshop.support.machine import usable_cores

if TYPE_CHECKING:
    from jaxshop.search.plant.model import Model
    from jaxshop.search.plant.team import Start


@dataclass(frozen=True)
class Sequences:
    """Rules or a start, then searches over the sequences of machines side by side; keeps every rule of the plant.

    Attributes:
        start: a valid schedule to begin with; None begins with the best rule.
        threads: how many searches; None: one for each core. Another number gives another schedule.
    """

    start: Schedule | None = None
    threads: int | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """None: it needs no rollouts."""
        return ()

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`; a piece of work is `UNIT` nodes and gaps on each seat."""
        best = Best(task, stop)
        kernels.begin()
        if self.start is not None:
            known = self.start
            yield from best.offer(known, "start")
        else:
            name, active = best_first(task.plan, task.objective)[0]
            known = dispatch_by_rule(task.plan, RULES[name], active)
            stop.built["rules"] += 1
            yield from best.offer(known, f"rule:{name}{'/active' * active}")
        kernels.wait(stop.deadline, stop.cancelled)
        from jaxshop.search.plant.model import model_of, sequences
        from jaxshop.search.plant.team import Team

        model = model_of(task.plan, max(known.makespan, int(task.certificate.value)))
        if not model.names:
            return
        start = sequences(model, known)
        if self.start is None:
            start = yield from _best_rule(model, task, stop, best, start)
        seats = self.threads or usable_cores()
        if stop.allows(cost=best.cost):
            yield from go_on(Team(model, task.fingerprint, start, seed_of(key), seats), stop, best, seats)


def _best_rule(model: Model, task: Task, stop: Stop, best: Best, start: Start) -> Generator[Incumbent, None, Start]:
    """Yield rules' schedules as they get better; returns order and choice of the best."""
    from jaxshop.search.plant.dispatching import NUMBERS, dispatch, eligible_of
    from jaxshop.search.plant.team import placed, read

    n, able, (_, least) = len(model.names), eligible_of(model.arrays), placed(model, start)
    for name in applicable(task.plan):
        for active in (False, True):
            if not stop.allows(cost=best.cost):
                return start
            order, choice = np.empty(n, np.int64), np.empty(n, np.int64)
            dispatch(model.arrays, able, NUMBERS[name], active, order, choice)
            stop.built["rules"] += 1
            table, cost = placed(model, (order, choice))
            if cost < least:
                start, least = (order, choice), cost
                yield from best.offer(read(model, table, task.fingerprint), f"rule:{name}{'/active' * active}")
    return start
