"""Certified lower bounds of the makespan, and the verdict on a target.

Every bound holds for every schedule, exactly, in integer ticks. The linear programme behind `assignment` only
proposes weights; what is certified is integer arithmetic on them, so that nothing rests on a solver's tolerance.

All bounds but the chain are one argument. Give machine m the weight w[m] >= 0. A schedule of makespan T leaves
machine m at most max(0, T - blocked[m]) ticks to work in, where `blocked` are ticks at its start or end in which
it cannot. If every schedule puts at least `work` weighted ticks on the machines, then
sum(w * max(0, T - blocked)) >= work, and the smallest such T is a bound (`smallest_makespan`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxshop.bounds.assignment import Group, balance, eligible, smallest_makespan, weighted_work
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, split_lots
from jaxshop.support.errors import ShopError

_MAX_INTERVALS = 200_000
"""Head thresholds times operations that are tried for one set of machines."""
_MAX_LOTS_PER_JOB = 50
"""Lot sizes that cut finer than this on average are not proposed."""


@dataclass(frozen=True)
class Certificate:
    """Lower bounds of the makespan, in ticks.

    Attributes:
        load: all work at its fastest, spread evenly over all machines.
        chain: the longest lot alone in the shop, from its release.
        assignment: the best division of the work between the machines that are eligible for it.
        head_tail: the work that cannot leave a set of machines, with what must precede and follow it.
        value: the largest of the four.
        name: which of the four that is, the simplest where several are.
        witness: one line that says why no schedule is shorter.
        job: the job to blame, if the chain decides.
        machines: the machines to blame, if one of the other bounds decides.
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


@dataclass(frozen=True)
class Verdict:
    """Whether a target can be met, as far as the bounds tell.

    Attributes:
        feasible: False if the target is proven impossible, None if it is not excluded.
        reason: one line; it names the job or the machines in the way.
        max_lot_hours_that_would_do: where impossible, the largest lot size found (to three digits) whose
            certified bound does not exceed the target, or None if there is none.
        certificate: the bounds of the plan in question.
    """

    feasible: bool | None
    reason: str
    max_lot_hours_that_would_do: float | None
    certificate: Certificate


def certify(plan: LotPlan) -> Certificate:
    """Compute the lower bounds of a plan's makespan; well under a second for a thousand operations."""
    available = np.array([machine.available_from for machine in plan.shop.machines], dtype=np.int64)
    groups, chain, job = _group(plan)
    work = sum(int(group.fastest.sum()) for group in groups)
    load = smallest_makespan(work, np.ones_like(available), available)
    head_tail, blocked_set = _head_tail(plan, groups, available)
    known = max(load, chain, head_tail)
    weights = balance(groups, np.minimum(available, known))
    assignment = smallest_makespan(weighted_work(groups, weights), weights, available)

    bounds = {"load": load, "chain": chain, "head_tail": head_tail, "assignment": assignment}
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
    shown = _span(value, plan.shop.unit)
    witness = {
        "load": f"all {len(ids)} machines together need {shown} for the work of all jobs",
        "chain": f"job {job} runs {shown}, one operation after another",
        "head_tail": f"{_listed(machines)} cannot do the work that only they can do before {shown}",
        "assignment": f"{_listed(machines)} cannot share the work that needs them before {shown}",
    }[name]
    return Certificate(**bounds, value=value, name=name, witness=witness, job=blamed_job, machines=machines)


def verdict(plan: LotPlan, target_ticks: int) -> Verdict:
    """Say whether a makespan of `target_ticks` is proven impossible, and which lot size would do instead."""
    certificate = certify(plan)
    unit = plan.shop.unit
    target, bound = _span(target_ticks, unit), _span(certificate.value, unit)
    lots = "whole jobs" if plan.max_lot_hours is None else f"lots of at most {plan.max_lot_hours:g} h"
    if certificate.value <= target_ticks:
        reason = f"a target of {target} is not excluded: with {lots} the certified bound is {bound}"
        return Verdict(None, reason, None, certificate)
    fit = _largest_lot_hours(plan, target_ticks)
    way_out = f"lots of at most {fit:g} h would do" if fit else "no lot size would do"
    reason = f"a target of {target} is impossible with {lots}: {certificate.witness}; {way_out}"
    return Verdict(False, reason, fit, certificate)


def _group(plan: LotPlan) -> tuple[list[Group], int, str]:
    """Collect the operations by their set of machines; also the longest chain of the plan and its job."""
    index = {machine.id: i for i, machine in enumerate(plan.shop.machines)}
    available = {machine.id: machine.available_from for machine in plan.shop.machines}
    groups: dict[frozenset[str], tuple[list, int, int, list, list, list]] = {}
    chain, job = -1, ""
    for lot in plan.lots:
        end, seen = lot.release, []
        for operation in lot.operations:
            key = frozenset(operation.alternatives)
            if key not in groups:
                begins = [available[m] for m in key]
                groups[key] = (sorted(key, key=index.__getitem__), min(begins), max(begins), [], [], [])
            ids, first, all_there, times, heads, tails = groups[key]
            row = [operation.setup + operation.alternatives[m] for m in ids]
            fastest = min(row)
            times.append(row)
            heads.append(max(end, first))
            seen.append((tails, len(tails), fastest))
            tails.append(0)
            if end >= all_there:
                end += fastest
            else:
                end = min(max(end, available[m]) + time for m, time in zip(ids, row, strict=True))
        tail = 0
        for tails, position, fastest in reversed(seen):
            tails[position] = tail
            tail += fastest
        if end > chain:
            chain, job = end, lot.job
    arrays = [
        Group(np.array([index[m] for m in ids]), *(np.array(a, dtype=np.int64) for a in rest))
        for ids, _, _, *rest in groups.values()
    ]
    return arrays, chain, job


def _head_tail(plan: LotPlan, groups: list[Group], available: np.ndarray) -> tuple[int, np.ndarray]:
    """The best bound from a set of machines that some operations cannot leave, and the indices of that set.

    Tried are the sets that operations name, the work centres and the whole shop; for each, the operations that
    cannot leave it and have at least head h and tail t: h + ceil(work / machines) + t, or more where a machine
    is available later than h.
    """
    named = eligible(groups, len(available))
    centre = np.array([machine.work_centre or "" for machine in plan.shop.machines])
    centres = [centre == name for name in np.unique(centre)]
    candidates = np.unique(np.vstack([named, *centres, np.ones_like(centre, dtype=bool)]), axis=0)
    # float32 so that BLAS counts the machines that each set has outside each candidate.
    inside = (~candidates).astype(np.float32) @ named.T.astype(np.float32) == 0
    best, blame = 0, np.array([], dtype=np.int64)
    for candidate, members in zip(candidates, inside, strict=True):
        chosen = [groups[g] for g in np.flatnonzero(members)]
        if not chosen:
            continue
        heads = np.concatenate([group.heads for group in chosen])
        tails = np.concatenate([group.tails for group in chosen])
        work = np.concatenate([group.fastest for group in chosen])
        machines = np.flatnonzero(candidate)
        for head, tail in _intervals(heads, tails, work, len(machines)):
            ticks = int(work[(heads >= head) & (tails >= tail)].sum())
            blocked = np.maximum(available[machines], head) + tail
            bound = smallest_makespan(ticks, np.ones_like(blocked), blocked)
            if bound > best:
                best, blame = bound, machines
    return best, blame


def _intervals(heads: np.ndarray, tails: np.ndarray, work: np.ndarray, machines: int) -> list[tuple[int, int]]:
    """The pairs of least head and least tail worth an exact look: of all operations, and the best pair found."""
    order = np.argsort(-tails, kind="stable")
    least_heads = np.unique(heads)
    keep = max(1, _MAX_INTERVALS // len(heads))
    if keep < len(least_heads):
        least_heads = least_heads[np.linspace(0, len(least_heads) - 1, keep).astype(int)]
    done = np.where(heads[order] >= least_heads[:, None], work[order], 0).cumsum(axis=1)
    bounds = np.where(done > 0, least_heads[:, None] + -(-done // machines) + tails[order], 0)
    h, t = np.unravel_index(bounds.argmax(), bounds.shape)
    return [(int(heads.min()), int(tails.min())), (int(least_heads[h]), int(tails[order[t]]))]


def _largest_lot_hours(plan: LotPlan, target_ticks: int) -> float | None:
    """The largest lot size, to three digits, whose bound does not exceed the target; None if none is found.

    Smaller lots make chains, heads and tails shorter and, by their set-ups, the load larger; so bisect. Sizes above
    the target are not tried, though one may do where no job has such a length.
    """
    target_hours = target_ticks / TICKS_PER_HOUR
    if target_hours <= 0:
        return None
    digits = max(0, 2 - int(np.floor(np.log10(target_hours))))
    most = _MAX_LOTS_PER_JOB * len(plan.shop.jobs)
    largest = None
    low, high = 0, int(target_hours * 10**digits + 1e-9) + 1
    while high - low > 1:
        middle = (low + high) // 2
        hours = round(middle / 10**digits, digits)
        try:
            bounds = certify(split_lots(plan.shop, hours, most))
        except ShopError:  # set-ups alone reach this size, or the lots are too many
            low = middle
            continue
        if bounds.value <= target_ticks:
            low, largest = middle, hours
        elif max(bounds.load, bounds.assignment) > target_ticks:
            low = middle
        else:
            high = middle
    return largest


def _span(ticks: int, unit: str) -> str:
    """Ticks as the shop's reader counts them."""
    return f"{ticks} ticks" if unit == "ticks" else f"{ticks / TICKS_PER_HOUR:.2f} h"


def _listed(machines: tuple[str, ...]) -> str:
    """At most four names and the count."""
    if len(machines) == 1:
        return f"machine {machines[0]}"
    more = ", ..." if len(machines) > 4 else ""
    return f"{len(machines)} machines ({', '.join(machines[:4])}{more})"
