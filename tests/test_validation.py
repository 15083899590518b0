"""`benchmarks/validation.py`: what is best known of its shops."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from jaxshop.shop import split_lots
from tests.shops import random_shop


@pytest.fixture
def validation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    return importlib.import_module("validation")


def test_a_shop_is_searched_once(validation: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Shows that what is known stays in the folder, by shop and work, and only what is not is searched for."""
    asked: list[int] = []
    monkeypatch.setattr(validation, "best_known", lambda plan, seed, work: asked.append(work) or 100 * len(asked))
    plans = [split_lots(random_shop(seed), None) for seed in range(3)]
    assert validation.searched(plans[:2], tmp_path, 5).tolist() == [100, 200]
    assert validation.searched(plans[::-1], tmp_path, 5).tolist() == [300, 200, 100]
    assert validation.searched(plans[:1], tmp_path, 6).tolist() == [400]
    assert asked == [5, 5, 5, 6]


def test_gaps_are_means_of_makes(validation: ModuleType):
    """Shows percent over what each shop is held against, a number for each make."""
    costs, least = np.array([110.0, 130.0, 200.0, 200.0]), np.array([100.0, 100.0, 100.0, 200.0])
    assert validation.percent_over(costs, least, 2) == pytest.approx([20.0, 50.0])
