"""Faults planted into valid schedules, a kind each, and how many of them a verifier finds.

`python -m tests.oracles.planted 100000` checks so many random schedules of random shops: none may be refused, and every
fault that fits one of them has to be found.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from jaxshop.schedule import Row, Schedule, verify
from jaxshop.schedule.closed import closed_by_machine, closed_ticks
from jaxshop.shop import Lot, LotPlan, Operation
from tests.oracles.plant import DAY, earliest, set_up
from tests.plant import plant_plan, random_schedule


@dataclass
class Case:
    """A valid schedule, and what is known of it."""

    plan: LotPlan
    schedule: Schedule

    def __post_init__(self) -> None:
        rows = self.schedule.rows
        self.of = {(lot.job, lot.index, op.id): (lot, op) for lot in self.plan.lots for op in lot.operations}
        self.machines = {machine.id: machine for machine in self.plan.shop.machines}
        since, until = min(row.start for row in rows) - 30 * DAY, max(row.end for row in rows) + 30 * DAY
        self.closed = closed_by_machine(self.plan.shop, since, until)
        self.family: dict[Row, str | None] = {}
        present = {name: machine.family for name, machine in self.machines.items()}
        for row in sorted(rows, key=lambda row: row.start):
            self.family[row] = present[row.machine]
            present[row.machine] = self.operation(row).family or present[row.machine]

    def lot(self, row: Row) -> Lot:
        """The lot of a row."""
        return self.of[row[:3]][0]

    def operation(self, row: Row) -> Operation:
        """The operation of a row."""
        return self.of[row[:3]][1]

    def setup(self, row: Row) -> int:
        """Ticks of set-up by sequence in a row."""
        op = self.operation(row)
        return 0 if op.fixed else set_up(self.plan.shop, self.machines[row.machine], self.family[row], op)

    def before(self, row: Row) -> Row | None:
        """The row of the operation before in the route."""
        ids = [op.id for op in self.lot(row).operations]
        k = ids.index(row.operation)
        return next((r for r in self.schedule.rows if r[:3] == (row.job, row.lot, ids[k - 1])), None) if k else None

    def after(self, row: Row) -> Row | None:
        """The row of the operation behind in the route."""
        return next((r for r in self.schedule.rows if r[:2] == row[:2] and self.before(r) == row), None)

    def moved(self, row: Row, start: int) -> Row | None:
        """The row from another tick on, as long as it takes from there; None where it cannot begin then."""
        op, closed = self.operation(row), self.closed[row.machine]
        work = row.end - row.start - closed_ticks(closed, row.start, row.end)
        begin, end = earliest(closed, start, work, op.interruptible)
        return row._replace(start=begin, end=end) if begin == start else None

    def longer(self, row: Row, ticks: int) -> Row | None:
        """The row with so much more, or less, open time."""
        op, closed = self.operation(row), self.closed[row.machine]
        work = row.end - row.start - closed_ticks(closed, row.start, row.end) + ticks
        begin, end = earliest(closed, row.start, work, op.interruptible)
        return row._replace(end=end) if begin == row.start and work > 0 else None


Change = Callable[[Case, Row], Row | None]


def _no_stop(case: Case, row: Row) -> Row | None:
    closed = closed_ticks(case.closed[row.machine], row.start, row.end)
    return row._replace(end=row.end - closed) if closed else None


def _into_closed(case: Case, row: Row) -> Row | None:
    """Begins a tick before its machine opens."""
    closed = closed_ticks(case.closed[row.machine], row.start - 1, row.start)
    return row._replace(start=row.start - 1) if closed else None


def _out_of_closed(case: Case, row: Row) -> Row | None:
    """Is moved so that it is done when its machine closes, and ends a tick later."""
    ticks = row.end - row.start
    for a, _ in case.closed[row.machine]:
        if a > row.end and not closed_ticks(case.closed[row.machine], a - ticks, a):
            return row._replace(start=a - ticks, end=a + 1)
    return None


def _stopped(case: Case, row: Row) -> Row | None:
    """Begins so late before a closing that it has to stop, which it must not."""
    op, closed = case.operation(row), case.closed[row.machine]
    for a, b in closed:
        if not op.interruptible and a >= row.end and a - 1 not in (row.start,) and not closed_ticks(closed, a - 1, a):
            _, end = earliest(closed, a - 1, row.end - row.start, True)
            return row._replace(start=a - 1, end=end) if row.end - row.start > 1 and end > b else None
    return None


def _before_release(case: Case, row: Row) -> Row | None:
    release, op = case.lot(row).release, case.operation(row)
    return case.moved(row, release - 1) if op.fixed is None else None


def _before_available(case: Case, row: Row) -> Row | None:
    if case.operation(row).fixed is not None:
        return None
    return case.moved(row, case.machines[row.machine].available_from - 1)


def _before_predecessor(case: Case, row: Row) -> Row | None:
    before = case.before(row)
    return None if before is None or case.operation(row).fixed else case.moved(row, before.end - 1)


def _within_lag(case: Case, row: Row) -> Row | None:
    before = case.before(row)
    if before is None or not (lag := case.operation(before).lag) or case.operation(row).fixed:
        return None
    return case.moved(row, before.end + lag - 1)


def _late_for_fixed(case: Case, row: Row) -> Row | None:
    """Runs on when the fixed work behind it begins."""
    after = case.after(row)
    if after is None or case.operation(after).fixed is None or case.operation(row).fixed is not None:
        return None
    return case.moved(row, after.start - 1) if row.end - row.start > 1 else None


def _overlap(case: Case, row: Row) -> Row | None:
    for other in case.schedule.rows:
        if other.machine == row.machine and other[:3] != row[:3] and case.operation(row).fixed is None:
            return case.moved(row, other.start)
    return None


def _without_setup(case: Case, row: Row) -> Row | None:
    return case.longer(row, -ticks) if (ticks := case.setup(row)) else None


def _setup_of_a_first(case: Case, row: Row) -> Row | None:
    first = min(r.start for r in case.schedule.rows if r.machine == row.machine) == row.start
    return _without_setup(case, row) if first else None


def _half_a_setup(case: Case, row: Row) -> Row | None:
    return case.longer(row, -(ticks // 2)) if (ticks := case.setup(row)) > 1 else None


def _needless_setup(case: Case, row: Row) -> Row | None:
    op = case.operation(row)
    return case.longer(row, 1800) if op.family and op.family == case.family[row] and not op.fixed else None


def _setup_without_family(case: Case, row: Row) -> Row | None:
    return case.longer(row, 1800) if case.plan.shop.changeovers and case.operation(row).family is None else None


def _setup_of_fixed(case: Case, row: Row) -> Row | None:
    return case.longer(row, 900) if case.operation(row).fixed else None


def _fixed_later(case: Case, row: Row) -> Row | None:
    return case.moved(row, row.start + 1) if case.operation(row).fixed else None


def _fixed_elsewhere(case: Case, row: Row) -> Row | None:
    op = case.operation(row)
    others = [m for m in op.alternatives if m != row.machine]
    if op.fixed is None or not others:
        return None
    _, end = earliest(case.closed[others[0]], row.start, op.setup + op.alternatives[others[0]], op.interruptible)
    return row._replace(machine=others[0], end=end)


def _ineligible(case: Case, row: Row) -> Row | None:
    others = [name for name in case.machines if name not in case.operation(row).alternatives]
    return row._replace(machine=others[0]) if others else None


CHANGES: dict[str, Change] = {
    "another operation": lambda case, row: row._replace(operation="none"),
    "another lot": lambda case, row: row._replace(lot=row.lot + 7),
    "another job": lambda case, row: row._replace(job="none"),
    "a machine that may not run it": _ineligible,
    "an unknown machine": lambda case, row: row._replace(machine="none"),
    "a tick too long": lambda case, row: case.longer(row, 1),
    "a tick too short": lambda case, row: case.longer(row, -1),
    "a start too early": lambda case, row: row._replace(start=row.start - 1),
    "a start too late": lambda case, row: row._replace(start=row.start + 1),
    "before its release": _before_release,
    "before its machine is available": _before_available,
    "before its predecessor ends": _before_predecessor,
    "before the lag is over": _within_lag,
    "too late for fixed work": _late_for_fixed,
    "two at once": _overlap,
    "a start in closed time": _into_closed,
    "an end in closed time": _out_of_closed,
    "work in closed time": _no_stop,
    "a stop that may not be": _stopped,
    "no set-up": _without_setup,
    "no set-up of a machine's first": _setup_of_a_first,
    "half a set-up": _half_a_setup,
    "a set-up within a family": _needless_setup,
    "a set-up without a family": _setup_without_family,
    "a set-up of fixed work": _setup_of_fixed,
    "fixed work later": _fixed_later,
    "fixed work elsewhere": _fixed_elsewhere,
}
"""Kinds of a row that is wrong."""

WHOLE: dict[str, Callable[[Schedule], Schedule]] = {
    "a row missing": lambda schedule: replace(schedule, rows=schedule.rows[1:]),
    "a row twice": lambda schedule: replace(schedule, rows=(*schedule.rows, schedule.rows[0])),
    "another shop": lambda schedule: replace(schedule, fingerprint="0"),
    "other lots": lambda schedule: replace(schedule, max_lot_hours=1e4),
    "another makespan": lambda schedule: replace(schedule, claimed_hours=schedule.makespan / 3600 + 1),
}
"""Kinds of a schedule that is wrong as a whole."""

SAYS = {
    "a machine that may not run it": "may run only on",
    "a tick too long": "but takes",
    "a tick too short": "but takes",
    "before its release": "before its release",
    "before its machine is available": "before the machine is available",
    "before its predecessor ends": "before its predecessor",
    "before the lag is over": "lag is over at",
    "too late for fixed work": "before its predecessor",
    "two at once": "before Job",
    "a start in closed time": "when that is closed",
    "an end in closed time": "has been closed for a while",
    "work in closed time": "of closed time, but takes",
    "a stop that may not be": "must not stop",
    "no set-up": "to set the machine up",
    "no set-up of a machine's first": "to set the machine up",
    "half a set-up": "to set the machine up",
    "fixed work later": "but is fixed",
    "fixed work elsewhere": "but is fixed",
    "a row missing": "is not scheduled",
    "a row twice": "is scheduled 2 times",
}
"""What some violation says of a kind."""

HELD = 3
"""Of so many shops in a row one has no work that is fixed behind free work; the others are to have 1, 2, ... such."""

KINDS = (*CHANGES, *WHOLE)


def planted(plan: LotPlan, schedule: Schedule, rng: np.random.Generator) -> Iterator[tuple[str, Schedule]]:
    """One fault of each kind that fits the schedule."""
    case = Case(plan, schedule)
    for kind, change in CHANGES.items():
        for i in rng.permutation(len(schedule.rows)).tolist():
            row = change(case, schedule.rows[i])
            if row is not None and row != schedule.rows[i]:
                yield kind, replace(schedule, rows=(*schedule.rows[:i], row, *schedule.rows[i + 1 :]))
                break
    for kind, whole in WHOLE.items():
        yield kind, whole(schedule)


def check(schedules: int, each: int = 4, first: int = 0) -> tuple[Counter[str], list[str]]:
    """How many faults of each kind were planted into so many schedules, and what a verifier got wrong."""
    counts: Counter[str] = Counter()
    wrong = []
    for number in range(first, first + schedules):
        if number % each == 0:
            plan = plant_plan(number // each, held=number // each % HELD)
        schedule = random_schedule(plan, number)
        if violations := verify(plan, schedule):
            wrong.append(f"{number}: a valid schedule is refused: {violations[0]}")
        for kind, spoilt in planted(plan, schedule, np.random.default_rng(number)) if number % each == 0 else ():
            counts[kind] += 1
            if not any(SAYS.get(kind, "") in violation for violation in verify(plan, spoilt)):
                wrong.append(f"{number}: {kind} is not found")
    return counts, wrong


def main(schedules: int, part: int = 1000) -> int:
    """Check part by part and say after each what was found so far; returns the exit code."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for first in range(0, schedules, part):
        found, faults = check(min(part, schedules - first), first=first)
        counts, wrong = counts + found, wrong + faults
        done = min(first + part, schedules)
        told = f"{done} schedules, {sum(counts.values())} faults of {len(counts)} kinds, {len(wrong)} wrong"
        print(told, *faults[:20], sep="\n", flush=True)
    print(", ".join(f"{kind}: {counts[kind]}" for kind in KINDS))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
