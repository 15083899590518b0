"""What a shop is like: descriptors by which a policy for every shop tells one make of shops from another."""

from __future__ import annotations

import numpy as np

from jaxshop.shop import LotPlan

MAKE_NAMES = (
    "choice of machines",
    "share of work with one machine",
    "spread of times",
    "length of routes",
    "lots per machine",
    "machines",
    "load over the bound",
    "releases",
)
"""In the order of `describe_make`."""


def describe_make(plan: LotPlan, bound: int) -> np.ndarray:
    """The descriptors, float32 [len(MAKE_NAMES)], of the order of 1; neither numbering nor padding changes them.

    Means over operations are weighted by their least times, as short operations say little of a shop.
    """
    machines, lots = len(plan.shop.machines), len(plan.lots)
    operations = [op for lot in plan.lots for op in lot.operations]
    least = np.array([op.setup + min(op.alternatives.values()) for op in operations], float)
    most = np.array([op.setup + max(op.alternatives.values()) for op in operations], float)
    breadth = np.array([len(op.alternatives) for op in operations], float)
    total = max(least.sum(), 1.0)
    weight = least / total
    released = sum(lot.release for lot in plan.lots) / lots / bound
    return np.array(
        [
            weight @ np.log2(breadth) / 3,
            weight[breadth == 1].sum(),
            weight @ np.minimum(most / np.maximum(least, 1.0) - 1.0, 3.0),
            len(operations) / lots / 8,
            np.log2(lots / machines) / 2,
            np.log2(machines) / 4 - 1,
            total / (machines * bound),
            4 * min(released, 1.0),
        ],
        np.float32,
    )
