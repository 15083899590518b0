"""Plans are drafts until one is released; two who release at once do not both win."""

from __future__ import annotations

import getpass
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from unittest.mock import Mock

import pytest

from jaxshop.cli.main import main
from jaxshop.schedule import Row, Schedule
from jaxshop.shop import fingerprint, split_lots
from jaxshop.sources.mariadb import connection, results
from jaxshop.sources.mariadb.reader import read_shop
from jaxshop.sources.mariadb.results import (
    About,
    ReleaseConflictError,
    UnknownScheduleError,
    check_write_back,
    release,
    write_back,
)
from jaxshop.sources.mariadb.settings import load_settings
from jaxshop.sources.mariadb.writer import init, schema, upgrade
from jaxshop.support.errors import ShopError

ROWS = (Row("A", 0, "A/1", "M2", 0, 8100), Row("A", 0, "A/2", "M2", 8100, 9900), Row("B", 0, "B/1", "M1", 0, 10_800))

EARLIER = (
    "CREATE TABLE schedules (schedule_id CHAR(64) NOT NULL PRIMARY KEY COMMENT 'sha256 of everything stored about it', "
    "shop_fingerprint CHAR(64) NOT NULL, checkpoint_id VARCHAR(255) NULL COMMENT 'or the rule that made it', "
    "max_lot_hours DOUBLE NULL COMMENT 'NULL: whole jobs', plan_start DATETIME NOT NULL, "
    "makespan_h DECIMAL(12,6) NOT NULL, created_at DATETIME NOT NULL) "
    "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    "CREATE TABLE scheduled_operations (schedule_id CHAR(64) NOT NULL, job_id VARCHAR(64) NOT NULL, lot INT NOT NULL, "
    "operation_id VARCHAR(96) NOT NULL, machine_id VARCHAR(64) NOT NULL, start_at DATETIME NOT NULL, "
    "end_at DATETIME NOT NULL, PRIMARY KEY (schedule_id, operation_id, lot), "
    "KEY scheduled_by_machine (schedule_id, machine_id, start_at), "
    "FOREIGN KEY (schedule_id) REFERENCES schedules (schedule_id) ON DELETE CASCADE) "
    "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
)
"""The tables of results of the first version."""


@pytest.fixture
def draft(loose):
    """`draft(name)` stores a plan under a name and returns its id; the site and the plan are its attributes."""
    init(results_only=True)
    loose.sql("DELETE FROM machines WHERE machine_id = 'M3'", "UPDATE jobs SET due_at = '2026-11-23 08:00:00'")
    plan = split_lots(read_shop(), None)

    def store(name: str) -> str:
        about = About(9000, {"seed": 1}, "ann")
        return write_back(plan, Schedule(fingerprint(plan.shop), None, ROWS), name, about=about).schedule_id

    store.site, store.plan = loose, plan
    return store


def test_a_plan_tells_what_it_is(draft) -> None:
    """Status, objective, bound, gap, late jobs, options, author, and the parts of each lot."""
    draft("rule:MWKR")
    columns = "status, objective_h, lower_bound_h, gap_percent, late_jobs, options, author, based_on, released_by"
    ((*figures, options, author, based_on, by),) = draft.site.sql(f"SELECT {columns} FROM schedules")
    assert [figures[0], *map(float, figures[1:])] == ["draft", 3, 2.5, 20, 2]
    assert (json.loads(options), author, based_on, by) == ({"seed": 1}, "ann", None, None)
    quantities = draft.site.sql("SELECT operation_id, quantity FROM scheduled_operations ORDER BY operation_id")
    assert quantities == [("A/1", 10), ("A/2", 10), ("B/1", None)]


def test_one_plan_is_released_and_the_next_supersedes_it(draft) -> None:
    """The views show the released plan; the one before it stays as history; a draft of before is refused."""
    first, old = draft("first"), draft("old")
    assert draft.site.sql("SELECT * FROM current_plan") == []
    assert release(first, "bob") == (first, None)
    second = draft("second")
    for id, said in ((first, "is released, not a draft"), (old, f"say that it replaces {first}")):
        with pytest.raises(ReleaseConflictError, match=said):
            release(id, "bob")
    with pytest.raises(ReleaseConflictError, match="is not released"):
        release(old, "bob", replaces=old)
    assert release(second, "eve") == (second, first)
    assert release(old, "eve", replaces=second) == (old, second)
    states = dict(draft.site.sql("SELECT checkpoint_id, status FROM schedules"))
    assert states == {"first": "superseded", "second": "superseded", "old": "released"}
    plan = draft.site.sql("SELECT schedule_id, operation_id, start_utc, plan_start_utc, released_by FROM current_plan")
    assert {row[0] for row in plan} == {old}
    assert sorted(plan)[1][1:] == ("A/2", datetime(2026, 11, 23, 8, 15), datetime(2026, 11, 23, 6), "eve")
    listed = draft.site.sql("SELECT machine_id, position, operation_id, quantity FROM dispatch_list ORDER BY 1, 2")
    assert listed == [("M1", 1, "B/1", None), ("M2", 1, "A/1", 10), ("M2", 2, "A/2", 10)]
    with pytest.raises(UnknownScheduleError):
        release("0" * 64, "eve")


@pytest.mark.parametrize("same", [True, False])
def test_of_many_who_release_at_once_one_wins(draft, same: bool, monkeypatch) -> None:
    """The same draft or each another one, a plan released before or not; and no second attempt hides a deadlock."""
    monkeypatch.setattr(results, "ATTEMPTS", 1)
    for round in range(6):
        if round % 2:
            draft.site.sql("DELETE FROM schedules")
        drafts = [draft(f"{round}/{0 if same else i}") for i in range(4)]

        def attempt(id: str) -> bool:
            try:
                release(id, "ann")
            except ReleaseConflictError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(attempt, drafts)) == 1
        assert draft.site.sql("SELECT COUNT(*) FROM schedules WHERE status = 'released'") == [(1,)]


def test_a_release_that_hangs_holds_up_others_for_a_while_only(draft, monkeypatch) -> None:
    """They get one line; a release in another database of the server waits for nobody."""
    monkeypatch.setattr(connection, "LOCK_S", 0)
    with connection.connect(load_settings().releasing, writer=True) as other, other.alone("release"):
        with pytest.raises(connection.ConnectionLostError, match="release: someone else has been at it for 0 s"):
            release(draft("first"), "ann")
        with connection.connect(load_settings(), writer=True) as elsewhere:
            elsewhere.query("transaction", "USE information_schema")
            with elsewhere.alone("release"):
                pass
    assert release(draft("first"), "ann")


def test_the_console_lists_drafts_and_releases_one(draft, jaxshop) -> None:
    """By how its id begins; of two who release at once one wins, the other is told in one line; no id, one line."""
    ids = [draft("first"), draft("second")]
    listed = jaxshop("db", "plans", "--status", "draft")
    assert "   3.00 h      3.00 h   20.00 %     2  " in listed.out
    assert [line.split()[:2] for line in sorted(listed.out.splitlines()[1:])] == [
        [id[:12], "draft"] for id in sorted(ids)
    ]
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda id: main(["db", "release", id[:12], "--by", "eve"]), ids))
    assert sorted(codes) == [0, 2]
    (won,) = json.loads(jaxshop("db", "plans", "--status", "released", "--json").out)["plans"]
    assert (won["schedule_id"], won["released_by"]) == (ids[codes.index(0)], "eve")
    lost = ids[codes.index(2)]
    late = jaxshop("db", "release", lost)
    assert (late.code, late.out, f"replaces {won['schedule_id']} (`--replaces`" in late.err) == (2, "", True)
    told = json.loads(jaxshop("db", "release", lost, "--replaces", won["schedule_id"][:8], "--json").out)
    assert (told["schedule_id"], told["superseded"]) == (lost, won["schedule_id"])
    for id, said in (("0" * 64, "there is no plan"), ("xy", "must be the 8 to 64 first digits of a schedule_id")):
        ended = jaxshop("db", "release", id)
        assert (ended.code, ended.out, said in ended.err, ended.err.count("\n")) == (2, "", True, 1)


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_who_releases_is_asked_of_an_account_without_a_name(draft, jaxshop, monkeypatch, error) -> None:
    """As a container's user id is, in older and newer Pythons; nothing is released until someone says who does."""
    id = draft("first")
    monkeypatch.setattr(getpass, "getuser", Mock(side_effect=error("uid not found")))
    ended = jaxshop("db", "release", id)
    assert ended == (2, "", "error: db release: say --by NAME; this account has no name\n")
    assert jaxshop("db", "release", id, "--by", "eve").code == 0


def test_an_empty_database_leads_to_init(site, jaxshop) -> None:
    """`db plans` and `db upgrade` both name it and make nothing, so that it then makes all tables."""
    for action in ("plans", "upgrade"):
        ended = jaxshop("db", action)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "schedules: the writer sees no such table: make the tables with `jaxshop db init`" in ended.err
    assert jaxshop("db", "init").code == 0
    assert jaxshop("db", "plans").out == "no plan is stored\n"


def test_tables_of_an_earlier_version_are_brought_up_to_date(loose, jaxshop) -> None:
    """They are refused by name first, then equal what `init` makes, with what they held; twice does nothing."""
    loose.sql(*EARLIER, "INSERT INTO schedules VALUES (REPEAT('0', 64), '', NULL, NULL, NOW(), 1, NOW())")
    with pytest.raises(ShopError, match=r"schedules: lacks author, .*: bring the tables up to date with"):
        check_write_back()
    assert upgrade() == ["current_plan", "dispatch_list", "requests"]
    assert jaxshop("db", "upgrade").out == "the tables for schedules are up to date; made none\n"
    assert loose.sql("SELECT status FROM schedules") == [("draft",)]
    columns = (
        "SELECT table_name, column_name, column_type, is_nullable, column_comment, extra "
        "FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name IN ('schedules', 'scheduled_operations') ORDER BY 1, 2"
    )
    upgraded = loose.sql(columns)
    loose.sql("DROP VIEW current_plan, dispatch_list", "DROP TABLE scheduled_operations, schedules, requests")
    init(results_only=True)
    assert loose.sql(columns) == upgraded
    assert set(schema()) >= {"current_plan", "dispatch_list"}
