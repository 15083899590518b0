"""Checkpoints (orbax): the whole learner to resume from, and the bare policy to schedule with."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from chex import ArrayTree

from jaxshop.env.features import FEATURES_VERSION
from jaxshop.parallel.cluster import leads
from jaxshop.policies.registry import EnvConfig, NetworkConfig, make_network
from jaxshop.policies.types import Network
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_text, write_atomic
from jaxshop.support.settings import build

if TYPE_CHECKING:
    import orbax.checkpoint as ocp
else:

    def _lazily(name: str) -> ModuleType:
        """A module that is executed when something of it is used."""
        if name in sys.modules:
            return sys.modules[name]
        spec = importlib.util.find_spec(name)
        spec.loader = importlib.util.LazyLoader(spec.loader)
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    ocp = _lazily("orbax.checkpoint")  # takes its time, which a run has while XLA compiles its first update

SCHEMA_VERSION = 1
"""Changes whenever the layout of a checkpoint does."""
DECISION_VERSION = 1
"""Changes whenever the environment's decisions do: an old policy would answer another question."""
SUMS = "SHA256SUMS"
"""Beside a checkpoint's files, in the format of the command sha256sum: what lies there has no checksums of its own."""
SHIPPED = Path(__file__).parent / "shipped"
"""The policy inside the package."""

logging.getLogger("absl").setLevel(logging.CRITICAL)  # our own line says what is wrong


class CheckpointError(ShopError):
    """A checkpoint that cannot be used: one line that names the folder."""


@dataclass(frozen=True)
class Policy:
    """A trained network, ready to act. `meta` tells where it comes from: see `describe`."""

    network: Network
    weights: ArrayTree
    meta: Mapping[str, Any]
    path: str
    passing: bool = False
    """Whether it decides in environments where machines may be passed over."""

    @property
    def id(self) -> str:
        """Sha256 of the weights, in hexadecimal: the same policy has the same id wherever it lies."""
        digest = hashlib.sha256()
        for leaf in map(np.asarray, jax.tree.leaves(self.weights)):
            digest.update(f"{leaf.dtype}{leaf.shape}".encode() + leaf.tobytes())
        return digest.hexdigest()


def versions() -> dict[str, int]:
    """What must agree between a checkpoint and the code that reads it."""
    return {"schema": SCHEMA_VERSION, "features": FEATURES_VERSION, "decision": DECISION_VERSION}


class Store:
    """The checkpoints of one run: the latest and the best by `score` are kept, and at most one more."""

    def __init__(self, folder: Path, read_only: bool = False):
        if read_only and not folder.is_dir():
            raise CheckpointError(f"{folder}: no such checkpoint folder")
        keep = ocp.checkpoint_managers.AnyPreservationPolicy(
            [
                ocp.checkpoint_managers.LatestN(1),
                ocp.checkpoint_managers.BestN(get_metric_fn=lambda m: m["score"], reverse=True, n=1),
            ]
        )
        # best_fn alone would delete the latest checkpoint whenever it is not the best (orbax#526).
        options = ocp.CheckpointManagerOptions(
            preservation_policy=keep,
            best_fn=lambda m: m["score"],
            best_mode="min",
            create=not read_only,
            read_only=read_only,
            enable_async_checkpointing=False,
        )
        if not read_only:
            check_path(folder)
        self._folder = folder
        with self._clean_errors("cannot be read"):
            self._manager = ocp.CheckpointManager(
                folder.absolute(), options=options, item_names=("learner", "policy", "meta")
            )
            self._manager.best_step()  # reads the scores

    def save(self, step: int, learner: ArrayTree, weights: ArrayTree, meta: Mapping[str, Any], score: float) -> None:
        """Write a checkpoint of a step that has none. Of several processes all must call this."""
        items = ocp.args.Composite(
            learner=ocp.args.StandardSave(learner),
            policy=ocp.args.StandardSave(weights),
            meta=ocp.args.JsonSave({**meta, "score": score, "step": step}),
        )
        self._manager.save(step, args=items, metrics={"score": score}, force=True)
        self._manager.wait_until_finished()
        if leads():
            _write_sums(self._folder / str(step))

    def latest(self) -> int | None:
        """Step of the newest checkpoint."""
        return self._manager.latest_step()

    def best(self) -> int | None:
        """Step of the checkpoint with the lowest score."""
        return self._manager.best_step()

    def best_score(self) -> float:
        """The lowest score so far, infinite where there is none."""
        step = self.best()
        return float("inf") if step is None else float(self.meta(step)["score"])

    def meta(self, step: int) -> dict[str, Any]:
        """What was written beside the weights; refused if it is of another version."""
        _check_sums(self._folder / str(step))
        meta = self._restore(step, meta=ocp.args.JsonRestore()).meta
        found = meta.get("versions") if isinstance(meta, dict) else None
        if found != versions():
            raise CheckpointError(
                f"{self._folder}: made for versions {found}, this jaxshop has {versions()}: train anew"
            )
        return meta

    def learner(self, step: int, like: ArrayTree) -> ArrayTree:
        """The whole learner, with the structure and shardings of `like`."""
        return self._restore_arrays(step, "learner", like)

    def weights(self, step: int, like: ArrayTree) -> ArrayTree:
        """The policy's weights, with the structure of `like`."""
        return self._restore_arrays(step, "policy", like)

    def close(self) -> None:
        """Wait for what is being written."""
        self._manager.close()

    def _restore_arrays(self, step: int, item: str, like: ArrayTree) -> ArrayTree:
        """Arrays of the structure, shapes and shardings of `like`; refused where they are others."""
        _check_sums(self._folder / str(step))  # tensorstore's threads would complain of damage in many lines
        with self._clean_errors(f"checkpoint {step} cannot be read"):
            # Orbax would begin to read them, and leave threads behind that go on when it finds out.
            _check_shapes(self._folder.absolute() / str(step) / item, like)
        wanted = ocp.args.StandardRestore(jax.tree.map(ocp.utils.to_shape_dtype_struct, like))
        return self._restore(step, **{item: wanted})[item]

    def _restore(self, step: int, **items: Any) -> Any:
        with self._clean_errors(f"checkpoint {step} cannot be read"):
            return self._manager.restore(step, args=ocp.args.Composite(**items))

    @contextmanager
    def _clean_errors(self, problem: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # orbax, tensorstore and json each raise their own kinds
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise CheckpointError(f"{self._folder}: {problem}: {reason[:200]}") from None


def _check_shapes(folder: Path, like: ArrayTree) -> None:
    """ValueError where the arrays that lie in a folder are not those of `like`, by name and shape."""
    handler = ocp.StandardCheckpointHandler()
    try:
        found = _shapes(handler.metadata(folder).tree)
    finally:
        handler.close()
    wanted = _shapes(like)
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise ValueError(f"{name} is {found.get(name, 'not there')}, asked for is {wanted.get(name, 'none')}")


def _shapes(tree: ArrayTree) -> dict[str, tuple[int, ...]]:
    """By name, as they are stored: a key as its words."""

    def stored(leaf: Any) -> tuple[int, ...]:
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return tuple(jax.eval_shape(jax.random.key_data, leaf).shape if is_key else leaf.shape)

    return {".".join(path): stored(leaf) for path, leaf in ocp.tree.to_flat_dict(tree).items()}


def load_policy(folder: str | Path | None = None) -> Policy:
    """The best policy of a run folder or of a folder of checkpoints; None gives the one that ships with the package.

    Raises:
        CheckpointError: there is none, it is damaged, or it was made for other features or decisions.
    """
    path = Path(folder) if folder is not None else SHIPPED
    if (path / "checkpoints").is_dir():
        path = path / "checkpoints"
    store = Store(path, read_only=True)
    try:
        step = store.best()
        if step is None:
            step = store.latest()
        if step is None:
            raise CheckpointError(f"{path}: holds no checkpoint")
        meta = store.meta(step)
        config = meta.get("config")
        config = config if isinstance(config, dict) else {}
        network = make_network(build(NetworkConfig(), config.get("network"), f"{path}: network."))
        asked = build(EnvConfig(), config.get("env", {}), f"{path}: env.")
        weights = store.weights(step, _weights_like(network))
        return Policy(network, weights, meta, str(path), asked.passing)
    finally:
        store.close()


def _weights_like(network: Network) -> ArrayTree:
    """Shapes of the network's weights, on this machine's first device; nothing is computed or compiled."""
    shapes = jax.eval_shape(network.initialise, jax.random.key(0))
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), shapes)


def export_policy(weights: ArrayTree, meta: Mapping[str, Any], folder: Path) -> None:
    """Write the bare policy, nothing to resume from, so that `load_policy(folder)` reads it; replaces an older one.

    Raises:
        CheckpointError: as `check_export`, or the system refuses to write it.
    """
    check_export(folder)
    with _unwritable(folder), _scratch(folder) as scratch:
        fresh = Path(scratch) / "policy"
        fresh.mkdir()
        me = jax.process_index()  # of several processes only the first gets here: orbax must not wait for the others
        options = ocp.CheckpointManagerOptions(
            create=False,
            enable_async_checkpointing=False,
            multiprocessing_options=ocp.options.MultiprocessingOptions(me, {me}, f"process{me}"),
        )
        with ocp.CheckpointManager(fresh, options=options) as manager:
            values = jax.tree.map(np.asarray, weights)  # orbax takes no array of one process among several
            items = ocp.args.Composite(policy=ocp.args.StandardSave(values), meta=ocp.args.JsonSave(dict(meta)))
            manager.save(int(meta["step"]), args=items, metrics={"score": meta["score"]})
        for note in fresh.rglob("commit_success.txt"):
            note.write_text("Checkpoint commit was successful.\n")  # orbax names this machine's folders there
        _write_sums(fresh / str(meta["step"]))
        if folder.exists():
            folder.rename(Path(scratch) / "old")
        fresh.rename(folder)


def check_path(folder: Path) -> None:
    """Refuse a path that no system has, or that orbax takes for a pattern: what it writes there, it finds no more.

    Raises:
        CheckpointError: names the folder.
    """
    if "\0" in str(folder):
        raise CheckpointError(f"{folder}: a path cannot hold a NUL character")
    if "[" in str(folder.absolute()):
        raise CheckpointError(f"{folder.absolute()}: checkpoints cannot be written where the path has a bracket [")


def check_export(folder: Path) -> None:
    """Refuse a folder that a policy cannot be exported to, as that would replace something else than such a policy.

    Raises:
        CheckpointError: names the folder.
    """
    check_path(folder)
    with _unwritable(folder):
        if not folder.absolute().parent.is_dir():
            raise CheckpointError(f"the folder around {folder} does not exist")
        if folder.exists() and not (folder.is_dir() and all(map(_is_export, folder.iterdir()))):
            raise CheckpointError(f"{folder} holds something else than an exported policy, and would be replaced")
        with _scratch(folder):
            pass  # whether it can be made is what only the system knows


def _scratch(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """Beside the folder, since only a rename within one file system is atomic."""
    return tempfile.TemporaryDirectory(dir=folder.absolute().parent, prefix=f".{folder.name}-")


@contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    """Turn what the system says of a folder into one line."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {(error.strerror or str(error)).lower()}") from None


def _is_export(step: Path) -> bool:
    return (step / "policy").is_dir() and (step / "meta").is_dir() and not (step / "learner").exists()


def _write_sums(folder: Path) -> None:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    lines = (f"{_sha256(folder / name)}  {name}\n" for name in files if name != SUMS)
    write_atomic(folder / SUMS, "".join(lines))


def _check_sums(folder: Path) -> None:
    """Refuse files that are not what was saved; a checkpoint without sums (its process was killed) passes unseen."""
    if not (folder / SUMS).is_file():
        return
    for line in read_text(folder / SUMS).splitlines():
        expected, _, name = line.partition("  ")
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: the checkpoint is damaged: {name} is missing")
        if _sha256(folder / name) != expected:
            raise CheckpointError(f"{folder}: the checkpoint is damaged: {name} is not as it was saved")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
