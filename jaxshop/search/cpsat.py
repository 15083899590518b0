"""The method `cpsat`: constraint programming with OR-Tools, from a schedule on; it also proves lower bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxshop.schedule import Row, Schedule, verify
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search import background
from jaxshop.search.slices import seed_of
from jaxshop.search.types import Best, Incumbent, Key, Stop, Task
from jaxshop.shop import Lot, Operation, rules_of
from jaxshop.shop.timing import placed
from jaxshop.support.errors import ShopError
from jaxshop.support.machine import usable_cores

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

    from jaxshop.search.cpsat_plant import PlantModel

SOURCE = "search:cpsat"
_POLL = 0.02
"""Seconds between looks at the stop: what a request to end may go unnoticed for."""
_LOTS_BETWEEN_LOOKS = 50
"""Lots that are modelled between two looks at the stop: milliseconds."""


def import_ortools() -> None:
    """Import OR-Tools, for whoever wants a search to begin with that done."""
    from ortools.sat.python import cp_model  # noqa: F401


@dataclass(frozen=True)
class CpSat:
    """CP-SAT over the whole plan: an optional interval for each alternative, no overlap on a machine.

    The certificate's value is the least makespan that the model allows, the start's makespan the largest, and the start
    is the hint. The start is the first incumbent; each better schedule follows, its operations shifted to the left.

    With one worker the same task, key and version of OR-Tools give the same schedules one after the other; a limit in
    seconds only decides after how many it ends. Several workers race: schedules differ between runs, and only an
    optimum that was proven has the same makespan.

    Attributes:
        start: what to begin with; None: the best rule's schedule on the host.
        source: who made the start.
        workers: the solver's threads; None: one for each core.
        bound: told each better lower bound of the cost, in ticks, that the solver has proven. Nothing checks it.

    Raises:
        ShopError: OR-Tools is missing.
    """

    start: Schedule | None = None
    source: str = "start"
    workers: int | None = None
    bound: Callable[[int], None] = lambda ticks: None

    def __post_init__(self) -> None:
        if find_spec("ortools") is None:
            raise ShopError("method cpsat: OR-Tools is missing; `uv run --extra solver ...` or `pip install ortools`")

    @property
    def steps(self) -> tuple[str, ...]:
        """None: it needs no rollouts."""
        return ()

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`.

        Raises:
            ShopError: the start is no valid schedule of this plan.
        """
        source, start = self._start(task, stop)
        best = Best(task, stop)
        stop.built["cpsat"] += 1
        yield from best.offer(start, source)
        assert best.cost is not None
        known = task.certificate.cost(task.objective)
        if best.cost <= known or not stop.allows(cost=best.cost):
            return
        model = _model_of(task, start, stop)
        if model is None:
            return
        run = _Run(model, seed_of(key) % 2**31, self.workers or usable_cores(), stop)
        took = 0.0
        try:
            while (event := run.next()) is not None and stop.allows(took, best.cost):
                if isinstance(event, int):
                    if model.cost(event) > known:
                        known = model.cost(event)
                        self.bound(known)
                elif event:
                    began = stop.elapsed
                    stop.built["cpsat"] += 1
                    yield from best.offer(_schedule_of(task, event), SOURCE)
                    took = stop.elapsed - began
        finally:
            run.end()

    def _start(self, task: Task, stop: Stop) -> tuple[str, Schedule]:
        if self.start is None:
            name, schedule = best_rule(task.plan, stop.deadline)
            return f"rule:{name}", schedule
        if violations := verify(task.plan, self.start):
            raise ShopError(f"start: {violations[0]}")
        return self.source, self.start


class Choice(NamedTuple):
    """Where and when the solver wants an operation."""

    machine: str
    start: int


Chosen = list[list[Choice]]
"""For each lot, a choice for each operation."""


@dataclass(frozen=True)
class _Model:
    """The model, and of each operation its start and the literals of its machines."""

    proto: cp_model.CpModel
    operations: list[list[tuple[Any, Any, dict[str, Any]]]]

    def cost(self, value: int) -> int:
        """The cost in ticks of a value of the solver's objective."""
        return value

    @classmethod
    def of(cls, task: Task, start: Schedule, stop: Stop) -> _Model | None:
        """Build it; None where the stop does not allow for that."""
        from ortools.sat.python import cp_model

        model, plan = cp_model.CpModel(), task.plan
        available = {machine.id: machine.available_from for machine in plan.shop.machines}
        rows = {row[:3]: row for row in start.rows}
        latest = start.makespan
        makespan = model.new_int_var(task.certificate.value, latest, "makespan")
        model.add_hint(makespan, latest)
        busy: dict[str, list[cp_model.IntervalVar]] = {machine: [] for machine in available}
        operations = []
        for i, lot in enumerate(plan.lots):
            if i % _LOTS_BETWEEN_LOOKS == 0 and not stop.allows():
                return None
            heads, tails = _heads_and_tails(lot, available)
            route: list[tuple[Any, Any, dict[str, Any]]] = []
            ready: cp_model.LinearExprT | None = None
            for op, head, tail in zip(lot.operations, heads, tails, strict=True):
                row = rows[lot.job, lot.index, op.id]
                begin = model.new_int_var(head, latest - tail, "")
                model.add_hint(begin, row.start)
                if ready is not None:
                    model.add(begin >= ready)
                ready, literals = _place(model, op, begin, head, available, busy)
                if len(literals) > 1:
                    for machine, here in literals.items():
                        model.add_hint(here, machine == row.machine)
                route.append((begin, ready, literals))
            assert ready is not None
            model.add(makespan >= ready)
            operations.append(route)
        for intervals in busy.values():
            if len(intervals) > 1:
                model.add_no_overlap(intervals)
        model.minimize(makespan)
        return cls(model, operations)


def _model_of(task: Task, start: Schedule, stop: Stop) -> _Model | PlantModel | None:
    if not rules_of(task.plan):
        return _Model.of(task, start, stop)
    from jaxshop.search.cpsat_plant import PlantModel

    return PlantModel.of(task, start, stop)


def _heads_and_tails(lot: Lot, available: dict[str, int]) -> tuple[list[int], list[int]]:
    """Earliest start of each operation, and least ticks from its start to the end of its lot."""
    heads, tails = [], []
    ready = lot.release
    for op in lot.operations:
        ends = {m: max(ready, available[m]) + op.setup + t for m, t in op.alternatives.items()}
        heads.append(min(max(ready, available[m]) for m in op.alternatives))
        ready = min(ends.values())
    rest = 0
    for op in reversed(lot.operations):
        rest += op.setup + min(op.alternatives.values())
        tails.append(rest)
    return heads, tails[::-1]


def _place(
    model: cp_model.CpModel,
    op: Operation,
    begin: cp_model.IntVar,
    head: int,
    available: dict[str, int],
    busy: dict[str, list[cp_model.IntervalVar]],
) -> tuple[cp_model.LinearExprT, dict[str, Any]]:
    """Put an interval on each machine that may run the operation; returns its end, and the literal of each machine."""
    ticks = {machine: op.setup + t for machine, t in op.alternatives.items()}
    if len(ticks) == 1:
        ((machine, takes),) = ticks.items()
        busy[machine].append(model.new_fixed_size_interval_var(begin, takes, ""))
        return begin + takes, {machine: True}
    literals = {machine: model.new_bool_var("") for machine in ticks}
    model.add_exactly_one(literals.values())
    for machine, here in literals.items():
        busy[machine].append(model.new_optional_fixed_size_interval_var(begin, ticks[machine], here, ""))
        if available[machine] > head:
            model.add(begin >= available[machine]).only_enforce_if(here)
    least = min(ticks.values())
    extra = sum((ticks[machine] - least) * here for machine, here in literals.items() if ticks[machine] > least)
    return begin + least + extra, literals


class _Run:
    """The solver at work in a thread of its own, which ends some time after `end` asked for it."""

    def __init__(self, model: _Model | PlantModel, seed: int, workers: int, stop: Stop):
        from ortools.sat.python import cp_model

        events: SimpleQueue[int | Chosen] = SimpleQueue()

        class Solutions(cp_model.CpSolverSolutionCallback):
            def on_solution_callback(self) -> None:
                events.put(
                    [
                        [Choice(next(m for m, here in ms.items() if self.boolean_value(here)), self.value(begin))
                         for begin, _, ms in route]
                        for route in model.operations
                    ]
                )  # fmt: skip

        self._events, self._stop = events, stop
        self._solver = cp_model.CpSolver()
        self._solver.parameters.num_workers = workers
        self._solver.parameters.random_seed = seed
        self._solver.parameters.catch_sigint_signal = False  # it would take Ctrl-C from us, and abort the process
        if stop.seconds is not None:
            self._solver.parameters.max_time_in_seconds = max(0.0, stop.seconds - stop.elapsed - stop.reserved)
        self._solver.best_bound_callback = lambda bound: events.put(round(bound))

        def solve() -> None:
            status = self._solver.solve(model.proto, Solutions())
            if status == cp_model.OPTIMAL:
                events.put(round(self._solver.objective_value))
            elif status == cp_model.MODEL_INVALID:
                raise ShopError(f"method cpsat: OR-Tools refuses the model: {model.proto.validate()}")

        self._solving = background.start(solve)

    def next(self) -> int | Chosen | None:
        """A lower bound, a solution, nothing to tell (an empty list), or None at the end."""
        over = self._solving.done()
        try:
            return self._events.get(timeout=0.0 if over else _POLL)
        except Empty:
            if not over:
                return []
            self._solving.result()
            return None

    def end(self) -> None:
        """Ask the solver to end, and do not wait for it."""
        if self._solving.done():
            return

        def insist() -> None:  # a request from before the search has begun would be lost
            while not self._solving.done():
                self._solver.stop_search()
                time.sleep(_POLL)

        background.start(insist)


def _schedule_of(task: Task, chosen: Chosen) -> Schedule:
    if not rules_of(task.plan):
        return _left_shifted(task, chosen)
    from jaxshop.search.cpsat_plant import left_shifted

    return left_shifted(task, [[(choice.machine, choice.start) for choice in route] for route in chosen])


def _left_shifted(task: Task, chosen: Chosen) -> Schedule:
    """The schedule of the solver's machines and orders, each operation as early as they allow."""
    plan = task.plan
    free = {machine.id: machine.available_from for machine in plan.shop.machines}
    ready = [lot.release for lot in plan.lots]
    order = []
    for i, (lot, route) in enumerate(zip(plan.lots, chosen, strict=True)):
        for k, (op, choice) in enumerate(zip(lot.operations, route, strict=True)):
            ticks = op.setup + op.alternatives[choice.machine]
            # What takes no time goes before what starts with it, and a route keeps its order.
            order.append((choice.start, choice.start + ticks, i, k, ticks, choice.machine))
    rows = []
    for _, _, i, k, ticks, machine in sorted(order):
        lot = plan.lots[i]
        span = placed(ready[i], free[machine], ticks)
        ready[i] = free[machine] = span.end
        rows.append(Row(lot.job, lot.index, lot.operations[k].id, machine, *span))
    return Schedule(task.fingerprint, plan.max_lot_hours, tuple(rows))
