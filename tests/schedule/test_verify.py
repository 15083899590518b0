"""The verifier, the key figures and the schedule file."""

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.schedule import Row, Schedule, kpis, verify
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, fingerprint, split_lots

HOUR = 3600


def list_schedule(plan: LotPlan) -> Schedule:
    """Lot after lot, each operation on its first alternative, as soon as lot and machine are free."""
    free = {machine.id: machine.available_from for machine in plan.shop.machines}
    rows = []
    for lot in plan.lots:
        ready = lot.release
        for op in lot.operations:
            machine, ticks = next(iter(op.alternatives.items()))
            start = max(ready, free[machine])
            ready = free[machine] = start + op.setup + ticks
            rows.append(Row(lot.job, lot.index, op.id, machine, start, ready))
    return Schedule(fingerprint(plan.shop), plan.max_lot_hours, tuple(rows))


def factory() -> LotPlan:
    """Two jobs, the first in two lots, on three machines of two work centres."""
    shop = Shop(
        "factory",
        (Machine("A", "press", available_from=HOUR), Machine("B", "press"), Machine("C")),
        (
            Job(
                "J1",
                (Operation("a", {"A": 4 * HOUR, "B": 6 * HOUR}, HOUR), Operation("b", {"C": 2 * HOUR})),
                due=0,
            ),
            Job("J2", (Operation("c", {"B": 3 * HOUR}),), release=2 * HOUR, due=6 * HOUR, weight=3.0),
        ),
    )
    return split_lots(shop, 6)


PLAN = factory()
VALID = list_schedule(PLAN)
"""A and C run J1's lots from hour 1 to 8, B runs J2 from hour 2 to 5."""


def changed(index: int, **values: object) -> Schedule:
    """The valid schedule with one row changed."""
    rows = list(VALID.rows)
    rows[index] = rows[index]._replace(**values)
    return dataclasses.replace(VALID, rows=tuple(rows))


def test_a_valid_schedule_has_no_violations():
    """The rows that the other tests spoil are the ones expected, and valid."""
    assert [(*row[:4], row.start // HOUR, row.end // HOUR) for row in VALID.rows] == [
        ("J1", 0, "a", "A", 1, 4),
        ("J1", 0, "b", "C", 4, 5),
        ("J1", 1, "a", "A", 4, 7),
        ("J1", 1, "b", "C", 7, 8),
        ("J2", 0, "c", "B", 2, 5),
    ]
    assert verify(PLAN, VALID) == []
    assert verify(PLAN, dataclasses.replace(VALID, claimed_hours=8.0)) == []


@pytest.mark.parametrize(
    ("schedule", "sentences"),
    [
        (
            dataclasses.replace(VALID, rows=VALID.rows[:4]),
            ["Job 'J2', lot 1, operation 'c' is not scheduled."],
        ),
        (
            dataclasses.replace(VALID, rows=(*VALID.rows, VALID.rows[4]._replace(start=36000, end=46800))),
            ["Job 'J2', lot 1, operation 'c' is scheduled 2 times."],
        ),
        (
            dataclasses.replace(VALID, rows=(*VALID.rows, Row("J2", 1, "c", "B", 36000, 46800))),
            ["Job 'J2', lot 2, operation 'c' is scheduled, but there is no such operation."],
        ),
        (
            changed(4, machine="A", start=40000, end=50800),
            ["Job 'J2', lot 1, operation 'c' runs on machine 'A', but may run only on B."],
        ),
        (
            changed(4, machine="nowhere"),
            ["Job 'J2', lot 1, operation 'c' runs on machine 'nowhere', but may run only on B."],
        ),
        (
            changed(4, end=5 * HOUR + 1),
            [
                "Job 'J2', lot 1, operation 'c' runs on machine 'B' from 7200 (2.00 h) to 18001 (5.00 h), "
                "10801 ticks, but takes 10800 there."
            ],
        ),
        (
            changed(2, machine="B", start=5 * HOUR, end=8 * HOUR),
            [
                "Job 'J1', lot 2, operation 'a' runs on machine 'B' from 18000 (5.00 h) to 28800 (8.00 h), "
                "10800 ticks, but takes 14400 there.",
                "Job 'J1', lot 2, operation 'b' starts at 25200 (7.00 h), "
                "before its predecessor 'a' ends at 28800 (8.00 h).",
            ],
        ),
        (
            changed(4, start=2 * HOUR - 1, end=5 * HOUR - 1),
            ["Job 'J2', lot 1, operation 'c' starts at 7199 (2.00 h), before its release at 7200 (2.00 h)."],
        ),
        (
            changed(0, start=HOUR - 1, end=4 * HOUR - 1),
            [
                "Job 'J1', lot 1, operation 'a' starts on machine 'A' at 3599 (1.00 h), "
                "before the machine is available at 3600 (1.00 h)."
            ],
        ),
        (
            changed(3, start=7 * HOUR - 1, end=8 * HOUR - 1),
            [
                "Job 'J1', lot 2, operation 'b' starts at 25199 (7.00 h), "
                "before its predecessor 'a' ends at 25200 (7.00 h)."
            ],
        ),
        (
            changed(2, start=4 * HOUR - 1, end=7 * HOUR - 1),
            [
                "Job 'J1', lot 2, operation 'a' starts on machine 'A' at 14399 (4.00 h), "
                "before Job 'J1', lot 1, operation 'a' ends there at 14400 (4.00 h)."
            ],
        ),
        (
            dataclasses.replace(VALID, claimed_hours=7.99),
            ["The stated makespan is 7.99 h, but the last operation ends at 28800 (8.00 h)."],
        ),
        (
            dataclasses.replace(VALID, fingerprint="0123"),
            [f"The schedule is for shop '0123', not for 'factory', {VALID.fingerprint!r}."],
        ),
        (
            dataclasses.replace(VALID, max_lot_hours=None),
            ["The schedule is for whole jobs, not for lots of at most 6 h."],
        ),
    ],
)
def test_each_violation_is_one_sentence(schedule: Schedule, sentences: list[str]):
    """A schedule that breaks one rule is told so, with job, lot, operation, machine and times."""
    assert verify(PLAN, schedule) == sentences


def test_an_overlap_is_found_behind_a_short_operation():
    """A long operation blocks its machine also for what comes after a shorter one that it overlaps."""
    times = {"long": (0, 10), "short": (2, 3), "late": (5, 6)}
    jobs = tuple(Job(name, (Operation(name, {"A": end - start}),)) for name, (start, end) in times.items())
    plan = split_lots(Shop("x", (Machine("A"),), jobs), None)
    rows = tuple(Row(name, 0, name, "A", start, end) for name, (start, end) in times.items())
    violations = verify(plan, Schedule(fingerprint(plan.shop), None, rows))
    assert ["'short'" in violations[0], "'late'" in violations[1]] == [True, True]
    assert all("before Job 'long'" in violation for violation in violations)


@pytest.mark.parametrize(("moment", "violations"), [(0, 0), (1, 1), (9, 1), (10, 0)])
def test_operations_of_no_time_fit_between_others(moment: int, violations: int):
    """What takes no time may stand where another begins or ends, not inside; row order is no matter."""
    jobs = (Job("long", (Operation("long", {"A": 10}),)), Job("none", (Operation("none", {"A": 0}),)))
    plan = split_lots(Shop("x", (Machine("A"),), jobs, unit="ticks"), None)
    rows = (Row("long", 0, "long", "A", 0, 10), Row("none", 0, "none", "A", moment, moment))
    for order in (rows, rows[::-1]):
        assert len(verify(plan, Schedule(fingerprint(plan.shop), None, order))) == violations


def test_an_empty_schedule_misses_everything():
    """No rows are no crash: each operation is reported missing."""
    empty = dataclasses.replace(VALID, rows=())
    assert len(verify(PLAN, empty)) == 5
    assert kpis(PLAN, empty, 100)["completion"] == 0


@st.composite
def nearly_valid(draw) -> tuple[LotPlan, Schedule]:
    """A tiny shop whose operations may take no time, and its list schedule, perhaps with some rows moved."""
    machines = tuple(Machine(name, None, draw(st.integers(0, 2))) for name in "AB")
    jobs = []
    for j in range(draw(st.integers(1, 3))):
        alternatives = st.dictionaries(st.sampled_from("AB"), st.integers(0, 3), min_size=1)
        route = draw(st.lists(st.tuples(alternatives, st.integers(0, 1)), min_size=1, max_size=3))
        operations = tuple(Operation(f"{j}/{k}", *step) for k, step in enumerate(route))
        jobs.append(Job(f"{j}", operations, release=draw(st.integers(0, 2))))
    plan = split_lots(Shop("tiny", machines, tuple(jobs), unit="ticks"), None)
    schedule = list_schedule(plan)
    rows = list(schedule.rows)
    for _ in range(draw(st.integers(0, 2))):
        i, shift = draw(st.integers(0, len(rows) - 1)), draw(st.integers(-3, 3))
        row = rows[i]._replace(start=rows[i].start + shift, end=rows[i].end + shift)
        rows[i] = draw(st.sampled_from([row, row._replace(machine="A"), row._replace(end=row.end + 1)]))
    return plan, dataclasses.replace(schedule, rows=tuple(draw(st.permutations(rows))))


def obeys_every_rule(plan: LotPlan, schedule: Schedule) -> bool:
    """Judge by what each machine does at every half tick, not by comparing intervals as the verifier does."""
    rows = {(row.job, row.operation): row for row in schedule.rows}
    available = {machine.id: machine.available_from for machine in plan.shop.machines}
    inside: list[tuple[str, float]] = []
    for job in plan.shop.jobs:
        ready = job.release
        for op in job.operations:
            row = rows[job.id, op.id]
            if row.machine not in op.alternatives or row.start < max(ready, available[row.machine]):
                return False
            if row.end - row.start != op.setup + op.alternatives[row.machine]:
                return False
            inside += [(row.machine, row.start + step / 2) for step in range(1, 2 * (row.end - row.start))]
            ready = row.end
    moments = [(row.machine, row.start) for row in schedule.rows if row.start == row.end]
    return len(set(inside)) == len(inside) and not set(moments) & set(inside)


@settings(max_examples=300)
@given(nearly_valid())
def test_the_verifier_agrees_with_a_check_of_every_moment(case: tuple[LotPlan, Schedule]):
    """On tiny schedules, valid or spoilt, with operations of no time, two independent judges agree."""
    plan, schedule = case
    assert (verify(plan, schedule) == []) == obeys_every_rule(plan, schedule)


def test_the_order_of_rows_is_free():
    """Rows may be written in any order."""
    rows = list(VALID.rows)
    random.Random(0).shuffle(rows)
    assert verify(PLAN, dataclasses.replace(VALID, rows=tuple(rows))) == []


def test_key_figures():
    """All figures of the example, computed by hand: 9 h of work on A and B, and 2 h on C, until hour 8."""
    assert kpis(PLAN, VALID, 5 * HOUR) == {
        "makespan_hours": 8.0,
        "lower_bound_hours": 5.0,
        "gap_percent": 60.0,
        "completion": 1.0,
        "utilisation": {"C": 2 / 8, "press": 9 / 16},
        "setups": None,
        "lateness": {
            "jobs_with_due": 2,
            "late_jobs": 1,
            "max_tardiness_hours": 8.0,
            "total_tardiness_hours": 8.0,
            "weighted_tardiness_hours": 8.0,
            "jobs": [{"job": "J1", "tardiness_hours": 8.0}],
        },
    }


def test_lateness_is_weighted_and_of_the_last_lot():
    """A job is late from its due date to the end of its last lot; weights count in one of the sums only."""
    j1, j2 = PLAN.shop.jobs
    shop = dataclasses.replace(
        PLAN.shop, jobs=(dataclasses.replace(j1, due=7 * HOUR), dataclasses.replace(j2, due=-HOUR))
    )
    lateness = kpis(split_lots(shop, 6), VALID, 1)["lateness"]
    assert lateness == {
        "jobs_with_due": 2,
        "late_jobs": 2,
        "max_tardiness_hours": 6.0,
        "total_tardiness_hours": 7.0,
        "weighted_tardiness_hours": 1.0 + 3 * 6.0,
        "jobs": [{"job": "J2", "tardiness_hours": 6.0}, {"job": "J1", "tardiness_hours": 1.0}],
    }
    undated = dataclasses.replace(shop, jobs=tuple(dataclasses.replace(job, due=None) for job in shop.jobs))
    assert kpis(split_lots(undated, 6), VALID, 1)["lateness"] is None


def test_a_job_counts_as_complete_only_with_all_lots():
    """Leaving out one operation of one lot of two jobs completes half of the jobs."""
    assert kpis(PLAN, dataclasses.replace(VALID, rows=VALID.rows[1:]), 1)["completion"] == 0.5


def test_a_bound_of_nothing_has_no_gap():
    """A shop whose operations take no time has bound 0, over which no percentage exists."""
    assert kpis(PLAN, VALID, 0)["gap_percent"] is None
