"""The independent verifier: plain Python that shares nothing with what builds schedules, here or in the environment."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from jaxshop.schedule.closed import Closed, closed_by_machine, closed_ticks
from jaxshop.schedule.records import Row, Schedule
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, Operation, Shop, fingerprint, lot_size


def verify(plan: LotPlan, schedule: Schedule) -> list[str]:
    """Check a schedule against the shop and its lots.

    Returns:
        One sentence for each violation; empty if every operation of every lot runs exactly once, on an
        eligible machine, for exactly its set-ups and processing of open time, after its predecessor and its lag,
        the lot's release and the machine's availability, with no two at once on a machine; if it stops where its
        machine closes, which it may, and nowhere else; if what is fixed runs there and then; and if the schedule's
        head tells the truth.
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
    rows = [row for row in schedule.rows if row[:3] in known]
    setups = setups_by_sequence(plan.shop, {row[:3]: known[row[:3]][1] for row in rows}, rows)
    since, until = min((row.start for row in rows), default=0), max((row.end for row in rows), default=0)
    closed = closed_by_machine(plan.shop, since, until)
    for row in rows:
        lot, op = known[row[:3]]
        name = _name(*row[:3])
        if op.fixed is not None and (row.machine, row.start) != op.fixed:
            there = f"on machine {op.fixed.machine!r} from {_at(op.fixed.start)}"
            yield f"{name} runs on machine {row.machine!r} from {_at(row.start)}, but is fixed {there}."
        if row.machine not in op.alternatives:
            eligible = ", ".join(sorted(op.alternatives))
            yield f"{name} runs on machine {row.machine!r}, but may run only on {eligible}."
        else:
            by_sequence = setups[row] if op.fixed is None else 0
            ticks = op.setup + op.alternatives[row.machine] + by_sequence
            yield from _time_violations(row, op, ticks, by_sequence, closed[row.machine])
            if row.start < available[row.machine] and op.fixed is None:
                when = f"before the machine is available at {_at(available[row.machine])}"
                yield f"{name} starts on machine {row.machine!r} at {_at(row.start)}, {when}."
        if row.start < lot.release and op.fixed is None:
            yield f"{name} starts at {_at(row.start)}, before its release at {_at(lot.release)}."


def _time_violations(row: Row, op: Operation, ticks: int, by_sequence: int, closed: Closed) -> Iterator[str]:
    """What is wrong with how long a row lasts, and with when its machine is open."""
    name, pause = _name(*row[:3]), closed_ticks(closed, row.start, row.end)
    took = f"from {_at(row.start)} to {_at(row.end)}, {row.end - row.start - pause} ticks"
    if row.end - row.start - pause != ticks:
        takes = f"takes {ticks} there" + (f" with {by_sequence} to set the machine up" if by_sequence else "")
        besides = f" besides {pause} of closed time" if pause else ""
        yield f"{name} runs on machine {row.machine!r} {took}{besides}, but {takes}."
    if row.end > row.start and closed_ticks(closed, row.start, row.start + 1):
        yield f"{name} starts on machine {row.machine!r} at {_at(row.start)}, when that is closed."
    elif row.end > row.start and closed_ticks(closed, row.end - 1, row.end):
        yield f"{name} ends on machine {row.machine!r} at {_at(row.end)}, when that has been closed for a while."
    elif pause and not op.interruptible:
        yield f"{name} runs on machine {row.machine!r} {took} besides {pause} of closed time, but must not stop."


def setups_by_sequence(
    shop: Shop, operations: dict[tuple[str, int, str], Operation], rows: list[Row]
) -> dict[Row, int]:
    """The set-up by sequence before each row: what its machine needs for its family, coming from the one before."""
    entries = {(e.machine, e.work_centre, e.from_family, e.to_family): e.ticks for e in shop.changeovers}
    present = {machine.id: machine.family for machine in shop.machines}
    centre = {machine.id: machine.work_centre for machine in shop.machines}
    found = {}
    for row in sorted(rows, key=lambda row: (row.start, row.end)):
        before, to = present.get(row.machine), operations[row[:3]].family
        found[row] = 0
        if to is None:
            continue
        if to != before:
            of_machine = [(row.machine, None, before, to), (row.machine, None, None, to)]
            of_centre = [(None, centre.get(row.machine), before, to), (None, centre.get(row.machine), None, to)]
            given = [entries[key] for key in of_machine + of_centre if key[:2] != (None, None) and key in entries]
            found[row] = given[0] if given else 0
        present[row.machine] = to
    return found


def _route_violations(plan: LotPlan, schedule: Schedule) -> Iterator[str]:
    rows = {row[:3]: row for row in schedule.rows}
    for lot in plan.lots:
        route = [(op, rows.get((lot.job, lot.index, op.id))) for op in lot.operations]
        present = [(op, row) for op, row in route if row is not None]
        for (op, before), (_, after) in pairwise(present):
            if after.start < before.end + op.lag:
                lag = f" and its lag is over at {_at(before.end + op.lag)}" if op.lag else ""
                predecessor = f"its predecessor {before.operation!r} ends at {_at(before.end)}{lag}"
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
