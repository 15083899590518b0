"""What a new plan changes, and why it is late where it is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from jaxshop.schedule.closed import closed_by_machine, closed_ticks
from jaxshop.schedule.happened import Past, by_start
from jaxshop.schedule.records import Row, Schedule
from jaxshop.schedule.verify import setups_by_sequence
from jaxshop.shop import TICKS_PER_HOUR, LotPlan


@dataclass(frozen=True)
class Change:
    """A row that was planned otherwise."""

    before: Row
    after: Row

    @property
    def later(self) -> int:
        """Ticks by which it starts later; negative: earlier."""
        return self.after.start - self.before.start

    @property
    def elsewhere(self) -> bool:
        """Whether its machine is another one."""
        return self.after.machine != self.before.machine


def changes_of(past: Past, schedule: Schedule) -> list[Change]:
    """The rows that start at another tick or on another machine than planned, those moved furthest first."""
    pairs = ((past.planned.get(row[:3]), row) for row in schedule.rows)
    found = [Change(before, row) for before, row in pairs if before is not None]
    moved = [change for change in found if change.later or change.elsewhere]
    return sorted(moved, key=lambda change: (-abs(change.later), change.after))


def disturbance(changes: list[Change]) -> int:
    """Ticks by which rows were moved, earlier or later, and an hour for each that goes to another machine."""
    return sum(abs(change.later) + TICKS_PER_HOUR * change.elsewhere for change in changes)


def changes_to_json(past: Past, changes: list[Change]) -> dict[str, Any]:
    """How many operations moved, by how many hours in all, which, and what became of work that had begun."""
    return {
        "moved": len(changes),
        "machine_changed": sum(change.elsewhere for change in changes),
        "later_hours": sum(max(0, change.later) for change in changes) / TICKS_PER_HOUR,
        "earlier_hours": sum(max(0, -change.later) for change in changes) / TICKS_PER_HOUR,
        "list": [
            {
                **dict(zip(("job", "lot", "operation"), change.after[:3], strict=True)),
                "machine": change.after.machine,
                "machine_before": change.before.machine,
                "start": change.after.start,
                "start_before": change.before.start,
                "later_hours": change.later / TICKS_PER_HOUR,
            }
            for change in changes
        ],
        "stopped": [_row_to_json(row) for row in past.stopped],
        "restarted": [_row_to_json(row) for row in past.restarted],
        "ended": [_row_to_json(row) for row in past.ended],
        "not_kept": [_row_to_json(row) for row in past.loosened],
        "added": [job.id for job in past.events.add],
        "dropped": list(past.events.drop),
    }


def _row_to_json(row: Row) -> dict[str, Any]:
    return row._asdict()


def why_late(plan: LotPlan, schedule: Schedule) -> list[dict[str, Any]]:
    """For each job that is late, the latest first: by how many hours, and what the time until then went into.

    Of the job's lot that is done last, from the plan start, or from its first start before that, on. Where a lot waits
    for a machine, the work that the machine does meanwhile is the last before it.

    Returns:
        `job, late_hours, due_hours, end_hours` and `reasons`: a list of `what` (`work`, `set-up`, `waits for machine`,
        `closed time`, `lag`, `release`, `held back`: nothing was in its way), `hours`, and where it waits for a machine
        `machine` and `behind`, the operation before it; the longest first.
    """
    ends = schedule.job_ends
    late = [job for job in plan.shop.jobs if job.due is not None and ends.get(job.id, job.due) > job.due]
    if not late:
        return []
    operations = {(lot.job, lot.index, op.id): op for lot in plan.lots for op in lot.operations}
    lots = {(lot.job, lot.index): lot for lot in plan.lots}
    rows, before = sorted(schedule.rows, key=by_start), {}
    last: dict[str, Row] = {}
    routes: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        before[row[:3]], last[row.machine] = last.get(row.machine), row
        routes[row[:2]].append(row)
    setups = setups_by_sequence(plan.shop, operations, rows)
    closed = closed_by_machine(plan.shop, min(0, rows[0].start), schedule.makespan)
    found = []
    for job in late:
        route = max((rows for key, rows in routes.items() if key[0] == job.id), key=lambda rows: rows[-1].end)
        time: dict[tuple[str, str, str], int] = defaultdict(int)
        ready = min(0, route[0].start)
        if route[0].start > ready:
            time["release", "", ""] = min(lots[route[0][:2]].release, route[0].start) - ready
            ready += time["release", "", ""]
        for row in route:
            op, spans, ahead = operations[row[:3]], closed[row.machine], before[row[:3]]
            busy = max(ready, min(row.start, ahead.end)) if ahead is not None else ready
            shut = closed_ticks(spans, ready, row.start)
            waited = busy - ready - closed_ticks(spans, ready, busy)
            if ahead is not None:
                time["waits for machine", row.machine, ahead.operation] += waited
            time["held back", "", ""] += row.start - ready - shut - (waited if ahead is not None else 0)
            pause = closed_ticks(spans, row.start, row.end)
            time["closed time", "", ""] += shut + pause
            setup = op.setup + (0 if op.fixed else setups[row])
            time["set-up", "", ""] += setup
            time["work", "", ""] += row.end - row.start - pause - setup
            ready = row.end
            if row is not route[-1]:
                time["lag", "", ""] += op.lag
                ready += op.lag
        reasons = [
            {"what": what, "hours": ticks / TICKS_PER_HOUR}
            | ({"machine": machine, "behind": behind} if machine else {})
            for (what, machine, behind), ticks in sorted(time.items(), key=lambda item: (-item[1], item[0]))
            if ticks
        ]
        assert job.due is not None
        found.append(
            {
                "job": job.id,
                "late_hours": (ends[job.id] - job.due) / TICKS_PER_HOUR,
                "due_hours": job.due / TICKS_PER_HOUR,
                "end_hours": ends[job.id] / TICKS_PER_HOUR,
                "reasons": reasons,
            }
        )
    return sorted(found, key=lambda each: (-each["late_hours"], each["job"]))
