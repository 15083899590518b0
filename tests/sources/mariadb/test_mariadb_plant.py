"""The plant's own rules in the database: out as they went in, in progress, left out, and each bad row by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from jaxshop.schedule import verify
from jaxshop.schedule.dispatch import best_rule
from jaxshop.shop import Fixed, Objective, fingerprint, parse_shop, split_lots
from jaxshop.sources.mariadb.reader import read, read_shop
from jaxshop.sources.mariadb.writer import init, load
from jaxshop.support.errors import ShopError
from tests.plant import plant, plant_shop
from tests.shops import HOUR
from tests.sources.mariadb.conftest import statements

RULES = """
ALTER TABLE machines ADD calendar_id VARCHAR(64), ADD family VARCHAR(64);
ALTER TABLE operations ADD family VARCHAR(64), ADD interruptible INT, ADD lag_h DECIMAL(12,6);
CREATE TABLE calendars (calendar_id VARCHAR(64), timezone VARCHAR(64));
CREATE TABLE calendar_shifts (calendar_id VARCHAR(64), weekday VARCHAR(9), opens TIME, closes TIME);
CREATE TABLE calendar_days (calendar_id VARCHAR(64), day DATE, opens TIME, closes TIME);
CREATE TABLE machine_downtime (machine_id VARCHAR(80), starts_at DATETIME, ends_at DATETIME, reason VARCHAR(99));
CREATE TABLE setups (work_centre VARCHAR(80), machine_id VARCHAR(80), from_family VARCHAR(64), to_family VARCHAR(64),
                     setup_h DECIMAL(12,6));
CREATE TABLE progress (operation_id VARCHAR(96), machine_id VARCHAR(80), started_at DATETIME, finished_at DATETIME);
INSERT INTO calendars VALUES ('day', 'Europe/Berlin');
INSERT INTO calendar_shifts VALUES ('day', 'Monday', '06:00', '14:00'), ('day', 'mon', '14:30', '24:00:00'),
                                   ('day', 'tue', '06:00', '14:00');
UPDATE machines SET calendar_id = 'day', family = 'red' WHERE machine_id = 'M2';
UPDATE operations SET family = 'blue', interruptible = 0, lag_h = 0.5 WHERE operation_id = 'A/1';
INSERT INTO setups VALUES ('saw', NULL, 'red', 'blue', 1.5), ('saw', NULL, NULL, 'green', 9),
                          ('lathe', NULL, NULL, 'blue', 9), (NULL, 'M3', NULL, 'blue', 9);
INSERT INTO machine_downtime VALUES ('M1', '2026-11-23 08:00:00', '2026-11-23 09:00:00', 'repair');
"""
"""The optional tables and columns beside the loose ones: a calendar on M2, a family, a set-up that counts of four."""


@pytest.fixture
def loose(site):
    """A site's own tables without any constraint, with a small valid shop that has rules."""
    site.make_loose()
    site.sql("SET sql_mode = ''", *statements(RULES))
    return site


@pytest.mark.parametrize("seed", range(8))
def test_shops_with_rules_come_back_the_same(site, seed: int) -> None:
    """Calendars, downtimes, families, lags, set-ups and fixed work, drawn at random, keep the fingerprint."""
    init()
    shop = replace(plant_shop(seed), objective=Objective())
    load(shop)
    assert fingerprint(read_shop()) == fingerprint(shop)


def test_the_example_comes_back_and_is_solved(site, jaxshop: Callable, tmp_path) -> None:
    """The file's example, by the commands: load, inspect, solve by rules, write back."""
    data = plant()
    del data["objective"]
    path = tmp_path / "plant.json"
    path.write_text(json.dumps(data))
    assert jaxshop("db", "init").code == 0
    loaded = json.loads(jaxshop("db", "load", str(path), "--json").out)
    assert json.loads(jaxshop("inspect", "mariadb:", "--json").out)["shop"]["fingerprint"] == loaded["fingerprint"]
    out = tmp_path / "s.json"
    assert jaxshop("solve", "mariadb:", "--method", "rules", "--out", str(out), "--write-back").code == 0
    assert site.sql("SELECT MIN(start_at) FROM scheduled_operations")[0][0].isoformat() == "2026-11-23T05:30:00"


def test_an_objective_has_no_place(site) -> None:
    """What the tables cannot hold is refused, and nothing is written."""
    init()
    with pytest.raises(ShopError, match="no place for an objective"):
        load(parse_shop(plant(), "x"))
    assert site.sql("SELECT COUNT(*) FROM machines") == [(0,)]


def test_a_setting_says_what_plans_are_judged_by(site, monkeypatch) -> None:
    """Weighted tardiness beside the makespan, for what is read and for what is loaded."""
    init()
    monkeypatch.setenv("JAXSHOP_DB_TARDINESS", "0.5")
    shop = parse_shop(plant(), "x")
    load(shop)
    assert read_shop().objective == Objective(1.0, 0.5) == shop.objective


def test_rules_are_read_from_a_sites_own_tables(loose) -> None:
    """Weekdays by name, 24:00, hours as ticks; set-ups of no open work, no active machine or no centre are counted."""
    reading = read()
    (calendar,) = reading.shop.calendars
    assert calendar.weekly[0] == ((6 * HOUR, 14 * HOUR), (52_200, 24 * HOUR))
    assert calendar.weekly[1:] == (((6 * HOUR, 14 * HOUR),), (), (), (), (), ())
    first, second = reading.shop.machines
    assert (second.calendar, second.family, second.unavailable) == ("day", "red", ())
    assert first.unavailable == ((2 * HOUR, 3 * HOUR, "repair"),)
    op = reading.shop.jobs[0].operations[0]
    assert (op.family, op.interruptible, op.lag) == ("blue", False, 1800)
    assert [entry.ticks for entry in reading.shop.changeovers] == [5400]
    assert reading.counts.unused_setups == 3
    plan = split_lots(reading.shop, None)
    assert verify(plan, best_rule(plan)[1]) == []


def test_days_of_their_own(loose) -> None:
    """A row without times closes a day, rows with times are its shifts."""
    loose.sql(
        "INSERT INTO calendar_days VALUES ('day', '2026-11-24', NULL, NULL), ('day', '2026-11-28', '08:00', '12:00'),"
        " ('day', '2026-11-28', '06:00', '07:00')"
    )
    (calendar,) = read_shop().calendars
    assert [day.isoformat() for day in calendar.closed] == ["2026-11-24"]
    ((day, shifts),) = calendar.open
    assert (day.isoformat(), shifts) == ("2026-11-28", ((6 * HOUR, 7 * HOUR), (8 * HOUR, 12 * HOUR)))


def test_what_is_finished_leaves_and_what_runs_is_fixed(loose) -> None:
    """A/1 is finished, so that A waits for its lag; B/1 has been running; what ran once of closed jobs is a note."""
    loose.sql(
        "INSERT INTO progress VALUES ('A/1', 'M2', '2026-11-23 05:00:00', '2026-11-23 06:15:00'),"
        " ('B/1', 'M1', '2026-11-23 05:30:00', NULL), ('C/1', 'M3', '2026-11-01 05:30:00', NULL)"
    )
    reading = read()
    a, b = reading.shop.jobs
    assert ([op.id for op in a.operations], a.release) == (["A/2"], 900 + 1800)
    assert b.operations[0].fixed == Fixed("M1", -1800)
    assert (reading.counts.finished_operations, reading.counts.running_operations) == (1, 1)
    loose.sql("INSERT INTO progress VALUES ('A/2', 'M2', '2026-11-23 05:00:00', '2026-11-23 06:15:00')")
    assert [job.id for job in read_shop().jobs] == ["B"]


def test_an_inactive_machine_takes_its_alternatives_away(loose) -> None:
    """What else may run the operation does; finished work needs no machine; work that ran there is planned anew."""
    loose.sql(
        "INSERT INTO operation_machines VALUES ('A/1', 'M3', 1), ('B/1', 'M3', 1), ('A/2', 'M3', 1)",
        "DELETE FROM operation_machines WHERE operation_id = 'A/1' AND machine_id <> 'M3'",
        "INSERT INTO progress VALUES ('A/1', 'M3', '2026-11-23 05:00:00', '2026-11-23 06:15:00'),"
        "('B/1', 'M3', '2026-11-23 05:00:00', NULL)",
    )
    reading = read()
    assert {op.id: [*op.alternatives] for job in reading.shop.jobs for op in job.operations} == {
        "A/2": ["M2"],
        "B/1": ["M1"],
    }
    assert reading.counts.left_out_alternatives == 3
    assert reading.counts.notes == ["'B/1' runs on 'M3', which is inactive: it is planned anew"]


def test_a_machine_is_busy_with_a_job_that_left_the_plan(loose) -> None:
    """A running operation of a job that is not open any more: its machine is free when that ends; a note says so."""
    loose.sql(
        "UPDATE jobs SET status = 'started' WHERE job_id = 'B'",
        "INSERT INTO progress VALUES ('B/1', 'M1', '2026-11-23 05:00:00', NULL),"
        "('gone/1', 'M2', '2026-11-23 05:00:00', NULL)",
    )
    reading = read()
    assert {machine.id: machine.available_from for machine in reading.shop.machines} == {"M1": 2 * HOUR, "M2": 0}
    assert [job.id for job in reading.shop.jobs] == ["A"]
    assert reading.counts.notes == [
        "'B/1' of job 'B', 'started', runs on 'M1', which is busy for 2.00 h",
        "'gone/1' of no job that is known runs on 'M2', nobody knows for how long: the machine counts as free",
    ]
    loose.sql("DELETE FROM operation_machines WHERE operation_id = 'B/1'")
    with pytest.raises(ShopError, match="operation_machines: 'B/1', 'M1': duration_h NULL"):
        read()


def test_a_site_without_them_reads_as_before(site) -> None:
    """Where there are none of the tables and columns, the shop is plain, down to the fingerprint."""
    site.make_loose()
    plain = read_shop()
    site.sql("SET sql_mode = ''", *statements(RULES.partition("INSERT")[0]))
    assert fingerprint(read_shop()) == fingerprint(plain)


BAD = {
    "shift of no calendar": ("INSERT INTO calendar_shifts VALUES ('x', 'mon', '06:00', '07:00')", "unknown calendar"),
    "weekday": (
        "INSERT INTO calendar_shifts VALUES ('day', 'noday', '06:00', '07:00')",
        "'noday': must be mon",
    ),
    "time": (
        "INSERT INTO calendar_shifts VALUES ('day', 'wed', '06:00', '25:00')",
        "'25:00:00': must be a TIME",
    ),
    "no time": ("INSERT INTO calendar_shifts VALUES ('day', 'wed', NULL, '07:00')", "opens NULL: must be a TIME"),
    "day": ("INSERT INTO calendar_days VALUES ('day', '0000-00-00', NULL, NULL)", "day '0000-00-00': must be a DATE"),
    "day of none": ("INSERT INTO calendar_days VALUES ('x', '2026-11-24', NULL, NULL)", "unknown calendar"),
    "zone": ("UPDATE calendars SET timezone = 'Berlin'", "calendars.day.timezone: unknown time zone 'Berlin'"),
    "overlap": ("INSERT INTO calendar_shifts VALUES ('day', 'mon', '13:00', '15:00')", "weekly.mon[1]: begins before"),
    "calendar": ("UPDATE machines SET calendar_id = 'x' WHERE machine_id = 'M1'", "unknown calendar 'x'"),
    "downtime": ("UPDATE machine_downtime SET ends_at = starts_at", "ends_at '2026-11-23 08:00:00': must be after"),
    "downtime without end": ("UPDATE machine_downtime SET ends_at = NULL", "ends_at NULL: a missing value"),
    "downtime of none": ("UPDATE machine_downtime SET machine_id = 'x'", "machine_id 'x': unknown machine"),
    "set-up": ("UPDATE setups SET setup_h = -1 WHERE work_centre = 'saw'", "setup_h -1.000000: must be >= 0"),
    "set-up in both": ("UPDATE setups SET machine_id = 'M1'", "either work_centre or machine_id must be NULL"),
    "set-up of none": ("INSERT INTO setups VALUES (NULL, 'x', NULL, 'blue', 1)", "machine_id 'x': unknown machine"),
    "set-up to nothing": ("INSERT INTO setups VALUES (NULL, 'M1', NULL, NULL, 1)", "to_family NULL: a missing value"),
    "lag": ("UPDATE operations SET lag_h = -1", "lag_h -1.000000: must be >= 0"),
    "interruptible": ("UPDATE operations SET interruptible = 2", "interruptible 2: must be the number 0 or 1, or NULL"),
    "finished out of order": (
        "INSERT INTO progress VALUES ('A/2', 'M2', '2026-11-23 05:00:00', '2026-11-23 05:30:00')",
        "finished before 'A/1', which comes before it in the route",
    ),
    "finished before it started": (
        "INSERT INTO progress VALUES ('A/1', 'M2', '2026-11-23 05:00:00', '2026-11-23 04:30:00')",
        "finished_at '2026-11-23 04:30:00': is before started_at",
    ),
    "running elsewhere": (
        "INSERT INTO progress VALUES ('B/1', 'M2', '2026-11-23 05:00:00', NULL)",
        "machine_id 'M2': is no machine that may run the operation",
    ),
    "running since when": ("INSERT INTO progress VALUES ('B/1', 'M1', NULL, NULL)", "started_at NULL: a missing value"),
    "running twice": (
        "INSERT INTO progress SELECT 'B/1', 'M1', '2026-11-23 05:00:00', NULL FROM machines",
        "operation_id 'B/1': a repeat",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_named(loose, name: str) -> None:
    """Each kind of row that cannot be is refused by table, key, column and value."""
    statement, message = BAD[name]
    loose.sql("SET sql_mode = ''", statement)
    with pytest.raises(ShopError) as caught:
        read_shop()
    assert message in "\n".join(caught.value.faults)
    assert all(fault.startswith("mariadb: ") for fault in caught.value.faults)
