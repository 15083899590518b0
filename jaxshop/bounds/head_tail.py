"""The bound from a set of machines that some operations cannot leave, with what must precede and follow them.

Let k of the set's machines run those operations. Their first operations are k different ones, so are their last: all
that the k machines idle before and after is at least the k smallest heads and the k smallest tails. Hence
k * T >= work + k smallest heads + k smallest tails for a makespan T. The least T over all k is the bound; it is what
`smallest_makespan` gives when the i-th machine is blocked for the i-th smallest head and the i-th smallest tail.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxshop.bounds.assignment import balance, weighted_work
from jaxshop.bounds.groups import Group, choices_of, smallest_makespan
from jaxshop.bounds.sets import candidate_sets, inside_work
from jaxshop.shop import LotPlan

_MAX_INTERVALS = 200_000
"""Head thresholds times operations that are tried for one set of machines."""

_MAX_LOOKS = 200 * _MAX_INTERVALS
"""The same of all sets together, the ones with the most work per machine first: half a second."""

_EXACT_LOOKS = 4
"""Pairs of thresholds of one set that are computed exactly, besides the pair of all operations."""

_WEIGHED = 3
"""Sets with machine-dependent times for which a linear programme is solved."""


def head_tail(
    plan: LotPlan, groups: list[Group], available: np.ndarray, allows: Callable[[], bool]
) -> tuple[int, np.ndarray]:
    """The best bound from a set of machines that some operations cannot leave, and the indices of that set.

    For each set of `candidate_sets`, among the operations that cannot leave it those with at least some head and
    some tail; the thresholds are chosen by an estimate. No further set is looked at once `allows()` is False.
    """
    best, blame, looks = 0, np.array([], dtype=np.int64), _MAX_LOOKS
    if not allows():
        return best, blame
    candidates, inside = candidate_sets(plan, groups)
    every = [(group.heads, group.tails, group.fastest) for group in groups]
    columns = np.stack([np.concatenate(column) for column in zip(*every, strict=True)])
    kind = np.repeat(np.arange(len(groups)), [len(group.heads) for group in groups])
    loads = inside_work(inside, groups) / candidates.sum(axis=1)
    begins, _, takes = choices_of(groups)
    differ = np.minimum.reduceat(takes, begins[:-1]) < np.maximum.reduceat(takes, begins[:-1])
    unrelated = np.bincount(kind, differ) > 0
    uneven: list[tuple[int, np.ndarray, list[Group]]] = []
    for s in np.argsort(-loads, kind="stable"):
        heads, tails, work = columns[:, inside[s][kind]]
        busy = work > 0
        machines = np.flatnonzero(candidates[s])
        if not allows():
            break
        most = loads[s] + 1 + max(int(heads.max(initial=0)), int(available[machines].max())) + int(tails.max(initial=0))
        if most <= best or not busy.any() or looks <= 0:
            continue
        heads, tails, work = heads[busy], tails[busy], work[busy]
        looks -= min(_MAX_INTERVALS, len(heads) ** 2)
        own = 0
        for head, tail in intervals(heads, tails, work, len(machines)):
            chosen = (heads >= head) & (tails >= tail)
            blocked = blocked_ticks(heads[chosen], tails[chosen], available[machines])
            own = max(own, smallest_makespan(int(work[chosen].sum()), np.ones_like(blocked), blocked))
        if own > best:
            best, blame = own, machines
        if unrelated[inside[s]].any():
            uneven.append((own, machines, [groups[g] for g in np.flatnonzero(inside[s])]))
    uneven.sort(key=lambda entry: -entry[0])
    for _, machines, held in uneven[:_WEIGHED]:
        if not allows():
            break
        weighed = _weighed(held, machines, available)
        if weighed > best:
            best, blame = weighed, machines
    return best, blame


def blocked_ticks(heads: np.ndarray, tails: np.ndarray, available: np.ndarray) -> np.ndarray:
    """Ticks at both ends of the machine that has the i-th fewest; for as many machines as can be in use.

    Machines that come late take the heads in order: pairing the sorted with the sorted adds up to the least.
    """
    count = min(len(heads), len(available))
    return np.maximum(np.sort(heads)[:count], np.sort(available)[:count]) + np.sort(tails)[:count]


def _weighed(groups: list[Group], machines: np.ndarray, available: np.ndarray) -> int:
    """The same, with machines weighted as in `assignment`, where times depend on the machine.

    Idle ticks of machine m count w[m] times; the sum is least where the heaviest machine has the smallest head and
    tail. Machines that come late are looked at apart, each with its own time and the smallest head and tail of all.
    """
    heads, tails = (np.concatenate([group[i] for group in groups]) for i in (2, 3))
    late = np.zeros_like(available)
    late[machines] = np.maximum(available[machines], heads.min()) + tails.min()
    weights = balance(groups, late)
    work = weighted_work(groups, weights)
    heavy = np.sort(weights[machines])[::-1]
    blocked = blocked_ticks(heads, tails, np.full(len(machines), available[machines].min()))
    ordered = smallest_makespan(work, heavy[: len(blocked)], blocked)
    return max(ordered, smallest_makespan(work, weights[machines], late[machines]))


def intervals(heads: np.ndarray, tails: np.ndarray, work: np.ndarray, machines: int) -> list[tuple[int, int]]:
    """The pairs of least head and least tail worth an exact look: of all operations, and the best estimates.

    The estimate takes the smallest heads among the operations above the head alone, and so for the tails.
    """
    order = np.argsort(-tails, kind="stable")
    ascending = np.sort(heads)
    least_heads = np.unique(heads)
    keep = max(1, _MAX_INTERVALS // len(heads))
    if keep < len(least_heads):
        least_heads = least_heads[np.linspace(0, len(least_heads) - 1, keep).astype(int)]
    above = heads[order] >= least_heads[:, None]
    done = np.where(above, work[order], 0).cumsum(axis=1)
    in_use = np.minimum(above.cumsum(axis=1), machines)
    first = np.searchsorted(ascending, least_heads)
    summed = np.append(0, ascending.cumsum())
    early = summed[np.minimum(first + machines, len(heads))] - summed[first]
    early = early / np.minimum(len(heads) - first, machines)
    sums = np.append(0, tails[order].cumsum())
    end = np.arange(1, len(heads) + 1)
    late = (sums[1:] - sums[np.maximum(end - machines, 0)]) / np.minimum(end, machines)
    estimates = np.where(done > 0, early[:, None] + done / np.maximum(in_use, 1) + late, 0.0).ravel()
    estimates[(in_use < np.minimum(machines, len(heads))).ravel()] = 0.0
    looks = min(_EXACT_LOOKS, estimates.size)
    top = np.argpartition(-estimates, looks - 1)[:looks]
    h, t = np.unravel_index(top, done.shape)
    pairs = {(int(least_heads[a]), int(tails[order[b]])) for a, b in zip(h, t, strict=True)}
    return sorted({(int(heads.min()), int(tails.min())), *pairs})
