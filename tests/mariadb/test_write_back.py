"""Schedules go back into the database once, whole, and under the writer's account."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from jaxshop.lots import split_lots
from jaxshop.schedule import Row, Schedule
from jaxshop.shop import ShopError, fingerprint
from jaxshop.sources.mariadb import read_shop
from jaxshop.sources.mariadb_write import init, write_back


@pytest.fixture
def solved(loose):
    """The loose tables, the tables for results, and a schedule that is valid."""
    init(results_only=True)
    loose.sql("DELETE FROM machines WHERE machine_id = 'M3'")
    plan = split_lots(read_shop(), None)
    rows = (
        Row("A", 0, "A/1", "M2", 0, 8100),
        Row("A", 0, "A/2", "M2", 8100, 9900),
        Row("B", 0, "B/1", "M1", 0, 10_800),
    )
    return loose, plan, Schedule(fingerprint(plan.shop), None, rows)


def count(site) -> list[int]:
    """Return the number of schedules and of scheduled operations."""
    return [site.sql(f"SELECT COUNT(*) FROM {table}")[0][0] for table in ("schedules", "scheduled_operations")]


def test_schedule_is_stored_as_dates(solved) -> None:
    """Head and operations are there, in UTC, with fingerprint and checkpoint."""
    site, plan, schedule = solved
    assert write_back(plan, schedule, "checkpoint-7")
    head = site.sql("SELECT shop_fingerprint, checkpoint_id, max_lot_hours, plan_start, makespan_h FROM schedules")
    assert head == [(fingerprint(plan.shop), "checkpoint-7", None, datetime(2026, 11, 23, 6), 3)]
    rows = site.sql(
        "SELECT job_id, lot, operation_id, machine_id, start_at, end_at FROM scheduled_operations ORDER BY operation_id"
    )
    assert rows[1] == ("A", 0, "A/2", "M2", datetime(2026, 11, 23, 8, 15), datetime(2026, 11, 23, 8, 45))
    assert len(rows) == 3


def test_identical_write_is_a_no_op(solved) -> None:
    """The same schedule again, in any order of rows, changes nothing; another checkpoint's is another."""
    site, plan, schedule = solved
    assert write_back(plan, schedule, "c")
    before = site.sql("SELECT * FROM schedules")
    assert not write_back(plan, replace(schedule, rows=schedule.rows[::-1]), "c")
    assert (count(site), site.sql("SELECT * FROM schedules")) == ([1, 3], before)
    assert write_back(plan, schedule, "d")
    assert write_back(plan, schedule, None)
    assert count(site) == [3, 9]


def test_all_or_nothing(solved) -> None:
    """Where the operations cannot be stored, neither is the schedule."""
    site, plan, schedule = solved
    site.sql("ALTER TABLE scheduled_operations MODIFY machine_id VARCHAR(1) NOT NULL")
    with pytest.raises(ShopError, match="scheduled_operations: Data too long for column 'machine_id'"):
        write_back(plan, schedule, "c")
    assert count(site) == [0, 0]


def test_reader_may_not_write_results(solved, monkeypatch) -> None:
    """With the reader's account in the writer's place the server refuses."""
    site, plan, schedule = solved
    monkeypatch.setenv("JAXSHOP_DB_WRITER_USER", "shop_reader")
    monkeypatch.setenv("JAXSHOP_DB_WRITER_PASSWORD", "r34d-only")
    with pytest.raises(ShopError, match=r"INSERT command denied.*GRANT"):
        write_back(plan, schedule, "c")
    assert count(site) == [0, 0]


def test_invalid_schedule_is_not_stored(solved) -> None:
    """What the verifier does not accept never reaches the database."""
    site, plan, schedule = solved
    with pytest.raises(ShopError, match="not stored, since it is not valid: Job 'B'"):
        write_back(plan, replace(schedule, rows=schedule.rows[:2]), "c")
    assert count(site) == [0, 0]


def test_solve_writes_back(solved, jaxshop, tmp_path) -> None:
    """`jaxshop solve mariadb: --write-back` stores what it wrote to the file, once."""
    site, *_ = solved
    for _ in range(2):
        out = str(tmp_path / "schedule.json")
        ended = jaxshop("solve", "mariadb:", "--rule", "MWKR", "--out", out, "--write-back")
        assert ended.code == 0, ended.err
        assert count(site) == [1, 3]
