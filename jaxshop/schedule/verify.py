"""The independent verifier: plain Python that shares nothing with what builds schedules, here or in the environment."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from jaxshop.schedule.closed import Closed, closed_by_machine, closed_ticks
from jaxshop.schedule.records import Row, Schedule
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, Operation, Shop, lot_size


class Violation(str):
    """A sentence that says what is wrong, with lots from 1; its attributes say it to programs, with lots from 0.

    Attributes are None where they do not apply.
    """

    code: str
    job: str | None
    lot: int | None
    operation: str | None
    machine: str | None
    start: int | None
    end: int | None

    def __new__(
        cls,
        text: str,
        code: str,
        row: Row | tuple[str, int, str] | None = None,
        machine: str | None = None,
    ) -> Violation:
        """Say it.

        Args:
            text: the sentence.
            code: the kind, a word that does not change.
            row: what it is about: a row of the schedule, or job, lot and operation that have none.
            machine: where it is not the row's.
        """
        self = super().__new__(cls, text)
        self.code, self.machine = code, machine
        self.job, self.lot, self.operation = (None, None, None) if row is None else row[:3]
        self.start = self.end = None
        if isinstance(row, Row):
            self.machine, self.start, self.end = row.machine, row.start, row.end
        return self

    def document(self) -> dict[str, object]:
        """Sentence and attributes; start and end in ticks."""
        return {
            "code": self.code,
            "text": str(self),
            **{"job": self.job, "lot": self.lot, "operation": self.operation, "machine": self.machine},
            **{"start": self.start, "end": self.end},
        }


def verify(plan: LotPlan, schedule: Schedule) -> list[Violation]:
    """Check a schedule against the shop and its lots.

    Returns:
        One for a schedule of another shop, of which nothing else can be said. Else one for each fault; empty if every
        operation of every lot runs exactly once, on an eligible machine, for exactly its set-ups and processing of
        open time, after its predecessor and its lag, the lot's release and the machine's availability, with no two at
        once on a machine; if it stops where its machine closes, which it may, and nowhere else; if what is fixed runs
        there and then; and if the schedule's head tells the truth.
    """
    if schedule.fingerprint != (expected := plan.shop.fingerprint):
        whose = f"The schedule is for shop {schedule.fingerprint!r}, not for {plan.shop.name!r}, {expected!r}."
        return [Violation(whose, "other-shop")]
    return [
        *_head_violations(plan, schedule),
        *_count_violations(plan, schedule),
        *_row_violations(plan, schedule),
        *_route_violations(plan, schedule),
        *_overlap_violations(schedule),
    ]


def _head_violations(plan: LotPlan, schedule: Schedule) -> Iterator[Violation]:
    if schedule.max_lot_hours != plan.max_lot_hours:
        was, should = lot_size(schedule.max_lot_hours), lot_size(plan.max_lot_hours)
        yield Violation(f"The schedule is for {was}, not for {should}.", "other-lots")
    claimed = schedule.claimed_hours
    if claimed is not None and round(claimed * TICKS_PER_HOUR) != schedule.makespan:
        told = f"The stated makespan is {claimed} h, but the last operation ends at {_at(schedule.makespan)}."
        yield Violation(told, "makespan")


def _count_violations(plan: LotPlan, schedule: Schedule) -> Iterator[Violation]:
    counts = Counter(row[:3] for row in schedule.rows)
    for lot in plan.lots:
        for op in lot.operations:
            times = counts.pop((lot.job, lot.index, op.id), 0)
            if times != 1:
                problem = "is not scheduled" if times == 0 else f"is scheduled {times} times"
                key = (lot.job, lot.index, op.id)
                yield Violation(f"{_name(*key)} {problem}.", "repeated" if times else "missing", key)
    for unknown in counts:
        yield Violation(f"{_name(*unknown)} is scheduled, but there is no such operation.", "unknown", unknown)


def _row_violations(plan: LotPlan, schedule: Schedule) -> Iterator[Violation]:
    known = {(lot.job, lot.index, op.id): (lot, op) for lot in plan.lots for op in lot.operations}
    available = {machine.id: machine.available_from for machine in plan.shop.machines}
    rows = [row for row in schedule.rows if row[:3] in known]
    operations = {row[:3]: known[row[:3]][1] for row in rows} if plan.shop.changeovers else {}
    setups = setups_by_sequence(plan.shop, operations, rows if operations else [])
    since, until = min((row.start for row in rows), default=0), max((row.end for row in rows), default=0)
    closed = closed_by_machine(plan.shop, since, until)
    for row in rows:
        lot, op = known[row[:3]]
        if op.fixed is not None and (row.machine, row.start) != op.fixed[:2]:
            there = f"on machine {op.fixed.machine!r} from {_at(op.fixed.start)}"
            runs = f"{_name(*row[:3])} runs on machine {row.machine!r} from {_at(row.start)}, but is fixed {there}."
            yield Violation(runs, "fixed", row)
        if row.machine not in op.alternatives:
            eligible = ", ".join(sorted(op.alternatives))
            runs = f"{_name(*row[:3])} runs on machine {row.machine!r}, but may run only on {eligible}."
            yield Violation(runs, "ineligible", row)
        else:
            by_sequence = setups.get(row, 0) if op.fixed is None else 0
            ticks = op.setup + op.alternatives[row.machine] + by_sequence
            yield from _time_violations(row, op, ticks, by_sequence, closed[row.machine])
            if row.start < available[row.machine] and op.fixed is None:
                when = f"before the machine is available at {_at(available[row.machine])}"
                starts = f"{_name(*row[:3])} starts on machine {row.machine!r} at {_at(row.start)}, {when}."
                yield Violation(starts, "not-available", row)
        if row.start < lot.release and op.fixed is None:
            starts = f"{_name(*row[:3])} starts at {_at(row.start)}, before its release at {_at(lot.release)}."
            yield Violation(starts, "not-released", row)


def _time_violations(row: Row, op: Operation, ticks: int, by_sequence: int, closed: Closed) -> Iterator[Violation]:
    """What is wrong with how long a row lasts, and with when its machine is open."""
    if not closed and row.end - row.start == ticks:  # nearly every row, and sentences take their time
        return
    name, pause = _name(*row[:3]), closed_ticks(closed, row.start, row.end)
    took = f"from {_at(row.start)} to {_at(row.end)}, {row.end - row.start - pause} ticks"
    if row.end - row.start - pause != ticks:
        takes = f"takes {ticks} there" + (f" with {by_sequence} to set the machine up" if by_sequence else "")
        besides = f" besides {pause} of closed time" if pause else ""
        runs = f"{name} runs on machine {row.machine!r} {took}{besides}, but {takes}."
        yield Violation(runs, "duration", row)
    if row.end > row.start and closed_ticks(closed, row.start, row.start + 1):
        starts = f"{name} starts on machine {row.machine!r} at {_at(row.start)}, when that is closed."
        yield Violation(starts, "closed", row)
    elif row.end > row.start and closed_ticks(closed, row.end - 1, row.end):
        ends = f"{name} ends on machine {row.machine!r} at {_at(row.end)}, when that has been closed for a while."
        yield Violation(ends, "closed", row)
    elif pause and not op.interruptible:
        runs = f"{name} runs on machine {row.machine!r} {took} besides {pause} of closed time, but must not stop."
        yield Violation(runs, "stopped", row)


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


def _route_violations(plan: LotPlan, schedule: Schedule) -> Iterator[Violation]:
    rows = {row[:3]: row for row in schedule.rows}
    for lot in plan.lots:
        route = [(op, rows.get((lot.job, lot.index, op.id))) for op in lot.operations]
        present = [(op, row) for op, row in route if row is not None]
        for (op, before), (_, after) in pairwise(present):
            if after.start < before.end + op.lag:
                lag = f" and its lag is over at {_at(before.end + op.lag)}" if op.lag else ""
                predecessor = f"its predecessor {before.operation!r} ends at {_at(before.end)}{lag}"
                starts = f"{_name(*after[:3])} starts at {_at(after.start)}, before {predecessor}."
                yield Violation(starts, "route", after)


def _overlap_violations(schedule: Schedule) -> Iterator[Violation]:
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
                starts = f"{_name(*row[:3])} starts on machine {machine!r} at {_at(row.start)}, {busy}."
                yield Violation(starts, "overlap", row)
            last = row if row.end > last.end else last


def _name(job: str, lot: int, operation: str) -> str:
    """An operation in a sentence, where lots count from 1; rows and attributes count them from 0."""
    return f"Job {job!r}, lot {lot + 1}, operation {operation!r}"


def _at(ticks: int) -> str:
    return f"{ticks} ({ticks / TICKS_PER_HOUR:.2f} h)"
