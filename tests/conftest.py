"""One compilation cache for the whole session: what one test compiled, the next one, or its subprocess, only loads."""

from __future__ import annotations

import os
import tempfile


def pytest_configure(config) -> None:
    """Name the cache before anything imports JAX, which reads these when it is imported."""
    config.compilation_cache = tempfile.TemporaryDirectory(prefix="jaxshop-compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = config.compilation_cache.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def pytest_unconfigure(config) -> None:
    """Leave nothing behind."""
    config.compilation_cache.cleanup()
