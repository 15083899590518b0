"""What the command line costs before it does anything."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("modules", ["jaxshop.cli", "jaxshop.cli.train"])
def test_the_command_line_starts_without_jax_scipy_or_the_database(modules: str):
    """Shows that parsing a command loads nothing that only some commands need."""
    heavy = {"jax", "scipy", "flax", "pydantic_settings", "mariadb", "rich", "fastapi"}
    code = f"import sys, {modules}; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
