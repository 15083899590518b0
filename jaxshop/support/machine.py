"""This machine: its cores and memory, and which network addresses nobody else reaches."""

from __future__ import annotations

import gc
import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int | None:
    """Bytes of memory that a program may take without others' giving any up; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    try:  # a container may be allowed less
        limit, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text()) for name in ("max", "current"))
    except (OSError, ValueError):
        return free
    return min(free, limit - used)


@contextmanager
def settled() -> Iterator[None]:
    """Keep what is there by now from the garbage collector meanwhile.

    To look through all of a large shop, which it does at any moment of a search, takes as long as to verify a schedule.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches `host`; a name that merely looks like a loopback address does not count."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
