"""Makes the tables, with the writer's account, and loads a shop into them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files

from jaxshop.shop import Objective, Shop, fingerprint
from jaxshop.shop.records import WEEKDAYS
from jaxshop.sources.mariadb.connection import Database, connect, existing
from jaxshop.sources.mariadb.plant import COLUMNS, PLANT_TABLES
from jaxshop.sources.mariadb.reader import read_from
from jaxshop.sources.mariadb.results import REQUEST_TABLES, RESULT_TABLES, RESULT_VIEWS, unseen
from jaxshop.sources.mariadb.settings import PREFIX, DbSettings, load_settings
from jaxshop.sources.mariadb.values import at, show, to_hours
from jaxshop.support.errors import ShopError

SHOP_TABLES = ("machines", "jobs", "operations", "operation_machines", "plan")

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
    results = RESULT_TABLES + RESULT_VIEWS + REQUEST_TABLES
    names = results if results_only else SHOP_TABLES + PLANT_TABLES + results
    settings = settings or load_settings()
    with connect(settings, writer=True) as database:
        if found := existing(database, names):
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
                    database.query(name, f"DROP {'VIEW' if name in RESULT_VIEWS else 'TABLE'} `{name}`")
            raise
    return made


def schema() -> dict[str, str]:
    """Return the statement that makes each table or view, in the order in which they can be made."""
    sql = files("jaxshop.sources.mariadb").joinpath("schema.sql").read_text(encoding="utf-8")
    return {
        name: statement for statement, name in re.findall(r"^(CREATE (?:TABLE|VIEW) `(\w+)`.*?);$", sql, re.M | re.S)
    }


def upgrade(settings: DbSettings | None = None) -> list[str]:
    """Bring the tables for results to what `init` makes, and make those tables and views that are missing.

    Returns:
        The names of the tables and views that were not there.

    Raises:
        ShopError: there is no table to bring up to date, or they cannot be altered, or are views of the site's own.
    """
    sql = files("jaxshop.sources.mariadb").joinpath("upgrade.sql").read_text(encoding="utf-8")
    names = RESULT_TABLES + RESULT_VIEWS + REQUEST_TABLES
    with connect(settings or load_settings(), writer=True) as database:
        missing = [name for name in names if name not in existing(database, names)]
        if RESULT_TABLES[0] in missing:  # made here, it would keep `init` from making the shop's tables
            raise unseen(RESULT_TABLES[0])
        for statement, table in re.findall(r"^(ALTER TABLE `(\w+)`.*?);$", sql, re.M | re.S):
            if table not in missing:
                database.query(table, statement)
        for name in missing:
            database.query(name, schema()[name])
    return missing


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
    _check_storable(shop, settings.objective)
    start = datetime.fromisoformat(shop.plan_start) if shop.plan_start else settings.plan_start or _now()
    start = start.replace(microsecond=0)
    with connect(settings, writer=True) as database, database.transaction():
        for table in (*SHOP_TABLES, *existing(database, PLANT_TABLES)):
            if database.query(table, f"SELECT EXISTS (SELECT 1 FROM `{table}`)")[0][0]:
                raise ShopError(f"mariadb: {table}: holds rows already; db load fills empty tables only")
        _insert_shop(database, shop, start, settings.open_states[0])
        back = read_from(database, settings.model_copy(update={"plan_start": None})).shop
        if fingerprint(back) != fingerprint(shop):
            raise ShopError(f"mariadb: {shop.name}: what came back is another shop; nothing was written")
    return start


def _insert_shop(database: Database, shop: Shop, start: datetime, status: str) -> None:
    """Insert in the order of the foreign keys; `plan` first, since its only row keeps a second load out."""
    database.insert("plan", "plan_start", [(at(start),)])
    columns = "machine_id, work_centre, available_from, active"
    machines: list[tuple] = [(m.id, m.work_centre, at(start, m.available_from or None), 1) for m in shop.machines]
    if any(machine.calendar or machine.family for machine in shop.machines):
        columns += ", calendar_id, family"
        machines = [(*row, m.calendar, m.family) for row, m in zip(machines, shop.machines, strict=True)]
    database.insert("machines", columns, machines)
    jobs = [
        (
            *(job.id, job.quantity, at(start, job.release or None), at(start, job.due)),
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
            (m.id, at(start, down.start), at(start, down.end), down.reason)
            for m in shop.machines
            for down in m.unavailable
        ],
        "setups": [
            (entry.work_centre, entry.machine, entry.from_family, entry.to_family, to_hours(entry.ticks))
            for entry in shop.changeovers
        ],
        "progress": [
            (op.id, op.fixed.machine, at(start, op.fixed.start), None)
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


def _check_storable(shop: Shop, objective: Objective) -> None:
    """Refuse what the columns would cut off or round."""
    faults = []
    if shop.objective != objective:
        hint = f"{PREFIX}TARDINESS says what it is: now {objective.tardiness:g} beside a makespan of 1"
        faults.append(f"mariadb: {shop.name}: objective: the tables have no place for an objective: {hint}")

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
