"""Compiled kernels: what is kept between processes is never older than its sources, and may be missing altogether."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import NumbaError

from jaxshop.support.compiling import allocating, compiled

ROOT = Path(__file__).parents[2]
INNER = """from jaxshop.support.compiling import compiled
NUMBER = {number}

@compiled
def inner(x):
    return x {change}
"""
OUTER = """from inner import NUMBER, inner
from jaxshop.support.compiling import compiled

@compiled
def outer(x):
    return inner(x) * NUMBER
"""


def python(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """Run a program in a folder, with the package at hand."""
    env = os.environ | {"PYTHONPATH": f"{folder}:{ROOT}", "NUMBA_CACHE_DIR": ""} | variables
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=env)


@pytest.mark.thorough
def test_a_kernel_follows_what_it_has_from_other_files(tmp_path):
    """Shows that a kernel is read from the cache where nothing has changed, and compiled anew where an imported kernel
    or number has: Numba alone would go on with the old ones."""
    (tmp_path / "outer.py").write_text(OUTER)
    code = "from outer import outer; print(outer(5), sum(outer.stats.cache_hits.values()))"
    said = []
    for number, change in ((10, "+ 1"), (10, "+ 1"), (10, "- 2.5"), (1000, "- 2.5")):  # of another length, for Python's
        (tmp_path / "inner.py").write_text(INNER.format(number=number, change=change))
        said.append(python(code, tmp_path).stdout)
    assert said == ["60 0\n", "60 1\n", "25.0 0\n", "2500.0 0\n"]


def test_kernels_work_where_nothing_can_be_kept(tmp_path):
    """Shows that without any folder to write to, which is said once, two kernels are compiled and right."""
    (tmp_path / "outer.py").write_text(OUTER)
    (tmp_path / "inner.py").write_text(INNER.format(number=10, change="+ 1"))
    (tmp_path / "__pycache__").write_text("a file, where root may not write either")
    nowhere = str(tmp_path / "__pycache__" / "kept")
    code = "from outer import outer; print(outer(5), outer.stats.cache_path)"  # by which a process knows not to stay
    done = python(code, tmp_path, HOME=nowhere, XDG_CACHE_HOME=nowhere)
    assert done.stdout == "60 None\n"
    assert done.stderr.count("no folder for Numba's cache can be written") == 1


def test_kernels_that_count_no_references_make_no_arrays():
    """Shows that an array which nobody would free is refused, and made by a kernel that says so."""

    def three():
        return np.ones(3)

    with pytest.raises(NumbaError, match="Only accept returning of array passed"):
        compiled(three)()
    assert allocating(three)().tolist() == [1.0, 1.0, 1.0]
