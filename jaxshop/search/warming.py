"""Which kernels a search of a plan needs, loaded or compiled before its time begins, and what they give at once."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from jaxshop.bounds.assignment import SOLVER, asks_solver
from jaxshop.schedule import Schedule
from jaxshop.search import background
from jaxshop.search.improve import kernels as of_graphs
from jaxshop.search.plant import kernels as of_plants
from jaxshop.search.types import Task
from jaxshop.shop import LotPlan, rules_of


def begin(plan: LotPlan | None = None) -> None:
    """Begin to load or compile them beside the caller; without a plan, those for plans without rules of the plant."""
    if plan is not None and rules_of(plan):
        of_plants.begin()
    else:
        of_graphs.begin()


def begin_compiler() -> None:
    """Begin to import what all of them need, while it is not known yet which those are."""
    background.start(partial(import_module, "numba"))


def every() -> None:
    """Begin to load or compile those of any plan beside the caller; what a search begins with comes first."""
    of_graphs.begin()
    of_plants.begin()


def wait(plan: LotPlan, deadline: float | None) -> None:
    """Wait until they are there; LateError where they are not by the deadline, in `time.monotonic()`."""
    (of_plants.wait if rules_of(plan) else partial(of_graphs.wait, False))(deadline)


def import_solver(plan: LotPlan) -> None:
    """Import here and now what the bound of a plan would import within the time."""
    if asks_solver(plan):
        import_module(SOLVER)


def ready(plan: LotPlan) -> bool:
    """Whether those that a search of a plan begins with are there."""
    return of_plants.ready() if rules_of(plan) else of_graphs.ready(False)


def play(task: Task, rule: str, active: bool) -> Schedule | None:
    """The schedule of a rule of `jaxshop.schedule.dispatch`, or None where the kernels are not there yet."""
    if rules_of(task.plan):
        if not of_plants.ready():
            return None
        from jaxshop.search.plant.method import play

        return play(task, rule, active)
    model = task.model
    if not of_graphs.ready(model.wide):
        return None
    from jaxshop.search.improve import method  # compiled, as Numba is there already

    return method.play(model, task, rule, active)
