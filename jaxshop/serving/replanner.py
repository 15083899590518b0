"""`POST /v1/reschedules`: bytes in, bytes out; it needs no device and no model. Runs in worker threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxshop.schedule import from_json, to_json
from jaxshop.schedule.events import KEYS, read_events
from jaxshop.schedule.happened import Past, happened
from jaxshop.search.replan import facts, replan
from jaxshop.serving.problems import refusing
from jaxshop.shop import MAX_HOURS, LotPlan, Shop, parse_shop, shop_to_json
from jaxshop.shop.reading import Reader

OWN = "shop schedule stability time_limit_s seed"
MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Asked:
    """A request: what has happened, and how to plan anew."""

    past: Past
    stability: float
    time_limit_s: float | None
    seed: int


def read_request(
    data: object, where: str, plan_of: Callable[[Shop, float | None, str], LotPlan], most_s: float
) -> Asked:
    """Read and check a request.

    Args:
        data: the decoded body.
        where: what to call it.
        plan_of: cuts a shop into lots, if those are not too many here.
        most_s: the longest time limit.

    Raises:
        Problem: it is refused, with each fault.
    """
    with refusing(where):
        reader = Reader(where)
        entry = reader.members(data, "", f"{OWN} {KEYS}")
        for key in ("shop", "schedule"):
            if entry.get(key) is None:
                reader.faults.add(key, "missing")
        stability = _number(reader, entry, "stability", MAX_HOURS) or 0.0
        limit = _number(reader, entry, "time_limit_s", 86_400)
        if limit is not None and limit > most_s:
            reader.faults.add("time_limit_s", f"must be at most {most_s:g} here")
        seed = entry.get("seed", 0)
        if type(seed) is not int or not 0 <= seed <= MOST_SEED:
            reader.faults.add("seed", f"must be an integer from 0 to {MOST_SEED}")
        reader.faults.raise_if_any()
        events = read_events({key: value for key, value in entry.items() if key in KEYS.split()}, where)
    with refusing("shop", prefix="shop"):
        shop = parse_shop(entry["shop"], "shop")
    with refusing("schedule", prefix="schedule"):
        schedule = from_json(entry["schedule"], "schedule")
    plan_of(shop, schedule.max_lot_hours, "schedule.max_lot_hours")
    with refusing(where):
        past = happened(shop, schedule, events)
    plan_of(past.plan.shop, past.plan.max_lot_hours, "add")
    return Asked(past, stability, limit, seed)


def answer(asked: Asked, seconds: float, threads: int | None, cancelled: threading.Event) -> dict[str, Any]:
    """The reply's document: what `jaxshop reschedule --json` tells, the schedule, and the shop that it is of."""
    found = replan(
        asked.past,
        seconds,
        asked.stability,
        asked.seed,
        threads=threads,
        begun=time.monotonic(),
        cancelled=cancelled.is_set,
    )
    return {"schedule": to_json(found.best.schedule), "shop": shop_to_json(asked.past.plan.shop)} | facts(found)


def _number(reader: Reader, entry: dict[str, Any], key: str, most: float) -> float | None:
    if entry.get(key) is None:
        return None
    value = reader.number(entry[key], key, most)
    if value < 0:
        reader.faults.add(key, "must be >= 0")
    return float(value)
