"""JAX's devices: started once, and refused in one line where they are not those that were asked for."""

from __future__ import annotations

import hashlib
import logging
import os
import pkgutil
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path

import jax

from jaxshop.support.errors import ShopError

_GPU_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
"""What a machine with an NVIDIA GPU shows; the last is that of WSL 2."""
_KINDS = {"cuda": "gpu", "rocm": "gpu"}
"""What JAX calls the devices of a platform, where that is another word."""


@cache
def start_devices() -> None:
    """Start JAX's devices, the CPU beside any other; call it before anything else touches one.

    JAX itself goes on with the CPU where a plugin does not load, and where `JAX_PLATFORMS` names several platforms of
    which the first is not there.

    Raises:
        ShopError: the first platform that `JAX_PLATFORMS` names is not there, or a GPU is and its plugin does not load.
    """
    keep_programs()
    asked = _asked()
    names = [name for name in asked.split(",") if name]
    if names and "cpu" not in names:
        jax.config.update("jax_platforms", ",".join([*names, "cpu"]))
    said: list[str] = []
    with _hearing(said):
        try:
            found = jax.devices()[0].platform
        except (RuntimeError, AssertionError) as error:
            raise ShopError(f"{_setting(asked)}: {_first_line(error)}") from None
    if names and found not in (names[0], _KINDS.get(names[0])):
        why = f": {said[-1]}" if said else ""
        raise ShopError(f"JAX_PLATFORMS={asked}: there is no device of the platform {names[0]} here, only {found}{why}")
    if not names and found == "cpu" and _has_gpu() and _has_plugin():
        reason = said[-1] if said else "it says no reason"
        raise ShopError(
            f"the CUDA plugin does not load, and a GPU is here: {reason} (JAX_PLATFORMS=cpu computes without it)"
        )


def keep_programs() -> None:
    """Keep compiled programs in the user's cache folder, where nothing else is said and it can be written to.

    Each kind of CPU has a folder of its own: what was compiled for another may not run on this one.
    """
    if _named() is not None or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = caches / "jaxshop" / "programs" / _cpu_kind()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # the latter where there is no home folder
        return
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _named() -> str | None:
    return getattr(jax.config, "jax_compilation_cache_dir")  # noqa: B009 - as above


def _cpu_kind() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    said = [line for line in lines if line.startswith(("flags", "Features", "model name"))][:2]
    return hashlib.sha256("\n".join([platform.machine(), *said]).encode()).hexdigest()[:12]


def _asked() -> str:
    return getattr(jax.config, "jax_platforms") or ""  # noqa: B009 - JAX's stubs do not know it


def _setting(asked: str) -> str:
    return f"JAX_PLATFORMS={asked}" if asked else "no device"


def _has_gpu() -> bool:
    return any(Path(name).exists() for name in _GPU_FILES)


def _has_plugin() -> bool:
    try:
        folders = import_module("jax_plugins").__path__
    except ImportError:
        return False
    return any(module.name.startswith("xla_cuda") for module in pkgutil.iter_modules(folders))


@contextmanager
def _hearing(said: list[str]) -> Iterator[None]:
    """Keep JAX's warnings about its devices, a line each, instead of tracebacks on the console."""

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[1] if record.exc_info else None
        said.append(_first_line(error) if error else record.getMessage())
        return False

    log = logging.getLogger("jax._src.xla_bridge")
    log.addFilter(keep)
    try:
        yield
    finally:
        log.removeFilter(keep)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def out_of_memory(error: BaseException) -> bool:
    """Say whether XLA raised this since a device's memory is too small."""
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def memory_limit() -> int | None:
    """Bytes that programs may take on a device of ours; None where it does not tell, as a CPU does not."""
    stats = jax.local_devices()[0].memory_stats()
    return None if not stats else stats.get("bytes_limit")
