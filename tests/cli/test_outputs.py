"""No command writes over what it reads, nor two results into one file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.refusals import assert_refused
from tests.trained import run

TABLES = Path(__file__).parents[2] / "examples" / "shop"
OVER = {
    "inspect": "inspect shop.json --out shop.json",
    "import": "import {tables} --out orders.csv",
    "solve, shop": "solve shop.json --rule SPT --out shop.json",
    "solve, page": "solve shop.json --rule SPT --out new.json --gantt shop.json",
    "solve, start": "solve shop.json --time-limit 1 --start plan.json --out plan.json",
    "reschedule, shop": "reschedule shop.json plan.json --now 0 --out new.json --shop-out shop.json",
    "reschedule, plan": "reschedule shop.json plan.json --now 0 --out plan.json",
    "reschedule, orders": "reschedule shop.json plan.json --now 0 --add more.json --out new.json --gantt more.json",
    "export": "export shop.json by-machine.csv --csv .",
    "export, sheets": "export shop.json plan.json --xlsx plan.json",
    "evaluate": "evaluate shop.json --rules --csv shop.json",
    "evaluate, folder": "evaluate . --rules --markdown more.json",
    "evaluate, best known": "evaluate shop.json --rules --best-known known.csv --csv known.csv",
    "profile": "profile shop.json --history shop.json",
    "profile, picture": "profile shop.json --against lines.jsonl --plot lines.jsonl",
    "by another name": "inspect shop.json --out ./link.json",
}
TWICE = {
    "solve": "solve shop.json --rule SPT --out new.json --gantt new.json",
    "reschedule": "reschedule shop.json plan.json --now 0 --out new.json --shop-out new.json",
    "evaluate": "evaluate shop.json --rules --csv new.md --markdown new.md",
}


@pytest.fixture
def folder(good, tmp_path, monkeypatch) -> Path:
    """Everything that the commands read, as the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("shop.json", "more.json"):
        Path(name).write_text(json.dumps(good))
    Path("link.json").symlink_to("shop.json")
    assert run("solve", "shop.json", "--rule", "SPT", "--out", "plan.json").code == 0
    shutil.copy("plan.json", "by-machine.csv")
    for table in TABLES.glob("*.csv"):
        shutil.copy(table, ".")
    for name in ("known.csv", "lines.jsonl"):
        Path(name).write_text("instance,upper_bound\n")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """All files by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("command", OVER)
def test_what_is_read_is_not_written_over(folder, command: str):
    """Shows for every command that reads and writes files one line, exit code 2, and all files as they were."""
    before, tables = contents(folder), " ".join(table.name for table in TABLES.glob("*.csv"))
    words = OVER[command].format(tables=tables).split()
    assert_refused(run(*words), "is read, so nothing is written there")
    assert contents(folder) == before


@pytest.mark.parametrize("command", TWICE)
def test_two_results_need_two_files(folder, command: str):
    """Shows the same for one file that is to hold two results."""
    before = contents(folder)
    assert_refused(run(*TWICE[command].split()), "two results would be written there")
    assert contents(folder) == before
