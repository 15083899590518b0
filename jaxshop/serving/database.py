"""Where server and database meet: shops read from MariaDB, plans stored there as drafts, and released. Blocks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from jaxshop.schedule import Schedule, from_json
from jaxshop.serving.logs import event, log
from jaxshop.serving.problems import Problem, busy, refusing
from jaxshop.serving.schemas import Options
from jaxshop.serving.types import Answer, Model
from jaxshop.shop import LotPlan, parse_shop, split_lots
from jaxshop.sources.mariadb import history, results
from jaxshop.sources.mariadb.connection import ConnectionLostError
from jaxshop.sources.mariadb.reader import Reading, read
from jaxshop.sources.mariadb.results import About
from jaxshop.sources.mariadb.values import RefusedRowsError
from jaxshop.sources.snapshot import sign
from jaxshop.support.errors import ShopError

SOURCE = {"source": "mariadb"}
"""The body that stands for the database's shop."""


def is_source(data: object) -> bool:
    """Whether a decoded body asks for the database's shop; raises a 422 where it names another source."""
    if not isinstance(data, dict) or "source" not in data:
        return False
    if data != SOURCE:
        message = 'must be "mariadb", and stand alone'
        raise Problem(422, "invalid-input", f"source: {message}", errors=[{"path": "source", "message": message}])
    return True


def read_source() -> Reading:
    """Read the shop; a 422 lists rows that are refused, a 503 says that the database is away."""
    with refusing("mariadb"), _database():
        reading = read()
    event("shop read from the database", **{k: v for k, v in asdict(reading.counts).items() if v})
    return reading


def released_plan() -> history.Released:
    """The plan that the floor works by; a 409 where there is none."""
    with _database():
        plan = history.released()
    if plan is None:
        raise Problem(409, "no-released-plan", "no plan is released, so there is none to plan anew")
    return plan


def store(plan: LotPlan, answer: Answer, model: Model, options: Options, author: str | None) -> dict[str, Any]:
    """Store an answer as a draft; what the reply says of it. Where the database is away, the reply says so."""
    made_by = model.fingerprint if answer.source.startswith("policy:") else answer.source
    lower_bound = answer.certificate.cost(plan.shop.objective)
    return stored(plan, answer.schedule, made_by, About(lower_bound, options.model_dump(exclude_unset=True), author))


def store_again(reply: bytes, query: dict[str, Any], author: str | None) -> bytes:
    """Store the plan of a reply that could not be stored, and return the reply with what is said of that now."""
    document = json.loads(reply)
    if "stored" not in document:
        raise Problem(409, "not-from-the-database", "this schedule is of no shop that was read from the database")
    shop = sign(parse_shop(document["shop"], "shop"))  # it comes out of the server's own store
    schedule = from_json(document["schedule"], "schedule")
    plan = split_lots(shop, schedule.max_lot_hours)
    source, bound = document["source"], document["stored"] or {}
    made_by = document["model"]["fingerprint"] if source.startswith("policy:") else source
    options = document.get("options", query)  # of a plan made anew, what was told, and the plan before it
    about = About(bound.get("lower_bound"), options, author, options.get("before"))
    now = stored(plan, schedule, made_by, about)
    if now["schedule_id"] is None:
        raise busy(now["error"], 5, kind="database-away")
    return json.dumps(document | {"stored": now}, separators=(",", ":")).encode()


def release(schedule_id: str, by: str, replaces: str | None) -> dict[str, Any]:
    """Make a draft the plan that the floor works by."""
    with _database():
        try:
            released = results.release(schedule_id, by, replaces=replaces)
        except results.UnknownScheduleError as error:
            raise Problem(404, "not-found", str(error)) from None
        except results.ReleaseConflictError as error:
            raise Problem(409, "release-conflict", str(error)) from None
    event("plan released", schedule_id=schedule_id, by=by, superseded=released.superseded)
    return released._asdict() | {"status": "released"}


def plans(most: int, status: str | None = None) -> dict[str, Any]:
    """The plans in the database, the latest first; those of one status."""
    with _database():
        return {"plans": results.plans(most, status=status)}


def stored(plan: LotPlan, schedule: Schedule, made_by: str, about: About) -> dict[str, Any]:
    """Store a plan as a draft, and return what a reply says of that; where the database is away, it says so."""
    told = {"schedule_id": None, "status": None, "written": False, "lower_bound": about.lower_bound, "error": None}
    try:
        found = results.write_back(plan, schedule, made_by, about=about)
    except ShopError as error:
        log.warning("a plan is not stored: %s", error)
        return told | {"error": f"the plan is kept, but not stored: {error}"}
    return told | {"schedule_id": found.schedule_id, "status": found.status, "written": found.written}


@contextmanager
def _database() -> Iterator[None]:
    """Turn what the database says into problems; rows that are refused are the caller's to list."""
    try:
        yield
    except ConnectionLostError as error:
        raise busy(str(error), 5, kind="database-away") from None
    except RefusedRowsError:
        raise
    except ShopError as error:
        raise Problem(422, "database", str(error)) from None
