"""Training on shops of many makes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import chex
import numpy as np
import pytest

from jaxshop.policies.checkpoint import load_policy
from jaxshop.support.settings import ConfigError
from jaxshop.training.config import Config, load_config
from jaxshop.training.origin import Origin, originated
from jaxshop.training.problem import prepare
from jaxshop.training.shops import MIX, SELECTION, ShopOrder, make_kept, make_shops
from jaxshop.training.stages import stages_of, untrained
from tests.shops import tiny_shop
from tests.trained import Finished, run_train, write_tiny

SMALL = [
    *("general.updates=0", "own.updates=0", "mix.updates=4", "evaluation.kept_work=2", "evaluation.selection_shops=2"),
    *("mix.flexible.weight=0", "mix.factory.weight=0", "mix.jobs.weight=2", "evaluation.every=3"),
    *(f"mix.{bank}.{key}" for bank in ("jobs", "lots") for key in ("count=4", "operations=24", "kept=2")),
    *(f"mix.{bank}.{key}" for bank in ("jobs", "lots") for key in ("shops=2", "samples=2", "candidates=8")),
    'mix.lots.makes=["identical", "tight-centre", "plant-due"]',
]
"""Job shops with twice the weight of work centres, all tiny; some of these with shifts, set-ups and due dates."""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Path:
    """The folder of a finished run."""
    config = write_tiny(tmp_path_factory.mktemp("mix"))
    result = run_train("--json", "--config", config, *SMALL)
    assert result.code in (0, 3), result.err
    return Path(result.json["run_dir"])


@pytest.mark.thorough
def test_an_update_learns_from_all_banks(mixed: Path):
    """Shows what each bank came to in every line, and a curve for each make of the kept shops."""
    lines = [json.loads(line) for line in (mixed / "metrics.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["mix"] * 4
    for line in lines:
        assert line["gap"] == pytest.approx((line["gap/jobs"] + line["gap/lots"]) / 2)
        assert line["best_gap/lots"] <= line["gap/lots"]
        assert line["steps"] > 2 * 2 * 2 * 20  # of both banks
    evaluated = [line for line in lines if "selection_gap" in line]
    makes = {"jobshop", "routes", "identical", "tight-centre", "plant-due"}
    assert [line["update"] for line in evaluated] == [3, 4]
    for line in evaluated:
        gaps = {key.removeprefix("kept/"): gap for key, gap in line.items() if key.startswith("kept/")}
        assert set(gaps) == makes
        assert line["selection_gap"] == pytest.approx(np.mean(list(gaps.values())))
    assert "Kept shops, tight-centre" in (mixed / "curves.html").read_text()


@pytest.mark.thorough
def test_weights_say_what_they_have_seen(mixed: Path):
    """Shows that report and checkpoint name every bank and what chose, and never the shop of the report."""
    report = json.loads((mixed / "report.json").read_text())
    assert [part["kind"] for part in report["trained_on"]] == ["distribution"] * 4
    assert [part["makes"][0] for part in report["trained_on"]] == ["jobshop", "identical"] * 2
    assert [part.get("use") for part in report["trained_on"]] == [None, None] + ["choice of the checkpoint"] * 2
    assert load_policy(mixed).meta["trained_on"] == report["trained_on"]


def test_a_learner_can_start_from_another_policy(finished: Finished):
    """Shows that the weights are the other policy's, and who it is."""
    other = finished.folder
    config, policy = load_config(finished.config_path, [f"run.start_from={other}"]), load_policy(other)
    learner, origin = originated(config, untrained(config))
    assert origin.policy == f"{other} {policy.id[:12]}"
    chex.assert_trees_all_equal(learner.averaged, learner.weights, policy.weights)


@pytest.mark.thorough
def test_a_run_can_start_from_another_policy(mixed: Path, tmp_path):
    """Shows that the report says so, and lists what both have seen.

    A resumed run reports the same of its beginning, although the other policy is gone by then.
    """
    config, other = write_tiny(tmp_path), tmp_path / "other"
    shutil.copytree(mixed / "checkpoints", other)
    full = ("updates=1", "shops=2", "samples=2", "candidates=8")
    pool = ("count=2", "machines=4", "jobs=6")
    given = ["general.updates=0", *(f"full.{x}" for x in full), *(f"full_pool.{x}" for x in pool)]
    given.append(f"run.start_from={other}")
    result = run_train("--json", "--config", config, *given)
    assert result.json["initialised_from"] == f"{other} {load_policy(other).id[:12]}"
    assert "policy, as it began, greedy" in result.err
    kinds = [*["distribution"] * 4, "generated", "shop", "generated"]
    assert [part["kind"] for part in result.json["trained_on"]] == kinds
    shutil.rmtree(other)
    resumed = run_train("--resume", result.json["run_dir"], "--json")
    assert resumed.json["policy"] == result.json["policy"]


def test_another_network_is_no_start(tmp_path):
    """Shows one line that names both networks, where the weights would not fit."""
    config = write_tiny(tmp_path)
    with pytest.raises(ConfigError, match=r"^run.start_from: shipped is a Gated\(width=64.*asks for Pooled\(width=16"):
        originated(load_config(config, ["run.start_from=shipped"]), untrained(load_config(config)))
    assert run_train("--config", config, "run.start_from=/nowhere").code == 2
    assert not (tmp_path / "runs").exists()


def test_what_a_checkpoint_says_of_its_origin_is_read_back():
    """Shows that a resumed run knows what the first one began with."""
    origin = Origin("shipped 0123", ({"kind": "distribution"},))
    assert Origin.of(origin.described()) == origin
    assert Origin.of({"initialised_from": None}) == Origin()


def test_shops_of_every_use_differ():
    """Shows that training and kept shops of a bank, and of two seeds, share no shop."""
    pool = Config().mix.lots
    drawn = []
    for purpose, seed in ((MIX, 0), (MIX, 1), (SELECTION, 0), (SELECTION, 1)):
        small = load_config(None, ["mix.lots.count=6", "mix.lots.kept=2", "mix.lots.operations=24"]).mix.lots
        shops = make_shops(ShopOrder(small, purpose, seed, 8))
        drawn += [tuple(np.sort(times[times > 0])) for times in shops.ops.time]
    assert len(set(drawn)) == len(drawn) == 24
    assert pool.distinct == ("identical", "tight-centre", "reference")


def test_what_is_known_of_kept_shops_lies_between_bound_and_rules():
    """Shows that the best known makespan is certified from below, and better than no work finds."""
    small = load_config(None, ["mix.jobs.kept=2", "mix.jobs.operations=40"]).mix.jobs
    none, some = (make_kept(ShopOrder(small, SELECTION, 0, 8, work)) for work in (0, 20))
    assert (none.best == none.shops.bound).all()
    assert (some.best >= some.shops.bound).all()
    assert some.makes == ("jobshop", "routes")


def test_a_stage_has_the_banks_that_have_a_weight():
    """Shows which setups an update is made for, with which weights, and that later stages begin where the mix ends."""
    config = load_config(None, ["mix.updates=7", "mix.jobs.weight=3", "mix.flexible.weight=0"])
    lessons = config.lessons()
    weights = {lesson.name: lesson.weight for lesson in lessons if lesson.stage == "mix"}
    assert weights == {"mix.jobs": 3.0, "mix.lots": 1.0, "mix.factory": 1.0}
    setups = {lesson.name: SimpleNamespace(mesh=None) for lesson in lessons}
    nothing: dict = dict.fromkeys(("mix", "general", "own"))  # is compiled
    stages = stages_of([config], setups, dict.fromkeys(setups), nothing)
    assert [(s.name, s.begin, s.end) for s in stages] == [("mix", 0, 7), ("general", 7, 67), ("own", 67, 112)]
    assert [len(s.shops) for s in stages] == [3, 1, 1]
    assert list(stages[0].setups) == list(weights)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("mix.jobs.makes=['jobshp']", "mix.jobs.makes: must be a list, not empty, and each must be one of jobshop"),
        ("mix.jobs.makes=[]", "mix.jobs.makes: must be a list, not empty"),
        ("mix.jobs.makes=[1]", r"mix.jobs.makes\[0\]: must be a string"),
        ("mix.jobs.makes='flow'", "mix.jobs.makes: must be a list"),
        ("mix.jobs.kept=0", "mix.jobs.kept: must be > 0"),
        ("mix.jobs=3", "mix.jobs: must be a table"),
        ("mix.jbs.count=3", "mix.jbs: unknown key, did you mean mix.jobs"),
        ("mix.jobs.x.y=3", "mix.jobs.x: unknown key"),
    ],
)
def test_a_faulty_mix_is_refused(override: str, said: str):
    """Shows that each fault is named by its key."""
    with pytest.raises(ConfigError, match=said):
        load_config(None, [override])


def test_a_mix_without_weight_is_refused():
    """Shows that a stage that could learn from nothing is named."""
    none = [f"mix.{bank}.weight=0" for bank in ("jobs", "flexible", "lots", "factory")]
    with pytest.raises(ConfigError, match=r"mix\.updates: no bank has a weight"):
        load_config(None, ["mix.updates=3", *none])


def test_a_make_is_in_one_bank():
    """Shows that banks which would share shops, and of whose kept ones only the last would count, are refused, and that
    a bank without a weight names what it likes.
    """
    twice = ["mix.updates=3", "mix.lots.makes=['flow', 'identical']"]
    with pytest.raises(ConfigError, match=r"mix: flow in two banks with a weight"):
        load_config(None, twice)
    assert load_config(None, [*twice, "mix.flexible.weight=0"]).mix.lots.makes == ("flow", "identical")


def test_the_generalist_never_sees_a_shop_it_is_judged_by():
    """Shows that the config of the shipped weights trains on, and chooses by, generated makes alone."""
    config = load_config("configs/generalist.toml")
    assert {lesson.stage for lesson in config.lessons()} == {"mix"}
    assert config.evaluation.choose_by == "kept"
    problem = prepare(tiny_shop(), load_config("configs/generalist.toml", [*SMALL, "run.target_hours=none"]))
    assert set(problem.selections) == {"jobs", "lots"}
