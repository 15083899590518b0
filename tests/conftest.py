"""What tests share: one compilation cache for the session and its subprocesses, and one tiny training run."""

from __future__ import annotations

import gc
import os
import platform
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from jaxshop.bounds import prepare
from jaxshop.search.improve import kernels
from jaxshop.search.plant import kernels as of_plants
from tests.tiers import Tiers
from tests.workers import (  # noqa: F401
    adopt_orphans,
    end_children,
    only_here,
    pytest_collection_modifyitems,
    pytest_runtest_logreport,
    pytest_testnodedown,
    pytest_xdist_make_scheduler,
)


def pytest_configure(config) -> None:
    """Name the cache before anything imports JAX, which reads these when it is imported; workers inherit the name."""
    config.pluginmanager.register(Tiers(config))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it runs in the background ignore it
    if hasattr(config, "workerinput"):
        return
    adopt_orphans()
    config.compilation_cache = tempfile.TemporaryDirectory(prefix="jaxshop-compiled-")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every process that a test starts compiles 5 s of imports anew
    os.environ["JAX_NUM_CPU_DEVICES"] = "1"  # whatever the machine has, and whichever test comes first
    os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"  # what broadcasts says so
    os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"  # and what converts numbers
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # code that runs once need not be fast
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *more_flags()]).strip()
    os.environ["JAX_COMPILATION_CACHE_DIR"] = config.compilation_cache.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def more_flags() -> Iterator[str]:
    """What is added to XLA_FLAGS: a cap on instructions, unless a set is named, and what compiles soonest."""
    if "xla_cpu_max_isa" not in os.environ.get("XLA_FLAGS", "") and platform.machine() == "x86_64":
        yield "--xla_cpu_max_isa=AVX2"  # as `train.py` has it: LLVM aborts on AVX-512 where it optimises little
    if os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1":
        # XLA's older emitters compile four times as fast as those by MLIR; an XLA without them knows no such word, and
        # looks at none that it does not know.
        yield "--xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters"
        # To compile a program in parts beside each other, LLVM copies all of it for each: a quarter of what it takes.
        yield "--xla_cpu_parallel_codegen_split_count=1"


def pytest_collection_finish(session) -> None:
    """Look for garbage seldom, and not among what was imported: tracing makes objects by the hundred thousand."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


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


@pytest.fixture
def numbers_convert():
    """Let numbers change their dtype unsaid, as other libraries have it."""
    import jax

    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A tiny training run from start to end, by train.py."""
    from tests.trained import Finished, run_train, write_tiny

    config = write_tiny(tmp_path_factory.mktemp("finished"))
    return Finished(config, run_train("--config", config, "--json"))


@pytest.fixture(scope="session", autouse=True)
def kernels_are_ready(worker_id):
    """No test meets a compilation in the background: what it prints under one has been seen to go astray, and a time
    limit would be over. Where there is no cache yet, each worker compiles what the others do not."""
    parts: dict[str, Callable[[], None]] = {
        "graphs": partial(kernels.prepare, False),
        "plants": partial(of_plants.wait, None),
        "bounds": prepare,
    }
    for name in reversed(parts) if worker_id == "gw1" else parts:
        with only_here(name):
            parts[name]()
    kernels.wait(False, None)
    of_plants.wait(None)
