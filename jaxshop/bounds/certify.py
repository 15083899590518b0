"""Certified lower bounds of the makespan.

Every bound holds for every schedule, exactly, in integer ticks. The linear programme behind `assignment` only
proposes weights; what is certified is integer arithmetic on them, so that nothing rests on a solver's tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jaxshop.bounds.assignment import balance, weighted_work
from jaxshop.bounds.groups import group_operations, smallest_makespan, total_work
from jaxshop.bounds.head_tail import head_tail as head_tail_bound
from jaxshop.bounds.open_time import OpenPlan, bounds_in_open_time
from jaxshop.bounds.queues import queue_bound
from jaxshop.bounds.tardiness import tardiness_bound
from jaxshop.shop import LotPlan, Objective, span
from jaxshop.shop.plant import needs_timing


@dataclass(frozen=True)
class Certificate:
    """Lower bounds of the makespan, in ticks.

    Attributes:
        load: all work at its fastest, spread evenly over all machines.
        chain: the longest lot alone in the shop, from its release.
        assignment: the best division of the work between the machines that are eligible for it.
        head_tail: the work that cannot leave a set of machines, with what must precede and follow it, and queues there.
        value: the largest of these.
        name: which that is, the simplest where several are; `windows`, `exact` or `branching` if it is from `tighten`.
        witness: one line that says why no schedule is shorter.
        job: the job to blame, if the chain decides.
        machines: the machines to blame, if one of the other bounds decides.
        tightened: what `jaxshop.bounds.tighten` has proven beyond the four, if it has.
        late: of weighted tardiness, in `Objective.parts` of ticks; 0 where the objective has none.
    """

    load: int
    chain: int
    assignment: int
    head_tail: int
    value: int
    name: str
    witness: str
    job: str | None = None
    machines: tuple[str, ...] = ()
    tightened: int | None = None
    late: int = 0

    def cost(self, objective: Objective) -> int:
        """The cost in ticks that no schedule is below."""
        return objective.combined(self.value, self.late)


def certify(plan: LotPlan, allows: Callable[[], bool] = lambda: True) -> Certificate:
    """Compute the lower bounds of a plan's makespan; well under a second for a thousand operations.

    Sets of machines are looked at as long as `allows()`, unless the plant has rules of its own; a bound that has not
    come that far is lower, and as certain.
    """
    if needs_timing(plan):
        of = OpenPlan.of(plan)
        return _named(plan, *bounds_in_open_time(of), of)
    available = np.array([machine.available_from for machine in plan.shop.machines], dtype=np.int64)
    groups, chain, job = group_operations(plan)
    load = smallest_makespan(total_work(groups), np.ones_like(available), available)
    head_tail, blocked_set = max(
        head_tail_bound(plan, groups, available, allows), queue_bound(plan), key=lambda found: found[0]
    )
    known = max(load, chain, head_tail)
    weights = balance(groups, np.minimum(available, known))
    assignment = smallest_makespan(weighted_work(groups, weights), weights, available)

    bounds = {"load": load, "chain": chain, "head_tail": head_tail, "assignment": assignment}
    return _named(plan, bounds, job, blocked_set, weights)


def _named(
    plan: LotPlan,
    bounds: dict[str, int],
    job: str,
    blocked_set: np.ndarray,
    weights: np.ndarray,
    of: OpenPlan | None = None,
) -> Certificate:
    """The certificate: the best of the bounds, and the sentence that says why; `of` is the plan where it is there."""
    name = max(bounds, key=bounds.__getitem__)
    ids = [machine.id for machine in plan.shop.machines]
    to_blame = {
        "load": range(len(ids)),
        "chain": (),
        "head_tail": blocked_set,
        # A relative weight under 1 % is mostly the solver's noise; the bound keeps it, the sentence need not.
        "assignment": np.flatnonzero(weights > weights.max(initial=0) // 100),
    }
    machines = tuple(ids[m] for m in to_blame[name])
    blamed_job = job if name == "chain" else None
    value = bounds[name]
    shown = span(value, plan.shop.unit)
    witness = {
        "load": f"all {len(ids)} machines together need {shown} for the work of all jobs",
        "chain": f"job {job} runs {shown}, one operation after another",
        "head_tail": f"{listed(machines)} cannot do the work that only they can do before {shown}",
        "assignment": f"{listed(machines)} cannot share the work that needs them before {shown}",
    }[name]
    late = tardiness_bound(plan, of).late if plan.shop.objective.tardiness else 0
    return Certificate(**bounds, value=value, name=name, witness=witness, job=blamed_job, machines=machines, late=late)


def listed(machines: tuple[str, ...]) -> str:
    """At most four names and the count."""
    if len(machines) == 1:
        return f"machine {machines[0]}"
    more = ", ..." if len(machines) > 4 else ""
    return f"{len(machines)} machines ({', '.join(machines[:4])}{more})"
