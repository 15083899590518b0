"""What the tests of training share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.trained import Finished


@pytest.fixture
def copied(finished: Finished, tmp_path) -> Path:
    """A copy of the finished run's folder, to do harm to."""
    return Path(shutil.copytree(finished.folder, tmp_path / "run"))
