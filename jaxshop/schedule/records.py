"""The records of a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Row(NamedTuple):
    """One operation of one lot on its machine, from tick `start` to tick `end`."""

    job: str
    lot: int
    operation: str
    machine: str
    start: int
    end: int


@dataclass(frozen=True)
class Schedule:
    """Where and when every operation runs.

    `fingerprint` is of the whole shop, `max_lot_hours` the lot size it was cut with (None: whole jobs).
    `claimed_hours` is the makespan that a file states, for `verify` to check; None where nothing is claimed.
    """

    fingerprint: str
    max_lot_hours: float | None
    rows: tuple[Row, ...]
    claimed_hours: float | None = None

    @property
    def makespan(self) -> int:
        """The tick at which the last operation ends; 0 where all ended before the plan starts."""
        return max(0, max((row.end for row in self.rows), default=0))

    @property
    def job_ends(self) -> dict[str, int]:
        """The tick at which each job that is scheduled is done, with its last lot."""
        ends: dict[str, int] = {}
        for row in self.rows:
            ends[row.job] = max(row.end, ends.get(row.job, row.end))
        return ends
