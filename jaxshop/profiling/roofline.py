"""The limits of this device, measured: a program is bound by its arithmetic or by the bytes that it moves."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxshop.profiling.cost import Cost
from jaxshop.profiling.measure import copies, measure, on_devices


class Roofline(NamedTuple):
    """Peaks that plain programs reach here."""

    flop_per_second: float  # matrix product in the dtype that the network computes in, as precise as JAX makes it
    copies: tuple[tuple[int, float], ...]
    """(bytes held, bytes read and written per second), growing: what fits into a cache is copied faster."""

    def bandwidth(self, held: int) -> float:
        """Bytes per second of a copy whose arrays take as much room as a program that holds `held` bytes."""
        return next((rate for size, rate in self.copies if size >= held), self.copies[-1][1])

    def least_seconds(self, cost: Cost, passed: int, held: int) -> float:
        """What no program beats: its least FLOP, and its arguments and results, `passed` bytes, moved once."""
        return max(cost.least_flop / self.flop_per_second, passed / self.bandwidth(held))

    def traffic_seconds(self, cost: Cost, held: int) -> float:
        """What a copy of all bytes takes that kernels read and write; caches make a program faster than this."""
        return cost.bytes / self.bandwidth(held)

    def binding(self, cost: Cost, held: int) -> str:
        """The side that limits a program of that cost: `arithmetic` or `memory`, with all that kernels move."""
        return "arithmetic" if cost.flop / self.flop_per_second > self.traffic_seconds(cost, held) else "memory"


def measure_roofline(repeats: int = 3, dtype: Any = jnp.float32) -> Roofline:
    """Time a large product of `dtype` and copies of arrays of growing size, on all devices at once; a second or two."""
    on_cpu = jax.default_backend() == "cpu"
    side = 1024 if on_cpu else 8192
    sizes = [1 << shift for shift in ((18, 20, 22, 24, 26) if on_cpu else (22, 26, 30))]
    matrix = jnp.ones((side, side), dtype)
    product = measure(on_devices(jnp.matmul), *copies((matrix, matrix)), repeats=repeats, name="roofline: product")
    assert product is not None
    devices = jax.local_device_count()
    rates = tuple((devices * size, devices * _copy_rate(size, 4 * sizes[-1], repeats)) for size in sizes)
    return Roofline(devices * 2 * side**3 / product.seconds, rates)


def _copy_rate(size: int, moved: int, repeats: int) -> float:
    """Bytes that each device reads and writes per second, passing over `size` bytes until `moved` bytes were."""
    trips = moved // size

    def run(x: jax.Array) -> jax.Array:
        # A negation rather than a plain copy, which XLA could leave out.
        return jax.lax.scan(lambda y, _: (-y, None), x, None, length=trips)[0]

    copy = measure(on_devices(run), copies(jnp.ones(size // 4)), repeats=repeats, name="roofline: copy")
    assert copy is not None
    return 2 * size * trips / copy.seconds
