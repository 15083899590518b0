"""When machines are closed, as the verifier sees it: plain Python, with nothing of what schedules are built by."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from jaxshop.shop import Calendar, Shop

Closed = list[tuple[int, int]]
"""Closed spans of a machine in ticks, sorted and apart from each other."""


def closed_by_machine(shop: Shop, since: int, until: int) -> dict[str, Closed]:
    """The closed spans of each machine, whole at least between the two ticks."""
    shifts = {calendar.id: _shifts(shop, calendar, since, until) for calendar in shop.calendars}
    found = {}
    for machine in shop.machines:
        spans = [(down.start, down.end) for down in machine.unavailable]
        if machine.calendar is not None:
            last = since - 2 * 86_400
            for opens, closes in shifts[machine.calendar]:
                if opens > last:
                    spans.append((last, opens))
                last = max(last, closes)
            spans.append((last, max(last, until) + 2 * 86_400))
        found[machine.id] = _joined(spans)
    return found


def closed_ticks(closed: Closed, start: int, end: int) -> int:
    """Closed ticks from one tick to another."""
    if not closed:
        return 0
    first = max(0, bisect_right(closed, (start, start)) - 1)
    total = 0
    for a, b in closed[first:]:
        if a >= end:
            break
        total += max(0, min(b, end) - max(a, start))
    return total


def _shifts(shop: Shop, calendar: Calendar, since: int, until: int) -> Closed:
    """The open spans of a calendar, from two days before to two days after the two ticks, by their begin."""
    assert shop.plan_start is not None
    zone, begin = ZoneInfo(calendar.timezone), datetime.fromisoformat(shop.plan_start).replace(microsecond=0)
    own = dict(calendar.open)
    spans = []
    first = (begin + timedelta(seconds=since)).astimezone(zone).date() - timedelta(days=3)
    for number in range((until - since) // 86_400 + 8):
        day = first + timedelta(days=number)
        shifts = calendar.weekly[day.weekday()]
        if day in calendar.closed:
            shifts = ()
        if day in own:
            shifts = own[day]
        for shift in shifts:
            opens, closes = (_tick(day, second, zone, begin) for second in shift)
            spans.append((opens, closes))
    return sorted(spans)


def _tick(day: date, second: int, zone: ZoneInfo, begin: datetime) -> int:
    """The tick at a time on the wall: that time as if it were in UTC, less what the zone is ahead of UTC then."""
    extra, rest = divmod(second, 86_400)
    naive = datetime(day.year, day.month, day.day) + timedelta(days=extra, seconds=rest)
    ahead = zone.utcoffset(naive)
    assert ahead is not None
    return round((naive.replace(tzinfo=UTC) - ahead - begin).total_seconds())


def _joined(spans: Closed) -> Closed:
    joined: Closed = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
