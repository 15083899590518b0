"""What the command line costs before it does anything, and what `jaxshop import` refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.refusals import assert_refused
from tests.trained import run

TABLES = Path(__file__).parents[2] / "examples" / "shop"


@pytest.mark.parametrize("modules", ["jaxshop.cli", "jaxshop.cli.train"])
def test_the_command_line_starts_without_jax_scipy_or_the_database(modules: str):
    """Shows that parsing a command loads nothing that only some commands need."""
    heavy = {"jax", "scipy", "flax", "pydantic_settings", "mariadb", "rich", "fastapi"}
    code = f"import sys, {modules}; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--column", "colour=x"), "--column: unknown column 'colour'; columns are order, machine"),
        (("--column", "order"), "--column: must be name=header, not 'order'"),
        (("--column", "order=Nr"), "--column order=Nr: no table has a column 'Nr'"),
        (("--timezone", "Berlin"), "--timezone: unknown time zone 'Berlin'"),
        (("--plan-start", "2026-11-23T06:00"), "has no zone; add an offset such as +01:00 or Z, or say --timezone"),
        (("--plan-start", "soon"), "--plan-start: must be a time such as"),
        (("--encoding", "klingon"), "--encoding: unknown encoding 'klingon'"),
    ],
)
def test_options_that_make_no_sense(option: tuple[str, str], said: str, tmp_path: Path):
    """What is said of the files and cannot be is refused by the option's name."""
    assert_refused(run("import", *sorted(TABLES.glob("*.csv")), *option, "--out", tmp_path / "shop.json"), said)
