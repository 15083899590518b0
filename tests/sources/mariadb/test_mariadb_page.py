"""The worked example of docs/mariadb.md and its GRANTs work as they stand there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from jaxshop.schedule import Row, Schedule
from jaxshop.shop import fingerprint, split_lots
from jaxshop.sources.mariadb.reader import read_shop
from jaxshop.sources.mariadb.results import release, write_back
from jaxshop.sources.mariadb.values import RefusedRowsError
from jaxshop.sources.mariadb.writer import init

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
    """The SQL of the page: a site's tables, the views, the accounts."""
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
        ("SET machine_no = 3 WHERE row_no = 40", "operation_machines: '40', 'SW03': .* the machine is inactive"),
    ],
)
def test_views_hide_no_fault(mapped, change: str, fault: str) -> None:
    """What is missing in the site's tables comes through the views, and is refused by name."""
    mapped.sql(f"UPDATE job_process {change}")
    with pytest.raises(RefusedRowsError, match=fault):
        read_shop()


def test_accounts_have_rights_enough(mapped, blocks, server, monkeypatch) -> None:
    """With the page's GRANTs, and no other right, the shop is read and results are written."""
    init(results_only=True)
    accounts = blocks[2].replace("factory.", f"{mapped.name}.").replace("@'10.%'", "@'%'").replace("REQUIRE SSL ", "")
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
        assert release(stored[0].schedule_id, "ann").superseded is None
    finally:
        server.sql("DROP USER 'jaxshop_reader'@'%', 'jaxshop_writer'@'%'")
