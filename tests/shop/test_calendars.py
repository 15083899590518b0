"""Calendars: from shifts by the clock on the wall to closed windows, and what runs between them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.schedule.closed import closed_by_machine
from jaxshop.shop import Calendar, Downtime, Job, Machine, Operation, Shift, Shop
from jaxshop.shop.calendars import FOREVER, Windows, closed_windows, longest_shift, open_spans
from jaxshop.shop.timing import Run, Timing, latest_between, placed_between, window_after
from tests.plant import STARTS, plant_shop, random_calendar
from tests.shops import HOUR

DAY = 24 * HOUR
TWO_SHIFTS = (Shift(6 * HOUR, 14 * HOUR), Shift(14 * HOUR + 1800, 22 * HOUR))


def spans(calendar: Calendar, start: str, hours: float) -> list[tuple[float, float]]:
    """Open spans in hours."""
    found = open_spans(calendar, start, 0, round(hours * HOUR))
    return [(a / HOUR, b / HOUR) for a, b in found if a < hours * HOUR]


def test_shifts_become_ticks():
    """By hand: Berlin's 06:00 is 05:00 in UTC in winter; a closed day, a day of its own, and a Sunday off."""
    weekly = (*(TWO_SHIFTS,) * 5, (Shift(6 * HOUR, 12 * HOUR),), ())
    own = ((date(2026, 11, 29), (Shift(8 * HOUR, 12 * HOUR),)),)
    calendar = Calendar("two", "Europe/Berlin", weekly, (date(2026, 11, 27),), own)
    assert spans(calendar, "2026-11-26T06:00:00Z", 100) == [(-1, 7), (7.5, 15), (47, 53), (73, 77), (95, 103)]


@pytest.mark.parametrize(
    ("start", "shift", "expected"),
    [
        # At 2027-03-28 01:00 UTC Berlin goes from 02:00 to 03:00.
        ("2027-03-27T23:00:00Z", Shift(0, 6 * HOUR), (0, 5)),
        ("2027-03-27T23:00:00Z", Shift(0, DAY), (0, 23)),
        ("2027-03-27T23:00:00Z", Shift(2 * HOUR + 1800, 6 * HOUR), (2.5, 5)),
        # At 2026-10-25 01:00 UTC it goes from 03:00 back to 02:00.
        ("2026-10-24T22:00:00Z", Shift(0, 6 * HOUR), (0, 7)),
        ("2026-10-24T22:00:00Z", Shift(0, DAY), (0, 25)),
        ("2026-10-24T22:00:00Z", Shift(0, 2 * HOUR + 1800), (0, 2.5)),
    ],
)
def test_the_clock_changes(start: str, shift: Shift, expected: tuple[float, float]):
    """A shift through a change of the clock is an hour shorter or longer; 02:30 that comes twice is the first."""
    calendar = Calendar("c", "Europe/Berlin", ((shift,),) * 7)
    assert spans(calendar, start, 20)[0] == expected


def test_night_shifts_are_one_window():
    """A shift to 24:00 and one from 00:00 leave no closing between them."""
    calendar = Calendar("night", "UTC", ((Shift(0, 6 * HOUR), Shift(22 * HOUR, DAY)),) * 7)
    shop = Shop("x", (Machine("A", calendar="night"),), (), "2026-11-23T00:00:00Z", calendars=(calendar,))
    (windows,), _ = closed_windows(shop, 0, 3 * DAY)
    assert (windows.starts[1:3].tolist(), windows.ends[1:3].tolist()) == ([6 * HOUR, 30 * HOUR], [22 * HOUR, 46 * HOUR])
    assert longest_shift(calendar) == 8 * HOUR
    assert longest_shift(Calendar("always", "UTC", ((Shift(0, DAY),),) * 7)) == FOREVER
    assert longest_shift(Calendar("week", "UTC", (*((Shift(0, DAY),),) * 4, (Shift(0, HOUR),), (), ()))) == 97 * HOUR
    assert longest_shift(Calendar("never", "UTC")) == 0


@given(st.integers(0, 10_000), st.sampled_from(STARTS))
@settings(max_examples=30, deadline=None)
def test_a_machine_is_open_while_the_clock_on_the_wall_says_so(seed: int, start: str):
    """At every half hour but those of a change of the clock, against the local time and the shifts of its day."""
    calendar = random_calendar(np.random.default_rng(seed), "c", start)
    shop = Shop("x", (Machine("A", calendar="c"),), (), start, calendars=(calendar,))
    (windows,), _ = closed_windows(shop, 0, 8 * DAY)
    zone, origin = ZoneInfo(calendar.timezone), datetime.fromisoformat(start)
    own = dict(calendar.open)
    for tick in range(0, 8 * DAY, 1800):
        moment = (origin + timedelta(seconds=tick)).astimezone(zone)
        offsets = {(moment.astimezone(UTC) + timedelta(hours=h)).astimezone(zone).utcoffset() for h in range(-4, 5)}
        if len(offsets) > 1:
            continue
        shifts = own.get(moment.date(), () if moment.date() in calendar.closed else calendar.weekly[moment.weekday()])
        second = moment.hour * HOUR + moment.minute * 60 + moment.second
        k = np.searchsorted(windows.starts, tick, side="right") - 1
        is_open = k < 0 or tick >= windows.ends[k]
        assert is_open == any(opens <= second < closes for opens, closes in shifts), (moment, shifts)


@st.composite
def closings(draw) -> list[tuple[int, int]]:
    """Windows that are sorted and apart."""
    ticks = sorted(draw(st.sets(st.integers(-20, 100), max_size=16)))
    return [(a, b) for a, b in zip(ticks[::2], ticks[1::2], strict=False)]


@given(closings(), st.integers(-25, 110), st.integers(1, 30), st.booleans())
@settings(max_examples=400, deadline=None)
def test_a_run_is_found_tick_by_tick(closed: list[tuple[int, int]], ready: int, ticks: int, interruptible: bool):
    """The binary searches give what a walk through every tick gives, with many runs at once or one."""
    shut = {t for a, b in closed for t in range(a, b)}
    windows = Windows(np.array([a for a, _ in closed], np.int64), np.array([b for _, b in closed], np.int64))
    start = ready
    while start in shut or (not interruptible and not shut.isdisjoint(range(start, start + ticks))):
        start += 1
    end, left = start, ticks
    while left:
        left -= end not in shut
        end += 1
    both = windows.run(np.array([ready, ready]), np.array([ticks, 1]), np.array([interruptible, True]))
    assert (both[0][0], both[1][0]) == (start, end)
    assert tuple(map(int, windows.run(ready, ticks, interruptible))) == (start, end)
    assert windows.open_before(end) - windows.open_before(start) == ticks
    assert windows.open_before(60) - windows.open_before(-30) == sum(t not in shut for t in range(-30, 60))


@given(closings(), st.integers(-25, 110), st.integers(1, 30), st.booleans())
@settings(max_examples=400, deadline=None)
def test_what_search_compiles_runs_alike_and_looks_back(closed: list, tick: int, ticks: int, whole: bool):
    """In plain loops a run is the same; what is ready by its latest tick ends by the given one, a tick later not."""
    windows = Windows(np.array([a for a, _ in closed], np.int64), np.array([b for _, b in closed], np.int64))
    table = windows.table

    def run(earliest: int) -> Run:
        return placed_between(table, window_after(table[0], earliest), earliest, ticks, whole)

    found = run(tick)
    assert found[:2] == tuple(map(int, windows.run(tick, ticks, not whole)))
    assert found.through == windows.open_before(found.end)
    through, ready = latest_between(table, window_after(table[0], tick), tick, ticks, whole)
    assert through == windows.open_before(tick)
    assert run(ready).end <= tick < run(ready + 1).end


@given(st.integers(0, 500))
@settings(max_examples=40, deadline=None)
def test_the_verifier_sees_the_same_closed_time(seed: int):
    """Two pieces of code that share nothing expand the same calendars and downtimes to the same windows."""
    shop = plant_shop(seed)
    windows, pattern = closed_windows(shop, 0, 20 * DAY)
    seen = closed_by_machine(shop, 0, 20 * DAY)
    for machine, p in zip(shop.machines, pattern, strict=True):
        own = list(zip(windows[p].starts.tolist(), windows[p].ends.tolist(), strict=True))
        inside = [(max(a, 0), min(b, 20 * DAY)) for a, b in own if a < 20 * DAY and b > 0]
        assert inside == [(max(a, 0), min(b, 20 * DAY)) for a, b in seen[machine.id] if a < 20 * DAY and b > 0]
        assert all(a < b for a, b in own)
        assert all(before[1] < after[0] for before, after in pairwise(own))


def test_windows_reach_as_far_as_work_does():
    """Work of 2,000 open hours at 8 a day ends right although windows were expanded for 90 days at first."""
    calendar = Calendar("day", "UTC", ((Shift(0, 8 * HOUR),),) * 7)
    machine = Machine("A", calendar="day", unavailable=(Downtime(0, DAY),))
    job = Job("J", (Operation("o", {"A": 2000 * HOUR}),))
    timing = Timing(Shop("x", (machine,), (job,), "2026-11-23T00:00:00Z", calendars=(calendar,)))
    assert timing.end_of(0, 0, 2000 * HOUR, True) == (DAY, 250 * DAY + 8 * HOUR)
