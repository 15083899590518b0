"""What each alternative wastes of the time that machines have together: reduced costs of the assignment bound.

With weights y of the machines that sum to one, an operation takes at least the least of p * y over its machines of the
makespan. What a schedule costs beyond the bound is the sum of what its alternatives take beyond that, and of idle time
by the same weights. So where times differ by machine, an alternative that wastes nothing may be worth a longer way.

Machines that no chain of operations connects are weighed apart, and all count: those that are not the fullest are
hardly less so, and become the fullest where their work is divided badly.
"""

from __future__ import annotations

import numpy as np

from jaxshop.bounds.weights import weights_by_part

PARTS = 8
"""Prices count 1 << PARTS to a tick: where times are small, what is wasted is less than a tick an operation."""


def prices_of(begins: np.ndarray, where: np.ndarray, takes: np.ndarray, available: np.ndarray) -> np.ndarray:
    """What each alternative wastes, int64 [alternatives], 1 << PARTS to what `takes` counts.

    Args:
        begins: where the alternatives of each operation begin, [operations + 1].
        where: the machine of each, [alternatives].
        takes: what it takes there, more than 0, [alternatives].
        available: from when each machine may work, [machines].
    """
    if len(where) < len(begins):  # each operation has but one machine
        return np.zeros(len(where), np.int64)
    weights, part, _ = weights_by_part(begins, where, takes, available)
    taken = takes * (weights / np.bincount(part, weights)[part])[where]
    wasted = taken - np.repeat(np.minimum.reduceat(taken, begins[:-1]), np.diff(begins))
    return np.rint(wasted * 2.0**PARTS).astype(np.int64)
