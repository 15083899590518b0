"""A plain simulator of dispatching: an oracle for the environment, and the judge of how hard a shop is.

It shares no code with the environment and keeps times as lots x machines, with machine-dependent times throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxshop.schedule import Row, Schedule
from jaxshop.shop import LotPlan, fingerprint

NEVER = 1 << 40
"""Later than every schedule: the time of an operation on a machine that cannot run it."""


class Decision(NamedTuple):
    """The lots that compete for `machine`, in ascending order, and their next operations; int64 [n], in ticks."""

    machine: int
    lots: np.ndarray
    time: np.ndarray  # of the operation on this machine, set-up included
    ready: np.ndarray
    work_left: np.ndarray  # least time to the end of the lot, this operation included
    operations_left: np.ndarray  # this operation included
    next_time: np.ndarray  # least time of the operation after this one, 0 if there is none
    choices: np.ndarray  # machines that this operation may run on
    idle: np.ndarray  # of the machine until this operation could start


Priority = Callable[[Decision], np.ndarray]
"""The lot of the highest priority goes next, ties to the lowest index."""

RULES: dict[str, Priority] = {
    "SPT": lambda d: -d.time,
    "LPT": lambda d: d.time,
    "MWKR": lambda d: d.work_left,
    "LWKR": lambda d: -d.work_left,
    "MOR": lambda d: d.operations_left,
    "FIFO": lambda d: -d.ready,
}


def random_rule(seed: int) -> Priority:
    """Every competing lot is as likely as any other."""
    rng = np.random.default_rng(seed)
    return lambda d: rng.random(len(d.lots))


def linear_rule(weights: tuple[int, ...]) -> Priority:
    """A weighted sum, in exact integers, so that a schedule can be told by its few weights."""
    w = np.array(weights, dtype=np.int64)

    def priority(d: Decision) -> np.ndarray:
        counts = 3600 * d.operations_left, 3600 * d.choices
        return w @ np.stack((d.time, d.ready, d.work_left, d.next_time, *counts, d.idle))

    return priority


def dispatch(plan: LotPlan, priority: Priority, active: bool = True) -> Schedule:
    """Schedule every operation, one decision after another.

    Active (Giffler and Thompson): of all next operations and machines, the pair that completes first names the
    machine; the lots whose next operation could start on it before that completion compete, and the chosen one
    goes there. Non-delay: the pair that starts first names the machine; the lots that could start there then compete.

    Ties: the lowest lot; of its machines the one that became free last (best fit), then the lowest. That lot
    always competes, even with an operation that takes no time.
    """
    machines = {machine.id: m for m, machine in enumerate(plan.shop.machines)}
    ids = list(machines)
    free = np.array([machine.available_from for machine in plan.shop.machines], dtype=np.int64)
    ready = np.array([lot.release for lot in plan.lots], dtype=np.int64)
    longest = max(len(lot.operations) for lot in plan.lots)
    takes = np.full((len(plan.lots), longest, len(machines)), NEVER, dtype=np.int64)
    for j, lot in enumerate(plan.lots):
        for k, operation in enumerate(lot.operations):
            for machine, ticks in operation.alternatives.items():
                takes[j, k, machines[machine]] = operation.setup + ticks
    count = np.array([len(lot.operations) for lot in plan.lots])
    least = np.where(np.arange(longest + 1) < count[:, None], np.pad(takes.min(axis=2), ((0, 0), (0, 1))), 0)
    tails = least[:, ::-1].cumsum(axis=1)[:, ::-1]

    step = np.zeros(len(plan.lots), dtype=np.int64)
    current = takes[:, 0].copy()  # [lots, machines], of each lot's next operation

    def first_event(lots: np.ndarray) -> np.ndarray:
        starts = np.maximum(ready[lots, None], free)
        possible = current[lots] < NEVER
        return np.where(possible, starts + (current[lots] if active else 0), NEVER).min(axis=1)

    everything = np.arange(len(plan.lots))
    event = first_event(everything)
    rows = []
    for _ in range(int(count.sum())):
        lot = int(event.argmin())
        soonest = event[lot]
        reach = np.maximum(ready[lot], free) + (current[lot] if active else 0) == soonest
        machine = int(np.where(reach & (current[lot] < NEVER), free, -1).argmax())

        start = np.maximum(ready, free[machine])
        eligible = current[:, machine] < NEVER
        lots = np.flatnonzero(eligible & ((start < soonest if active else start <= soonest) | (everything == lot)))
        decision = Decision(
            machine,
            lots,
            current[lots, machine],
            ready[lots],
            tails[lots, step[lots]],
            count[lots] - step[lots],
            least[lots, step[lots] + 1],
            (current[lots] < NEVER).sum(axis=1),
            start[lots] - free[machine],
        )
        chosen = int(lots[np.argmax(priority(decision))])
        begin, end = int(start[chosen]), int(start[chosen] + current[chosen, machine])
        done = plan.lots[chosen]
        rows.append(Row(done.job, done.index, done.operations[step[chosen]].id, ids[machine], begin, end))

        ready[chosen] = free[machine] = end
        step[chosen] += 1
        current[chosen] = takes[chosen, step[chosen]] if step[chosen] < count[chosen] else NEVER
        event[chosen] = NEVER
        changed = np.flatnonzero(current[:, machine] < NEVER)
        event[changed] = first_event(changed)
        event[chosen] = first_event(np.array([chosen]))[0]
    return Schedule(fingerprint(plan.shop), plan.max_lot_hours, tuple(rows))
