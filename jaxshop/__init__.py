"""jaxshop: a learned scheduler for flexible job shops, with certified bounds."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from jaxshop.schedule import Schedule, verify
from jaxshop.shop import Shop, split_lots
from jaxshop.sources import load_shop
from jaxshop.support.errors import ShopError

__version__ = version("jaxshop")
__all__ = ["Schedule", "Shop", "ShopError", "__version__", "load_shop", "make", "split_lots", "verify"]


def __getattr__(name: str) -> Any:
    """Import what needs JAX when it is first asked for, so that reading and checking shops starts at once."""
    if name == "make":
        from jaxshop.env import make

        return make
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
