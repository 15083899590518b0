"""The bound of a stage behind queues, by hand, against optima, and where there are no stages."""

from __future__ import annotations

import numpy as np
import pytest

from jaxshop.bounds import certify
from jaxshop.bounds.groups import group_operations
from jaxshop.bounds.head_tail import head_tail
from jaxshop.bounds.queues import queue_bound
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, split_lots
from tests.oracles.optimum import least_makespan


def staged(times: list[list[int]], sizes: list[int], releases: list[int] | None = None) -> LotPlan:
    """Lots that visit stages of so many machines, each for so many ticks there."""
    stages = [[f"S{s}-{k}" for k in range(size)] for s, size in enumerate(sizes)]
    jobs = tuple(
        Job(
            f"{j}",
            tuple(Operation(f"{j}/{s}", dict.fromkeys(stages[s], t)) for s, t in enumerate(row)),
            release=releases[j] if releases else 0,
        )
        for j, row in enumerate(times)
    )
    return split_lots(Shop("flow", tuple(Machine(m) for stage in stages for m in stage), jobs), None)


def test_two_machines_behind_one():
    """Shows by hand: four lots of 2 ticks on one machine, then 10 on one of two; the second of these cannot begin
    before 4, so the bound is (40 + 2 + 4) / 2, and (40 + 2 + 2) / 2 where queues are not looked at."""
    plan = staged([[2, 10]] * 4, [1, 2])
    bound, machines = queue_bound(plan)
    assert bound == 23
    assert machines.tolist() == [1, 2]
    groups, _, _ = group_operations(plan)
    assert head_tail(plan, groups, np.zeros(3, np.int64), lambda: True)[0] == 22
    assert certify(plan).head_tail == certify(plan).value == 23
    assert queue_bound(staged([[10, 2]] * 4, [2, 1]))[0] == 23
    assert queue_bound(staged([[2, 10]] * 4, [1, 2], [5] * 4))[0] == 28


@pytest.mark.parametrize("block", range(4))
def test_never_above_the_optimum(block: int):
    """Shows 80 random shops of two or three stages against CP-SAT, with releases in half of them, and that queues
    raise the bound on some."""
    raised = 0
    for seed in range(20 * block, 20 * block + 20):
        rng = np.random.default_rng(seed)
        sizes = rng.permutation([1, 3, 2][: 2 + seed % 2]).tolist()
        lots = int(rng.integers(6, 9))
        releases = rng.integers(0, 15, lots).tolist() if seed % 4 < 2 else None
        plan = staged((rng.integers(1, 6, (lots, len(sizes))) * np.array(sizes) ** 2).tolist(), sizes, releases)
        groups, _, _ = group_operations(plan)
        plain, _ = head_tail(plan, groups, np.zeros(sum(sizes), np.int64), lambda: True)
        bound, _ = queue_bound(plan)
        assert bound <= least_makespan(plan), seed
        raised += bound > plain
    assert raised > 0


def test_no_stages():
    """Shows that there is no such bound where routes differ, a stage comes back, stages share a machine, or there are
    too few lots for a stage."""
    alike = Operation("a", {"A": 3}), Operation("b", {"B": 3, "C": 3})
    machines = tuple(map(Machine, "ABC"))

    def bound_of(*routes: tuple[Operation, ...]) -> int:
        jobs = tuple(Job(f"{j}", route) for j, route in enumerate(routes))
        return queue_bound(split_lots(Shop("x", machines, jobs), None))[0]

    assert bound_of(alike, alike, alike, alike) > 0
    assert bound_of(alike, alike, alike, alike[::-1]) == 0
    assert bound_of(*[(*alike, Operation("c", {"A": 1}))] * 4) == 0
    assert bound_of(*[(Operation("a", {"A": 3, "B": 3}), alike[1])] * 4) == 0
    assert queue_bound(staged([[5]], [1]))[0] == 0
