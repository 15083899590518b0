"""The worked example of docs/mariadb.md and its GRANTs work as they stand there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from jaxshop.schedule import Row, Schedule
from jaxshop.shop import Fixed, fingerprint, split_lots
from jaxshop.sources.mariadb.reader import read_shop
from jaxshop.sources.mariadb.results import release, write_back
from jaxshop.sources.mariadb.values import RefusedRowsError
from jaxshop.sources.mariadb.writer import init
from jaxshop.support.errors import ShopError

PAGE = Path(__file__).parents[3] / "docs/mariadb.md"

ROWS = """
INSERT INTO factory_machine VALUES (1, 'SW01', 'saw', 1), (2, 'SW02', 'saw', 1), (3, 'SW03', 'saw', 0),
                                   (4, 'OUT', 'outside', 1);
INSERT INTO job_order VALUES ('JO-1', 600, '2026-11-24', '2026-12-01', 'open'), ('JO-2', 5, NULL, NULL, 'closed');
INSERT INTO job_process VALUES (10, 'JO-1', 600, 2.5, 15, NULL, NULL, 'saw', 1),
                               (20, 'JO-1', 600, 2.5, 15, NULL, NULL, 'saw', 0),
                               (30, 'JO-1', 600, NULL, 0, 1.5, NULL, 'outside', 0),
                               (40, 'JO-1', 600, 0.8, 30, NULL, 2, 'saw', 0),
                               (50, 'JO-2', 5, NULL, NULL, NULL, NULL, NULL, 0);
"""


def statements(script: str) -> list[str]:
    """Split a script without comments."""
    return [s.strip() for s in re.sub(r"^--.*$", "", script, flags=re.M).split(";") if s.strip()]


@pytest.fixture
def blocks() -> list[str]:
    """The SQL of the page: a site's tables, the views, both for the plant's own rules, the accounts."""
    return re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


@pytest.fixture
def mapped(site, blocks, monkeypatch):
    """A site with its own tables, and the views."""
    monkeypatch.setenv("JAXSHOP_DB_PLAN_START", "2026-11-23T16:00:00Z")
    site.sql(*statements(blocks[0]), *statements(ROWS), *statements(blocks[1]))
    return site


def test_views_map_a_sites_own_tables(mapped) -> None:
    """Hours from quantity and capacity, lead times, machine types and days become what the example says."""
    shop = read_shop()
    assert {machine.id: machine.work_centre for machine in shop.machines} == {
        "SW01": "saw",
        "SW02": "saw",
        "OUT": "outside",
    }
    (job,) = shop.jobs
    assert (job.id, job.quantity, job.release, job.due) == ("JO-1", 600, 0, 8 * 86_400 - 1)
    assert [(op.id, op.setup, op.alternatives) for op in job.operations] == [
        ("20", 900, {"SW01": 14_400, "SW02": 14_400}),
        ("30", 0, {"OUT": 36 * 3600}),
        ("40", 1800, {"SW02": 45_000}),
    ]


def test_the_plan_start_of_the_views_stays_put(mapped, monkeypatch) -> None:
    """The example's own plan start lies ahead, at 08:00 in the site's zone, and two reads give one shop."""
    monkeypatch.delenv("JAXSHOP_DB_PLAN_START")
    mapped.sql("UPDATE job_order SET target_date = UTC_DATE() + INTERVAL 9 DAY")
    first, second = read_shop(), read_shop()
    assert fingerprint(first) == fingerprint(second)
    start = datetime.fromisoformat(first.plan_start)
    assert start.astimezone(timezone(timedelta(hours=8))).strftime("%H:%M:%S") == "08:00:00"
    assert timedelta(0) <= start - datetime.now(UTC) <= timedelta(days=1)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("SET cap_per_min = NULL WHERE row_no = 20", "operation_machines: '20', 'SW01': duration_h NULL"),
        ("SET setup_min = NULL WHERE row_no = 40", "operations: '40': setup_h NULL"),
        ("SET machine_type = 'lathe' WHERE row_no = 20", "operations: '20': operation_id '20': no machine may run it"),
        ("SET machine_no = 3 WHERE row_no = 40", "operations: '40': .* no machine is left to run it: inactive: SW03"),
    ],
)
def test_views_hide_no_fault(mapped, change: str, fault: str) -> None:
    """What is missing in the site's tables comes through the views, and is refused by name."""
    mapped.sql(f"UPDATE job_process {change}")
    with pytest.raises(RefusedRowsError, match=fault):
        read_shop()


RULES = """
UPDATE factory_machine SET shift_model = 'nights', colour = 'red' WHERE code = 'SW02';
UPDATE job_process SET colour = 'blue', in_one_go = 1 WHERE row_no = 40;
UPDATE job_process SET cooling_min = 90 WHERE row_no = 20;
INSERT INTO shift_model VALUES ('nights', 0, '14:00', '22:00'), ('nights', 6, '22:00', '06:00'),
                               ('nights', 4, '08:00', '00:00');
INSERT INTO shift_exception VALUES ('nights', '2026-12-25', NULL, NULL), ('nights', '2026-12-26', '08:00', '12:00');
INSERT INTO machine_stop VALUES (1, '2026-11-24 08:00', '2026-11-24 10:30', 'belt');
INSERT INTO colour_change VALUES ('saw', 'red', 'blue', 90), ('saw', NULL, 'green', 5);
INSERT INTO floor_report VALUES (20, 1, '2026-11-23 18:00', '2026-11-23 23:30'), (30, 4, '2026-11-23 23:45', NULL);
"""


@pytest.fixture
def ruled(mapped, blocks):
    """The same site with shifts, stops, colours and reports from the floor."""
    mapped.sql(*statements(blocks[2]), *statements(RULES), *statements(blocks[3]))
    return mapped


def test_views_map_shifts_set_ups_and_progress(ruled) -> None:
    """Plan start 00:00 in the site's zone: a night is cut at midnight, moments are UTC, work done has left."""
    shop = read_shop()
    (calendar,) = shop.calendars
    assert calendar.timezone == "Asia/Shanghai"
    hours = [[(a // 3600, b // 3600) for a, b in day] for day in calendar.weekly]
    assert hours == [[(0, 6), (14, 22)], [], [], [], [(8, 24)], [], [(22, 24)]]
    assert [day.isoformat() for day in calendar.closed] == ["2026-12-25"]
    machines = {machine.id: machine for machine in shop.machines}
    assert (machines["SW02"].calendar, machines["SW02"].family) == ("nights", "red")
    assert machines["SW01"].unavailable == ((8 * 3600, 10.5 * 3600, "belt"),)
    (job,) = shop.jobs
    first, second = job.operations
    assert (first.id, first.fixed, job.release) == ("30", Fixed("OUT", -900), 3600)
    assert (second.id, second.family, second.interruptible) == ("40", "blue", False)
    assert [(entry.from_family, entry.to_family, entry.ticks) for entry in shop.changeovers] == [("red", "blue", 5400)]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE machine_stop SET back_at = NULL", "machine_downtime: 'SW01', .*: ends_at NULL: a missing value"),
        ("UPDATE machine_stop SET machine_no = 9", "machine_downtime: .*: machine_id NULL: unknown machine"),
        ("UPDATE floor_report SET machine_no = 9 WHERE done IS NULL", "progress: '30': machine_id NULL"),
        ("UPDATE colour_change SET minutes = NULL", "setups: .*: setup_h NULL"),
        ("UPDATE shift_model SET weekday_no = 9 WHERE weekday_no = 0", "calendar_shifts: .*: weekday 9"),
    ],
)
def test_views_of_rules_hide_no_fault(ruled, change: str, fault: str) -> None:
    """What the floor's tables lack comes through the views, and is refused by name."""
    ruled.sql(change)
    with pytest.raises(RefusedRowsError) as caught:
        read_shop()
    assert any(re.search(fault, each) for each in caught.value.faults), caught.value.faults


def test_accounts_have_rights_enough(mapped, blocks, server, monkeypatch) -> None:
    """With the page's GRANTs, and no other right, the shop is read and results are written; to release is another's."""
    init(results_only=True)
    accounts = blocks[4].replace("factory.", f"{mapped.name}.").replace("@'10.%'", "@'%'").replace("REQUIRE SSL ", "")
    server.sql(*statements(accounts.replace("IDENTIFIED BY '...'", "IDENTIFIED BY 'pass word'")))
    try:
        for prefix, user in (("", "reader"), ("WRITER_", "writer")):
            monkeypatch.setenv(f"JAXSHOP_DB_{prefix}USER", f"jaxshop_{user}")
            monkeypatch.setenv(f"JAXSHOP_DB_{prefix}PASSWORD", "pass word")
        plan, rows, end = split_lots(read_shop(), None), [], 0
        for op in plan.lots[0].operations:
            machine, ticks = next(iter(op.alternatives.items()))
            rows.append(Row("JO-1", 0, op.id, machine, end, end := end + op.setup + ticks))
        schedule = Schedule(fingerprint(plan.shop), None, tuple(rows))
        stored = [write_back(plan, schedule, "c") for _ in range(2)]
        assert [one.written for one in stored] == [True, False]
        with pytest.raises(ShopError, match="UPDATE command denied"):
            release(stored[0].schedule_id, "ann")
        monkeypatch.setenv("JAXSHOP_DB_RELEASER_USER", "jaxshop_releaser")
        monkeypatch.setenv("JAXSHOP_DB_RELEASER_PASSWORD", "pass word")
        assert release(stored[0].schedule_id, "ann").superseded is None
    finally:
        server.sql("DROP USER 'jaxshop_reader'@'%', 'jaxshop_writer'@'%', 'jaxshop_releaser'@'%'")
