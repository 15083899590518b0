"""The method `improve` for plans with the plant's own rules: the best of the rules, or a start, made better."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from jaxshop.schedule import Schedule
from jaxshop.schedule.dispatch import applicable, best_first
from jaxshop.search.plant import kernels
from jaxshop.search.slices import go_on, seed_of
from jaxshop.search.types import Best, Incumbent, Key, Method, Stop, Task
from jaxshop.support.errors import LateError
from jaxshop.support.machine import usable_cores

if TYPE_CHECKING:
    from jaxshop.search.plant.model import Model
    from jaxshop.search.plant.team import Start


@dataclass(frozen=True)
class Sequences:
    """Rules or a start, then searches over the sequences of machines side by side; keeps every rule of the plant.

    Attributes:
        start: a valid schedule to begin with; None begins with the best rule.
        policy: a method whose schedule is begun with where it comes in time and is better than every rule.
        threads: how many searches; None: one for each core. Another number gives another schedule.
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
        kernels.wait(stop.answer_by, stop.cancelled)
        from jaxshop.search.plant.model import sequences
        from jaxshop.search.plant.team import Team

        if self.start is not None:
            yield from best.offer(self.start, "start")
            model = _reaching(task, self.start.makespan)
            start = sequences(model, self.start)
        else:
            held = _reserved(task)
            played = yield from _best_rule(held, stop, best)
            if played is None:  # where what follows begins otherwise, the same work would not give the same schedule
                return
            model, start, ruled = played
            if held is not task:  # what rules could not move, the search can
                model = _reaching(task, ruled.makespan)
                start = sequences(model, ruled)
            if self.policy is not None:
                with suppress(LateError):
                    for incumbent in self.policy.search(task, key, stop):
                        for better in best.offer(incumbent.schedule, incumbent.source):
                            if better.schedule.makespan > model.arrays.until:
                                model = _reaching(task, better.schedule.makespan)
                            start = sequences(model, better.schedule)
                            yield better
        seats = self.threads or usable_cores()
        if model.names and stop.allows(cost=best.cost):
            yield from go_on(Team(model, task.fingerprint, start, seed_of(key), seats), stop, best, seats)


def play(task: Task, rule: str, active: bool) -> Schedule:
    """The schedule of a rule of `NUMBERS`, which is that of `jaxshop.schedule.dispatch`, some ten times sooner."""
    from jaxshop.search.plant.team import read

    task = _reserved(task)
    model, table, *_ = _played(task, _reaching(task, 0), rule, active)
    return read(model, table, task.fingerprint)


def _reserved(task: Task) -> Task:
    """The task of rules, which decide operation by operation: see `jaxshop.shop.pieces`."""
    plan = task.plan.reserved
    return task if plan is task.plan else replace(task, plan=plan)


def _reaching(task: Task, known: int) -> Model:
    """The plan, with closed time for schedules that take some times as long as is known of one."""
    from jaxshop.search.plant.model import model_of

    return model_of(task.plan, max(known, task.certificate.value))


def _played(task: Task, model: Model, rule: str, active: bool) -> tuple[Model, np.ndarray, int, Start]:
    """A rule's table, cost and sequences, in a model that reaches far enough for it."""
    from jaxshop.search.plant.dispatching import NUMBERS, dispatch
    from jaxshop.search.plant.state import END
    from jaxshop.search.plant.team import placed

    n = len(model.names)
    order, choice, past = np.zeros((3, n), np.int64)
    dispatch(model.arrays, NUMBERS[rule], active, order, choice)
    table, cost = placed(model, (order, choice, past))
    latest = int(table[:, END].max())
    if latest > model.arrays.until:
        return _played(task, _reaching(task, latest), rule, active)
    return model, table, cost, (order, choice, past)


def _best_rule(task: Task, stop: Stop, best: Best) -> Generator[Incumbent, None, tuple[Model, Start, Schedule] | None]:
    """Yield rules' schedules as they get better, at least one.

    Returns:
        The model, sequences of the best, and it; None: not all were played.
    """
    from jaxshop.search.plant.team import read

    model, found, least, took = _reaching(task, 0), None, 0, 0.0
    every = ((name, active) for name in applicable(task.plan) for active in (False, True))
    for name, active in dict.fromkeys((*best_first(task.plan, task.objective), *every)):
        if not stop.allows(took, best.cost):
            if found is None:
                raise LateError("no time for a rule")
            return None
        began = stop.elapsed
        model, table, cost, start = _played(task, model, name, active)
        stop.built["rules"] += 1
        if found is None or cost < least:
            found, least = (start, read(model, table, task.fingerprint)), cost
            yield from best.offer(found[1], f"rule:{name}{'/active' * active}")
        took = stop.elapsed - began
    assert found is not None  # some rule applies to any plan
    return model, *found
