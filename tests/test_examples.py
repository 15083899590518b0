"""The programs of examples/ run, small, and come to what they are there to show."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import jax
import pytest

from jaxshop.ppo.update import update
from tests.shops import FT06
from tests.trained import run

FOLDER = Path(__file__).parents[1] / "examples"


def example(name: str) -> ModuleType:
    """A program of examples/ as a module."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_the_examples_run(tmp_path: Path):
    """Neither random play nor a rule beats the optimum of ft06, and a picture has a line a machine."""
    shop = tmp_path / "ft06.txt"
    shop.write_text("6 6" + FT06)
    makespans, _ = example("random_play").random_play(str(shop), 16)
    assert 55 <= int(makespans.min()) < int(makespans.max())

    lines = example("render").picture(str(shop), 20).splitlines()
    assert len(lines) == 7
    assert sum(map(len, lines)) > 600

    by_rule = example("custom_rule").compare(str(shop))
    assert min(by_rule.values()) * 3600 >= 55


@pytest.mark.thorough
def test_the_examples_learn():
    """A few updates of PPO get ahead of random play, and a network of one's own fits the update, and plays."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):  # as for users
        ppo = example("ppo")
        before, after, first = ppo.train(ppo.random_job_shop(4, 3, seed=0), updates=8, environments=16)
        assert min(before, after) > 0
        assert after < first

        own = example("custom_network")
        setup, learner, bank, kept = own.lesson(updates=1, machines=4, jobs=5, shops=4)
        learned, _ = jax.eval_shape(partial(update, setup), learner, bank)  # compiling it takes five times as long
        assert jax.tree.structure(learned) == jax.tree.structure(learner)
        assert own.gap(setup, learner.averaged, kept) >= 0


def test_the_example_is_read(tmp_path: Path):
    """The files of examples/ make a shop with calendars and set-ups, and say what was not read."""
    where = ("--plan-start", "2026-11-23T06:00", "--timezone", "Europe/Berlin", "--out", tmp_path / "shop.json")
    facts = run("import", *sorted((FOLDER / "shop").glob("*.csv")), *where, "--json").json
    assert (facts["machines"], facts["jobs"], facts["plan_start"]) == (5, 24, "2026-11-23T05:00:00Z")
    assert list(facts["ignored_columns"].values()) == [["Customer"]]
    assert run("inspect", tmp_path / "shop.json").code == 0
    assert facts["overdue"] == 0
    later = [word.replace("-23T", "-30T") if isinstance(word, str) else word for word in where]
    told = run("import", *sorted((FOLDER / "shop").glob("*.csv")), *later)
    assert "24 of 24 orders are due before the plan start: is --plan-start right?" in told.out
