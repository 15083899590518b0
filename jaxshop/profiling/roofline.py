"""The limits of this device, measured: a program is bound by its arithmetic or by the bytes that it moves."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxshop.profiling.cost import Cost
from jaxshop.profiling.measure import measure


class Roofline(NamedTuple):
    """Peaks that plain programs reach here."""

    flop_per_second: float  # float32 matrix product
    bytes_per_second: float  # copy, read and written bytes both counted

    def least_seconds(self, cost: Cost) -> float:
        """No program of that cost is faster, unless its data stay in caches."""
        return max(cost.flop / self.flop_per_second, cost.bytes / self.bytes_per_second)

    def binding(self, cost: Cost) -> str:
        """The side that limits a program of that cost: `arithmetic` or `memory`."""
        return "arithmetic" if cost.flop / self.flop_per_second > cost.bytes / self.bytes_per_second else "memory"


def measure_roofline(repeats: int = 5) -> Roofline:
    """Time a large float32 product and a copy that no cache holds; a second or two."""
    on_cpu = jax.default_backend() == "cpu"
    side, copied = (1024, 1 << 26) if on_cpu else (8192, 1 << 30)
    matrix = jnp.ones((side, side))
    product = measure(lambda a, b: a @ b, matrix, matrix, repeats=repeats, name="roofline: product")
    # A negation rather than a plain copy, which XLA could leave out.
    copy = measure(jnp.negative, jnp.ones(copied // 4), repeats=repeats, name="roofline: copy")
    assert product is not None
    assert copy is not None
    return Roofline(2 * side**3 / product.seconds, 2 * copied / copy.seconds)
