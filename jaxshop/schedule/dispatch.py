"""Dispatching rules on the host, in NumPy: what answers when the policy does not.

They share neither code nor runtime with the environment, so that a stuck device or a broken compilation
cannot take them down as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from jaxshop.schedule.records import Row, Schedule
from jaxshop.shop import LotPlan, fingerprint

NEVER = 1 << 40
"""A tick beyond every schedule: the time of an operation on a machine that cannot run it."""

RULES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "MWKR": lambda ready, left: -left,
    "FIFO": lambda ready, left: ready,
}
"""(ready, least work left), int64 [lots] each -> priority, where the smallest goes first."""

BEST_FIRST = (("MWKR", False), ("MWKR", True), ("FIFO", False), ("FIFO", True))
"""(rule, active), in the order of what they reach on factory-like shops; the first is always tried."""


def best_rule(plan: LotPlan, deadline: float | None = None) -> tuple[str, Schedule]:
    """Return the name and the schedule of the best rule that could be tried.

    Args:
        plan: the lots to schedule.
        deadline: in `time.monotonic()`; no other rule is begun where it would not end by then.
    """
    best: tuple[str, Schedule] | None = None
    longest = 0.0
    for name, active in BEST_FIRST:
        started = time.monotonic()
        if best is not None and deadline is not None and started + longest > deadline:
            break
        schedule = dispatch(plan, RULES[name], active)
        longest = max(longest, time.monotonic() - started)
        if best is None or schedule.makespan < best[1].makespan:
            best = (f"{name}/active" if active else name, schedule)
    assert best is not None
    return best


def dispatch(plan: LotPlan, rule: Callable[[np.ndarray, np.ndarray], np.ndarray], active: bool) -> Schedule:
    """Build a schedule, operation by operation.

    Active (Giffler and Thompson): the machine that can complete an operation first takes, of the lots that
    could start on it before that completion, the one the rule prefers. Non-delay: of the lots that can start
    first, the one the rule prefers, on the machine where it then completes first. Ties: lowest lot, machine.
    """
    machines = {machine.id: i for i, machine in enumerate(plan.shop.machines)}
    names = list(machines)
    routes = [
        [
            (op.id, [machines[m] for m in op.alternatives], [op.setup + t for t in op.alternatives.values()])
            for op in lot.operations
        ]
        for lot in plan.lots
    ]
    tails = [np.cumsum([min(times) for _, _, times in reversed(route)])[::-1] for route in routes]
    free = np.array([machine.available_from for machine in plan.shop.machines], np.int64)
    ready = np.array([lot.release for lot in plan.lots], np.int64)
    left = np.array([tail[0] for tail in tails], np.int64)
    step = [0] * len(routes)

    # Of each lot's next operation, by machine: duration and earliest start; and over machines the earliest
    # completion (non-delay: start) with its machine. Only what a dispatch can change is computed again.
    takes = np.full((len(routes), len(names)), NEVER, np.int64)
    start = np.full_like(takes, NEVER)
    soonest = np.empty(len(routes), np.int64)
    where = np.zeros(len(routes), np.int64)

    def open_operation(lot: int) -> None:
        takes[lot], start[lot] = NEVER, NEVER
        if step[lot] < len(routes[lot]):
            _, eligible, times = routes[lot][step[lot]]
            takes[lot, eligible] = times
            start[lot, eligible] = np.maximum(ready[lot], free[eligible])
            left[lot] = tails[lot][step[lot]]

    def refresh(lots: np.ndarray) -> None:
        times = start[lots] + takes[lots] if active else start[lots]
        where[lots] = times.argmin(axis=1)
        soonest[lots] = times[np.arange(len(lots)), where[lots]]

    for lot in range(len(routes)):
        open_operation(lot)
    refresh(np.arange(len(routes)))
    rows = []
    for _ in range(sum(map(len, routes))):
        if active:
            first = soonest.argmin()
            machine = int(where[first])
            rivals = start[:, machine] < soonest[first]
            rivals[first] = True  # an operation of no duration starts when it completes
        else:
            rivals = soonest == soonest.min()
        lots = np.flatnonzero(rivals)
        lot = int(lots[rule(ready[lots], left[lots]).argmin()])
        if not active:
            machine = int(np.where(start[lot] == soonest[lot], takes[lot], NEVER).argmin())
        begin = int(start[lot, machine])
        end = begin + int(takes[lot, machine])
        name, *_ = routes[lot][step[lot]]
        rows.append(Row(plan.lots[lot].job, plan.lots[lot].index, name, names[machine], begin, end))

        free[machine] = ready[lot] = end
        waiting = np.flatnonzero(takes[:, machine] != NEVER)
        start[waiting, machine] = np.maximum(ready[waiting], end)
        step[lot] += 1
        open_operation(lot)
        where[lot] = machine
        refresh(np.flatnonzero(where == machine))
    return Schedule(fingerprint(plan.shop), plan.max_lot_hours, tuple(rows))
