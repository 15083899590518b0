"""The optimum of a tiny plan with the plant's own rules, by enumerating every order of dispatches and every machine.

Times come from the verifier's closed spans, walked one after the other; nothing is shared with what builds schedules.
Whatever is not fixed runs behind all fixed work of its machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from jaxshop.schedule.closed import Closed, closed_by_machine
from jaxshop.shop import LotPlan, Machine, Operation, Shop

DAY = 86_400


class Standing(NamedTuple):
    """What has been dispatched, and what lots and machines stand at by then."""

    done: tuple[int, ...]  # operations of each lot
    ready: tuple[int, ...]
    last: tuple[int, ...]  # tick at which each lot's last operation so far ends
    free: tuple[tuple[int, str | None], ...]  # from when each machine is free, and its family

    def after(self, plan: LotPlan, lot: int, machine: int, end: int) -> Standing:
        """The same once the lot's next operation has ended on a machine."""
        op = plan.lots[lot].operations[self.done[lot]]
        state = end, op.family or self.free[machine][1]
        return Standing(
            _put(self.done, lot, self.done[lot] + 1),
            _put(self.ready, lot, end + op.lag),
            _put(self.last, lot, end),
            _put(self.free, machine, state),
        )


def _put(values: tuple, place: int, value: object) -> tuple:
    return (*values[:place], value, *values[place + 1 :])


def standing(plan: LotPlan, closed: Mapping[str, Closed]) -> Standing:
    """What fixed work leaves."""
    done, ready, last = [0] * len(plan.lots), [lot.release for lot in plan.lots], [0] * len(plan.lots)
    free = {machine.id: (machine.available_from, machine.family) for machine in plan.shop.machines}
    fixed = []
    for i, lot in enumerate(plan.lots):
        for op in lot.operations:
            if op.fixed is not None:
                name, start = op.fixed
                _, end = earliest(closed[name], start, op.setup + op.alternatives[name], op.interruptible)
                done[i], ready[i], last[i] = done[i] + 1, max(ready[i], end + op.lag), end
                fixed.append((start, name, end, op.family))
    for _, name, end, family in sorted(fixed, key=lambda entry: entry[:2]):
        free[name] = max(end, free[name][0]), family or free[name][1]
    return Standing(tuple(done), tuple(ready), tuple(last), tuple(free.values()))


def optimum(plan: LotPlan, days: int = 60) -> int:
    """The least cost of all semi-active schedules."""
    shop, names = plan.shop, [machine.id for machine in plan.shop.machines]
    machines = {machine.id: machine for machine in shop.machines}
    closed = closed_by_machine(shop, -10 * DAY, days * DAY)

    @cache
    def best(at: Standing) -> int:
        found = []
        for i, lot in enumerate(plan.lots):
            for m, name in enumerate(names if at.done[i] < len(lot.operations) else ()):
                op = lot.operations[at.done[i]]
                if name in op.alternatives:
                    free, family = at.free[m]
                    ticks = set_up(shop, machines[name], family, op) + op.setup + op.alternatives[name]
                    _, end = earliest(closed[name], max(at.ready[i], free), ticks, op.interruptible)
                    found.append(best(at.after(plan, i, m, end)))
        return min(found) if found else cost(plan, at.last)

    return best(standing(plan, closed))


def cost(plan: LotPlan, last: tuple[int, ...]) -> int:
    """What a schedule costs whose lots are done at these ticks."""
    ends: dict[str, int] = {}
    for lot, end in zip(plan.lots, last, strict=True):
        ends[lot.job] = max(end, ends.get(lot.job, end))
    late = sum(max(0, ends[job.id] - job.due) * job.weight for job in plan.shop.jobs if job.due is not None)
    weights = plan.shop.objective
    return round(weights.makespan * max(0, *ends.values()) + weights.tardiness * late)


def earliest(closed: Closed, ready: int, ticks: int, interruptible: bool) -> tuple[int, int]:
    """The first run of so many open ticks from `ready` on."""
    start, left, now = None, ticks, ready
    for a, b in closed:
        if b <= now:
            continue
        if a > now:
            if start is None:
                start = now
            if left <= a - now:
                return start, now + left
            left -= a - now
            if not interruptible:
                start, left = None, ticks
        now = max(now, b)
    return (now if start is None else start), now + left


def set_up(shop: Shop, machine: Machine, family: str | None, op: Operation) -> int:
    """Ticks to set the machine up, by reading the shop's entries from the weakest to the strongest."""
    ticks = 0
    if op.family is None or op.family == family:
        return 0
    for strength in range(4):
        for entry in shop.changeovers:
            own, named = entry.machine == machine.id, entry.from_family is not None
            here = own or (entry.work_centre is not None and entry.work_centre == machine.work_centre)
            fits = entry.to_family == op.family and entry.from_family in (None, family)
            if here and fits and 2 * own + named == strength:
                ticks = entry.ticks
    return ticks
