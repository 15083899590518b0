"""Shops into the database and out of it: the same ticks, names, order of routes, and dates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from jaxshop.cli.main import main
from jaxshop.shop import Job, Machine, Operation, Shop, fingerprint
from jaxshop.sources import load_shop
from jaxshop.sources.mariadb.reader import read, read_shop
from jaxshop.sources.mariadb.writer import init, load
from jaxshop.sources.snapshot import is_real_data, require_real_data
from jaxshop.support.errors import ShopError

ODD = (
    "Robert'); DROP TABLE jobs;--",
    '"double", `back` and %s ? :name',
    "Träger 螺丝 🔩",
    r"back\slash \n \0",
    "NULL",
    " leading, and inner  blanks",
)


def odd_shop() -> Shop:
    """A shop with names that break careless SQL, and one of every value that a column can hold."""
    machines = tuple(Machine(name, name, available_from=3600 * i) for i, name in enumerate(ODD))
    jobs = tuple(
        Job(
            id=f"job {name}",
            operations=(
                Operation(f"z{name}", {machine: 1 + i for i, machine in enumerate(ODD)}, setup=7),
                Operation(f"a{name}", {name: 123_456_789}),
            ),
            release=11 * n,
            due=None if n == 0 else 100_000 - 50_001 * n,
            weight=1 + n / 8,
            quantity=None if n == 0 else 10**n,
        )
        for n, name in enumerate(ODD)
    )
    return Shop("odd", machines, jobs, plan_start="2026-11-23T06:00:00Z")


@pytest.fixture
def made(site):
    """A database with the tables of `jaxshop db init`."""
    init()
    return site


@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_reference_shop_comes_back_tick_for_tick(site, jaxshop: Callable) -> None:
    """`db init`, `db load` and `inspect mariadb:` give the fingerprint of the shop that was loaded."""
    assert jaxshop("db", "init").code == 0
    loaded = json.loads(jaxshop("db", "load", "reference", "--json").out)
    inspected = json.loads(jaxshop("inspect", "mariadb:", "--json").out)
    assert loaded["fingerprint"] == fingerprint(load_shop("reference"))
    assert inspected["shop"]["fingerprint"] == loaded["fingerprint"]
    assert inspected["shop"]["provenance"]["kind"] == "mariadb"


def test_the_commands_as_processes(site, tmp_path) -> None:
    """The console's own processes: tables, a shop, a snapshot, the same fingerprint, and a refusal in one line."""

    def jaxshop(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "jaxshop.cli", *arguments]
        return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)

    assert jaxshop("db", "init").stdout.startswith("made the tables machines, jobs")
    mark = fingerprint(load_shop("reference"))
    assert json.loads(jaxshop("db", "load", "reference", "--json").stdout)["fingerprint"] == mark
    assert json.loads(jaxshop("db", "snapshot", str(tmp_path / "s.json"), "--json").stdout)["fingerprint"] == mark
    inspected = jaxshop("inspect", "mariadb:", "--json")
    assert (inspected.returncode, json.loads(inspected.stdout)["shop"]["fingerprint"]) == (0, mark)
    refused = jaxshop("inspect", "mariadb:", JAXSHOP_DB_PASSWORD="wrong-one")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert refused.stderr.startswith("error: mariadb: ")
    assert "wrong-one" not in refused.stderr


@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_names_and_values_are_kept_exactly(made) -> None:
    """Quotes, SQL, emoji and blanks in names survive, as do routes, releases, negative dues and weights."""
    shop = odd_shop()
    load(shop)
    back = read_shop()
    assert fingerprint(back) == fingerprint(shop)
    assert sorted(m.id for m in back.machines) == sorted(ODD)
    assert {job.id: [op.id for op in job.operations] for job in back.jobs} == {
        job.id: [op.id for op in job.operations] for job in shop.jobs
    }
    assert back.plan_start == shop.plan_start


@pytest.mark.parametrize("ticks", [1, 2, 59, 3599, 3600, 3601, 87_600 * 3600])
def test_every_tick_survives_decimal_hours(made, ticks: int) -> None:
    """Six decimals of an hour hold a tick exactly, from one second to ten years."""
    route = (Operation("A/1", {"M": ticks}, setup=ticks - 1),)
    load(Shop("s", (Machine("M"),), (Job("A", route),)))
    operation = read_shop().jobs[0].operations[0]
    assert (operation.alternatives, operation.setup) == ({"M": ticks}, ticks - 1)


def test_load_refuses_tables_with_rows(made, jaxshop: Callable) -> None:
    """A second load names the table that holds rows, and leaves what is there."""
    load(odd_shop())
    ended = jaxshop("db", "load", "reference")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "machines: holds rows already" in ended.err
    assert fingerprint(read_shop()) == fingerprint(odd_shop())


def test_load_is_one_transaction(made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that fails at its very end, the comparison, leaves empty tables."""
    monkeypatch.setattr("jaxshop.sources.mariadb.writer.fingerprint", lambda shop: shop.provenance.kind)
    with pytest.raises(ShopError, match="what came back is another shop"):
        load(odd_shop())
    tables = ("machines", "jobs", "operations", "operation_machines", "plan")
    assert [made.sql(f"SELECT COUNT(*) FROM {table}")[0][0] for table in tables] == [0] * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "J" * 65}, f"jobs: '{'J' * 65}': job_id: 65 characters"),
        ({"weight": 1 / 3}, "weight 0.333.*four decimals"),
        ({"weight": 1e6}, "weight 1000000.0.*up to 99999"),
        (
            {"operations": (Operation("o", {"M": 0}),)},
            "operation_machines: 'o', 'M': duration_h 0: must be > 0",
        ),
    ],
)
def test_load_refuses_what_the_columns_cannot_hold(made, change: dict, message: str) -> None:
    """What the tables would cut off or round is refused by name, before anything is written."""
    job = replace(Job("A", (Operation("A/1", {"M": 1}),)), **change)
    with pytest.raises(ShopError, match=message):
        load(Shop("s", (Machine("M"),), (job,)))


def test_load_refuses_ids_that_differ_by_case(made) -> None:
    """Ids that people would take for one are refused on the way in as well, and nothing stays."""
    jobs = tuple(Job(id, (Operation(f"{id}/{id}", {"M": 1}),)) for id in ("a", "A"))
    with pytest.raises(ShopError, match=r"jobs: '[aA]': .*duplicate of '[aA]'"):
        load(Shop("s", (Machine("M"),), jobs))
    assert made.sql("SELECT COUNT(*) FROM jobs") == [(0,)]


def test_init_touches_nothing_that_exists(site, jaxshop: Callable) -> None:
    """Where one of the names is taken, by a table or a view, `db init` names it and makes nothing."""
    site.sql("CREATE TABLE site_jobs (id INT)")
    site.sql("CREATE VIEW jobs AS SELECT id FROM site_jobs")
    ended = jaxshop("db", "init")
    assert ended.code == 2
    assert f"mariadb: jobs: exists already in {site.name}" in ended.err
    assert {name for (name,) in site.sql("SHOW TABLES")} == {"jobs", "site_jobs"}


def test_init_can_make_the_result_tables_alone(loose, jaxshop: Callable) -> None:
    """A site that reads through views still gets the two tables that schedules go into."""
    assert jaxshop("db", "init").code == 2
    assert json.loads(jaxshop("db", "init", "--results-only", "--json").out) == {
        "created": ["schedules", "scheduled_operations", "current_plan", "dispatch_list", "requests"]
    }


def test_only_open_jobs_are_read(loose, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which states count as open is a setting; the other jobs' rows are not even looked at."""
    assert [job.id for job in read_shop().jobs] == ["A", "B"]
    loose.sql("UPDATE jobs SET status = 'running' WHERE job_id = 'B'")
    loose.sql("UPDATE machines SET active = 1")
    monkeypatch.setenv("JAXSHOP_DB_OPEN_STATES", "running, closed")
    reading = read()
    assert [job.id for job in reading.shop.jobs] == ["B", "C"]
    assert reading.counts.jobs_by_status == {"open": 1, "running": 1, "closed": 1}
    assert reading.counts.rows["operation_machines"] == 2


def test_dates_count_from_the_plan_start(loose, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dates are UTC in any server's zone; a past release is 0, a due may be past; a setting overrides."""
    loose.sql("UPDATE jobs SET release_at = '2026-11-23 07:30:00', due_at = '2026-11-23 05:00:00' WHERE job_id = 'A'")
    loose.sql("UPDATE jobs SET release_at = '2026-11-22 23:59:59' WHERE job_id = 'B'")
    loose.sql("UPDATE machines SET available_from = '2026-11-23 06:00:01' WHERE machine_id = 'M2'")
    reading = read()
    assert [(job.release, job.due) for job in reading.shop.jobs] == [(5400, -3600), (0, None)]
    assert [machine.available_from for machine in reading.shop.machines] == [0, 1]
    assert (reading.counts.past_releases, reading.counts.past_availabilities) == (1, 0)
    monkeypatch.setenv("JAXSHOP_DB_PLAN_START", "2026-11-23T08:00:00+01:00")
    later = read()
    assert later.shop.plan_start == "2026-11-23T07:00:00Z"
    assert [(job.release, job.due) for job in later.shop.jobs] == [(1800, -7200), (0, None)]
    assert (later.counts.past_releases, later.counts.past_availabilities) == (1, 1)


def test_a_sites_own_types_are_read_exactly(loose) -> None:
    """Views may give whole numbers as ids, DOUBLE hours, whole DECIMAL quantities, and TIMESTAMPs."""
    loose.sql("RENAME TABLE operations TO t_operations, operation_machines TO t_machines, jobs TO t_jobs")
    number = "CASE {0} WHEN 'A/1' THEN 1 WHEN 'A/2' THEN 2 WHEN 'B/1' THEN 3 ELSE 4 END"
    loose.sql(
        f"CREATE VIEW operations AS SELECT {number.format('operation_id')} AS operation_id, job_id, "
        "ROW_NUMBER() OVER (PARTITION BY job_id ORDER BY t_operations.seq DESC) AS seq, 0 AS setup_h "
        "FROM t_operations"
    )
    loose.sql(
        f"CREATE VIEW operation_machines AS SELECT {number.format('operation_id')} AS operation_id, "
        "machine_id, 100 / 3e0 AS duration_h FROM t_machines"
    )
    loose.sql("ALTER TABLE t_jobs ADD stamp TIMESTAMP NULL")
    loose.sql("SET time_zone = '+00:00'", "UPDATE t_jobs SET stamp = '2026-11-23 07:00:00'")
    loose.sql("CREATE VIEW jobs AS SELECT job_id, quantity, stamp AS release_at, due_at, weight, status FROM t_jobs")
    job = read_shop().jobs[0]
    assert [op.id for op in job.operations] == ["2", "1"]
    assert job.operations[1].alternatives == {"M1": 120_000, "M2": 120_000}
    assert (job.quantity, job.release) == (10, 3600)


def test_plan_start_is_made_where_the_shop_has_none(made) -> None:
    """`db load` of a shop without a plan start writes the present into `plan`, to date the rest by."""
    load(replace(odd_shop(), plan_start=None))
    age = made.sql("SELECT TIMESTAMPDIFF(SECOND, plan_start, UTC_TIMESTAMP()) FROM plan")[0][0]
    assert 0 <= age < 60


def test_an_offset_from_utc_counts(loose) -> None:
    """A view that gives moments as texts may say their offset; it is never dropped."""
    before = read_shop()
    loose.sql("ALTER TABLE plan MODIFY plan_start VARCHAR(40)", "UPDATE plan SET plan_start = '2026-11-23 14:00+08:00'")
    assert read_shop().plan_start == before.plan_start


def test_init_makes_all_tables_or_none(site, jaxshop, server, monkeypatch) -> None:
    """Where a table cannot be made, those made before it are gone again, and a second try has a clean start."""
    server.sql(
        "CREATE USER 'half'@'%' IDENTIFIED BY 'h'",
        *(f"GRANT CREATE, DROP, REFERENCES ON {site.name}.{table} TO 'half'@'%'" for table in ("machines", "jobs")),
    )
    monkeypatch.setenv("JAXSHOP_DB_WRITER_USER", "half")
    monkeypatch.setenv("JAXSHOP_DB_WRITER_PASSWORD", "h")
    try:
        ended = jaxshop("db", "init")
    finally:
        server.sql("DROP USER 'half'@'%'")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "mariadb: operations: CREATE command denied" in ended.err
    assert site.sql("SHOW TABLES") == []


def test_plan_holds_one_row(made) -> None:
    """The table itself refuses a second plan start."""
    made.sql("INSERT INTO plan VALUES ('2026-11-23 06:00:00')")
    with pytest.raises(Exception, match="Duplicate entry"):
        made.sql("INSERT INTO plan VALUES ('2026-11-24 06:00:00')")


def test_inspect_out_is_a_snapshot_as_well(loose, tmp_path, monkeypatch) -> None:
    """With the key set `inspect mariadb: --out` writes a signed file; without it, one that claims no signature."""
    path = tmp_path / "shop.json"
    assert main(["inspect", "mariadb:", "--out", str(path)]) == 0
    assert is_real_data(load_shop(str(path)))
    monkeypatch.delenv("JAXSHOP_SNAPSHOT_KEY")
    assert main(["inspect", str(path), "--out", str(tmp_path / "copy.json")]) == 0
    assert json.loads((tmp_path / "copy.json").read_text()) == json.loads(path.read_text())  # signature and all
    assert main(["inspect", "mariadb:", "--out", str(path)]) == 0
    assert "signature" not in json.loads(path.read_text())["provenance"]
    with pytest.raises(ShopError, match="without a signature"):
        require_real_data(load_shop(str(path)))
