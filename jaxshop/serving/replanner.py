"""`POST /v1/reschedules`: bytes in, bytes out; it needs no device and no model. Runs in worker threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from jaxshop.schedule import from_json, to_json
from jaxshop.schedule.events import KEYS, Events, events_to_json, read_events
from jaxshop.schedule.happened import Past, happened
from jaxshop.schedule.present import in_present
from jaxshop.search import Incumbent, warming
from jaxshop.search.replan import Candidate, Replanned, facts, replan
from jaxshop.serving import database
from jaxshop.serving.problems import Problem, refusing
from jaxshop.serving.types import Progress, UnverifiedError
from jaxshop.shop import MAX_HOURS, TICKS_PER_HOUR, LotPlan, Shop, parse_shop, shop_to_json
from jaxshop.shop.reading import Reader
from jaxshop.sources.snapshot import sign
from jaxshop.support.errors import InvalidScheduleError

OWN = "source shop schedule stability time_limit_s seed"
MISSING = {
    "shop": "missing; must be the shop that the plan is of, a shop file's JSON",
    "schedule": "missing; must be the plan so far, a schedule file's JSON",
}
FROM_DATABASE = ("shop", "schedule", "add", "drop")
"""What the database says where it is the source."""
MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Asked:
    """A request: what has happened, and how to plan anew; `base`: the plan in the database that it is of, if any."""

    past: Past
    stability: float
    time_limit_s: float | None
    seed: int
    base: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What is stored beside the new plan."""
        limits = {"stability": self.stability, "seed": self.seed, "time_limit": self.time_limit_s, "work": None}
        return {"before": self.base, **events_to_json(self.past.events), **limits}


def read_request(
    data: object,
    where: str,
    plan_of: Callable[[Shop, float | None, str], LotPlan],
    most_s: float,
    write_back: bool = False,
) -> Asked:
    """Read and check a request, and what of it is in the database.

    Args:
        data: the decoded body.
        where: what to call it.
        plan_of: cuts a shop into lots, if those are not too many here.
        most_s: the longest time limit.
        write_back: whether the new plan is to be stored.

    Raises:
        Problem: it is refused, with each fault; or the database is away, or has no released plan.
    """
    with refusing(where):
        reader = Reader(where)
        entry = reader.members(data, "", f"{OWN} {KEYS}")
        from_database = entry.get("source") is not None
        if from_database and entry["source"] != "mariadb":
            reader.faults.add("source", 'must be "mariadb"')
        for key in FROM_DATABASE if from_database else ("shop", "schedule"):
            if from_database and entry.get(key) is not None:
                reader.faults.add(key, "leave it out: it comes from the database")
            elif not from_database and entry.get(key) is None:
                reader.faults.add(key, MISSING[key])
        stability = _number(reader, entry, "stability", MAX_HOURS) or 0.0
        limit = _number(reader, entry, "time_limit_s", 86_400)
        if limit is not None and limit > most_s:
            reader.faults.add("time_limit_s", f"must be at most {most_s:g} here")
        seed = entry.get("seed", 0)
        if type(seed) is not int or not 0 <= seed <= MOST_SEED:
            reader.faults.add("seed", f"must be an integer from 0 to {MOST_SEED}")
        reader.faults.raise_if_any()
    if write_back and not from_database:
        message = 'wants the body {"source": "mariadb", ...}'
        errors = [{"path": "query.write_back", "message": message}]
        raise Problem(422, "invalid-input", f"query.write_back: {message}", errors=errors)
    told = {key: value for key, value in entry.items() if key in KEYS.split()}
    past, base = _released(told, where, plan_of) if from_database else (_sent(entry, told, where, plan_of), None)
    plan_of(past.plan.shop, past.plan.max_lot_hours, "source" if from_database else "add")
    return Asked(past, stability, limit, seed, base)


def _sent(
    entry: dict[str, Any], told: dict[str, Any], where: str, plan_of: Callable[[Shop, float | None, str], LotPlan]
) -> Past:
    """What has happened of the plan in the body."""
    with refusing(where):
        events = read_events(told, where)
    with refusing("shop", prefix="shop"):
        shop = parse_shop(entry["shop"], "shop")
    with refusing("schedule", prefix="schedule"):
        schedule = from_json(entry["schedule"], "schedule")
    plan_of(shop, schedule.max_lot_hours, "schedule.max_lot_hours")
    with refusing(where):
        return happened(shop, schedule, events)


def _released(
    told: dict[str, Any], where: str, plan_of: Callable[[Shop, float | None, str], LotPlan]
) -> tuple[Past, str]:
    """What has happened of the plan that the floor works by, and its id."""
    plan = database.released_plan()  # first: an order that comes between the two is a new one
    reading = database.read_source()
    shop = reading.shop
    assert shop.plan_start is not None  # a read from the database has one
    plan_of(shop, plan.max_lot_hours, "source")
    if told.get("now") is None:
        past_hours = (datetime.now(UTC) - datetime.fromisoformat(shop.plan_start)).total_seconds() / TICKS_PER_HOUR
        told = told | {"now": max(0.0, past_hours)}
    with refusing(where):
        events: Events = read_events(told, where)
        # `db init` makes the table: empty, it says that nobody reports, and not that nothing has begun.
        rows, reported = plan.rows(shop.plan_start), reading.counts.rows.get("progress", 0) > 0
        past = in_present(shop, rows, plan.max_lot_hours, events, reported, "the released plan")
    return replace(past, plan=replace(past.plan, shop=sign(past.plan.shop))), plan.schedule_id


def answer(
    asked: Asked,
    seconds: float,
    threads: int | None,
    cancelled: Callable[[], bool],
    report: Callable[[Progress], None] = lambda progress: None,
    author: str | None = None,
    write_back: bool = False,
) -> dict[str, Any]:
    """The reply's document: what `jaxshop reschedule --json` tells, the schedule, and the shop that it is of.

    Raises:
        UnverifiedError: a schedule did not pass the verifier.
    """
    past = asked.past
    early = seconds > 0 and bool(past.rest.lots) and not warming.ready(past.rest)

    def tell(found: Candidate, least: int) -> None:
        best = Incumbent(found.schedule, found.objective, found.source, found.seconds, 0)
        report(Progress(0, best, least, seconds, past.plan))

    try:
        found = replan(
            *(past, seconds, asked.stability, asked.seed),
            threads=threads,
            begun=time.monotonic(),
            cancelled=cancelled,
            report=tell,
        )
    except InvalidScheduleError as error:
        raise UnverifiedError(str(error)) from None
    document = {"schedule": to_json(found.best.schedule), "shop": shop_to_json(past.plan.shop)} | facts(found)
    document["warming"] = early and not document["proven_optimal"] and not document["source"].startswith("search:")
    if asked.base is not None:
        document["before"] |= {"schedule_id": asked.base}
        stored = _store(asked, found, author) if write_back else None
        document |= {"options": asked.options, "stored": stored}
    return document


def _store(asked: Asked, found: Replanned, author: str | None) -> dict[str, Any]:
    plan, best = found.past.plan, found.best
    about = database.About(found.least, asked.options, author, asked.base)
    return database.stored(plan, best.schedule, best.source, about)


def _number(reader: Reader, entry: dict[str, Any], key: str, most: float) -> float | None:
    if entry.get(key) is None:
        return None
    value = reader.number(entry[key], key, most)
    if value < 0:
        reader.faults.add(key, "must be >= 0")
    return float(value)
