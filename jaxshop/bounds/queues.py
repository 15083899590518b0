"""The bound of a hybrid flow shop's stage, where the stages before and behind it have queues.

Each of a stage's m machines begins with another lot. Where an earlier stage has q < m machines, no more than q of those
lots can come as soon as they could alone: the others wait for a machine there. Of lots on one machine the last but i
delays i others, so that the sum of m completion times is at least the least sum of 1, ..., 1, 2, ..., 2, ... times
their times there, each factor q times, the small factors on the long ones (Conway, Maxwell and Miller 1967). With what
lies between, over the m lots for which it is least, that is idle time of the stage; mirrored, so is what lies behind.
"""

from __future__ import annotations

import numpy as np

from jaxshop.shop import LotPlan

_MOST = 50_000
"""Lots times pairs of stages beyond which nothing is looked at: some tenths of a second."""


def queue_bound(plan: LotPlan) -> tuple[int, np.ndarray]:
    """The best bound of a stage in ticks, and the indices of its machines; 0 and none where lots have no common stages.

    Stages are sets of machines that all lots visit in the same order, none twice.
    """
    stages = _stages(plan)
    if not stages or len(plan.lots) * len(stages) ** 2 > _MOST:
        return 0, np.array([], dtype=np.int64)
    least = np.array([[op.setup + min(op.alternatives.values()) for op in lot.operations] for lot in plan.lots])
    release = np.array([lot.release for lot in plan.lots])
    done = release[:, None] + least.cumsum(axis=1)
    heads, tails = done - least, done[:, -1:] - done
    counts = [len(stage) for stage in stages]
    best, blamed = 0, 0
    for s, machines in enumerate(counts):
        if len(plan.lots) < 2 * machines:  # a machine that runs nothing must not be worth more than a makespan
            continue
        idle = 0
        for ways, others in ((heads, range(s)), (tails, range(s + 1, len(stages)))):
            least_idle = int(np.sort(ways[:, s])[:machines].sum())
            for other in others:
                between = ways[:, s] - ways[:, other] - least[:, other]
                came = machines * int(ways[:, other].min())
                came += _through(least[:, other], between, counts[other], machines)
                least_idle = max(least_idle, came)
            idle += least_idle
        bound = -(-(int(least[:, s].sum()) + idle) // machines)
        best, blamed = max((best, blamed), (bound, s))
    index = {machine.id: i for i, machine in enumerate(plan.shop.machines)}
    return best, np.array(sorted(index[name] for name in stages[blamed]), dtype=np.int64)


def _stages(plan: LotPlan) -> list[frozenset[str]]:
    """The stages in their order; none where there are not such."""
    routes = {tuple(frozenset(operation.alternatives) for operation in lot.operations) for lot in plan.lots}
    stages = list(routes.pop()) if len(routes) == 1 else []
    return stages if sum(map(len, stages)) == len(frozenset().union(*stages)) else []


def _through(times: np.ndarray, between: np.ndarray, machines: int, lots: int) -> int:
    """The least sum over so many lots of the end on some machines, all free at 0, and what lies between, in ticks."""
    factors = 1 + np.arange(lots) // machines
    sums = np.append(0, np.full(lots, np.iinfo(np.int64).max // 2))
    for lot in np.argsort(-times, kind="stable"):  # the longest first, so that the next factor is the lot's
        sums[1:] = np.minimum(sums[1:], sums[:-1] + factors * times[lot] + between[lot])
    return int(sums[-1])
