"""The work of a machine as an iCalendar file (RFC 5545), which calendar programs show and follow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from jaxshop.shop import TICKS_PER_HOUR
from jaxshop.views.dispatch_list import Clock, Line


def to_ical(machine: str, lines: Iterable[Line], clock: Clock, stamp: datetime) -> str:
    """A machine's operations as events.

    Moments are in UTC, which every program shows by the clock of whoever looks. The same operation of a shop has the
    same UID in every schedule, so that a file that is read in again moves its events.

    Args:
        stamp: when the schedule was made.
    """
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//jaxshop//schedule//EN", "CALSCALE:GREGORIAN"]
    named = [f"X-WR-CALNAME:{_text(machine)}", f"X-WR-TIMEZONE:{clock.zone.key}"]
    events = [entry for line in lines for entry in _event(line, clock, stamp)]
    return "".join(f"{part}\r\n" for entry in [*head, *named, *events, "END:VCALENDAR"] for part in _folded(entry))


def _event(line: Line, clock: Clock, stamp: datetime) -> Iterator[str]:
    row = line.row
    lot = f", lot {row.lot + 1} of {line.lots}" if line.lots > 1 else ""
    facts = [
        f"operation {row.operation}, step {line.step}{lot}",
        *([f"quantity {line.quantity}"] if line.quantity is not None else []),
        *([f"family {line.operation.family}"] if line.operation.family is not None else []),
        *([f"set-up {line.setup / TICKS_PER_HOUR:.2f} h"] if line.setup else []),
        f"from {clock.at(row.start).isoformat()} to {clock.at(row.end).isoformat()}",
        *([f"order due {clock.at(line.job.due).isoformat()}"] if line.job.due is not None else []),
        *([f"then on {line.following}"] if line.following is not None else []),
    ]
    uid = hashlib.sha256(repr((row.job, row.lot, row.operation)).encode()).hexdigest()[:32]
    yield "BEGIN:VEVENT"
    yield f"UID:{uid}@jaxshop"
    yield f"DTSTAMP:{_utc(stamp)}"
    yield f"DTSTART:{_utc(clock.at(row.start))}"
    yield f"DTEND:{_utc(clock.at(row.end))}"
    yield f"SUMMARY:{_text(f'{row.job}{lot}, {row.operation}')}"
    yield f"LOCATION:{_text(row.machine)}"
    yield "DESCRIPTION:" + _text("\n".join(facts))
    yield "END:VEVENT"


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(text: str) -> str:
    """Escaped as section 3.3.11 says."""
    for mark, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(mark, escaped)
    return text


def _folded(entry: str) -> Iterator[str]:
    """Lines of at most 75 bytes, of which all but the first begin with a blank; no character is cut."""
    line, room = "", 75
    for character in entry:
        if (size := len(character.encode())) > room:
            yield line
            line, room = " ", 74
        line += character
        room -= size
    yield line
