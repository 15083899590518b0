"""jaxshop: a learned scheduler for flexible job shops, with certified bounds."""

from typing import TYPE_CHECKING

from jaxshop.schedule import Schedule, verify
from jaxshop.shop import Shop, split_lots
from jaxshop.sources import load_shop
from jaxshop.support.errors import ShopError
from jaxshop.support.lazy import lazy_exports

if TYPE_CHECKING:
    from jaxshop.env import make
    from jaxshop.support.version import __version__

__all__ = ["Schedule", "Shop", "ShopError", "__version__", "load_shop", "make", "split_lots", "verify"]
__getattr__ = lazy_exports(__name__, {"make": "env", "__version__": "support.version"})
