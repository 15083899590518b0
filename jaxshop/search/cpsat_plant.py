"""The model of `cpsat` for a plan with the plant's own rules.

Work is laid out in open time, where a machine's closed windows have no length: there its operations may not overlap,
and each takes what it takes. A literal for each window that lies before a start, or before an end, leads back to ticks.
Where there are set-ups by sequence, a circuit through a machine's operations says what it is set up for before each of
them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from ortools.sat.python import cp_model

from jaxshop.schedule import Row, Schedule
from jaxshop.search.types import Stop, Task
from jaxshop.shop import Lot, LotPlan, Operation
from jaxshop.shop.objective import PARTS
from jaxshop.shop.pieces import in_pieces
from jaxshop.shop.progress import Opening, opening, timing_of
from jaxshop.shop.timing import Span, Timing

SERIAL = 60
"""Operations of a plan up to which the horizon is one that surely holds an optimal schedule, whatever the objective."""

LARGEST, ROOM = 2**31, 2**60
"""Of the objective's coefficients, and of its value, which CP-SAT wants within int64."""

Linear = Any
"""A variable, a literal, a number, or a sum of them."""


class Placed(NamedTuple):
    """An operation in the model: start and end in ticks, and the literal of each machine that it may run on."""

    start: Linear
    end: Linear
    literals: dict[str, Any]


class Node(NamedTuple):
    """An operation on one machine: whether it is there, where it begins and ends in open time, what it takes there."""

    here: Any
    begin: Linear
    end: Linear
    size: Linear
    family: int
    setups: list[Any]  # by family before it, the literal; empty where the machine needs no set-ups


@dataclass
class PlantModel:
    """The model as it is built; `operations` in the order of lots and routes.

    Attributes:
        scale: what a cost is in parts of a tick, over what the solver's objective is.
    """

    plan: LotPlan
    timing: Timing
    latest: int
    proto: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    operations: list[list[Placed]] = field(default_factory=list)
    nodes: dict[int, list[Node]] = field(default_factory=lambda: defaultdict(list))
    scale: int = 1

    @classmethod
    def of(cls, task: Task, start: Schedule, stop: Stop) -> PlantModel | None:
        """Build it; None where the stop does not allow for that."""
        plan, timing = in_pieces(task.plan), timing_of(task.plan)
        begin = opening(plan, timing)
        latest = start.makespan if not task.objective.tardiness else _horizon(plan, timing, begin, start)
        timing.reach(latest)
        model = cls(plan, timing, latest)
        rows = {row[:3]: row for row in start.rows}
        for i, lot in enumerate(plan.lots):
            if not stop.allows():
                return None
            model.add_lot(lot, begin, i)
            for op, placed in zip(lot.operations, model.operations[-1], strict=True):
                row = rows[lot.job, lot.index, op.id]
                if op.fixed is None:
                    model.proto.add_hint(placed.start, row.start)
                    if len(placed.literals) > 1:
                        for machine, here in placed.literals.items():
                            model.proto.add_hint(here, machine == row.machine)
        for number, nodes in model.nodes.items():
            model.sequence(number, nodes)
        model.minimise(task)
        return model

    def cost(self, value: int) -> int:
        """The cost in ticks of a value of the solver's objective, or a bound of it where that is a bound."""
        return (value * self.scale + PARTS // 2) // PARTS

    def add_lot(self, lot: Lot, begin: Opening, number: int) -> None:
        """Add a lot's operations, one after the other."""
        fixed = {placed.place: placed for placed in begin.fixed if placed.lot == number}
        route: list[Placed] = []
        for k, op in enumerate(lot.operations):
            if k in fixed:
                _, _, machine, span = fixed[k]
                takes = op.setup + op.alternatives[op.fixed.machine] if op.fixed else 0
                at = int(self.timing.windows(machine).open_before(span.start))
                self.node(machine, True, (at, at + takes), takes, op, fixed=True)
                route.append(Placed(span.start, span.end, {op.fixed.machine if op.fixed else "": True}))
                continue
            placed = self.operation(op, lot.release)
            if route:
                self.proto.add(placed.start >= route[-1].end + lot.operations[k - 1].lag)
            route.append(placed)
        if lot.until is not None:
            self.proto.add(route[-1].end <= lot.until)
        self.operations.append(route)

    def operation(self, op: Operation, release: int) -> Placed:
        """Add an operation that is not fixed."""
        model, number = self.proto, {machine.id: m for m, machine in enumerate(self.plan.shop.machines)}
        start = model.new_int_var(release, self.latest, "")
        end = model.new_int_var(release, self.latest, "")
        literals = {machine: model.new_bool_var("") for machine in op.alternatives}
        model.add_exactly_one(literals.values())
        by_pattern: dict[int, list[str]] = defaultdict(list)
        for machine in op.alternatives:
            by_pattern[int(self.timing.pattern[number[machine]])].append(machine)
        for machines in by_pattern.values():
            any_here = literals[machines[0]] if len(machines) == 1 else model.new_bool_var("")
            if len(machines) > 1:
                model.add(sum(literals[machine] for machine in machines) == any_here)
            within = self.in_ticks(number[machines[0]], release, start, end, any_here)
            for machine in machines:
                here, m = literals[machine], number[machine]
                size = self.node(m, here, within, op.setup + op.alternatives[machine], op)
                if not op.interruptible:
                    model.add(end - start == size).only_enforce_if(here)
                if (available := self.plan.shop.machines[m].available_from) > release:
                    model.add(start >= available).only_enforce_if(here)
        return Placed(start, end, literals)

    def in_ticks(self, machine: int, release: int, start: Linear, end: Linear, here: Any) -> tuple[Linear, Linear]:
        """Begin and end in the machine's open time, which lead to `start` and `end` where the operation is `here`."""
        windows, model = self.timing.windows(machine), self.proto
        seen = (windows.ends > release) & (windows.starts < self.latest)
        opens, lengths = windows.opens[seen].tolist(), (windows.ends - windows.starts)[seen].tolist()
        before = int(windows.closed[:-1][seen][0]) if len(opens) else int(release - windows.open_before(release))
        low, high = int(windows.open_before(release)), int(windows.open_before(self.latest))
        found = []
        for ticks, reached in ((start, 0), (end, 1)):  # a start at a closing waits for the opening, an end does not
            at = model.new_int_var(low, high, "")
            past = [model.new_bool_var("") for _ in opens]
            for is_past, opened in zip(past, opens, strict=True):
                model.add(at >= opened + reached).only_enforce_if(is_past)
                model.add(at < opened + reached).only_enforce_if(~is_past)
            for earlier, later in pairwise(past):
                model.add_implication(later, earlier)
            closed = sum(length * is_past for length, is_past in zip(lengths, past, strict=True))
            model.add(ticks == at + before + closed).only_enforce_if(here)
            found.append(at)
        return found[0], found[1]

    def node(
        self, machine: int, here: Any, within: tuple[Linear, Linear], takes: int, op: Operation, fixed: bool = False
    ) -> Linear:
        """Put an operation on a machine, `within` its open time; returns what it takes there, set-up included."""
        table = self.timing.changeovers
        ticks, to = table.ticks[table.kind[machine]], table.number(op.family)
        setups = [self.proto.new_bool_var("") for _ in range(table.none + 1)] if ticks.any() else []
        if setups:
            self.proto.add_exactly_one(setups)
        size: Linear = takes
        if setups and op.fixed is not None and (held := op.fixed.held) is not None:
            for asks, is_set in zip(ticks[:, to].tolist(), setups, strict=True):
                if asks != held:
                    self.proto.add_bool_and(~is_set)
        if setups and ticks[:, to].any() and not fixed:
            size = self.proto.new_int_var(takes, takes + int(ticks[:, to].max()), "")
            self.proto.add(size == takes + sum(int(t) * is_set for t, is_set in zip(ticks[:, to], setups, strict=True)))
        self.nodes[machine].append(Node(here, *within, size, to, setups))
        return size

    def sequence(self, machine: int, nodes: list[Node]) -> None:
        """One at a time, and set up for what ran before."""
        model, none = self.proto, self.timing.changeovers.none
        model.add_no_overlap(
            model.new_optional_interval_var(node.begin, node.size, node.end, node.here, "") for node in nodes
        )
        if not nodes[0].setups:
            return
        arcs = [(0, 0, model.new_bool_var(""))]
        first = int(self.timing.changeovers.first[machine])
        for j, after in enumerate(nodes, 1):
            if after.here is not True:
                arcs.append((j, j, ~after.here))
            begins, ends = model.new_bool_var(""), model.new_bool_var("")
            arcs += [(0, j, begins), (j, 0, ends)]
            model.add_implication(begins, after.setups[first])
            for i, before in enumerate(nodes, 1):
                if i == j:
                    continue
                follows = model.new_bool_var("")
                arcs.append((i, j, follows))
                model.add(after.begin >= before.end).only_enforce_if(follows)
                if before.family != none:
                    model.add_implication(follows, after.setups[before.family])
                else:
                    for of_before, of_after in zip(before.setups, after.setups, strict=True):
                        model.add_bool_or(~follows, ~of_before, of_after)
        model.add_circuit(arcs)

    def minimise(self, task: Task) -> None:
        """The objective, with coefficients in integers as small as they can be."""
        model, objective = self.proto, task.objective
        ends: dict[str, list[Linear]] = defaultdict(list)
        for lot, route in zip(self.plan.lots, self.operations, strict=True):
            ends[lot.job].append(route[-1].end)
        makespan = model.new_int_var(task.certificate.value, self.latest, "")
        for end in (end for of_job in ends.values() for end in of_job):
            model.add(makespan >= end)
        weights, terms, most = [round(objective.makespan * PARTS)], [makespan], [self.latest]
        for job in self.plan.shop.jobs if objective.tardiness else ():
            if job.due is not None and (parts := objective.parts(job)):
                most.append(max(0, self.latest - job.due))
                late = model.new_int_var(0, most[-1], "")
                for end in ends[job.id]:
                    model.add(late >= end - job.due)
                weights.append(parts)
                terms.append(late)
        self.scale = math.gcd(*weights) or 1
        dearest = sum(weight * ticks for weight, ticks in zip(weights, most, strict=True))
        while max(weights) // self.scale > LARGEST or dearest // self.scale > ROOM:
            self.scale *= 2
        model.minimize(sum(weight // self.scale * term for weight, term in zip(weights, terms, strict=True)))


def left_shifted(task: Task, chosen: Sequence[Sequence[tuple[str, int]]]) -> Schedule:
    """The schedule of a solution's machines and orders, each operation as early as they allow.

    Nothing ends later than in the solution, so that what runs before fixed work there is done before it here.
    """
    plan, timing = in_pieces(task.plan), timing_of(task.plan)
    number, table = {machine.id: m for m, machine in enumerate(plan.shop.machines)}, timing.changeovers
    free, family = [machine.available_from for machine in plan.shop.machines], table.first.tolist()
    ready = [lot.release for lot in plan.lots]
    order = sorted((start, k, i) for i, route in enumerate(chosen) for k, (_, start) in enumerate(route))
    rows = []
    for start, k, i in order:
        lot, op, machine = plan.lots[i], plan.lots[i].operations[k], chosen[i][k][0]
        m, takes, to = number[machine], op.setup + op.alternatives[machine], table.number(op.family)
        if op.fixed is not None:
            span = timing.end_of(m, start, takes, op.interruptible)
        else:
            span = Span(*map(int, timing.placed(m, ready[i], free[m], takes, family[m], to, op.interruptible)))
        free[m], ready[i] = max(free[m], span.end), max(ready[i], span.end + op.lag)
        family[m] = family[m] if to == table.none else to
        rows.append(Row(lot.job, lot.index, op.id, machine, *span))
    return Schedule(task.fingerprint, plan.max_lot_hours, tuple(rows))


def _horizon(plan: LotPlan, timing: Timing, begin: Opening, start: Schedule) -> int:
    """A tick by which an optimal schedule ends: when one operation after the other would, at the worst."""
    operations = [op for lot, done in zip(plan.lots, begin.done, strict=True) for op in lot.operations[done:]]
    if len(operations) > SERIAL:
        return 2 * start.makespan
    number, table = {machine.id: m for m, machine in enumerate(plan.shop.machines)}, timing.changeovers
    end = max(0, int(begin.ready.max()), int(begin.free.max()), *(placed.span.end for placed in begin.fixed))
    for op in operations:
        able = np.array([number[machine] for machine in op.alternatives])
        most = table.ticks[table.kind[able], :, table.number(op.family)].max(axis=1)
        takes = np.array(list(op.alternatives.values())) + op.setup + most
        _, ends = timing.placed(able, end, end, takes, table.none, table.none, op.interruptible)
        end = int(ends.max()) + op.lag
    return max(end, start.makespan)
