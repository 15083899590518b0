"""The independent verifier: plain Python that shares nothing with the environment that builds schedules."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from jaxshop.schedule.records import Row, Schedule
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, fingerprint, lot_size


def verify(plan: LotPlan, schedule: Schedule) -> list[str]:
    """Check a schedule against the shop and its lots.

    Returns:
        One sentence for each violation; empty if every operation of every lot runs exactly once, on an
        eligible machine, for exactly its set-up and processing, after its predecessor, the lot's release and
        the machine's availability, with no two at once on a machine, and the schedule's head tells the truth.
    """
    return [
        *_head_violations(plan, schedule),
        *_count_violations(plan, schedule),
        *_row_violations(plan, schedule),
        *_route_violations(plan, schedule),
        *_overlap_violations(schedule),
    ]


def _head_violations(plan: LotPlan, schedule: Schedule) -> Iterator[str]:
    if schedule.fingerprint != (expected := fingerprint(plan.shop)):
        yield f"The schedule is for shop {schedule.fingerprint!r}, not for {plan.shop.name!r}, {expected!r}."
    if schedule.max_lot_hours != plan.max_lot_hours:
        was, should = lot_size(schedule.max_lot_hours), lot_size(plan.max_lot_hours)
        yield f"The schedule is for {was}, not for {should}."
    claimed = schedule.claimed_hours
    if claimed is not None and round(claimed * TICKS_PER_HOUR) != schedule.makespan:
        yield f"The stated makespan is {claimed} h, but the last operation ends at {_at(schedule.makespan)}."


def _count_violations(plan: LotPlan, schedule: Schedule) -> Iterator[str]:
    counts = Counter(row[:3] for row in schedule.rows)
    for lot in plan.lots:
        for op in lot.operations:
            times = counts.pop((lot.job, lot.index, op.id), 0)
            if times != 1:
                problem = "is not scheduled" if times == 0 else f"is scheduled {times} times"
                yield f"{_name(lot.job, lot.index, op.id)} {problem}."
    for unknown in counts:
        yield f"{_name(*unknown)} is scheduled, but there is no such operation."


def _row_violations(plan: LotPlan, schedule: Schedule) -> Iterator[str]:
    known = {(lot.job, lot.index, op.id): (lot, op) for lot in plan.lots for op in lot.operations}
    available = {machine.id: machine.available_from for machine in plan.shop.machines}
    for row in schedule.rows:
        if row[:3] not in known:
            continue
        lot, op = known[row[:3]]
        name = _name(*row[:3])
        if row.machine not in op.alternatives:
            eligible = ", ".join(sorted(op.alternatives))
            yield f"{name} runs on machine {row.machine!r}, but may run only on {eligible}."
        else:
            ticks = op.setup + op.alternatives[row.machine]
            if row.end - row.start != ticks:
                took = f"from {_at(row.start)} to {_at(row.end)}, {row.end - row.start} ticks"
                yield f"{name} runs on machine {row.machine!r} {took}, but takes {ticks} there."
            if row.start < available[row.machine]:
                when = f"before the machine is available at {_at(available[row.machine])}"
                yield f"{name} starts on machine {row.machine!r} at {_at(row.start)}, {when}."
        if row.start < lot.release:
            yield f"{name} starts at {_at(row.start)}, before its release at {_at(lot.release)}."


def _route_violations(plan: LotPlan, schedule: Schedule) -> Iterator[str]:
    rows = {row[:3]: row for row in schedule.rows}
    for lot in plan.lots:
        route = [rows.get((lot.job, lot.index, op.id)) for op in lot.operations]
        present = [row for row in route if row is not None]
        for before, after in pairwise(present):
            if after.start < before.end:
                predecessor = f"its predecessor {before.operation!r} ends at {_at(before.end)}"
                yield f"{_name(*after[:3])} starts at {_at(after.start)}, before {predecessor}."


def _overlap_violations(schedule: Schedule) -> Iterator[str]:
    by_machine: dict[str, list[Row]] = defaultdict(list)
    for row in schedule.rows:
        by_machine[row.machine].append(row)
    for machine, rows in by_machine.items():
        # What takes no time sorts before what starts with it, so it conflicts only strictly inside another.
        rows.sort(key=lambda row: (row.start, row.end))
        last = rows[0]
        for row in rows[1:]:
            if row.start < last.end:
                busy = f"before {_name(*last[:3])} ends there at {_at(last.end)}"
                yield f"{_name(*row[:3])} starts on machine {machine!r} at {_at(row.start)}, {busy}."
            last = max(last, row, key=lambda row: row.end)


def _name(job: str, lot: int, operation: str) -> str:
    return f"Job {job!r}, lot {lot}, operation {operation!r}"


def _at(ticks: int) -> str:
    return f"{ticks} ({ticks / TICKS_PER_HOUR:.2f} h)"
