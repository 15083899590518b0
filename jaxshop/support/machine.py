"""This machine: its cores, and which network addresses nobody else reaches."""

from __future__ import annotations

import ipaddress
import os


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches `host`; a name that merely looks like a loopback address does not count."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
