"""What each alternative wastes of the time that machines have together: reduced costs of the assignment bound.

With weights y of the machines that sum to one, an operation takes at least the least of p * y over its machines of the
makespan. What a schedule costs beyond the bound is the sum of what its alternatives take beyond that, and of idle time
by the same weights. So where times differ by machine, an alternative that wastes nothing may be worth a longer way.
"""

from __future__ import annotations

import numpy as np

from jaxshop.bounds.assignment import balance
from jaxshop.bounds.groups import group_operations
from jaxshop.shop import LotPlan

PARTS = 8
"""Prices count 1 << PARTS to a tick: where times are small, what is wasted is less than a tick an operation."""


def prices_of(plan: LotPlan, begins: np.ndarray, where: np.ndarray, takes: np.ndarray) -> np.ndarray:
    """What each alternative wastes, int64 [alternatives], 1 << PARTS to what `takes` counts; `where`: the machines."""
    if len(where) < len(begins):  # each operation has but one machine
        return np.zeros(len(where), np.int64)
    groups, chain, _ = group_operations(plan)
    available = np.array([machine.available_from for machine in plan.shop.machines], np.int64)
    weights = balance(groups, np.minimum(available, chain))
    taken = takes * (weights / weights.sum())[where]
    wasted = taken - np.repeat(np.minimum.reduceat(taken, begins[:-1]), np.diff(begins))
    return np.rint(wasted * 2.0**PARTS).astype(np.int64)
