"""The problem: a shop's records, what must hold of them, their file and fingerprint, and the lots of its jobs."""

from jaxshop.shop.document import fingerprint, parse_shop, shop_to_json
from jaxshop.shop.lots import Lot, LotPlan, split_lots
from jaxshop.shop.objective import MAKESPAN, Objective
from jaxshop.shop.records import (
    MAX_HORIZON,
    MAX_HOURS,
    TICKS_PER_HOUR,
    Job,
    Machine,
    Operation,
    Provenance,
    Shop,
)
from jaxshop.shop.validation import horizon, validate

__all__ = [
    "MAKESPAN",
    "MAX_HORIZON",
    "MAX_HOURS",
    "TICKS_PER_HOUR",
    "Job",
    "Lot",
    "LotPlan",
    "Machine",
    "Objective",
    "Operation",
    "Provenance",
    "Shop",
    "fingerprint",
    "horizon",
    "parse_shop",
    "shop_to_json",
    "split_lots",
    "validate",
]
