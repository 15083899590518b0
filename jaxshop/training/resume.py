"""Where a run goes on: its folder, and the learner of its latest checkpoint."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from jaxshop.policies.checkpoint import Store, check_path
from jaxshop.ppo.update import Learner
from jaxshop.shop import Shop, fingerprint
from jaxshop.support.files import clean_errors
from jaxshop.support.settings import ConfigError
from jaxshop.training.config import Config, check_complete, check_progress, check_resume, from_dict

LOCK = ".lock"
"""In a run's folder, empty: held by the process that trains in it. Not removed, or two could hold one each."""


def new_folder(config: Config, shop: Shop, several: bool = False) -> Path:
    """`runs/<name>-<UTC>-<seed>`, made here; a run without a name is called after its shop.

    Of several runs `runs/<name>-<UTC>-sweep`.
    """
    name = config.run.name or re.sub(r"[^\w.-]+", "-", shop.name)[:60].strip("-.") or "run"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = Path(config.run.runs_dir) / f"{name}-{stamp}-{'sweep' if several else config.run.seed}"
    check_path(folder)
    with clean_errors(f"{folder}: cannot be made", ConfigError):
        folder.mkdir(parents=True)
    return folder


@contextmanager
def only_here(folder: Path) -> Iterator[None]:
    """Keep other processes from training in a run's folder; how this one ends does not matter.

    Raises:
        ConfigError: another one trains in it, or nothing can be written there.
    """
    with clean_errors(f"{folder}: cannot be written", ConfigError):
        lock = (folder / LOCK).open("ab")
    with lock:
        try:
            _lock(lock)
        except BlockingIOError:
            raise ConfigError(f"{folder}: another process trains in it") from None
        except OSError:
            pass  # a file system without locks
        yield


def _lock(file: BinaryIO) -> None:
    """Take a file for this process, if the platform can; BlockingIOError where another one has it."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_store(folder: Path, resume: str | None) -> Store:
    """The checkpoints in a run's folder.

    Raises:
        ConfigError: there should be some, to go on from, and there is none.
    """
    if resume and not (folder / "checkpoints").is_dir():
        raise ConfigError(f"{resume}: holds no checkpoint to resume from")
    store = Store(folder / "checkpoints")
    if resume and store.latest() is None:
        raise ConfigError(f"{resume}: holds no checkpoint to resume from")
    return store


def resumed(store: Store, step: int, like: Learner, config: Config, shop: Shop, resume: str) -> Learner:
    """The learner to go on from, of the same shop and of a config that may follow."""
    meta = store.meta(step)
    if meta.get("fingerprint") != fingerprint(shop):
        was, now = str(meta.get("fingerprint"))[:12], fingerprint(shop)[:12]
        raise ConfigError(f"{resume}: was trained for shop {was}, {config.run.shop} is now {now}")
    saved = from_dict(meta.get("config"), resume)
    check_complete(meta["config"], resume)
    check_resume(saved, config, resume)  # the run's config.json may have been edited
    check_progress(saved, config, step, resume)
    return store.learner(step, like)


def same_update(stores: Sequence[Store], folder: Path) -> int:
    """The update that all of a folder's runs stand at, 0 at the beginning.

    Raises:
        ConfigError: they do not stand at one, as after a kill while they were being saved.
    """
    steps = [store.latest() or 0 for store in stores]
    if len(set(steps)) > 1:
        raise ConfigError(f"{folder}: its runs stand at updates {min(steps)} to {max(steps)}: resume each by itself")
    return steps[0]
