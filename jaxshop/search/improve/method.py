"""The method `improve`: the best of the rules, or a given schedule, made better on all cores."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from jaxshop.schedule import Schedule
from jaxshop.search.improve import kernels
from jaxshop.search.improve.balancing import balanced_start
from jaxshop.search.improve.dispatching import NUMBERS, dispatch, floor_of
from jaxshop.search.improve.graph import build
from jaxshop.search.improve.model import Model, model_of, sequences, to_schedule, uneven
from jaxshop.search.improve.state import new_state
from jaxshop.search.improve.team import Start, Team
from jaxshop.search.slices import go_on, seed_of
from jaxshop.search.types import Best, Incumbent, Key, Method, Stop, Task
from jaxshop.support.errors import LateError
from jaxshop.support.machine import usable_cores

SOURCE = "search:improve"


@dataclass(frozen=True)
class Improve:
    """Rules or a start, then a team of searches side by side.

    Attributes:
        start: a valid schedule to begin with; None begins with the best rule.
        policy: a method whose schedule is begun with where it comes in time and is better than every rule.
        threads: how many seats the team has; None: one for each core. Another number gives another schedule.
    """

    start: Schedule | None = None
    policy: Method | None = None
    threads: int | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """Those of the policy."""
        return () if self.policy is None else self.policy.steps

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`; a piece of work is `UNIT` nodes and gaps on each seat."""
        best = Best(task, stop)
        if self.start is not None:
            yield from best.offer(self.start, "start")
        if not stop.allows(cost=best.cost):  # a model of a large shop takes its time
            if best.cost is None:
                raise LateError("no time for a rule")
            return
        model = model_of(task.plan)
        kernels.wait(model.wide, stop.deadline, stop.cancelled)
        if self.start is not None:
            begin = sequences(model, self.start)
        else:
            begin = yield from _best_rule(model, task, stop, best)
            if self.policy is not None:
                with suppress(LateError):
                    for incumbent in self.policy.search(task, key, stop):
                        for better in best.offer(incumbent.schedule, incumbent.source):
                            begin = sequences(model, better.schedule)
                            yield better
        divided: Start | None = None
        if uneven(model) and stop.allows(cost=best.cost):
            divided = balanced_start(floor_of(model))
            yield from best.offer(_schedule(model, task, *divided), SOURCE)
        seats = self.threads or usable_cores()
        team = Team(model, begin, seed_of(key), seats, divided)
        yield from go_on(_Slices(model, task, team), stop, best, seats)


def _best_rule(
    model: Model, task: Task, stop: Stop, best: Best
) -> Generator[Incumbent, None, tuple[np.ndarray, np.ndarray]]:
    """Yield rules' schedules as they get better, at least one; returns order and choice of the best."""
    floor, n, least = floor_of(model), model.arrays.operations, None
    found = np.empty(n, np.int32), np.empty(n, np.int32)
    for name, number in NUMBERS.items():
        if name == "EDD" and not task.with_due:
            continue
        for active in (False, True):
            if not stop.allows(cost=best.cost):
                if least is None:
                    raise LateError("no time for a rule")
                return found
            order, choice = np.empty(n, np.int32), np.empty(n, np.int32)
            cost = dispatch(floor, number, active, order, choice)
            stop.built["rules"] += 1
            if least is None or cost < least:
                found, least = (order, choice), cost
                yield from best.offer(_schedule(model, task, order, choice), f"rule:{name}{'/active' * active}")
    return found


def play(model: Model, task: Task, rule: str, active: bool) -> Schedule:
    """The schedule of a rule of `NUMBERS`, which is that of `jaxshop.schedule.dispatch`, some twenty times sooner."""
    n = model.arrays.operations
    order, choice = np.empty(n, np.int32), np.empty(n, np.int32)
    dispatch(floor_of(model), NUMBERS[rule], active, order, choice)
    return _schedule(model, task, order, choice)


def _schedule(model: Model, task: Task, order: np.ndarray, choice: np.ndarray) -> Schedule:
    state = new_state(model.arrays, 0)
    build(model.arrays, state, order, choice)
    return to_schedule(model, state.table, task.fingerprint)


@dataclass(frozen=True)
class _Slices:
    """The team, as `go_on` sees it."""

    model: Model
    task: Task
    team: Team
    name: str = "improve"
    source: str = SOURCE

    @property
    def left(self) -> int:
        """See `Slices`."""
        return self.team.left

    @property
    def cost(self) -> int:
        """See `Slices`."""
        return self.team.winner.cost

    def advance(self, pieces: int, target: int | None, pool: Executor) -> None:
        """See `Slices`."""
        self.team.advance(pieces, -1 if target is None else self.model.scaled(target), pool)

    def schedule(self) -> Schedule:
        """See `Slices`."""
        return to_schedule(self.model, self.team.winner.table, self.task.fingerprint)
