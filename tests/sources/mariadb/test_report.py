"""The data report: figures of the shop, what the read left out, and an alarm when the scale is another."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jaxshop.shop import Job, Machine, Operation, Shop
from jaxshop.sources import load_shop
from jaxshop.sources.mariadb.reader import Counts
from jaxshop.sources.report import data_report, read_and_report, report_text


def test_reference_figures() -> None:
    """The figures that the factory is known by are found again."""
    report = data_report(load_shop("reference"), target_hours=130)
    assert report["scale"]["total_hours"] == pytest.approx(14951.00)
    assert (report["job_hours"]["min"], report["job_hours"]["max"]) == pytest.approx((0.03, 332.36))
    assert sum(row["jobs"] for row in report["decades"]) == 411
    assert sum(centre["machines"] for centre in report["work_centres"]) == 149
    assert sum(centre["hours"] for centre in report["work_centres"]) == pytest.approx(14951.00)
    hours = list(report["over_target"]["jobs"].values())
    assert hours == sorted(hours, reverse=True)
    assert hours[-1] > 130
    assert json.loads(json.dumps(report)) == report


def test_figures_by_hand() -> None:
    """A shop of two jobs, worked out by hand."""
    jobs = (
        Job("A", (Operation("A/1", {"M": 3600, "N": 7200}, setup=1800), Operation("A/2", {"N": 360_000}))),  # 102.5 h
        Job("B", (Operation("B/1", {"M": 36}),)),  # 0.01 h
    )
    shop = Shop("s", (Machine("M", "saw"), Machine("N")), jobs)
    report = data_report(shop, Counts(past_releases=1), target_hours=100)
    assert report["job_hours"] | {} == {
        "min": 0.01,
        "median": pytest.approx(51.255),
        "mean": pytest.approx(51.255),
        "max": 102.5,
        "shortest": "B",
        "longest": "A",
    }
    assert [(row["from"], row["jobs"], row["operations"]) for row in report["decades"]] == [
        (0.01, 1, 1),
        (0.1, 0, 0),
        (1, 0, 1),
        (10, 0, 0),
        (100, 1, 1),
    ]
    assert {row["work_centre"]: row["hours"] for row in report["work_centres"]} == {
        "saw": pytest.approx(0.75 + 0.01),
        "(none)": pytest.approx(1.25 + 100),
    }
    assert report["over_target"] == {"target_hours": 100, "jobs": {"A": 102.5}}
    assert "1 jobs are longer than the target of 100 h: A 102.50" in report_text(report)
    assert "1 releases" in report_text(report)


@pytest.mark.parametrize(("factor", "alarm"), [(1, False), (2.9, False), (1 / 2.9, False), (15, True), (1 / 15, True)])
def test_another_scale_is_called_out(factor: float, alarm: bool) -> None:
    """A mean off by more than a factor of 3, in either direction, is a warning; less is not."""
    report = data_report(load_shop("reference"))
    last = {name: value * factor if "hours" in name else value for name, value in report["scale"].items()}
    text = report_text(data_report(load_shop("reference"), last={"taken_at": "then", **last}))
    assert ("WARNING" in text) is alarm
    assert ("mean job hours" in text.partition("WARNING")[2]) is alarm


def test_report_is_printed_before_anything_is_done(loose, jaxshop) -> None:
    """`inspect mariadb:` begins with the report: rows, states, what counted as 0, and refusals."""
    loose.sql("UPDATE jobs SET release_at = '2026-01-01' WHERE job_id = 'A'")
    out = jaxshop("inspect", "mariadb:", "--target-hours", "2.5", "--report").out
    assert out.startswith("data report: shop_")
    for part in (
        "rows read: plan 1, machines 3, jobs 2, operations 3, operation_machines 4",
        "jobs by status: closed 1, open 2",
        "left out: 1 inactive machines; counted as 0, being past: 1 releases, 0 availabilities",
        "2 jobs are longer than the target of 2.5 h: B 3.00, A 2.75",
        "no earlier snapshot",
    ):
        assert part in out


def test_the_report_is_three_lines_unless_all_is_asked_for(loose, jaxshop) -> None:
    """Where it came from, how much it is, what was left out; the option is refused for any other shop."""
    lines = jaxshop("inspect", "mariadb:").out.splitlines()
    assert lines[0].startswith("data report: shop_")
    assert lines[1].startswith("  2 machines, 2 jobs, 3 operations; ")
    assert lines[2] == "  1 machines are inactive; no earlier scale; --report prints all of it"
    assert "rows read" not in "".join(lines)
    ended = jaxshop("inspect", "reference", "--report")
    assert (ended.code, ended.err) == (2, "error: --report: is about mariadb:, not reference\n")


def test_alarm_stays_until_a_snapshot_accepts_the_scale(loose, jaxshop, tmp_path) -> None:
    """Hours turned into something 15 times shorter are called out at every read, until a snapshot is taken."""
    assert "WARNING" not in jaxshop("inspect", "mariadb:").out
    loose.sql("UPDATE operation_machines SET duration_h = duration_h / 15")
    for _ in range(2):
        out = jaxshop("inspect", "mariadb:").out
        assert "WARNING: mean job hours" in out
        assert "check the unit of the durations" in out
    assert "WARNING" in jaxshop("db", "snapshot", str(tmp_path / "s.json")).err
    assert "WARNING" not in jaxshop("inspect", "mariadb:").out


def test_json_keeps_stdout_clean(loose, jaxshop) -> None:
    """With --json the report goes to stderr, and stdout is one line of JSON."""
    ended = jaxshop("inspect", "mariadb:", "--json")
    assert json.loads(ended.out)["shop"]["jobs"] == 2
    assert ended.out.count("\n") == 1
    assert "data report" in ended.err


def test_a_state_folder_that_cannot_be_written_is_no_fault(loose, monkeypatch, tmp_path, capsys) -> None:
    """Where the scale cannot be kept the report says so, and the shop is read."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAXSHOP_STATE_DIR", str(tmp_path / "file" / "state"))
    assert len(read_and_report().jobs) == 2
    assert "the scale is not kept" in capsys.readouterr().err


def test_without_a_home_the_shop_is_read_all_the_same(loose, monkeypatch, capsys) -> None:
    """An account without a home, as containers have, is told how to have the scale kept, and no more."""
    monkeypatch.delenv("JAXSHOP_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", "~no-such-user/state")
    assert len(read_and_report().jobs) == 2
    assert "not kept for later comparison: there is no home folder; set JAXSHOP_STATE_DIR" in capsys.readouterr().err


def test_statuses_are_shown_without_their_control_characters(loose, jaxshop) -> None:
    """The status of a job that is left out may be anything; in the report it is one line."""
    loose.sql("INSERT INTO jobs (job_id, status) VALUES ('X', 'a\nb'), ('Y', '\x1b[31m'), ('Z', '')")
    assert (
        r"jobs by status: '' 1, '\x1b[31m' 1, 'a\nb' 1, closed 1, open 2"
        in jaxshop("inspect", "mariadb:", "--report").out
    )


def test_a_damaged_scale_is_named(loose, jaxshop, tmp_path) -> None:
    """A state file that is no scale ends in one line that names it."""
    jaxshop("inspect", "mariadb:")
    (path,) = (tmp_path / "state").iterdir()
    path.write_text('{"jobs": "many"}')
    ended = jaxshop("inspect", "mariadb:")
    assert (ended.code, ended.err) == (2, f"error: {path}: holds no scale; delete it to begin anew\n")


def test_names_are_printed_as_they_are() -> None:
    """Names that look like markup stay what they are."""
    shop = load_shop("reference")
    machines = tuple(replace(m, work_centre="[red]saw[/]") for m in shop.machines)
    assert "[red]saw[/]" in report_text(data_report(replace(shop, machines=machines)))
