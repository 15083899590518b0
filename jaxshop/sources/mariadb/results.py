"""Plans in MariaDB, with the writer's account: stored as drafts, released one at a time, superseded by the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from jaxshop.schedule import Schedule, verify
from jaxshop.shop import LotPlan, gap_percent
from jaxshop.sources.mariadb.connection import ConnectionLostError, Database, DuplicateKeyError, connect
from jaxshop.sources.mariadb.settings import DbSettings, load_settings
from jaxshop.sources.mariadb.values import at, iso, to_hours
from jaxshop.sources.snapshot import is_real_data
from jaxshop.support.errors import ShopError

RESULT_TABLES = ("schedules", "scheduled_operations")
REQUEST_TABLES = ("requests",)
"""Of the server's own."""
RESULT_VIEWS = ("current_plan", "dispatch_list")
SCHEDULE_COLUMNS = (
    "schedule_id, shop_fingerprint, checkpoint_id, max_lot_hours, plan_start, makespan_h, created_at, objective_h, "
    "lower_bound_h, gap_percent, late_jobs, options, author, based_on"
)
SCHEDULED_COLUMNS = "schedule_id, job_id, lot, operation_id, machine_id, start_at, end_at, quantity"
UPGRADE = "bring the tables up to date with `jaxshop db upgrade`"
MAKE = "make the tables with `jaxshop db init` (`--results-only` where views stand for the shop)"
ATTEMPTS = 5
"""At a release, where the server goes away or breaks a deadlock with whoever else writes."""


@dataclass(frozen=True)
class About:
    """What is stored beside a schedule."""

    lower_bound: int | None = None
    """Of the objective, certified, in ticks."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for."""
    author: str | None = None
    based_on: str | None = None
    """The released plan that it was made from; None: the one that is released when it is stored."""


class Stored(NamedTuple):
    """A plan in the database; `written` is False where exactly this was there before, maybe no draft any more."""

    schedule_id: str
    written: bool
    status: str = "draft"


class Released(NamedTuple):
    """The plan that the floor works by now, and the one that it took the place of."""

    schedule_id: str
    superseded: str | None


class UnknownScheduleError(ShopError):
    """The database has no such plan."""


class ReleaseConflictError(ShopError):
    """The plan is no draft any more, or another one was released since it was made."""


def check_write_back(settings: DbSettings | None = None) -> None:
    """Find out before a long search whether there are an account and tables to store its schedule with.

    Raises:
        ShopError: there are not.
    """
    with connect(settings or load_settings(), writer=True) as database:
        _check_columns(database)


def write_back(
    plan: LotPlan,
    schedule: Schedule,
    checkpoint_id: str | None,
    settings: DbSettings | None = None,
    about: About = About(),
) -> Stored:
    """Store a schedule and its operations as a draft, in one transaction.

    Args:
        plan: the lots that the schedule is of; its shop must be real data and have a plan start.
        schedule: it must be valid.
        checkpoint_id: the checkpoint whose policy made it, or the rule that did; None if neither.
        settings: None reads them from the environment.
        about: what else is known of it.

    Raises:
        ConnectionLostError: the database went away.
        ShopError: the schedule is not valid, or cannot be stored; nothing is written.
    """
    settings = settings or load_settings()
    if not is_real_data(plan.shop):
        raise ShopError(f"mariadb: schedules: {plan.shop.name!r} does not come from the database: not stored")
    if violations := verify(plan, schedule):
        raise ShopError([f"mariadb: schedules: not stored, since it is not valid: {v}" for v in violations])
    if not plan.shop.plan_start:
        raise ShopError(f"mariadb: schedules: {plan.shop.name!r} has no plan start, so no dates to store")
    start = datetime.fromisoformat(plan.shop.plan_start)
    content = [
        *(schedule.fingerprint, checkpoint_id, schedule.max_lot_hours, start.isoformat()),
        sorted(schedule.rows),
    ]
    id = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    quantity = {(lot.job, lot.index): lot.quantity for lot in plan.lots}
    rows = [
        (
            *(id, row.job, row.lot, row.operation, row.machine, at(start, row.start), at(start, row.end)),
            quantity[row.job, row.lot],
        )
        for row in schedule.rows
    ]
    with connect(settings, writer=True) as database, database.transaction():
        _check_columns(database)
        head = (
            *(id, schedule.fingerprint, checkpoint_id, schedule.max_lot_hours, at(start)),
            *(to_hours(schedule.makespan), at(datetime.now(UTC)), *_figures(plan, schedule, about.lower_bound)),
            *(json.dumps(dict(about.options)), about.author, about.based_on or _released(database)),
        )
        try:
            database.insert("schedules", SCHEDULE_COLUMNS, [head])
        except DuplicateKeyError:
            # A read that locks, since the row may be younger than what this transaction sees otherwise.
            there = "SELECT `status` FROM `schedules` WHERE `schedule_id` = ? LOCK IN SHARE MODE"
            return Stored(id, False, str(database.query("schedules", there, (id,))[0][0]))
        database.insert("scheduled_operations", SCHEDULED_COLUMNS, rows)
    return Stored(id, True)


def release(
    schedule_id: str, by: str | None, settings: DbSettings | None = None, replaces: str | None = None
) -> Released:
    """Make a draft the plan that the floor works by, with the releaser's account; the one before it is superseded.

    Args:
        schedule_id: of the draft.
        by: who releases it.
        settings: None reads them from the environment.
        replaces: the plan that is known to be released now, where that is not the one that the draft was made under.

    Raises:
        UnknownScheduleError: there is no such plan.
        ReleaseConflictError: it is no draft, or another plan was released since it was made; nothing is changed.
        ConnectionLostError: the database went away.
    """
    settings = (settings or load_settings()).releasing
    attempt = 1
    while True:
        try:
            # Row locks alone do not make releases follow each other: where no plan is released, all lock the same
            # gap, and each one's update waits for all the others.
            with connect(settings, writer=True) as database, database.alone("release"), database.transaction():
                return _release(database, schedule_id, by, replaces)
        except DuplicateKeyError:  # another one was quicker, where none was released before
            raise ReleaseConflictError(f"mariadb: {schedule_id}: another plan was released just now") from None
        except ConnectionLostError:
            if attempt == ATTEMPTS:
                raise
            attempt += 1


def named(beginning: str, settings: DbSettings | None = None) -> str:
    """The id of the one plan whose id begins so.

    Raises:
        UnknownScheduleError: there is none, or more than one.
    """
    with connect((settings or load_settings()).releasing, writer=True) as database:
        source = "SELECT `schedule_id` FROM `schedules` WHERE LEFT(`schedule_id`, ?) = ? LIMIT 2"
        found = database.query("schedules", source, (len(beginning), beginning))
    if len(found) != 1:
        raise UnknownScheduleError(
            f"mariadb: schedules: there {'is no plan' if not found else 'are several plans'} {beginning}"
        )
    return str(found[0][0])


def plans(most: int, settings: DbSettings | None = None, status: str | None = None) -> list[dict[str, Any]]:
    """The latest plans, the latest first: what is stored of each but its operations, JSON types only; dates are UTC."""
    columns = f"{SCHEDULE_COLUMNS}, status, released_at, released_by".split(", ")
    of = "WHERE `status` = ?" if status else ""
    source = f"SELECT {', '.join(columns)} FROM `schedules` {of} ORDER BY `created_at` DESC, `schedule_id` LIMIT ?"
    with connect(settings or load_settings(), writer=True) as database:
        _check_columns(database)
        rows = database.query("schedules", source, (status, most) if status else (most,))
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    return [
        {name: _plain(value) for name, value in row.items()} | {"options": json.loads(row["options"] or "{}")}
        for row in found
    ]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value.replace(tzinfo=UTC))
    return float(value) if isinstance(value, Decimal) else value


def _release(database: Database, schedule_id: str, by: str | None, replaces: str | None) -> Released:
    current = _released(database, lock=True)
    found = database.query(
        "schedules", "SELECT `status`, `based_on` FROM `schedules` WHERE `schedule_id` = ? FOR UPDATE", (schedule_id,)
    )
    if not found:
        raise UnknownScheduleError(f"mariadb: schedules: there is no plan {schedule_id}")
    (status, based_on), expected = found[0], replaces
    if status != "draft":
        raise ReleaseConflictError(f"mariadb: {schedule_id}: the plan is {status}, not a draft")
    expected = based_on if replaces is None else replaces
    if current != expected:
        reason = "another plan was released since it was made" if replaces is None else f"{replaces} is not released"
        how = f"say that it replaces {current} (`--replaces`, over HTTP `replaces=`) to release it all the same"
        told = how if current else "no plan is released now"
        raise ReleaseConflictError(f"mariadb: {schedule_id}: {reason}: {told}")
    if current is not None:
        database.query(
            "schedules", "UPDATE `schedules` SET `status` = 'superseded' WHERE `schedule_id` = ?", (current,)
        )
    database.query(
        "schedules",
        "UPDATE `schedules` SET `status` = 'released', `released_at` = ?, `released_by` = ? WHERE `schedule_id` = ?",
        (at(datetime.now(UTC)), by, schedule_id),
    )
    return Released(schedule_id, current)


def _released(database: Database, lock: bool = False) -> str | None:
    """The plan that is released now."""
    sql = "SELECT `schedule_id` FROM `schedules` WHERE `only_released` = 1" + " FOR UPDATE" * lock
    rows = database.query("schedules", sql)
    return rows[0][0] if rows else None


def unseen(table: str) -> ShopError:
    """That a table for results is not there, and what makes it: `db upgrade` only beside `schedules`."""
    made = MAKE if table == RESULT_TABLES[0] else UPGRADE
    return ShopError(f"mariadb: {table}: the writer sees no such table: {made}, or GRANT the writer its rights on it")


def _check_columns(database: Database) -> None:
    """Refuse tables that are missing, or of an earlier make, which lack columns."""
    for table, columns in zip(RESULT_TABLES, (SCHEDULE_COLUMNS, SCHEDULED_COLUMNS), strict=True):
        sql = (
            "SELECT `column_name` FROM `information_schema`.`columns` "
            "WHERE `table_schema` = DATABASE() AND `table_name` = ?"
        )
        there = {str(name).lower() for (name,) in database.query("schema", sql, (table,))}
        if not there:
            raise unseen(table)
        if missing := set(columns.split(", ")) - there:
            raise ShopError(f"mariadb: {table}: lacks {', '.join(sorted(missing))}: {UPGRADE}")


def _figures(plan: LotPlan, schedule: Schedule, lower_bound: int | None) -> tuple[object, ...]:
    """Objective, bound, gap and late jobs, as the table holds them."""
    jobs, ends = plan.shop.jobs, schedule.job_ends
    cost = plan.shop.objective.cost(ends, jobs)
    due = [job for job in jobs if job.due is not None]
    return (
        to_hours(cost),
        None if lower_bound is None else to_hours(lower_bound),
        None if lower_bound is None else gap_percent(cost, lower_bound),
        sum(ends[job.id] > job.due for job in due if job.due is not None) if due else None,
    )
