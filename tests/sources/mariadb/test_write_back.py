"""Schedules go back into the database once, whole, and under the writer's account."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest

from jaxshop.bounds import certify
from jaxshop.schedule import Row, Schedule
from jaxshop.search.solver import Solution
from jaxshop.search.types import Incumbent
from jaxshop.shop import Provenance, fingerprint, split_lots
from jaxshop.sources.mariadb.reader import read_shop
from jaxshop.sources.mariadb.results import write_back
from jaxshop.sources.mariadb.writer import init
from jaxshop.support.errors import ShopError


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
    assert write_back(plan, schedule, "checkpoint-7").written
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
    assert write_back(plan, schedule, "c").written
    before = site.sql("SELECT * FROM schedules")
    assert not write_back(plan, replace(schedule, rows=schedule.rows[::-1]), "c").written
    assert (count(site), site.sql("SELECT * FROM schedules")) == ([1, 3], before)
    assert write_back(plan, schedule, "d").written
    assert write_back(plan, schedule, None).written
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
    """`jaxshop solve mariadb: --write-back` stores what it wrote to the file, once, and says which it did."""
    site, *_ = solved
    words = ["solve", "mariadb:", "--rule", "MWKR", "--out", str(tmp_path / "schedule.json"), "--write-back"]
    for said in ("schedule.json and the database\n", "schedule.json; the database holds it already\n"):
        ended = jaxshop(*words)
        assert ended.code == 0, ended.err
        assert ended.out.endswith(said)
        assert count(site) == [1, 3]
    assert json.loads(jaxshop(*words, "--json").out)["stored"] is False
    ((*stored, options),) = site.sql("SELECT shop_fingerprint, checkpoint_id, options FROM schedules")
    assert stored == [fingerprint(read_shop()), "rule:MWKR"]
    asked = {name: value for name, value in json.loads(options).items() if value}
    assert asked == {"rule": "MWKR"}


def test_solve_by_a_policy_stores_its_checkpoint(solved, jaxshop, tmp_path, monkeypatch) -> None:
    """The checkpoint id is that of the policy: the sha256 of its weights."""
    site, plan, schedule = solved
    incumbent = Incumbent(schedule, schedule.makespan, "policy:greedy", 0.0, 1)
    found = Solution(schedule, "policy:greedy", certify(plan), 0, 0.0, 1, (incumbent,))
    monkeypatch.setattr("jaxshop.search.solver.solve", lambda *_, **__: found)  # spares its compilation
    monkeypatch.setattr("jaxshop.policies.checkpoint.load_policy", lambda _: SimpleNamespace(id="5ee7" * 16))
    assert (
        jaxshop("solve", "mariadb:", "--time-limit", "0", "--out", str(tmp_path / "schedule.json"), "--write-back").code
        == 0
    )
    assert site.sql("SELECT checkpoint_id FROM schedules") == [("5ee7" * 16,)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"WRITER_USER": ""}, "set JAXSHOP_DB_WRITER_USER and JAXSHOP_DB_WRITER_PASSWORD"),
        ({"WRITER_PASSWORD": "wrong"}, "check JAXSHOP_DB_WRITER_USER and JAXSHOP_DB_WRITER_PASSWORD"),
        ("DROP TABLE scheduled_operations", "scheduled_operations: the writer sees no such table: bring the tables"),
    ],
)
def test_what_hinders_the_writer_is_found_before_the_search(solved, jaxshop, monkeypatch, tmp_path, change, said):
    """Without the writer's account or tables nothing is searched for and no file written: exit 2, one line."""
    site, *_ = solved
    if isinstance(change, str):
        site.sql(change)
    else:
        for name, value in change.items():
            monkeypatch.setenv(f"JAXSHOP_DB_{name}", value)
    ended = jaxshop("solve", "mariadb:", "--out", str(tmp_path / "schedule.json"), "--write-back")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err
    assert not (tmp_path / "schedule.json").exists()


@pytest.mark.parametrize("shop", ["reference", "snapshot.json"])
def test_only_what_is_read_from_the_database_goes_back(solved, jaxshop, monkeypatch, tmp_path, shop: str) -> None:
    """A schedule of any other shop, even of a snapshot, is refused before anything is done."""
    site, *_ = solved
    monkeypatch.chdir(tmp_path)
    assert jaxshop("db", "snapshot", "snapshot.json").code == 0
    ended = jaxshop("solve", shop, "--out", "schedule.json", "--write-back")
    assert (ended.code, ended.err) == (2, f"error: --write-back: the shop must be mariadb:, not {shop}\n")
    assert count(site) == [0, 0]


def test_a_made_up_shop_is_not_stored(solved) -> None:
    """In Python, too, only the schedule of real data is stored."""
    site, plan, schedule = solved
    made_up = replace(plan, shop=replace(plan.shop, provenance=Provenance("mariadb")))
    with pytest.raises(ShopError, match="does not come from the database: not stored"):
        write_back(made_up, schedule, "c")
    assert count(site) == [0, 0]


def test_a_plan_beyond_the_calendar_is_refused(solved, monkeypatch) -> None:
    """A plan start from which a plan could end after the year 9999 is one line as it is read, not a traceback."""
    monkeypatch.setenv("JAXSHOP_DB_PLAN_START", "9999-12-31T23:00:00Z")
    with pytest.raises(ShopError, match="plan_start: must be of the years 1971 to 2199"):
        read_shop()
