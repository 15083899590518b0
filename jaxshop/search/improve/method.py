"""The method `improve`: the best of the rules, or a given schedule, made better on all cores."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import product
from operator import itemgetter

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

DIVIDING, SEATING = 2.0, 0.5
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
        model, seats = task.model, self.threads or usable_cores()
        kernels.wait(model.wide, stop.answer_by, stop.cancelled)
        if self.start is not None:
            begin = sequences(model, self.start)
        else:
            ruled = yield from _best_rule(model, task, stop, best, seats)
            if ruled is None:  # where what follows begins otherwise, the same work would not give the same schedule
                return
            begin = ruled
            if self.policy is not None:
                with suppress(LateError):
                    for incumbent in self.policy.search(task, key, stop):
                        for better in best.offer(incumbent.schedule, incumbent.source):
                            begin = sequences(model, better.schedule)
                            yield better
        weighed = _weighed(model, stop, best, seats) if uneven(model) else ()
        if weighed is None:
            return
        before = stop.done
        yield from _by_team(model, task, key, stop, best, seats, begin, weighed)
        if stop.done == before:  # a team begins with it, and to verify a schedule takes time
            for start in weighed:
                yield from best.offer(_schedule(model, task, *start), SOURCE)


def _best_rule(
    model: Model, task: Task, stop: Stop, best: Best, seats: int
) -> Generator[Incumbent, None, Start | None]:
    """Yield rules' schedules as they get better, at least one; returns the best; None: not all were played."""
    found, least, count = None, 0, 0
    names = [name for name in NUMBERS if name != "EDD" or task.with_due]
    rules = list(product(names, (False, True)))
    plays = _rules(floor_of(model), rules)
    for (name, active), (cost, start) in zip(rules, _played(plays, stop, best, seats, SHOWING), strict=False):
        stop.built["rules"] += 1
        count += 1
        if found is None or cost < least:
            found, least = start, cost
            yield from best.offer(_schedule(model, task, *start), f"rule:{name}{'/active' * active}")
    if found is None:
        raise LateError("no time for a rule")
    return found if count == len(rules) else None


def _weighed(model: Model, stop: Stop, best: Best, seats: int) -> tuple[Start, ...] | None:
    """The best schedule that weighs waste against waiting, none where the shop is too large; None: no time for it.

    It counts as a piece of work, which tells a search that ends with it from one that ends with a rule.
    """
    floor, wastes = floor_of(model), model.arrays.wastes >> model.shift
    plays = [partial(_play, partial(weigh, floor, wastes, *trial), floor) for trial in trials(floor)]
    played = list(_played(plays, stop, best, seats, DIVIDING))
    if len(played) < len(plays):
        return None
    if not played:
        return ()
    stop.built["weighed"] += 1
    return (min(played, key=itemgetter(0))[1],)


def _divided(model: Model, stop: Stop, best: Best, seats: int) -> Start | None:
    """The best of some rules where each operation runs where loads alone put it; None: no time for it and a team."""
    if not stop.allows((DIVIDING + seats * SEATING) * stop.verifying, best.cost):
        return None
    floor = floor_of(model)
    choice = balanced(floor)
    plays = _rules(bound_to(floor, choice), product(RULES, (False, True)))
    played = list(_played(plays, stop, best, seats, SHOWING))
    if len(played) < len(plays):
        return None
    _, (order, _) = min(played, key=itemgetter(0))
    return order, choice


def _by_team(
    model: Model,
    task: Task,
    key: Key,
    stop: Stop,
    best: Best,
    seats: int,
    begin: Start,
    weighed: tuple[Start, ...],
) -> Iterator[Incumbent]:
    """Yield what a team finds that begins with what was weighed, too; nothing where there is no time for one."""
    others: tuple[Start, ...] = ()
    if uneven(model):
        divided = _divided(model, stop, best, seats)
        if divided is None:
            return
        others = *weighed, divided
    # What was weighed is shown after all where no time is left once the team is there.
    if not stop.allows((seats * SEATING + SHOWING * len(weighed)) * stop.verifying, best.cost):
        return
    index = {machine.id: i for i, machine in enumerate(model.plan.shop.machines)}
    machines = tuple(index[name] for name in task.certificate.machines)
    goal = task.certificate.cost(task.objective)
    team = Team(model, begin, seed_of(key), seats, others, goal, machines)
    yield from go_on(_Slices(model, task, team), stop, best, seats)


Played = tuple[int, Start]
"""A cost in ticks and the schedule that has it."""


def _rules(floor: Floor, rules: Iterable[tuple[str, bool]]) -> list[Callable[[], Played]]:
    """Plays of rules, non-delay or active."""
    return [partial(_play, partial(dispatch, floor, NUMBERS[name], active), floor) for name, active in rules]


def _play(kernel: Callable[[np.ndarray, np.ndarray], int], floor: Floor) -> Played:
    """What a kernel fills an order and alternatives with."""
    order, choice = np.empty((2, len(floor.begins) - 1), np.int32)
    return kernel(order, choice), (order, choice)


def _played(
    plays: Sequence[Callable[[], Played]], stop: Stop, best: Best, seats: int, behind: float
) -> Iterator[Played]:
    """Carry out plays side by side and yield them in order, while there is time for more and for what comes `behind`,
    in times of verifying."""
    count, took = 0, stop.verifying
    with ThreadPoolExecutor(seats) as pool:
        while count < len(plays) and stop.allows(took + behind * stop.verifying, best.cost):
            began, now = stop.elapsed, plays[count : count + stop.share(seats)]
            played = list(pool.map(lambda play: play(), now))
            count, took = count + len(now), stop.elapsed - began
            yield from played


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
