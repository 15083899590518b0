"""The problem: a shop's records, what must hold of them, their file, lots, and when an operation runs."""

from jaxshop.shop.document import parse_shop, shop_to_json
from jaxshop.shop.facts import job_ticks, operation_count, shop_facts
from jaxshop.shop.fingerprint import fingerprint
from jaxshop.shop.lots import Lot, LotPlan, split_lots
from jaxshop.shop.objective import MAKESPAN, Objective
from jaxshop.shop.plant import refuse_rules, rules_of
from jaxshop.shop.records import (
    MAX_HORIZON,
    MAX_HOURS,
    TICKS_PER_HOUR,
    Calendar,
    Changeover,
    Downtime,
    Fixed,
    Job,
    Machine,
    Operation,
    Provenance,
    Shift,
    Shop,
)
from jaxshop.shop.units import gap_percent, lot_size, span
from jaxshop.shop.validation import horizon, validate

__all__ = [
    "MAKESPAN",
    "MAX_HORIZON",
    "MAX_HOURS",
    "TICKS_PER_HOUR",
    "Calendar",
    "Changeover",
    "Downtime",
    "Fixed",
    "Job",
    "Lot",
    "LotPlan",
    "Machine",
    "Objective",
    "Operation",
    "Provenance",
    "Shift",
    "Shop",
    "fingerprint",
    "gap_percent",
    "horizon",
    "job_ticks",
    "lot_size",
    "operation_count",
    "parse_shop",
    "refuse_rules",
    "rules_of",
    "shop_facts",
    "shop_to_json",
    "span",
    "split_lots",
    "validate",
]
