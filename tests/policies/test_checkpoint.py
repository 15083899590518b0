"""Checkpoints: what is kept, what comes back, and what is refused."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxshop.policies.checkpoint import SUMS, CheckpointError, Store, export_policy, load_policy, versions
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.shop import split_lots
from jaxshop.support.errors import ShopError
from jaxshop.training.config import load_config
from jaxshop.training.origin import Origin
from jaxshop.training.provenance import describe
from jaxshop.training.stages import untrained
from tests.shops import tiny_shop
from tests.trained import UPDATES, Finished

META = {"versions": versions(), "config": {"network": {"width": 4}}}


def save(store: Store, step: int, score: float) -> None:
    """A checkpoint of a learner of one number."""
    value = jnp.full(3, float(step))
    store.save(step, {"weights": value}, {"weights": value + 0.5}, META, score)


def kept(folder: Path) -> set[int]:
    """The steps that lie in a folder of checkpoints."""
    return {int(path.name) for path in folder.iterdir() if path.name.isdecimal()}


def test_latest_and_best_are_both_kept(tmp_path):
    """Shows that a best checkpoint outlives newer ones, that the newest outlives being worse, and that others go."""
    like = {"weights": jnp.zeros(3)}
    store = Store(tmp_path / "c")
    for step, score in ((1, 0.5), (2, 0.2), (3, 0.4), (4, 0.3)):
        save(store, step, score)
        assert kept(tmp_path / "c") == {step, min(step, 2)}
    store.close()
    again = Store(tmp_path / "c", read_only=True)
    assert (again.latest(), again.best(), again.best_score()) == (4, 2, 0.2)
    assert again.learner(4, like)["weights"].tolist() == [4.0] * 3
    assert again.weights(2, like)["weights"].tolist() == [2.5] * 3


def test_what_was_not_judged_is_never_the_best(tmp_path):
    """Shows that the infinite score of an interrupted run loses to every other, and serves while it is alone."""
    store = Store(tmp_path / "c")
    assert (store.latest(), store.best(), store.best_score()) == (None, None, math.inf)
    save(store, 3, math.inf)
    assert (store.best(), store.best_score()) == (3, math.inf)
    save(store, 5, 0.9)
    save(store, 7, math.inf)
    assert (store.latest(), store.best(), store.best_score()) == (7, 5, 0.9)


def test_a_learner_comes_back_whole(finished: Finished):
    """Shows that structure, dtypes and key survive: weights, averages, optimiser with its counts, key and update."""
    like = untrained(finished.config)
    learner = Store(finished.folder / "checkpoints", read_only=True).learner(UPDATES, like)
    chex.assert_trees_all_equal_shapes_and_dtypes(learner, like)
    assert int(learner.update) == UPDATES
    assert jax.random.key_data(learner.key).tolist() == jax.random.key_data(like.key).tolist()
    own = finished.config.own.updates * finished.config.ppo.epochs * finished.config.ppo.minibatches
    counts = [int(x) for x in jax.tree.leaves(learner.optimiser) if x.dtype == jnp.int32]
    assert set(counts) == {own}


def test_load_policy_gives_the_best(finished: Finished):
    """Shows that run folder and checkpoint folder give the averaged weights of the best checkpoint."""
    policy = load_policy(finished.folder)
    store = Store(finished.folder / "checkpoints", read_only=True)
    like = untrained(finished.config).averaged
    chex.assert_trees_all_equal(policy.weights, store.weights(store.best(), like))
    assert policy.network == make_network(NetworkConfig(width=16))
    assert policy.meta["step"] == store.best()
    assert load_policy(finished.folder / "checkpoints").id == policy.id


def test_an_exported_policy_is_the_same_policy(finished: Finished, tmp_path):
    """Shows that an export replaces what was there, leaves nothing beside it, and holds nothing to resume from."""
    policy = load_policy(finished.folder)
    for _ in range(2):
        export_policy(policy.weights, policy.meta, tmp_path / "exported")
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]
    again = load_policy(tmp_path / "exported")
    assert (again.id, again.network) == (policy.id, policy.network)
    assert not list((tmp_path / "exported").rglob("*learner*"))


def test_an_export_replaces_no_other_folder(finished: Finished, tmp_path):
    """Shows that a file, a folder of other things and a run's checkpoints stay as they are, an empty folder not."""
    policy = load_policy(finished.folder)
    (tmp_path / "file").write_text("x")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("x")
    shutil.copytree(finished.folder / "checkpoints", tmp_path / "checkpoints")
    before = sorted(tmp_path.rglob("*"))
    for name in ("file", "docs", "checkpoints"):
        with pytest.raises(CheckpointError, match=f"{name} holds something else than an exported policy"):
            export_policy(policy.weights, policy.meta, tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "empty").mkdir()
    export_policy(policy.weights, policy.meta, tmp_path / "empty")
    assert load_policy(tmp_path / "empty").id == policy.id


def test_the_shipped_policy_loads():
    """Shows that the package's own policy is there, of these versions, and says what it was trained on."""
    assert load_policy().meta["trained_on"]


def test_trained_on_says_what_the_weights_have_seen():
    """Shows the record after some updates of each stage, and that a shop that only chose the checkpoint counts."""
    config = load_config(None, ["general.updates=3", "full.updates=2", "own.updates=4", "run.max_lot_hours=none"])
    plan = split_lots(tiny_shop(), None)
    seen = [describe(config, plan, Origin())(update)["trained_on"] for update in (2, 5, 8)]
    assert [[part.get("updates") for part in parts] for parts in seen] == [[2, None], [3, 2, None], [3, 2, 3, None]]
    assert all(parts[-1]["use"] == "choice of the checkpoint" for parts in seen)
    config = load_config(None, ["own.updates=0", "evaluation.selection_shops=7"])
    kept_only = describe(config, plan, Origin())(10)["trained_on"]
    assert {part["kind"] for part in kept_only} == {"generated"}
    chosen_on = {"kind": "generated", "shops": 7, "machines": len(plan.shop.machines), "seed": 0}
    assert kept_only[-1] == chosen_on | {"use": "choice of the checkpoint"}


def damage(path: Path, how: str) -> None:
    """Cut a file short, empty it, change a byte in its middle, or take it away."""
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "changed":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    else:
        path.write_bytes(content[: len(content) // 2] if how == "cut" else b"")


@pytest.mark.parametrize("how", ["cut", "empty", "changed", "gone"])
def test_no_damaged_file_goes_unnoticed(finished: Finished, tmp_path, how: str):
    """Shows for each file of a checkpoint that, damaged, it is refused by name in one line, before orbax reads it."""
    best = Store(finished.folder / "checkpoints", read_only=True).best()
    source = finished.folder / "checkpoints" / str(best)
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.name != SUMS]
    assert len(files) > 10
    for i, file in enumerate(files):
        copy = tmp_path / str(i) / str(best)
        shutil.copytree(source, copy)
        damage(copy / file, how)
        if how in ("cut", "empty") and not (source / file).stat().st_size:
            continue
        with pytest.raises(ShopError) as caught:
            load_policy(copy.parent)
        assert str(caught.value).startswith(str(copy.parent))
        assert "\n" not in str(caught.value)


def test_damaged_sums_are_noticed_and_missing_ones_are_not_needed(finished: Finished, tmp_path):
    """Shows that a process killed before it could write the sums of a checkpoint leaves one that can be used."""
    best = str(Store(finished.folder / "checkpoints", read_only=True).best())
    shutil.copytree(finished.folder / "checkpoints" / best, tmp_path / "c" / best)
    damage(tmp_path / "c" / best / SUMS, "cut")
    with pytest.raises(CheckpointError, match="damaged"):
        load_policy(tmp_path / "c")
    damage(tmp_path / "c" / best / SUMS, "gone")
    assert load_policy(tmp_path / "c").id == load_policy(finished.folder).id


def test_weights_for_another_network_are_refused(finished: Finished, tmp_path):
    """Shows that weights are never cut or filled up to fit the network that the record describes."""
    policy = load_policy(finished.folder)
    config = policy.meta["config"]
    wrong = {**policy.meta, "config": {**config, "network": {**config["network"], "width": 8}}}
    export_policy(policy.weights, wrong, tmp_path / "wrong")
    with pytest.raises(CheckpointError, match=r"cannot be read: params\..* is \(16,\), asked for is \(8,\)"):
        load_policy(tmp_path / "wrong")


@pytest.mark.parametrize(("env", "passing"), [({}, False), ({"env": {"passing": True}}, True)])
def test_a_policy_knows_what_it_learned_to_decide(finished: Finished, tmp_path, env: dict, passing: bool):
    """Shows that machines may be passed over where that was trained, and not where a record is older than the key."""
    policy = load_policy(finished.folder)
    config = {key: value for key, value in policy.meta["config"].items() if key != "env"}
    export_policy(policy.weights, {**policy.meta, "config": {**config, **env}}, tmp_path / "policy")
    assert load_policy(tmp_path / "policy").passing == passing


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"versions": {**versions(), "features": 99}}, "made for versions"),
        ({"versions": None}, "made for versions None"),
        ({"config": None}, "network: must be a table"),
        ({"config": {"network": {"width": "wide"}}}, "network.width: must be an integer"),
        ({"config": {"network": {"heads": 8}}}, "network.heads: unknown key"),
        ({"config": {"network": {}, "env": {"passing": "perhaps"}}}, "env.passing: must be true or false"),
    ],
)
def test_a_foreign_record_is_refused(finished: Finished, tmp_path, change: dict, complaint: str):
    """Shows that a policy of another version, or one that does not say what it is, is refused with its folder."""
    policy = load_policy(finished.folder)
    export_policy(policy.weights, {**policy.meta, **change}, tmp_path / "foreign")
    with pytest.raises(ValueError, match=complaint) as caught:
        load_policy(tmp_path / "foreign")
    assert str(caught.value).startswith(f"{tmp_path / 'foreign'}: ")


def test_no_checkpoint_is_written_where_it_would_not_be_found(finished: Finished, tmp_path):
    """Shows that a path with a bracket, a pattern to orbax, is refused before anything is written, and can be read."""
    folder, policy = tmp_path / "night[old]", load_policy(finished.folder)
    with pytest.raises(CheckpointError, match=r"night\[old\]: checkpoints cannot be written"):
        Store(folder)
    with pytest.raises(CheckpointError, match=r"night\[old\]: checkpoints cannot be written"):
        export_policy(policy.weights, policy.meta, folder)
    assert not list(tmp_path.iterdir())
    shutil.copytree(finished.folder / "checkpoints", folder)
    assert load_policy(folder).id == policy.id


def test_folders_that_hold_no_checkpoint_are_refused(tmp_path):
    """Shows what is said of a folder that is missing, empty, a file or full of other things; none changes."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "3").write_text("x")
    (tmp_path / "other" / "notes").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for name in ("missing", "empty", "file", "other"):
        with pytest.raises(CheckpointError, match=str(tmp_path / name)):
            load_policy(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before
