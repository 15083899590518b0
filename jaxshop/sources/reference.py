"""The reference shop and its siblings: seeds whose shops are neither easy nor hopeless."""

from __future__ import annotations

import numpy as np

from jaxshop.shop import Shop, validate
from jaxshop.sources.generator import REFERENCE, generate_shop
from jaxshop.support.errors import ShopError

_SEEDS = (59, 7, 16, 28, 30, 49, 54, 61, 62, 103)
"""Seeds of the reference shop and of its siblings 1 to 9, whose shops are neither easy nor hopeless.

With lots of at most 60 h the certified bound lies between 100.3 and 104 h; every classic rule, non-delay and
active, is at least 10 % over it, random non-delay dispatching at least 35 %; and a schedule at most 4 % over it
is known (`tests/sources/test_reference.py` checks all of this).
"""


def reference_shop(k: int = 0) -> Shop:
    """The reference shop (`k` = 0) or one of its siblings (1 to 9)."""
    if not 0 <= k < len(_SEEDS):
        raise ShopError(f"reference:{k}: there are siblings 1 to {len(_SEEDS) - 1} only")
    name = f"reference:{k}" if k else "reference"
    shop = generate_shop(np.random.default_rng(_SEEDS[k]), REFERENCE, name, f"seed {_SEEDS[k]}")
    validate(shop, name)
    return shop
