"""When an operation runs: the only place on the host where a duration is added to a start.

What a machine does to an operation, closing in its midst or asking for a set-up by what ran before it, belongs here:
callers say when the operation is ready, in what state its machine is and how long it takes, and get start and end.
The environment's counterpart is `jaxshop.env.timing`; the verifier shares neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Span(NamedTuple):
    """From tick `start` to tick `end`."""

    start: int
    end: int


def placed(ready: int, free: int, ticks: int) -> Span:
    """The earliest run of an operation that is ready at tick `ready`, on a machine that is free from tick `free`.

    Args:
        ticks: what the operation takes there, set-up included.
    """
    start = ready if ready > free else free
    return Span(start, start + ticks)


def placed_everywhere(
    ready: np.ndarray | int, free: np.ndarray | int, ticks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`placed` for many pairs of operation and machine at once: starts and ends, int64 of the common shape."""
    import numpy as np  # here, as reading and checking a shop needs none of it

    start = np.maximum(ready, free)
    return start, start + ticks
