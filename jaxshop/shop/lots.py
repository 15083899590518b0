"""Lots: jobs cut into pieces that run beside each other, each paying its set-ups."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from jaxshop.shop.records import MAX_HORIZON, MAX_HOURS, TICKS_PER_HOUR, Job, Operation, Shop
from jaxshop.shop.validation import horizon
from jaxshop.support.errors import ShopError

MAX_LOTS = 1_000_000
"""More lots than this are a slip of the unit; refused before memory runs out."""

LARGER = "give a larger lot size"


@dataclass(frozen=True)
class Lot:
    """A piece of a job: the whole route with full set-ups and lags and a share of the processing. Times in ticks.

    Attributes:
        until: by when the last operation must have ended, where the lot is a piece that fixed work follows: see
            `jaxshop.shop.pieces`.
    """

    job: str
    index: int
    operations: tuple[Operation, ...]
    release: int = 0
    due: int | None = None
    weight: float = 1.0
    quantity: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class LotPlan:
    """A shop and the lots of its jobs, in job order; `max_lot_hours` is None for whole jobs."""

    shop: Shop
    lots: tuple[Lot, ...]
    max_lot_hours: float | None = None

    @cached_property
    def reserved(self) -> LotPlan:
        """The plan with time reserved for what fixed work waits for, kept for all schedules that begin with it.

        Raises:
            NoTimeError: see `jaxshop.shop.pieces.reserved`.
        """
        from jaxshop.shop.pieces import reserved  # which cuts plans into others

        return reserved(self)


def split_lots(shop: Shop, max_lot_hours: float | None, most: int = MAX_LOTS) -> LotPlan:
    """Cut the jobs that last longer than `max_lot_hours`; None keeps every job whole.

    A job lasts its set-ups plus the processing on the slowest alternatives. A longer one becomes
    n = ceil(processing / (limit - set-ups)) equal lots. Where it has a quantity, lots hold whole parts and
    take time in proportion to them; n is then ceil(quantity / the parts that fit into one lot).

    The shares of every alternative add up to the tick. Rounding moves each by less than a tick, so a lot of k
    operations may pass the limit by k - 1 ticks; by more only where a single part does, as parts stay whole.
    An alternative of fewer ticks than there are lots has shares of 0 ticks.

    Args:
        shop: a validated shop.
        max_lot_hours: the limit; in a shop of unit `ticks` an hour stands for 3600 of them.
        most: more lots than this are refused before they are cut.

    Raises:
        ShopError: the limit is no sensible number, the set-ups of a job alone reach it or a longer one has fixed
            work (every such job is a fault), or the lots are too many or last too long.
    """
    if max_lot_hours is None:
        return LotPlan(shop, tuple(lot for job in shop.jobs for lot in _cut(job, 1)))
    if not 1 / TICKS_PER_HOUR <= max_lot_hours <= MAX_HOURS:  # NaN too
        raise ShopError(f"max_lot_hours {max_lot_hours}: must be from 1 s to {MAX_HOURS} hours")
    counts = _lot_counts(shop, round(max_lot_hours * TICKS_PER_HOUR))
    if (count := sum(counts)) > most:
        raise ShopError(f"max_lot_hours {max_lot_hours:g}: {count} lots are more than {most}: {LARGER}")
    lots = tuple(lot for job, n in zip(shop.jobs, counts, strict=True) for lot in _cut(job, n))
    if (end := horizon(shop, (lot.operations for lot in lots))) >= MAX_HORIZON:
        raise ShopError(f"max_lot_hours {max_lot_hours:g}: the plan would last {end} ticks, past 2^30: {LARGER}")
    return LotPlan(shop, lots, max_lot_hours)


def route_ticks(route: tuple[Operation, ...]) -> tuple[int, int]:
    """Return the set-up ticks and, on the slowest alternatives, the processing ticks of a route."""
    return sum(op.setup for op in route), sum(max(op.alternatives.values()) for op in route)


def _lot_counts(shop: Shop, limit: int) -> list[int]:
    """Return for each job how many lots of at most `limit` ticks it becomes."""
    faults, counts = [], []
    for job in shop.jobs:
        setups, processing = route_ticks(job.operations)
        if setups + processing <= limit:
            counts.append(1)
        elif any(op.fixed is not None for op in job.operations):
            hours, limit_hours = (setups + processing) / TICKS_PER_HOUR, limit / TICKS_PER_HOUR
            length = f"has fixed work and lasts {hours:g} h, more than the lot size of {limit_hours:g} h"
            faults.append(f"{shop.name}: job {job.id!r}: {length}, but what is fixed cannot be cut: {LARGER}")
        elif setups >= limit:
            hours, limit_hours = setups / TICKS_PER_HOUR, limit / TICKS_PER_HOUR
            reach = f"set-ups of {hours:g} h alone reach the lot size of {limit_hours:g} h"
            faults.append(f"{shop.name}: job {job.id!r}: {reach}: {LARGER}")
        elif job.quantity is None:
            counts.append(-(-processing // (limit - setups)))
        else:
            parts = max(1, job.quantity * (limit - setups) // processing)
            counts.append(-(-job.quantity // parts))
    if faults:
        raise ShopError(faults)
    return counts


def _cut(job: Job, n: int) -> list[Lot]:
    """Cut at cumulative marks, which are whole parts where the job has a quantity."""
    total = job.quantity or n
    marks = [total * k // n for k in range(n + 1)]

    def share(op: Operation, low: int, high: int) -> Operation:
        # Rounding the cumulated time down, not the share itself, makes the shares add up.
        cut = {machine: d * high // total - d * low // total for machine, d in op.alternatives.items()}
        return replace(op, alternatives=cut)

    return [
        Lot(
            job=job.id,
            index=index,
            operations=job.operations if n == 1 else tuple(share(op, low, high) for op in job.operations),
            release=job.release,
            due=job.due,
            weight=job.weight,
            quantity=job.quantity and high - low,
        )
        for index, (low, high) in enumerate(pairwise(marks))
    ]
