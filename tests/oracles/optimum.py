"""The least makespan of a small shop, by CP-SAT: what no lower bound may exceed."""

from __future__ import annotations

from ortools.sat.python import cp_model

from jaxshop.shop import LotPlan


def least_makespan(plan: LotPlan) -> int:
    """The optimum in ticks, proven; for shops of a dozen operations."""
    model = cp_model.CpModel()
    available = {machine.id: machine.available_from for machine in plan.shop.machines}
    slowest = [op.setup + max(op.alternatives.values()) for lot in plan.lots for op in lot.operations]
    horizon = sum(slowest) + max(available.values()) + max(lot.release for lot in plan.lots)
    makespan = model.new_int_var(0, horizon, "")
    busy: dict[str, list[cp_model.IntervalVar]] = {machine: [] for machine in available}
    for lot in plan.lots:
        ready: cp_model.LinearExprT = lot.release
        for op in lot.operations:
            start = model.new_int_var(0, horizon, "")
            model.add(start >= ready)
            end: cp_model.LinearExprT = start
            choices = []
            for machine, ticks in op.alternatives.items():
                here = model.new_bool_var("")
                duration = op.setup + ticks
                # With an end that is a variable, CP-SAT 9.15 has called 88 the optimum of a shop that is done in 84.
                busy[machine].append(model.new_optional_fixed_size_interval_var(start, duration, here, ""))
                end += duration * here
                model.add(start >= available[machine]).only_enforce_if(here)
                choices.append(here)
            model.add_exactly_one(choices)
            ready = end
        model.add(makespan >= ready)
    for intervals in busy.values():
        model.add_no_overlap(intervals)
    model.minimize(makespan)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if solver.solve(model) != cp_model.OPTIMAL:
        raise AssertionError("the shop is too large for the oracle")
    return round(solver.objective_value)
