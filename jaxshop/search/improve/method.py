"""The method `improve`: the best of the rules, or a given schedule, made better on all cores."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from jaxshop.schedule import Schedule
from jaxshop.search.improve import kernels
from jaxshop.search.improve.balancing import RULES, balanced, bound_to
from jaxshop.search.improve.dispatching import NUMBERS, Floor, dispatch, floor_of
from jaxshop.search.improve.graph import build
from jaxshop.search.improve.model import Model, sequences, to_schedule, uneven
from jaxshop.search.improve.state import new_state
from jaxshop.search.improve.team import Start, Team
from jaxshop.search.improve.weighing import trials, weigh
from jaxshop.search.slices import SHOWING, go_on, seed_of
from jaxshop.search.types import Best, Incumbent, Key, Method, Stop, Task
from jaxshop.support.errors import LateError
from jaxshop.support.machine import usable_cores

SOURCE = "search:improve"

DIVIDING, SEATING = 2.0, 1.0
"""What dividing work by loads takes, and what each seat of the team until it begins, in times of verifying."""


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
        model = task.model
        kernels.wait(model.wide, stop.answer_by, stop.cancelled)
        if self.start is not None:
            begin = sequences(model, self.start)
        else:
            ruled = yield from _best_rule(model, task, stop, best)
            if ruled is None:  # where what follows begins otherwise, the same work would not give the same schedule
                return
            begin = ruled
            if self.policy is not None:
                with suppress(LateError):
                    for incumbent in self.policy.search(task, key, stop):
                        for better in best.offer(incumbent.schedule, incumbent.source):
                            begin = sequences(model, better.schedule)
                            yield better
        others: tuple[Start, ...] = ()
        if uneven(model):
            weighed, divided = _weighed(model, stop, best), _divided(model, stop, best)
            if weighed is None or divided is None:
                return
            others = *weighed, divided
        seats = self.threads or usable_cores()
        if not stop.allows(seats * SEATING * stop.verifying, best.cost):
            return
        goal = task.certificate.cost(task.objective)
        team = Team(model, begin, seed_of(key), seats, others, goal)
        yield from go_on(_Slices(model, task, team), stop, best, seats)


def _best_rule(model: Model, task: Task, stop: Stop, best: Best) -> Generator[Incumbent, None, Start | None]:
    """Yield rules' schedules as they get better, at least one; returns the best; None: not all were played."""
    found, least, played = None, 0, 0
    names = [name for name in NUMBERS if name != "EDD" or task.with_due]
    for name, cost, start in _played(floor_of(model), names, stop, best):
        stop.built["rules"] += 1
        played += 1
        if found is None or cost < least:
            found, least = start, cost
            yield from best.offer(_schedule(model, task, *start), f"rule:{name}")
    if found is None:
        raise LateError("no time for a rule")
    return found if played == 2 * len(names) else None


def _weighed(model: Model, stop: Stop, best: Best) -> tuple[()] | tuple[Start] | None:
    """The best schedule that weighs waste against waiting, none where the shop is too large; None: no time for them."""
    floor, wastes = floor_of(model), model.arrays.wastes >> model.shift
    n, took = len(floor.begins) - 1, stop.verifying
    played = []
    for price, patience in trials(floor):
        if not stop.allows(took + DIVIDING * stop.verifying, best.cost):
            return None
        began, order, choice = stop.elapsed, np.empty(n, np.int32), np.empty(n, np.int32)
        played.append((weigh(floor, wastes, price, patience, order, choice), (order, choice)))
        took = stop.elapsed - began
    return (min(played, key=lambda each: each[0])[1],) if played else ()


def _divided(model: Model, stop: Stop, best: Best) -> Start | None:
    """The best of some rules where each operation runs where loads alone put it; None if there is no time for them."""
    if not stop.allows(DIVIDING * stop.verifying, best.cost):
        return None
    floor = floor_of(model)
    choice = balanced(floor)
    played = list(_played(bound_to(floor, choice), RULES, stop, best))
    if len(played) < 2 * len(RULES):
        return None
    _, _, (order, _) = min(played, key=lambda each: each[1])
    return order, choice


def _played(floor: Floor, names: Iterable[str], stop: Stop, best: Best) -> Iterator[tuple[str, int, Start]]:
    """Play rules, non-delay and active, while there is time for another and for its schedule: name, cost and start."""
    n, took = len(floor.begins) - 1, stop.verifying
    for name in names:
        for active in (False, True):
            if not stop.allows(took + SHOWING * stop.verifying, best.cost):
                return
            began, order, choice = stop.elapsed, np.empty(n, np.int32), np.empty(n, np.int32)
            cost = dispatch(floor, NUMBERS[name], active, order, choice)
            took = stop.elapsed - began
            yield f"{name}{'/active' * active}", cost, (order, choice)


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
