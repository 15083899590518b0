"""A plan made anew is stored beside the one before it, which stays and is named; orders come from the database."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jaxshop.sources.mariadb.writer import init
from tests.sources.mariadb.test_mariadb_page import PAGE

ORDER = (
    "INSERT INTO jobs VALUES ('D', 5, NULL, '2026-11-23 12:00:00', 1, 'open')",
    "INSERT INTO operations VALUES ('D/1', 'D', 1, 0.5)",
    "INSERT INTO operation_machines VALUES ('D/1', 'M1', 1), ('D/1', 'M2', 1)",
)


@pytest.fixture
def monday(loose, jaxshop, tmp_path) -> tuple[str, str]:
    """A signed snapshot of the shop, and a plan of it that the database holds."""
    init(results_only=True)
    loose.sql("DELETE FROM machines WHERE machine_id = 'M3'")
    shop, plan = str(tmp_path / "monday-shop.json"), str(tmp_path / "monday.json")
    assert jaxshop("db", "snapshot", shop).code == 0
    assert jaxshop("solve", "mariadb:", "--rule", "MWKR", "--out", plan, "--write-back").code == 0
    return shop, plan


def stored(site) -> dict[str, dict]:
    """What was asked for, by the id of each plan."""
    return {id: json.loads(options) for id, options in site.sql("SELECT schedule_id, options FROM schedules")}


def rows(site, id: str) -> list[tuple]:
    """A stored plan's rows."""
    columns = "operation_id, machine_id, start_at, end_at"
    return site.sql(f"SELECT {columns} FROM scheduled_operations WHERE schedule_id = '{id}' ORDER BY 1")


def test_plans_follow_each_other(loose, monday, jaxshop, tmp_path) -> None:
    """Monday's plan, one with a press down and an order that came, and one of that: each names the one before it."""
    shop, plan = monday
    (first,) = stored(loose)
    was = rows(loose, first)
    loose.sql(*ORDER)
    new, now, newer = (str(tmp_path / name) for name in ("new.json", "now.json", "newer.json"))
    told = ("--now", "0.5", "--down", "M1:0.5-1.5", "--add", "mariadb:", "--time-limit", "0", "--write-back", "--json")
    ended = jaxshop("reschedule", shop, plan, *told, "--out", new, "--shop-out", now)
    second = json.loads(ended.out)
    assert (second["stored"], second["before"]["schedule_id"]) == (True, first)
    options = stored(loose)[second["schedule_id"]]
    assert (options["before"], options["now"], options["add"]) == (first, 0.5, ["D"])
    assert options["down"] == [{"machine": "M1", "from": 0.5, "to": 1.5, "reason": "down"}]
    assert rows(loose, first) == was
    assert [row[0] for row in rows(loose, second["schedule_id"])] == ["A/1", "A/2", "B/1", "D/1"]

    again = ("reschedule", now, new, "--now", "1", "--drop", "D", "--time-limit", "0", "--write-back", "--out", newer)
    third = json.loads(jaxshop(*again, "--json").out)
    assert third["before"]["schedule_id"] == second["schedule_id"]
    assert len(stored(loose)) == 3
    assert "wrote " + newer + "; the database holds it already" in jaxshop(*again).out
    assert len(stored(loose)) == 3
    (query,) = re.findall(r"```sql title=\"the plans[^\n]*\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    by_id = {row[-2]: (row[1], row[4], row[-1]) for row in loose.sql(query.strip().rstrip(";"))}
    assert by_id == {
        first: ("draft", None, None),
        second["schedule_id"]: ("draft", "0.5", first),
        third["schedule_id"]: ("draft", "1.0", second["schedule_id"]),
    }


def test_the_plan_before_is_kept_where_it_was_not_stored(loose, monday, jaxshop, tmp_path) -> None:
    """A plan that was never written back is stored as well, once."""
    plan = monday[1]
    loose.sql("DELETE FROM schedules")
    again = ("reschedule", "mariadb:", plan, "--now", "0.5", "--time-limit", "0", "--out", str(tmp_path / "n"))
    assert jaxshop(*again).code == 0
    assert stored(loose) == {}
    for _ in range(2):
        told = json.loads(jaxshop(*again, "--down", "M1:0.5-9", "--write-back", "--json").out)
        assert set(stored(loose)) == {told["before"]["schedule_id"], told["schedule_id"]}
    assert stored(loose)[told["before"]["schedule_id"]] == {"kept": "the plan before another"}


def test_what_does_not_come_from_the_database_is_not_stored(loose, monday, jaxshop, tmp_path, monkeypatch) -> None:
    """A shop that is no snapshot, orders from a file, and a snapshot without its key; none of them writes anything."""
    shop, plan = monday
    data = json.loads(Path(shop).read_text())
    other, out = tmp_path / "other.json", tmp_path / "new.json"
    data["provenance"] = {"kind": "file", "detail": "typed"}
    other.write_text(json.dumps(data))
    told = ("--now", "0.5", "--time-limit", "0", "--write-back", "--out", str(out))
    urgent = tmp_path / "urgent.json"
    urgent.write_text(json.dumps({**data, "jobs": [{**data["jobs"][0], "id": "U"}]}).replace('"A/', '"U/'))
    for command, said in (
        ((str(other), plan), "other.json is neither mariadb: nor a signed snapshot of it"),
        ((shop, plan, "--add", str(urgent)), "urgent.json does not come from the database: enter its orders"),
        ((shop, plan, "--add", "mariadb:"), "the database has no open order that"),
    ):
        ended = jaxshop("reschedule", *command, *told)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err
    monkeypatch.delenv("JAXSHOP_SNAPSHOT_KEY")
    assert "neither mariadb: nor a signed snapshot" in jaxshop("reschedule", shop, plan, *told).err
    assert not out.exists()
    assert len(stored(loose)) == 1
