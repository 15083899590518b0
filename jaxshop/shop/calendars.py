"""Closed time: from calendars and downtimes to windows in ticks, and what runs between them.

A machine's closed windows are sorted, apart from each other, and true up to some tick; whoever comes later has them
expanded further. Every question is answered by binary searches: prefix sums of closed time lead from a tick to open
time and back, and a table of the longest of 1, 2, 4, ... open stretches to the next one that is long enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from jaxshop.shop.records import DAY, MAX_HORIZON, Calendar, Downtime, Machine, Shop

FOREVER = 1 << 40
"""Ticks beyond everything, as the end of the last open stretch."""


@dataclass(frozen=True, eq=False)
class Windows:
    """When a machine is closed.

    Attributes:
        starts: int64 [w], ascending.
        ends: int64 [w], each before the next start.
        until: the machine's windows that begin before this tick are all here.
    """

    starts: np.ndarray
    ends: np.ndarray
    until: int = MAX_HORIZON

    @cached_property
    def closed(self) -> np.ndarray:
        """Ticks that the windows before each one take, and all of them, int64 [w + 1]."""
        return np.append(0, np.cumsum(self.ends - self.starts))

    @cached_property
    def opens(self) -> np.ndarray:
        """Each start without the closed time before it, int64 [w], ascending: what open time has passed by then."""
        return self.starts - self.closed[:-1]

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Begin and end of the open stretch before each window and of the one after all, int64 [w + 1] each."""
        return np.append(-FOREVER, self.ends), np.append(self.starts, FOREVER)

    @cached_property
    def longest(self) -> np.ndarray:
        """At (l, i) the longest of the 2^l open stretches from the i-th on, int64 [levels, w + 1]."""
        begins, ends = self.edges
        rows = [ends - begins]
        while 2 ** len(rows) <= len(begins):
            half = 2 ** (len(rows) - 1)
            rows.append(np.maximum(rows[-1], np.append(rows[-1][half:], np.full(half, FOREVER))))
        return np.array(rows)

    @cached_property
    def table(self) -> np.ndarray:
        """Ends and begins of the open stretches, `closed`, `opens` and `longest`, int64 [4 + levels, w + 1]."""
        begins, ends = self.edges
        return np.stack([ends, begins, self.closed, np.append(self.opens, FOREVER), *self.longest])

    def open_before(self, ticks: np.ndarray | int) -> np.ndarray:
        """Open time up to a tick, int64 of the shape of `ticks`; two of them say how much is open in between."""
        k = self.starts.searchsorted(ticks, side="right")
        return ticks - self.closed[k] + np.maximum(self.edges[0][k] - ticks, 0)

    def run(
        self, ready: np.ndarray | int, ticks: np.ndarray | int, interruptible: np.ndarray | bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """The first run of so many open ticks that begins at or after `ready`: starts and ends, int64.

        One that is interruptible begins when the machine is open and goes on after each window; another one lies
        within one open stretch.
        """
        begins, ends = self.edges
        k = self.starts.searchsorted(ready, side="right")
        start = np.maximum(ready, begins[k])
        through = start - self.closed[k] + ticks
        end = np.maximum(through + self.closed[self.opens.searchsorted(through, side="left")], start)
        if interruptible is True or np.all(interruptible):
            return start, end
        late = start + ticks > ends[k]
        i = np.where(late, k + 1, k)
        for level in range(len(self.longest) - 1, -1, -1):
            short = late & (self.longest[level, np.minimum(i, len(begins) - 1)] < ticks)
            i = np.where(short, i + 2**level, i)
        whole = np.where(late, begins[np.minimum(i, len(begins) - 1)], start)
        return np.where(interruptible, start, whole), np.where(interruptible, end, whole + ticks)


ALWAYS_OPEN = Windows(np.zeros(0, np.int64), np.zeros(0, np.int64))


def closed_windows(shop: Shop, since: int, until: int) -> tuple[list[Windows], np.ndarray]:
    """The closed windows of all machines between two ticks: those that differ, and which each machine has.

    Returns:
        windows, and int64 [machines] of indices into them.
    """
    calendars = {calendar.id: calendar for calendar in shop.calendars}
    closings: dict[str | None, list[tuple[int, int]]] = {None: []}
    for name in {machine.calendar for machine in shop.machines if machine.calendar is not None}:
        assert shop.plan_start is not None  # as validation sees to
        closings[name] = list(_between(open_spans(calendars[name], shop.plan_start, since, until), since, until))
    found: dict[tuple[str | None, tuple[Downtime, ...]], int] = {}
    windows: list[Windows] = []
    pattern = np.zeros(len(shop.machines), np.int64)
    for m, machine in enumerate(shop.machines):
        key = (machine.calendar, machine.unavailable)
        if key not in found:
            found[key] = len(windows)
            windows.append(_merged(machine, closings[machine.calendar], until))
        pattern[m] = found[key]
    return windows, pattern


def open_spans(calendar: Calendar, plan_start: str, since: int, until: int) -> Iterator[tuple[int, int]]:
    """The shifts in ticks, in order, up to the first that begins at or after `until`, if there is one.

    A local time that a change of the clock skips counts on from before the change; one that comes twice is the first.
    """
    zone, origin = ZoneInfo(calendar.timezone), start_of_plan(plan_start)
    closed, special = frozenset(calendar.closed), dict(calendar.open)
    day = datetime.fromtimestamp(origin + since, UTC).date() - timedelta(days=2)
    last = datetime.fromtimestamp(origin + MAX_HORIZON, UTC).date()
    while day < last:
        shifts = special.get(day, () if day in closed else calendar.weekly[day.weekday()])
        for opens, closes in shifts:
            begin, end = (_moment(day, second, zone) - origin for second in (opens, closes))
            if end > since:
                yield begin, end
            if begin >= until:
                return
        day += timedelta(days=1)


def start_of_plan(plan_start: str) -> int:
    """The plan start in whole seconds since 1970."""
    return int(datetime.fromisoformat(plan_start).timestamp())


def longest_shift(calendar: Calendar) -> int:
    """Ticks of the longest open stretch of an ordinary week, over midnights; `FOREVER` where it never closes."""
    week = [(d * DAY + s.opens, d * DAY + s.closes) for d, shifts in enumerate(calendar.weekly) for s in sorted(shifts)]
    if not week:
        return 0
    twice = [*week, *((a + 7 * DAY, b + 7 * DAY) for a, b in week)]
    longest, begin, end = 0, *twice[0]
    for opens, closes in twice[1:]:
        begin, end = (begin, closes) if opens == end else (opens, closes)
        longest = max(longest, end - begin)
    longest = max(longest, week[0][1] - week[0][0])
    return FOREVER if longest > 7 * DAY else longest


def _moment(day: date, second: int, zone: ZoneInfo) -> int:
    """Seconds since 1970 at a time by the clock on the wall."""
    return int((datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(seconds=second)).timestamp())


def _between(spans: Iterable[tuple[int, int]], since: int, until: int) -> Iterator[tuple[int, int]]:
    """What lies between spans that are in order and may touch or overlap; where they cease, closed for ever."""
    opens, end = until - 1, since - DAY
    for opens, closes in spans:
        if opens > end:
            yield end, opens
        end = max(end, closes)
    if opens < until:
        yield end, FOREVER


def _merged(machine: Machine, closings: list[tuple[int, int]], until: int) -> Windows:
    """A machine's windows: those of its calendar and its downtimes, as one row that is apart."""
    rows: list[list[int]] = []
    for start, end in sorted([*closings, *((down.start, down.end) for down in machine.unavailable)]):
        if rows and start <= rows[-1][1]:
            rows[-1][1] = max(rows[-1][1], end)
        else:
            rows.append([start, end])
    if not rows:
        return ALWAYS_OPEN
    table = np.array(rows, np.int64)
    return Windows(table[:, 0].copy(), table[:, 1].copy(), until if machine.calendar else MAX_HORIZON)
