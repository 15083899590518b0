"""What tests share: one compilation cache for the session and its subprocesses, and one tiny training run."""

from __future__ import annotations

import os
import platform
import tempfile

import pytest

from jaxshop.bounds import prepare
from jaxshop.search.improve import kernels
from tests.workers import adopt_orphans, end_children, pytest_runtest_logreport, pytest_testnodedown  # noqa: F401


def pytest_configure(config) -> None:
    """Name the cache before anything imports JAX, which reads these when it is imported; workers inherit the name."""
    if hasattr(config, "workerinput"):
        return
    adopt_orphans()
    config.compilation_cache = tempfile.TemporaryDirectory(prefix="jaxshop-compiled-")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every process that a test starts compiles 5 s of imports anew
    os.environ["JAX_NUM_CPU_DEVICES"] = "1"  # whatever the machine has, and whichever test comes first
    os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"  # what broadcasts says so
    cap_instructions()
    os.environ["JAX_COMPILATION_CACHE_DIR"] = config.compilation_cache.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # code that runs once need not be fast


def cap_instructions() -> None:
    """As `train.py` caps them: LLVM aborts on AVX-512 where it optimises little. XLA_FLAGS may name another set."""
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_max_isa" not in flags and platform.machine() == "x86_64":
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_max_isa=AVX2".strip()


def pytest_unconfigure(config) -> None:
    """Leave nothing behind."""
    if not hasattr(config, "workerinput"):
        end_children()
        config.compilation_cache.cleanup()


@pytest.fixture
def ranks_meet():
    """Let ranks meet unsaid: environments at the end of every array broadcast over the axes before theirs."""
    import jax

    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A tiny training run from start to end, by train.py."""
    from tests.trained import Finished, run_train, write_tiny

    config = write_tiny(tmp_path_factory.mktemp("finished"))
    return Finished(config, run_train("--config", config, "--json"))


@pytest.fixture(scope="session", autouse=True)
def kernels_are_ready():
    """No test meets a compilation in the background: what it prints under one has been seen to go astray, and a time
    limit would be over."""
    for shifted in (False, True):
        kernels.wait(shifted, None)
    prepare()
