"""When an operation runs: the only place on the host where a duration is added to a start.

What a machine does to an operation, closing in its midst or asking for a set-up by what ran before it, belongs here:
callers say when the operation is ready, in what state its machine is and how long it takes, and get start and end.
The environment's counterpart is `jaxshop.env.timing`; the verifier shares neither.

A shop without closed time and set-ups by sequence needs `placed` alone; `Timing` is the same for every shop, and
`placed_between` the same for one operation. Numba compiles `placed`, `placed_between` and its kin into search. `Ahead`
says where operations may run that are not fixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jaxshop.shop.records import MAX_HORIZON

if TYPE_CHECKING:
    import numpy as np

    from jaxshop.shop.calendars import Windows
    from jaxshop.shop.records import Shop


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


class Ahead(NamedTuple):
    """The fixed work before each machine, in blocks that no open time parts; one more stands behind all, for no end.

    An operation may run before a block if it ends by `until`: its start, or never where that holds a set-up by sequence
    that the block would not need behind it. Else it runs behind the block, or behind the next one before which it fits.
    It never spans a block, also where it may stop for a closing.
    """

    start: np.ndarray  # int64 [machines, blocks + 1]
    until: np.ndarray  # int64 [machines, blocks + 1, families + 1], by what the machine is set up for in the end
    end: np.ndarray  # int64 [machines, blocks + 1]
    family: np.ndarray  # int64 [machines, blocks + 1], what it is set up for behind the block; none: as before
    blocks: np.ndarray  # int64 [machines], how many each has


class Runs(NamedTuple):
    """Earliest runs of operations between fixed work, int64 of one shape."""

    start: np.ndarray
    end: np.ndarray
    family: np.ndarray  # what the machine is set up for right before
    number: np.ndarray  # of the next block of its machine then


class Run(NamedTuple):
    """When something starts and ends, and how much open time has passed by its end."""

    start: int
    end: int
    through: int


def window_after(starts: np.ndarray, tick: int) -> int:
    """How many windows have begun by a tick; the last of `starts` is never reached."""
    k, high = 0, len(starts) - 1
    while k < high:
        middle = (k + high) >> 1
        if starts[middle] <= tick:
            k = middle + 1
        else:
            high = middle
    return k


def placed_between(table: np.ndarray, k: int, earliest: int, ticks: int, whole: bool) -> Run:
    """The first run of so many open ticks from a tick on: `Windows.run` for one operation, in plain loops.

    Args:
        table: of `Windows`, perhaps filled up to more windows.
        k: `window_after` of `earliest`.
        earliest: from when operation and machine are there.
        ticks: set-ups included.
        whole: whether it must lie within one open stretch.
    """
    starts, begins, closed, opens = table[0], table[1], table[2], table[3]
    start = max(earliest, begins[k])
    if whole and start + ticks > starts[k]:
        k += 1
        for level in range(len(table) - 5, -1, -1):
            if k < len(starts) and table[4 + level, k] < ticks:
                k += 1 << level
        k = min(k, len(starts) - 1)
        start = begins[k]
    through = start - closed[k] + ticks
    while opens[k] < through:  # few: what takes longer than some shifts is cut into lots
        k += 1
    return Run(start, max(start, through + closed[k]), through)


def latest_between(table: np.ndarray, k: int, until: int, ticks: int, whole: bool) -> tuple[int, int]:
    """What must end by a tick: the open time that has passed by then, and when it must be ready at the latest.

    The counterpart of `placed_between`, looking back, with `window_after` of `until`: what is ready later ends later.
    """
    starts, begins, closed, opens = table[0], table[1], table[2], table[3]
    through = max(until, begins[k]) - closed[k]
    if not whole:
        while k > 0 and opens[k - 1] > through - ticks:
            k -= 1
        return through, through - ticks + closed[k]
    ready = until - ticks
    while ready < begins[k]:
        k -= 1
        ready = min(until, starts[k]) - ticks
    return through, ready


def placed_everywhere(
    ready: np.ndarray | int, free: np.ndarray | int, ticks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`placed` for many pairs of operation and machine at once: starts and ends, int64 of the common shape."""
    import numpy as np  # here, as reading and checking a shop needs none of it

    start = np.maximum(ready, free)
    return start, start + ticks


FIRST_LOOK = 90 * 86_400
"""Ticks that windows are expanded for at first; they reach further as soon as anything runs later."""


class Timing:
    """When operations run in a shop with closed time and set-ups by sequence.

    Machines are numbered as in the shop, families as in `changeovers`.

    Attributes:
        changeovers: the set-ups by sequence.
        pattern: int64 [machines], which of the shop's different closed times each machine has.
    """

    def __init__(self, shop: Shop, since: int = 0, until: int = FIRST_LOOK):
        from jaxshop.shop.calendars import closed_windows
        from jaxshop.shop.setups import changeovers

        self._shop, self._since, self._until = shop, min(since, 0), until
        self.changeovers = changeovers(shop)
        self._windows, self.pattern = closed_windows(shop, self._since, self._until)

    def windows(self, machine: int) -> Windows:
        """The closed windows of a machine, as far as they are known."""
        return self._windows[self.pattern[machine]]

    def reach(self, until: int) -> None:
        """Have all windows that begin before this tick."""
        from jaxshop.shop.calendars import closed_windows

        if until > self._until:
            self._until = min(max(until, 2 * self._until), 2 * MAX_HORIZON)
            self._windows, self.pattern = closed_windows(self._shop, self._since, self._until)

    def placed(
        self,
        machine: np.ndarray | int,
        ready: np.ndarray | int,
        free: np.ndarray | int,
        ticks: np.ndarray | int,
        family: np.ndarray | int,
        to: np.ndarray | int,
        interruptible: np.ndarray | bool,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The earliest runs of operations on machines: starts and ends, int64 of the common shape.

        Args:
            machine: the machine's number.
            ready: from when the operation may run.
            free: from when the machine may.
            ticks: what the operation takes there, its own set-up included; that by sequence comes before it.
            family: what the machine is set up for.
            to: the operation's family.
            interruptible: whether it may go on after a closing.
        """
        import numpy as np

        table = self.changeovers
        total = ticks + table.ticks[table.kind[machine], family, to]
        earliest = np.maximum(ready, free)
        while True:
            start, end = self._run(machine, earliest, total, interruptible)
            last = int(np.max(end, initial=0))
            if last <= self._until or self._until >= 2 * MAX_HORIZON:
                return start, end
            self.reach(last)

    def placed_around(
        self,
        ahead: Ahead,
        machine: np.ndarray | int,
        ready: np.ndarray | int,
        free: np.ndarray | int,
        number: np.ndarray | int,
        ticks: np.ndarray | int,
        family: np.ndarray | int,
        to: np.ndarray | int,
        interruptible: np.ndarray | bool,
    ) -> Runs:
        """`placed` where fixed work stands ahead, of which each machine's next block has a number."""
        import numpy as np

        none = self.changeovers.none
        while True:
            start, end = self.placed(machine, ready, free, ticks, family, to, interruptible)
            some = ahead.until.shape[1] > 1
            late = some and end > ahead.until[machine, number, np.where(to == none, family, to)]
            if not np.any(late):
                family, number = (np.broadcast_to(x, end.shape) for x in (family, number))
                return Runs(start, end, family, number)
            behind = ahead.family[machine, number]
            free = np.where(late, ahead.end[machine, number], free)
            family = np.where(late & (behind != none), behind, family)
            number = number + late

    def _run(
        self, machine: np.ndarray | int, earliest: np.ndarray, total: np.ndarray, interruptible: np.ndarray | bool
    ) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        if len(self._windows) == 1:
            return self._windows[0].run(earliest, total, interruptible)
        patterns = self.pattern[machine]
        if patterns.ndim == 0 or (patterns == patterns[0]).all():
            return self._windows[int(patterns.ravel()[0])].run(earliest, total, interruptible)
        start, end = np.empty((2, len(patterns)), np.int64)
        earliest, total, whole = (np.broadcast_to(x, patterns.shape) for x in (earliest, total, interruptible))
        for pattern in np.unique(patterns):
            here = patterns == pattern
            start[here], end[here] = self._windows[pattern].run(earliest[here], total[here], whole[here])
        return start, end

    def end_of(self, machine: int, start: int, ticks: int, interruptible: bool) -> Span:
        """The run of so many open ticks, as soon as may be from a tick on."""
        none = self.changeovers.none
        begin, end = self.placed(machine, start, start, ticks, none, none, interruptible)
        return Span(int(begin), int(end))
