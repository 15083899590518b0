"""The assignment bound: weights of machines that show how evenly the work can be divided between them at best.

The linear programme only proposes weights; what is certified is integer arithmetic on them (`jaxshop.bounds.certify`).
"""

from __future__ import annotations

import numpy as np

from jaxshop.bounds.groups import Group, choices_of, eligible, smallest_makespan, total_work
from jaxshop.bounds.weights import even_weights
from jaxshop.shop import LotPlan

SOLVER = "scipy.optimize"
"""Takes 0.4 s to import, which a shop like the reference's need not wait for."""

MAX_SHARES = 5000
"""Variables of a linear programme that is solved, in a tenth of a second; 40,000 take three. Above, weights are nearly
the best."""

MAX_SETS = 2000
"""Sets of machines of which every two are compared, which takes memory by the square."""


def asks_solver(plan: LotPlan) -> bool:
    """Whether a plan's bound is likely to take the solver: an operation is faster on one machine than on another."""
    return any(len({*operation.alternatives.values()}) > 1 for lot in plan.lots for operation in lot.operations)


def weighted_work(groups: list[Group], weights: np.ndarray) -> int:
    """The least weighted ticks that all operations can take, each on the machine where it takes least."""
    begins, where, takes = choices_of(groups)
    return int(np.minimum.reduceat(takes * weights[where], begins[:-1]).sum())


def balance(groups: list[Group], blocked: np.ndarray) -> np.ndarray:
    """Machine weights, int64 [machines]: the dual solution of dividing the work with the least makespan, or nearly.

    `blocked` must not exceed a known lower bound, so that each machine's ticks up to T are T - blocked.
    """
    groups = _at_work(groups)
    if not (total := total_work(groups)):
        return np.ones_like(blocked)
    if len(groups) > MAX_SHARES:  # there are no fewer shares than sets
        return _rounded(even_weights(*choices_of(groups), blocked), total)
    if (known := tightest_set(groups, blocked)) is not None:  # no need of a solver, which takes 4 ms
        return known
    profiles = [profile for group in groups for profile in _profiles(group)]
    sizes = [len(machines) for machines, _, _ in profiles]
    machine = np.concatenate([machines for machines, _, _ in profiles])
    if len(machine) > MAX_SHARES:
        takes = np.concatenate([ratios * work for _, ratios, work in profiles])
        return _rounded(even_weights(np.append(0, np.cumsum(sizes)), machine, takes, blocked), total)
    from scipy.optimize import linprog
    from scipy.sparse import csc_array

    # Columns: the share of each profile on each of its machines, then the makespan. The mean machine has load 1.
    scale = len(blocked) / total
    cost = np.concatenate([ratios * (work * scale) for _, ratios, work in profiles])
    count, every = len(cost), np.arange(len(blocked))
    begins = np.arange(count + 1)  # in compressed columns: a share stands in one row of either matrix
    loads = (np.append(cost, -np.ones(len(every))), np.append(machine, every), np.append(begins, count + len(every)))
    shares = (np.ones(count), np.repeat(np.arange(len(sizes)), sizes), np.append(begins, count))
    solution = linprog(
        np.append(np.zeros(count), 1.0),
        A_ub=csc_array(loads, shape=(len(every), count + 1)),
        b_ub=-blocked * scale,
        A_eq=csc_array(shares, shape=(len(sizes), count + 1)),
        b_eq=np.ones(len(sizes)),
        method="highs",
    )
    duals = np.zeros(len(blocked)) if solution.x is None else np.maximum(-solution.ineqlin.marginals, 0.0)
    if not duals.max() > 0.0:  # no solution: any weights certify something
        return np.ones_like(blocked)
    return _rounded(duals, total)


def _rounded(weights: np.ndarray, total: int) -> np.ndarray:
    """As integers, as fine as leaves the weighted work of all operations within int64."""
    finest = min(2**24, 2**62 // total)
    return np.rint(weights * (finest / weights.max())).astype(np.int64)


def tightest_set(groups: list[Group], blocked: np.ndarray) -> np.ndarray | None:
    """The weights of `balance` where any two sets of machines are nested or apart, and all of a set are as fast.

    Then the work can be divided whenever none of the sets has more of it than room (Hall's theorem), so that the
    dual solution is the set that is full last. A job shop is such a case. None in other shops, and where there are too
    many sets.
    """
    if len(groups) > MAX_SETS or any((group.times != group.times[:, :1]).any() for group in groups):
        return None
    rows = eligible(groups, len(blocked))
    held = rows.astype(np.float32)  # so that BLAS counts
    shared, sizes = held @ held.T, held.sum(axis=1)
    if not ((shared == 0) | (shared == np.minimum(sizes, sizes[:, None]))).all():
        return None
    work = np.array([group.fastest.sum() for group in groups])
    works = np.where(shared == sizes, work, 0).sum(axis=1)  # of the sets within each
    weights = rows.astype(np.int64)
    full = [smallest_makespan(int(w), row, blocked) for w, row in zip(works, weights, strict=True)]
    return weights[int(np.argmax(full))]


def _at_work(groups: list[Group]) -> list[Group]:
    """The operations that take time wherever they run; one that takes none on some machine adds nothing to the load."""
    if groups and (np.concatenate([group.fastest for group in groups]) > 0).all():
        return groups
    busy = [group.fastest > 0 for group in groups]
    return [
        group if kept.all() else Group(group.machines, *(x[kept] for x in group[1:]))
        for group, kept in zip(groups, busy, strict=True)
        if kept.any()
    ]


def _profiles(group: Group) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Operations whose times have the same ratios, as (machines, ratios to the fastest, work at the fastest)."""
    times, fastest = group.times, group.fastest
    works: dict[tuple[float, ...], int] = {}  # np.unique along an axis takes ten times as long for a few rows
    for ratios, work in zip((times / fastest[:, None]).round(6).tolist(), fastest.tolist(), strict=True):
        works[tuple(ratios)] = works.get(tuple(ratios), 0) + work
    return [(group.machines, np.array(ratios), work) for ratios, work in sorted(works.items())]
