"""Rows that cannot be used: each ends the command with one line that names table, key and value."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from jaxshop.sources.mariadb.connection import connect
from jaxshop.sources.mariadb.reader import read
from jaxshop.sources.mariadb.settings import load_settings
from jaxshop.sources.mariadb.values import RefusedRowsError
from jaxshop.sources.report import refusal_text
from jaxshop.support.errors import ShopError

OM, OP = (
    "UPDATE operation_machines SET {} WHERE operation_id = 'A/1' AND machine_id = 'M2'",
    "operation_machines: ",
)
DURATION = OM.format("duration_h = {}")
OPERATION = "UPDATE operations SET {} WHERE operation_id = 'A/2'"
JOB = "UPDATE jobs SET {} WHERE job_id = 'B'"

BAD_ROWS = {
    # case: (what is done to a valid shop, what the line says)
    "duration missing": (
        DURATION.format("NULL"),
        OP + "'A/1', 'M2': duration_h NULL: a missing value is never",
    ),
    "duration zero": (DURATION.format("0"), OP + "'A/1', 'M2': duration_h 0.000000: must be > 0"),
    "duration negative": (DURATION.format("-2"), OP + "'A/1', 'M2': duration_h -2.000000: must be > 0"),
    "duration huge": (
        DURATION.format("87601"),
        OP + "'A/1', 'M2': duration_h 87601.000000: more than 87600 hours",
    ),
    "duration below a tick": (
        DURATION.format("0.0001"),
        OP + "'A/1', 'M2': duration_h 0.000100: rounds to 0 ticks",
    ),
    "duration no number": (
        "ALTER TABLE operation_machines MODIFY duration_h VARCHAR(20)",
        OP + "'A/1', 'M1': duration_h '1.500000': must be a number of hours",
    ),
    "set-up missing": (
        OPERATION.format("setup_h = NULL"),
        "operations: 'A/2': setup_h NULL: a missing value is",
    ),
    "set-up negative": (
        OPERATION.format("setup_h = -1"),
        "operations: 'A/2': setup_h -1.000000: must be >= 0",
    ),
    "operation without a machine": (
        "DELETE FROM operation_machines WHERE operation_id = 'A/2'",
        "operations: 'A/2': operation_id 'A/2': no machine may run it",
    ),
    "unknown machine": (OM.format("machine_id = 'M9'"), OP + "'A/1', 'M9': machine_id 'M9': unknown machine"),
    "machine in other case": (
        OM.format("machine_id = 'm2'"),
        OP + "'A/1', 'm2': machine_id 'm2': unknown machine",
    ),
    "no machine left": (
        "UPDATE operation_machines SET machine_id = 'M3' WHERE operation_id = 'A/2'",
        "operations: 'A/2': operation_id 'A/2': no machine is left to run it: inactive: M3",
    ),
    "unknown operation": (
        OM.format("operation_id = 'X/1'"),
        OP + "'X/1', 'M2': operation_id 'X/1': there is no such",
    ),
    "repeated alternative": (OM.format("machine_id = 'M1'"), OP + "'A/1', 'M1': machine_id 'M1': a repeat"),
    "unknown job": (OPERATION.format("job_id = 'X'"), "operations: 'A/2': job_id 'X': there is no such job"),
    "job in other case": (
        OPERATION.format("job_id = 'a'"),
        "operations: 'A/2': job_id 'a': there is no such job",
    ),
    "gap in the sequence": (OPERATION.format("seq = 3"), "operations: 'A/2': seq 3: a gap: job 'A' has no 2"),
    "sequence from 0": (OPERATION.format("seq = 0"), "operations: 'A/2': seq 0: a gap: job 'A' has no 1"),
    "repeat in the sequence": (
        OPERATION.format("seq = 1"),
        "operations: 'A/2': seq 1: a repeat: 'A/1' of job 'A'",
    ),
    "sequence missing": (
        OPERATION.format("seq = NULL"),
        "operations: 'A/2': seq NULL: must be a whole number",
    ),
    "operation id missing": (
        OPERATION.format("operation_id = NULL"),
        "operations: NULL: operation_id NULL: must be",
    ),
    "duplicate operation": (
        OPERATION.format("operation_id = 'A/1'"),
        "operations: 'A/1': operation_id 'A/1': dup",
    ),
    "jobs that differ by case": (
        "INSERT INTO jobs VALUES ('b', NULL, NULL, NULL, 1, 'open')",
        "jobs: 'b': job_id 'b': duplicate of 'B': they differ only in case or trailing blanks",
    ),
    "machines that differ by blanks": (
        "INSERT INTO machines VALUES ('M1 ', NULL, NULL, 1)",
        "machines: 'M1 ': machine_id 'M1 ': duplicate of 'M1': they differ only in case or trailing blanks",
    ),
    "duplicate job": (
        "INSERT INTO jobs SELECT * FROM jobs WHERE job_id = 'A'",
        "job_id 'A': duplicate of 'A': a rep",
    ),
    "job id empty": (
        JOB.format("job_id = ''"),
        "jobs: '': job_id '': must be a printable text that is not empty",
    ),
    "job id not printable": (
        JOB.format(r"job_id = 'B\n'"),
        r"jobs: 'B\n': job_id 'B\n': must be a printable text",
    ),
    "job without operations": (
        "DELETE FROM operations WHERE job_id = 'B'; DELETE FROM operation_machines WHERE machine_id = 'M1' "
        "AND operation_id = 'B/1'",
        "jobs: 'B': job_id 'B': the job has no op",
    ),
    "status missing": (JOB.format("status = NULL"), "jobs: 'B': status NULL: open or not?"),
    "weight missing": (JOB.format("weight = NULL"), "jobs: 'B': weight NULL: must be a number > 0"),
    "weight huge": (
        "ALTER TABLE jobs MODIFY weight DOUBLE; " + JOB.format("weight = 1e10"),
        "jobs: 'B': weight 10000000000.0: must be a number > 0, at most 1000000000",
    ),
    "weight zero": (JOB.format("weight = 0"), "jobs: 'B': weight 0.0000: must be a number > 0"),
    "quantity zero": (JOB.format("quantity = 0"), "jobs: 'B': quantity 0.00: must be a whole number from 1 to"),
    "quantity huge": (
        "ALTER TABLE jobs MODIFY quantity BIGINT; " + JOB.format("quantity = 2000000000000"),
        "jobs: 'B': quantity 2000000000000: must be a whole number from 1 to 1000000000000, or NULL",
    ),
    "id of another type": (
        "ALTER TABLE machines MODIFY machine_id DECIMAL(9,1); UPDATE machines SET machine_id = 1.5",
        "machines: 1.5: machine_id 1.5: must be a text or an integer",
    ),
    "ids of two collations": (
        "ALTER TABLE operations MODIFY job_id VARCHAR(80) COLLATE utf8mb4_unicode_ci",
        "operations: Illegal mix of collations",
    ),
    "definer of a view gone": (
        "RENAME TABLE jobs TO t; CREATE USER gone@localhost; "
        "CREATE DEFINER = gone@localhost VIEW jobs AS SELECT * FROM t; DROP USER gone@localhost",
        "(using password: YES): the view's DEFINER is gone",
    ),
    "quantity of half a part": (
        JOB.format("quantity = 1.5"),
        "jobs: 'B': quantity 1.50: must be a whole number from 1 to",
    ),
    "lost date": (
        JOB.format("due_at = '0000-00-00'"),
        "jobs: 'B': due_at '0000-00-00 00:00:00': must be a DATETIME",
    ),
    "date of another age": (
        JOB.format("due_at = '1970-01-01'"),
        "jobs: 'B': due_at '1970-01-01 00:00:00': more than",
    ),
    "date without a time": (
        "ALTER TABLE jobs MODIFY due_at DATE; UPDATE jobs SET due_at = '2026-12-24' WHERE job_id = 'B'",
        "jobs: 'B': due_at '2026-12-24': must be a DATETIME",
    ),
    "date beyond the calendar": (
        "ALTER TABLE jobs MODIFY due_at VARCHAR(40); UPDATE jobs SET due_at = '9999-12-31 23:00:00-08:00' "
        "WHERE job_id = 'B'",
        "jobs: 'B': due_at '9999-12-31 23:00:00-08:00': outside the calendar",
    ),
    "machine neither active nor not": (
        "UPDATE machines SET active = 2 WHERE machine_id = 'M1'",
        "'M1': active 2: must",
    ),
    "no open job": (
        "UPDATE jobs SET status = 'done'",
        "jobs: no row: status 'open': there is no job with such a status",
    ),
    "no active machine": ("DELETE FROM machines", "machines: no row: active 1: there is no active machine"),
    "plan without a row": ("DELETE FROM plan", "plan: 0 rows: must hold one row with plan_start"),
    "plan with two rows": (
        "INSERT INTO plan SELECT * FROM plan",
        "plan: 2 rows: must hold one row with plan_start",
    ),
    "plan start missing": ("UPDATE plan SET plan_start = NULL", "plan: plan_start NULL: must be a DATETIME"),
    "table missing": ("DROP TABLE operations", "operations: Table "),
    "column missing": (
        "ALTER TABLE operation_machines DROP duration_h",
        OP + "Unknown column 'operation_machines.dur",
    ),
    "view broken": (
        "RENAME TABLE jobs TO t; CREATE VIEW jobs AS SELECT * FROM t; RENAME TABLE t TO u",
        "jobs: View ",
    ),
}


@pytest.mark.parametrize("transport", ["socket", "tcp"])
@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_row(loose, jaxshop: Callable, case: str) -> None:
    """The command ends with 2 and one line of error, which names table, key and value; no traceback."""
    statements, says = BAD_ROWS[case]
    loose.sql("SET sql_mode = ''", *statements.split("; "))
    ended = jaxshop("inspect", "mariadb:")
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert ended.code == 2
    assert ended.err.splitlines() == errors
    assert len(errors) == 1
    assert errors[0].startswith("error: mariadb: ")
    assert says in errors[0]


def test_every_fault_is_collected(loose) -> None:
    """One read finds all faults, without those that merely follow from others, and counts them by reason."""
    loose.sql("UPDATE operation_machines SET duration_h = NULL WHERE operation_id LIKE 'A/%'")
    loose.sql("UPDATE jobs SET weight = -1 WHERE job_id = 'B'")
    with pytest.raises(RefusedRowsError) as caught:
        read()
    assert len(caught.value.faults) == 4
    assert caught.value.reasons == {
        "jobs.weight: must be a number > 0, at most 1000000000": 1,
        "operation_machines.duration_h: a missing value is never filled in": 3,
    }
    assert "3  operation_machines.duration_h: a missing value" in refusal_text(caught.value)


ONE_CAUSE = {
    # case: (what is done to a valid shop, the only fault)
    "duplicate job": ("INSERT INTO jobs SELECT * FROM jobs WHERE job_id = 'A'", "jobs: 'A': job_id 'A': duplicate"),
    "job in two cases": (
        "INSERT INTO jobs SELECT 'a', quantity, release_at, due_at, weight, status FROM jobs WHERE job_id = 'A'; "
        "UPDATE operations SET job_id = 'a' WHERE operation_id = 'A/2'",
        "jobs: '[Aa]': job_id '[Aa]': duplicate of",
    ),
    "only job without an id": (
        "DELETE FROM jobs WHERE job_id <> 'A'; UPDATE jobs SET job_id = ''; UPDATE operations SET job_id = ''",
        "jobs: '': job_id '': must be",
    ),
    "duplicate operation": (
        "INSERT INTO operations SELECT * FROM operations WHERE operation_id = 'A/1'",
        "operations: 'A/1': operation_id 'A/1': duplicate of 'A/1': a repeat",
    ),
    "operation not printable": (
        "UPDATE operations SET operation_id = 'A\n' WHERE operation_id = 'A/1'; "
        "UPDATE operation_machines SET operation_id = 'A\n' WHERE operation_id = 'A/1'",
        r"operations: 'A\\n': operation_id 'A\\n': must be a printable text",
    ),
    "sequence missing": (
        "UPDATE operations SET seq = NULL WHERE operation_id = 'A/1'",
        "operations: 'A/1': seq NULL: must be a whole number",
    ),
    "repeat, so that another is missing": (
        "INSERT INTO operations VALUES ('A/3', 'A', 3, 0); UPDATE operations SET seq = 1 WHERE operation_id = 'A/2'; "
        "INSERT INTO operation_machines VALUES ('A/3', 'M1', 1)",
        "operations: 'A/[12]': seq 1: a repeat",
    ),
    "duplicate machine, once inactive": (
        "INSERT INTO machines VALUES ('M1', NULL, NULL, 0)",
        "machines: 'M1': machine_id 'M1': duplicate of 'M1': a repeat",
    ),
    "machines that differ by blanks": (
        "INSERT INTO machines VALUES ('M2 ', NULL, NULL, 1); "
        "UPDATE operation_machines SET machine_id = 'M2 ' WHERE operation_id = 'A/2'",
        "machines: 'M2 ?': machine_id 'M2 ?': duplicate of 'M2 ?': they differ only",
    ),
}


@pytest.mark.parametrize("case", ONE_CAUSE)
def test_faults_that_merely_follow_are_not_shown(loose, case: str) -> None:
    """Where rows hang on a row that is refused, only that row's own fault is reported."""
    changes, says = ONE_CAUSE[case]
    loose.sql("SET sql_mode = ''", *changes.split("; "))
    with pytest.raises(RefusedRowsError) as caught:
        read()
    (fault,) = caught.value.faults
    assert re.match(f"mariadb: {says}", fault), fault


def test_blanks_in_ids_are_shown_as_they_are(loose, jaxshop: Callable) -> None:
    """An id with two blanks in it is quoted with two blanks, by us and by the server."""
    loose.sql("UPDATE jobs SET job_id = 'B  B', weight = 0 WHERE job_id = 'B'")
    assert "jobs: 'B  B': weight 0.0000: must be" in jaxshop("inspect", "mariadb:").err
    with connect(load_settings()) as database, pytest.raises(ShopError, match="Unknown column 'B  B'"):
        database.query("jobs", "SELECT `B  B` FROM jobs")


def test_closed_jobs_may_be_faulty(loose) -> None:
    """What is not read is not judged: history with missing durations does not stand in the way."""
    loose.sql("UPDATE operation_machines SET duration_h = NULL WHERE operation_id = 'C/1'")
    assert len(read().shop.jobs) == 2
