"""Lots: jobs cut into pieces that run beside each other, each paying its set-ups."""

from __future__ import annotations

from dataclasses import dataclass

from jaxshop.shop import Operation, Shop


@dataclass(frozen=True)
class Lot:
    """A piece of a job: the whole route with full set-ups and a share of the processing. Times in ticks."""

    job: str
    index: int
    operations: tuple[Operation, ...]
    release: int = 0
    due: int | None = None
    weight: float = 1.0
    quantity: int | None = None


@dataclass(frozen=True)
class LotPlan:
    """A shop and the lots that its jobs were cut into, in job order; `max_lot_hours` is None for whole jobs."""

    shop: Shop
    lots: tuple[Lot, ...]
    max_lot_hours: float | None = None


def split_lots(shop: Shop, max_lot_hours: float | None) -> LotPlan:
    """Cut the jobs that last longer than `max_lot_hours`; None keeps every job whole."""
    if max_lot_hours is None:
        lots = tuple(
            Lot(j.id, 0, j.operations, j.release, j.due, j.weight, j.quantity) for j in shop.jobs
        )
        return LotPlan(shop, lots, None)
    raise NotImplementedError
