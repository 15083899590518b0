"""Having the kernels ready: read from Numba's cache, or compiled once for all later processes, beside the caller."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from jaxshop.search import background
from jaxshop.shop import Job, Machine, Operation, Shop, split_lots

_lock = threading.Lock()
_ready: dict[bool, Future[None]] = {}


def begin(wide: bool = False) -> Future[None]:
    """Begin to load or compile them, if nobody has; `wide`: those for times in int64."""
    with _lock:
        if wide not in _ready:
            why, first = "the search's kernels are compiled, once", not _ready
            _ready[wide] = background.start(lambda: prepare(wide), why)
            if first:
                background.start(_prepare_bounds, why)
        return _ready[wide]


def wait(wide: bool, deadline: float | None, cancelled: Callable[[], bool] | None = None) -> None:
    """Wait until they are there; LateError where they are not by the deadline, in `time.monotonic()`, or cancelled."""
    background.wait(begin(wide), deadline, cancelled)


def _prepare_bounds() -> None:
    """Those that tighten the bound; nobody waits for them, but a process should not end before they are kept."""
    from jaxshop.bounds.tightening import prepare

    prepare()


def ready(wide: bool) -> bool:
    """Whether they are there already."""
    future = _ready.get(wide)
    return future is not None and future.done() and future.exception() is None


def prepare(wide: bool) -> None:
    """Load or compile them here and now, by running every kernel on shops of six operations."""
    import numpy as np

    from jaxshop.bounds.division import FOUND
    from jaxshop.search.improve.balancing import balanced
    from jaxshop.search.improve.crossing import Crossing
    from jaxshop.search.improve.dispatching import dispatch, floor_of
    from jaxshop.search.improve.dividing import Dividing, centre_of
    from jaxshop.search.improve.levelling import order_of
    from jaxshop.search.improve.model import model_of
    from jaxshop.search.improve.weighing import weigh
    from jaxshop.search.improve.workers import Exchange, IteratedGreedy, Levelling, OrderSearch, TabuSearch

    machines, times = (Machine("A"), Machine("B")), dict.fromkeys("AB", 1 << 29 if wide else 2)
    jobs = tuple(Job(name, (Operation(name, times), Operation(f"{name}'", times))) for name in ("1", "2", "3"))
    model = model_of(split_lots(Shop("kernels", machines, jobs), None))
    flow = tuple(Job(name, tuple(Operation(name + on, {on: times[on]}) for on in times)) for name in ("1", "2", "3"))
    staged = model_of(split_lots(Shop("kernels", machines, flow), None))
    balanced(floor_of(model))
    order, choice = np.empty((2, 6), np.int32)
    weigh(floor_of(model), model.arrays.wastes, 1, 0, order, choice)
    if (centre := centre_of(model.arrays, (0, 1))) is not None:
        dividing = Dividing(model, order, choice, 0, 0, centre)
        shares = dividing.shares_of(dividing.best)
        while shares.divide(1) != FOUND:
            pass
        shares.ordered(lambda tree: order_of(tree, dividing.state))
        dividing.place(shares.owner)
    graph = TabuSearch, IteratedGreedy, Exchange, Levelling, Crossing
    for kind, of in (*((kind, model) for kind in graph), (OrderSearch, staged)):
        order, choice = np.empty((2, 6), np.int32)
        dispatch(floor_of(of), 0, False, order, choice)
        worker = kind(of, order, choice, 0)
        worker.advance(1, -1, 0)
        worker.adopt(worker.found)
        if isinstance(worker, Levelling):
            worker.settle()
        if isinstance(worker, Crossing):
            worker.begin()
