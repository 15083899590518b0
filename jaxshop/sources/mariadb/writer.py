"""Writes to MariaDB, with the writer's account: the tables, a shop into them, and schedules back."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files

from jaxshop.schedule import Schedule, verify
from jaxshop.shop import MAKESPAN, LotPlan, Shop, fingerprint
from jaxshop.shop.records import WEEKDAYS
from jaxshop.sources.mariadb.connection import Database, DuplicateKeyError, connect
from jaxshop.sources.mariadb.plant import COLUMNS, PLANT_TABLES
from jaxshop.sources.mariadb.reader import read_from
from jaxshop.sources.mariadb.settings import DbSettings, load_settings
from jaxshop.sources.mariadb.values import iso, show, to_hours
from jaxshop.sources.snapshot import is_real_data
from jaxshop.support.errors import ShopError

SHOP_TABLES = ("machines", "jobs", "operations", "operation_machines", "plan")
RESULT_TABLES = ("schedules", "scheduled_operations")
SCHEDULE_COLUMNS = "schedule_id, shop_fingerprint, checkpoint_id, max_lot_hours, plan_start, makespan_h, created_at"
SCHEDULED_COLUMNS = "schedule_id, job_id, lot, operation_id, machine_id, start_at, end_at"

LONGEST = {
    **{"machine_id": 64, "work_centre": 64, "job_id": 64, "operation_id": 96},
    **{"calendar_id": 64, "family": 64, "reason": 255},
}
LARGEST_WEIGHT = 99_999


def init(settings: DbSettings | None = None, results_only: bool = False) -> list[str]:
    """Make the tables.

    Args:
        settings: None reads them from the environment.
        results_only: only the tables of the results, for a site whose shop is read through views.

    Returns:
        The names of the tables made.

    Raises:
        ShopError: a table or view of one of the names exists already; nothing is made, and it is not touched.
    """
    names = RESULT_TABLES if results_only else SHOP_TABLES + PLANT_TABLES + RESULT_TABLES
    settings = settings or load_settings()
    with connect(settings, writer=True) as database:
        if found := _existing(database, names):
            raise ShopError(
                [f"mariadb: {name}: exists already in {settings.where}; init touches nothing" for name in found]
            )
        made: list[str] = []
        try:
            for name in names:
                database.query(name, schema()[name])
                made.append(name)
        except BaseException:  # no transaction undoes a CREATE
            for name in reversed(made):
                with suppress(ShopError):
                    database.query(name, f"DROP TABLE `{name}`")
            raise
    return made


def _existing(database: Database, names: tuple[str, ...]) -> list[str]:
    """Return those of the names that a table or view has which the account may use."""
    marks = ", ".join("?" * len(names))
    sql = (
        "SELECT `table_name` FROM `information_schema`.`tables` "
        f"WHERE `table_schema` = DATABASE() AND `table_name` IN ({marks}) ORDER BY `table_name`"
    )
    return [name for (name,) in database.query("schema", sql, names)]


def schema() -> dict[str, str]:
    """Return the statement that makes each table, in the order in which they can be made."""
    sql = files("jaxshop.sources.mariadb").joinpath("schema.sql").read_text(encoding="utf-8")
    return {name: statement for statement, name in re.findall(r"^(CREATE TABLE `(\w+)`.*?);$", sql, re.M | re.S)}


def load(shop: Shop, settings: DbSettings | None = None) -> datetime:
    """Write a shop into the empty tables, in one transaction that ends by reading it back.

    Args:
        shop: a validated shop; its jobs become open.
        settings: None reads them from the environment.

    Returns:
        The plan start that was written: the shop's, or that of the settings, or now.

    Raises:
        ShopError: a table has rows, or the tables cannot hold the shop to the tick; nothing is written.
    """
    settings = settings or load_settings()
    _check_storable(shop)
    start = datetime.fromisoformat(shop.plan_start) if shop.plan_start else settings.plan_start or _now()
    start = start.replace(microsecond=0)
    with connect(settings, writer=True) as database, database.transaction():
        for table in (*SHOP_TABLES, *_existing(database, PLANT_TABLES)):
            if database.query(table, f"SELECT EXISTS (SELECT 1 FROM `{table}`)")[0][0]:
                raise ShopError(f"mariadb: {table}: holds rows already; db load fills empty tables only")
        _insert_shop(database, shop, start, settings.open_states[0])
        back = read_from(database, settings.model_copy(update={"plan_start": None})).shop
        if fingerprint(back) != fingerprint(shop):
            raise ShopError(f"mariadb: {shop.name}: what came back is another shop; nothing was written")
    return start


def check_write_back(settings: DbSettings | None = None) -> None:
    """Find out before a long search whether there are an account and tables to store its schedule with.

    Raises:
        ShopError: there are not.
    """
    with connect(settings or load_settings(), writer=True) as database:
        for table in RESULT_TABLES:
            if table not in _existing(database, RESULT_TABLES):
                hint = "make it with `jaxshop db init --results-only`, or GRANT the writer INSERT on it"
                raise ShopError(f"mariadb: {table}: the writer sees no such table: {hint}")


def write_back(
    plan: LotPlan, schedule: Schedule, checkpoint_id: str | None, settings: DbSettings | None = None
) -> bool:
    """Store a schedule and its operations in one transaction.

    Args:
        plan: the lots that the schedule is of; its shop must be real data and have a plan start.
        schedule: it must be valid.
        checkpoint_id: the checkpoint whose policy made it, or the rule that did; None if neither.
        settings: None reads them from the environment.

    Returns:
        False if exactly this was stored before, in which case nothing is written.

    Raises:
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
    head = (
        *(id, schedule.fingerprint, checkpoint_id, schedule.max_lot_hours, _at(start)),
        *(to_hours(schedule.makespan), _at(_now())),
    )
    rows = [
        (id, row.job, row.lot, row.operation, row.machine, _at(start, row.start), _at(start, row.end))
        for row in schedule.rows
    ]
    with connect(settings, writer=True) as database, database.transaction():
        try:
            database.insert("schedules", SCHEDULE_COLUMNS, [head])
        except DuplicateKeyError:
            return False
        database.insert("scheduled_operations", SCHEDULED_COLUMNS, rows)
    return True


def _insert_shop(database: Database, shop: Shop, start: datetime, status: str) -> None:
    """Insert in the order of the foreign keys; `plan` first, since its only row keeps a second load out."""
    database.insert("plan", "plan_start", [(_at(start),)])
    columns = "machine_id, work_centre, available_from, active"
    machines: list[tuple] = [(m.id, m.work_centre, _at(start, m.available_from or None), 1) for m in shop.machines]
    if any(machine.calendar or machine.family for machine in shop.machines):
        columns += ", calendar_id, family"
        machines = [(*row, m.calendar, m.family) for row, m in zip(machines, shop.machines, strict=True)]
    database.insert("machines", columns, machines)
    jobs = [
        (
            *(job.id, job.quantity, _at(start, job.release or None), _at(start, job.due)),
            *(Decimal(str(job.weight)), status),
        )
        for job in shop.jobs
    ]
    database.insert("jobs", "job_id, quantity, release_at, due_at, weight, status", jobs)
    columns = "operation_id, job_id, seq, setup_h"
    steps = [(job.id, seq, op) for job in shop.jobs for seq, op in enumerate(job.operations, 1)]
    operations: list[tuple] = [(op.id, job, seq, to_hours(op.setup)) for job, seq, op in steps]
    if any(op.family or op.lag or not op.interruptible for *_, op in steps):
        columns += ", family, interruptible, lag_h"
        operations = [
            (*row, op.family, int(op.interruptible), to_hours(op.lag))
            for row, (*_, op) in zip(operations, steps, strict=True)
        ]
    database.insert("operations", columns, operations)
    alternatives = [
        (op.id, machine, to_hours(ticks))
        for job in shop.jobs
        for op in job.operations
        for machine, ticks in op.alternatives.items()
    ]
    database.insert("operation_machines", "operation_id, machine_id, duration_h", alternatives)
    _insert_rules(database, shop, start)


def _insert_rules(database: Database, shop: Shop, start: datetime) -> None:
    """Insert what there is of the plant's own rules."""
    shifts = [
        (calendar.id, WEEKDAYS[day], _clock(opens), _clock(closes))
        for calendar in shop.calendars
        for day, of_day in enumerate(calendar.weekly)
        for opens, closes in of_day
    ]
    days: list[tuple] = [(calendar.id, day, None, None) for calendar in shop.calendars for day in calendar.closed]
    for calendar in shop.calendars:
        for day, of_day in calendar.open:
            days += [(calendar.id, day, _clock(opens), _clock(closes)) for opens, closes in of_day] or [
                (calendar.id, day, None, None)
            ]
    rows: dict[str, list[tuple]] = {
        "calendars": [(calendar.id, calendar.timezone) for calendar in shop.calendars],
        "calendar_shifts": shifts,
        "calendar_days": days,
        "machine_downtime": [
            (m.id, _at(start, down.start), _at(start, down.end), down.reason)
            for m in shop.machines
            for down in m.unavailable
        ],
        "setups": [
            (entry.work_centre, entry.machine, entry.from_family, entry.to_family, to_hours(entry.ticks))
            for entry in shop.changeovers
        ],
        "progress": [
            (op.id, op.fixed.machine, _at(start, op.fixed.start), None)
            for job in shop.jobs
            for op in job.operations
            if op.fixed is not None
        ],
    }
    for table, entries in rows.items():
        if entries:
            database.insert(table, ", ".join(f"`{name}`" for name in COLUMNS[table].split(", ")), entries)


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _check_storable(shop: Shop) -> None:
    """Refuse what the columns would cut off or round."""
    faults = []
    if shop.objective != MAKESPAN:
        faults.append(f"mariadb: {shop.name}: the tables have no place for an objective beside the makespan")

    def check_length(table: str, column: str, value: str | None) -> None:
        if value is not None and len(value) > LONGEST[column]:
            length = f"{len(value)} characters; the column holds {LONGEST[column]}"
            faults.append(f"mariadb: {table}: {show(value)}: {column}: {length}")

    for machine in shop.machines:
        check_length("machines", "machine_id", machine.id)
        check_length("machines", "work_centre", machine.work_centre)
        check_length("machines", "family", machine.family)
        for down in machine.unavailable:
            check_length("machine_downtime", "reason", down.reason)
    for calendar in shop.calendars:
        check_length("calendars", "calendar_id", calendar.id)
    for job in shop.jobs:
        check_length("jobs", "job_id", job.id)
        if job.weight > LARGEST_WEIGHT or job.weight != round(job.weight, 4):
            limits = f"the column holds four decimals, up to {LARGEST_WEIGHT}"
            faults.append(f"mariadb: jobs: {show(job.id)}: weight {job.weight}: {limits}")
        for op in job.operations:
            check_length("operations", "operation_id", op.id)
            check_length("operations", "family", op.family)
            for machine_id, ticks in op.alternatives.items():
                if ticks == 0:
                    where = f"{show(op.id)}, {show(machine_id)}"
                    faults.append(f"mariadb: operation_machines: {where}: duration_h 0: must be > 0")
    if faults:
        raise ShopError(faults)


def _now() -> datetime:
    return datetime.now(UTC)


def _at(start: datetime, ticks: int | None = 0) -> datetime | None:
    """Return a tick as a DATETIME, which is UTC without saying so."""
    try:
        return None if ticks is None else (start + timedelta(seconds=ticks)).replace(tzinfo=None)
    except OverflowError:
        beyond = f"{ticks} s from it is outside the calendar (years 1 to 9999)"
        raise ShopError(f"mariadb: plan: plan_start {iso(start)}: {beyond}") from None
