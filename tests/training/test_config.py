"""Configs: defaults, files, overrides, and every way of getting one wrong."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from jaxshop.support.settings import ConfigError
from jaxshop.training.config import Config, check_progress, check_resume, from_dict, load_config, load_run, to_dict
from jaxshop.training.start import resolve

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


def write(folder: Path, text: str) -> Path:
    """A config file with this text."""
    path = folder / "my.toml"
    path.write_text(text)
    return path


def test_an_empty_file_equals_the_defaults(tmp_path):
    """Shows that what a file leaves out keeps its default, all of it if need be."""
    assert load_config(write(tmp_path, "")) == Config() == load_config(None)


def test_a_config_survives_its_own_record():
    """Shows that the record in a run folder gives back the config, None included."""
    config = load_config(None, ["run.max_lot_hours=none", "stop.when=target", "own.updates=3"])
    assert config.run.max_lot_hours is None
    assert from_dict(to_dict(config), "config.json") == config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_loads_and_explains_each_key(path: Path):
    """Shows that each file in configs/ is valid and that every key in it carries a comment."""
    load_config(path)
    keys = [line for line in path.read_text().splitlines() if re.match(r"\s*\w+\s*=", line)]
    assert keys
    assert [line for line in keys if not re.search(r"#\s*\w", line)] == []


def test_the_default_config_names_every_key_with_its_default():
    """Shows that configs/reference.toml is the complete and true list of keys."""
    path = CONFIGS[0].with_name("reference.toml")
    assert load_config(path) == Config()
    written = {section: set(keys) for section, keys in tomllib.loads(path.read_text()).items()}
    assert written == {section: set(keys) for section, keys in to_dict(Config()).items()}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[ppo]\nlearning_rat = 1", "ppo.learning_rat: unknown key, did you mean ppo.learning_rate?"),
        ("[pqo]\nclip = 0.1", "pqo: unknown key, did you mean ppo?"),
        ("[stop]\nzzz = 1", "stop.zzz: unknown key, known are when, max_seconds"),
        ("ppo = 3", "ppo: must be a table"),
        ("[ppo]\nepochs = 2.5", "ppo.epochs: must be an integer, not 2.5"),
        ("[ppo]\nepochs = true", "ppo.epochs: must be an integer, not true"),
        ("[ppo]\nclip = '0.2'", 'ppo.clip: must be a number, not "0.2"'),
        ("[ppo]\nclip = true", "ppo.clip: must be a number, not true"),
        ("[ppo]\nclip = nan", "ppo.clip: must be a finite number"),
        ("[run]\ntarget_hours = inf", "run.target_hours: must be a finite number"),
        ("[run]\ntarget_hours = -1", "run.target_hours: must be > 0"),
        ("[run]\ntarget_hours = 1e306", "run.target_hours: must be > 0 and at most 87600"),
        ("[run]\nname = 3", "run.name: must be a string, not 3"),
        ("[run]\nname = [1979-05-27]", "run.name: must be a string"),
        ("[run]\nrequire_real_data = 1", "run.require_real_data: must be true or false, not 1"),
        ("[run]\nseed = -1", "run.seed: must be from 0 to 2147483647"),
        ("[run]\nseed = 4294967296", "run.seed: must be from 0 to 2147483647"),
        ("[stop]\nwhen = 'never'", "stop.when: must be one of budget, target, not 'never'"),
        ("[stop]\nwhen = ['target']", "stop.when: must be one of budget, target"),
        ("[ppo]\nminibatches = 0", "ppo.minibatches: must be > 0"),
        ("[ppo]\ndiscount = 1.5", "ppo.discount: must be from 0 to 1"),
        ("[general]\nupdates = -1", "general.updates: must be >= 0"),
        ("[general]\nupdates = 0\n[own]\nupdates = 0", "there must be an update"),
        ("[general]\nsamples = 1", "general.samples: must be at least 2"),
        ("[general]\nshops = 10000000000", "general.shops: must be > 0 and at most 2147483647"),
        ("[general]\nupdates = 134217728", "ppo.epochs: with ppo.minibatches, 134217773 updates make 2147484368"),
        ("[ppo]\nepochs = 10000000000", "ppo.epochs: must be > 0 and at most 2147483647"),
        ("[network]\nwidth = 100000000000000000000", "network.width: must be > 0 and at most 16384"),
        ("[imitation]\ndecisions = 100000000000000", "imitation.decisions: must be > 0 and at most 1000000"),
        ("[own]\nshops = 2", "own.shops: must be 1"),
        ("[own]\nlearning_rate = 0", "own.learning_rate: must be > 0"),
        ("[evaluation]\nbaseline_seconds = -2", "evaluation.baseline_seconds: must be > 0"),
        ("[evaluation]\nplan_work = -1", "evaluation.plan_work: must be >= 0"),
        ("[run", "not valid TOML"),
        ("[run]\nseed = 1\nseed = 2", "not valid TOML"),
        (f"[run]\nseed = {'1' * 5000}", "too many digits"),
        (f"[run]\nseed = 0x{'f' * 5000}", "run.seed: a number has too many digits"),
        (f"[stop]\nwhen = [0x{'f' * 5000}]", "stop.when: a number has too many digits"),
        (f"[ppo]\nlearning_rate = {'1' * 400}", "ppo.learning_rate: a number has too many digits"),
        (f"[run]\nseed = {'[' * 100_000}", "nested too deeply"),
    ],
    ids=lambda text: text[:60],
)
def test_a_faulty_file_is_refused_in_one_line(tmp_path, text: str, complaint: str):
    """Shows that the line names file, key and problem, and the nearest key where one was misspelt."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overrides_beat_the_file(tmp_path):
    """Shows the forms that a value may take on the command line."""
    path = write(tmp_path, "[ppo]\nclip = 0.1\nepochs = 3\n")
    shop = ["run.shop=../my shop.json", "run.name='07'"]
    config = load_config(path, ["ppo.clip=0.25", "run.target_hours=none", "run.seed=7", "stop.max_seconds=60", *shop])
    assert (config.ppo.clip, config.ppo.epochs, config.run.target_hours, config.run.seed) == (0.25, 3, None, 7)
    assert (config.stop.max_seconds, config.run.shop, config.run.name) == (60.0, "../my shop.json", "07")


def test_a_target_is_of_a_shop(tmp_path):
    """Shows that the reference's target is nobody else's: another shop has the one that is said with it, or none."""
    mine = write(tmp_path, "[run]\nshop = 'mine.json'\n")
    assert load_run(None).run.target_hours == load_run(CONFIGS[0].with_name("reference.toml")).run.target_hours == 130.0
    assert load_run(CONFIGS[0].with_name("reference.toml"), ["run.shop=reference:1"]).run.target_hours is None
    assert load_run(mine).run.target_hours is None
    assert load_run(mine, ["run.target_hours=90"]).run.target_hours == 90.0
    assert load_run(None, ["run.shop=x.json", "run.target_hours=90"]).run.target_hours == 90.0
    assert load_run(None, ["run.shop=reference"]).run.target_hours == 130.0
    assert load_run(CONFIGS[0].with_name("reference.toml"), ["run.shop=reference"]).run.target_hours == 130.0
    assert load_run(CONFIGS[0].with_name("production.toml")).run.target_hours == 130.0
    both = write(tmp_path, "[run]\nshop = 'mine.json'\ntarget_hours = 50.0\n")
    assert load_run(both).run.target_hours == 50.0
    assert load_run(both, ["run.shop=reference"]).run.target_hours is None


def test_a_resume_with_a_file_has_the_target_that_a_new_run_has(tmp_path):
    """Shows that the reference's target is not set for the shop of a file that names none."""
    mine = write(tmp_path, "[run]\nshop = 'mine.json'\n")
    (tmp_path / "config.json").write_text(json.dumps(to_dict(load_run(mine))))
    assert resolve(str(mine), str(tmp_path), []).run.target_hours is None
    assert resolve(str(mine), str(tmp_path), ["run.target_hours=90"]).run.target_hours == 90.0


def test_a_run_that_ends_with_its_target_has_one(tmp_path):
    """Shows that a target that nobody set, or that was meant for another shop, is missed before the run begins."""
    (tmp_path / "config.json").write_text(json.dumps(to_dict(load_run(None))))
    assert resolve(None, None, ["stop.when=target"]).stop.when == "target"
    for resume, change in (
        (None, "run.shop=x.json"),
        (None, "run.target_hours=none"),
        (tmp_path, "run.target_hours=none"),
    ):
        with pytest.raises(ConfigError, match=r"^stop.when: target needs run.target_hours$"):
            resolve(None, resume and str(resume), ["stop.when=target", change])


@pytest.mark.parametrize(
    "override",
    [
        *("ppo.clip", "clip=1", "=1", "ppo.=1", "ppo.clip=", "ppo.clip=nan", "ppo.x.y=1"),
        *(f"ppo.clip={value}" for value in ("1" * 5000, "1" * 400, "[" * 100_000)),
    ],
    ids=lambda override: override[:12],
)
def test_a_faulty_override_is_refused(override: str):
    """Shows that an override without section, key or a usable value says so."""
    with pytest.raises(ConfigError, match=r"ppo|override"):
        load_config(None, [override])


def test_a_faulty_override_is_not_blamed_on_the_file(tmp_path):
    """A file that is right is not named where an override is wrong."""
    with pytest.raises(ConfigError, match=r"^overrides: ppo\.learning_rat: unknown key, did you mean"):
        load_config(write(tmp_path, "[ppo]\nclip = 0.2\n"), ["ppo.learning_rat=1"])


def test_a_resumed_run_may_go_on_longer_but_not_otherwise():
    """Shows what may change on a resume, and that every other difference is named with both values."""
    before = load_config(None, ["general.updates=4"])
    check_resume(before, load_config(None, ["general.updates=8", "run.target_hours=140", "stop.when=target"]), "RUN")
    after = load_config(None, ["general.updates=4", "ppo.clip=0.1", "network.width=32"])
    with pytest.raises(ConfigError, match=r"^RUN: .*network.width was 64, now 32; ppo.clip was 0.3, now 0.1$"):
        check_resume(before, after, "RUN")
    judged = load_config(None, ["general.updates=4", "evaluation.samples=8", "evaluation.choose_by=own"])
    with pytest.raises(ConfigError, match=r"^RUN: .*: evaluation.choose_by was .?kept.?, now .?own.?$"):
        check_resume(before, judged, "RUN")


def test_a_stage_that_is_over_keeps_its_length():
    """Shows that updates may be added to the stage a run is in, not to one that later weights were built on."""
    before = load_config(None, ["general.updates=4", "full.updates=0", "own.updates=4"])

    def after(**lengths: int) -> Config:
        stages = {name: replace(getattr(before, name), updates=n) for name, n in lengths.items()}
        return replace(before, **stages)

    check_progress(before, after(general=9), 3, "RUN")
    check_progress(before, after(general=9), 4, "RUN")
    check_progress(before, after(own=40), 6, "RUN")
    check_progress(before, after(own=2), 6, "RUN")
    for done, lengths in ((5, {"general": 9}), (3, {"general": 2}), (7, {"own": 2}), (5, {"full": 1})):
        with pytest.raises(ConfigError, match=r"RUN: \w+.updates was \d, now \d; the run is at update"):
            check_progress(before, after(**lengths), done, "RUN")
