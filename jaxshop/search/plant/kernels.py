"""Having these kernels ready: read from Numba's cache, or compiled once for all later processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from jaxshop.search import background
from jaxshop.shop import Job, Machine, Operation, Shop, split_lots

_lock = threading.Lock()
_ready: list[Future[None]] = []


def begin() -> Future[None]:
    """Begin to load or compile them, if nobody has."""
    with _lock:
        if not _ready:
            _ready.append(
                background.start(_run, "the kernels of the search with the plant's own rules are compiled, once")
            )
        return _ready[0]


def wait(deadline: float | None, cancelled: Callable[[], bool] | None = None) -> None:
    """Wait until they are there; LateError where they are not by the deadline, in `time.monotonic()`, or cancelled."""
    background.wait(begin(), deadline, cancelled)


def ready() -> bool:
    """Whether they are there already."""
    return bool(_ready) and _ready[0].done() and _ready[0].exception() is None


def _run() -> None:
    """Run every kernel on a shop of two operations."""
    import numpy as np

    from jaxshop.search.plant.dispatching import dispatch
    from jaxshop.search.plant.model import model_of
    from jaxshop.search.plant.team import Seat

    jobs = tuple(Job(name, (Operation(name, {"A": 2, "B": 3}), Operation(f"{name}'", {"B": 3}))) for name in "12")
    model = model_of(split_lots(Shop("kernels", (Machine("A"), Machine("B")), jobs), None), 100)
    order, choice, past = np.zeros((3, 4), np.int64)
    dispatch(model.arrays, 0, False, order, choice)
    Seat(model, (order, choice, past), 0, 0).advance(1, -1)
