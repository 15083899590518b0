"""Reads the shop from MariaDB: all of it, as one consistent snapshot, with every faulty row refused by name.

The tables, or views of their names, are those of `schema.sql`. Nothing is filled in, cut off or
guessed: views need not keep the constraints of the tables, so everything is checked here again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from jaxshop.shop import TICKS_PER_HOUR, Job, Machine, Operation, Provenance, Shop, validate
from jaxshop.shop.records import MAX_QUANTITY, MAX_WEIGHT
from jaxshop.sources.mariadb.connection import ConnectionLostError, Database, connect
from jaxshop.sources.mariadb.plant import PlantTables, under_way
from jaxshop.sources.mariadb.settings import PREFIX, DbSettings, load_settings
from jaxshop.sources.mariadb.values import Refusals, is_number, is_whole, iso, parse_moment, show, text
from jaxshop.sources.snapshot import sign
from jaxshop.support.errors import ShopError

SNAPSHOT = "START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT"
FIRST_WAIT_S = 0.5

Alternatives = dict[str, dict[str, int]]
"""Ticks by operation and machine."""

Routes = dict[str, dict[int, Operation]]
"""Operations by job and `seq`, without alternatives."""


@dataclass
class Counts:
    """What a read came across, for the data report."""

    rows: dict[str, int] = field(default_factory=dict)
    jobs_by_status: dict[str, int] = field(default_factory=dict)
    inactive_machines: int = 0
    past_releases: int = 0
    past_availabilities: int = 0
    finished_operations: int = 0
    running_operations: int = 0
    unused_setups: int = 0
    left_out_alternatives: int = 0
    """On machines that are inactive."""
    notes: list[str] = field(default_factory=list)
    """What is under way otherwise than the tables of the open jobs say, a sentence each."""


@dataclass(frozen=True)
class Reading:
    """A shop and what the read of it came across."""

    shop: Shop
    counts: Counts


def read_shop(settings: DbSettings | None = None) -> Shop:
    """Read the shop from the database; see `read`."""
    return read(settings).shop


def read(settings: DbSettings | None = None) -> Reading:
    """Read and validate the shop in one read-only transaction; once more if the connection is lost.

    Args:
        settings: None reads them from the environment.

    Raises:
        RefusedRowsError: holds a fault for every faulty row, naming table, key, column and value.
        ConnectionLostError: the server is not there.
        ShopError: the database cannot be read.
    """
    settings = settings or load_settings()
    attempt = 0
    while True:
        try:
            with connect(settings) as database, database.transaction(SNAPSHOT):
                return read_from(database, settings)
        except ConnectionLostError as lost:
            if attempt == settings.retries:
                raise ConnectionLostError(f"{lost} (tried {attempt + 1} times)" if attempt else str(lost)) from None
        time.sleep(FIRST_WAIT_S * 2**attempt)
        attempt += 1


def read_from(database: Database, settings: DbSettings) -> Reading:
    """Read and validate the shop within a transaction that is open already."""
    reader = _Reader(database, settings)
    shop = reader.read()
    validate(shop, "mariadb")
    return Reading(sign(shop), reader.counts)


class _Reader:
    """Reads table by table; what is refused is noted, so that one read shows every fault."""

    def __init__(self, database: Database, settings: DbSettings):
        self.database = database
        self.settings = settings
        self.refusals = Refusals()
        self.unsure = self.refusals.unsure
        self.inactive: dict[str, list[str]] = defaultdict(list)
        """By operation, the machines that may run it and are inactive."""
        self.incomplete: set[str] = set()
        """Jobs of which an operation was refused: their routes are not judged."""
        self.counts = Counts()
        self.plan_start = settings.plan_start or datetime.min.replace(tzinfo=UTC)
        marks = ", ".join("?" * len(settings.open_states))
        # A row that belongs to no job, or to one of unknown status, is read as well: to be refused by name.
        self.is_open = f"(`jobs`.`status` IN ({marks}) OR `jobs`.`status` IS NULL)"

    def read(self) -> Shop:
        taken_at = self.database.query("session", "SELECT CAST(UTC_TIMESTAMP() AS CHAR)")[0][0]
        if self.settings.plan_start is None:
            self.plan_start = self.read_plan_start()
        self.plant = PlantTables(self.database, self.refusals, self.plan_start, self.counts.rows)
        calendars = self.plant.calendars()
        machines = self.read_machines()
        self.plant.downtimes(machines)
        jobs = self.read_jobs()
        routes, alternatives = self.read_operations(jobs)
        self.read_alternatives(alternatives, machines)
        operations = {op.id: op for route in routes.values() for op in route.values()}
        progress = self.plant.progress(operations, alternatives, self.inactive)
        for id, route in routes.items():
            self.check_route(id, route, alternatives, progress.finished)
        self.counts.notes += progress.notes
        self.keep_busy(machines, operations)
        complete = (replace(job, operations=_route(routes[id], alternatives)) for id, job in sorted(jobs.items()))
        left = [job for job in (under_way(job, progress, self.refusals) for job in complete) if job is not None]
        setups, self.counts.unused_setups = self.plant.changeovers(machines, left)
        self.counts.finished_operations = len(progress.finished)
        self.counts.running_operations = len(progress.running)
        if jobs and not left:
            self.refusals.add("progress", (), "finished_at", None, "every operation of every open job is finished")
        self.refusals.raise_if_any()
        return Shop(
            name=self.settings.name,
            machines=tuple(machine for _, machine in sorted(machines.items()) if machine),
            jobs=tuple(left),
            plan_start=iso(self.plan_start),
            provenance=Provenance("mariadb", self.settings.where, iso(parse_moment(taken_at))),
            calendars=calendars,
            changeovers=setups,
            objective=self.settings.objective,
        )

    def read_plan_start(self) -> datetime:
        starts = [start for (start,) in self.rows("plan", "CAST(`plan_start` AS CHAR)", "`plan`")]
        if len(starts) != 1:
            hint = f"must hold one row with plan_start; insert it, or set {PREFIX}PLAN_START"
            raise ShopError(f"mariadb: plan: {len(starts)} rows: {hint}")
        try:
            return parse_moment(starts[0])
        except ValueError as error:
            raise ShopError(f"mariadb: plan: plan_start {show(starts[0])}: {error}") from None

    def read_machines(self) -> dict[str, Machine | None]:
        """Return the machines by id; None for one that is inactive."""
        table = "machines"
        rules = f"{self.plant.column(table, 'calendar_id')}, {self.plant.column(table, 'family')}"
        columns = f"`machine_id`, `work_centre`, CAST(`available_from` AS CHAR), `active`, {rules}"
        machines: dict[str, Machine | None] = {}
        folded: dict[str, str] = {}
        for name, centre, available_from, active, calendar, family in self.rows(table, columns, "`machines`"):
            if (id := self.refusals.key(table, "machine_id", name, folded)) is None:
                continue
            if centre is not None and not (isinstance(centre, str) and centre.isprintable()):
                self.refusals.add(table, (id,), "work_centre", centre, "must be a printable text or NULL")
            if active not in (0, 1):
                self.refusals.add(table, (id,), "active", active, "must be the number 0 or 1")
            start = self.moment(table, id, "available_from", available_from) or 0
            self.counts.past_availabilities += start < 0
            self.counts.inactive_machines += active == 0
            made = Machine(id, centre, max(0, start), _name(calendar), family=_name(family))
            machines[id] = None if active == 0 else made
        if not any(machines.values()) and not self.unsure[table]:
            self.refusals.add(table, (), "active", 1, "there is no active machine")
        return machines

    def read_jobs(self) -> dict[str, Job]:
        """Return the open jobs by id, without their operations."""
        table, states = "jobs", self.settings.open_states
        statuses = self.database.query(table, "SELECT `status`, COUNT(*) FROM `jobs` GROUP BY `status`")
        self.counts.jobs_by_status = {str(status): count for status, count in statuses}
        moments = "CAST(`release_at` AS CHAR), CAST(`due_at` AS CHAR)"
        columns = f"`job_id`, `quantity`, {moments}, `weight`, `status`"
        jobs: dict[str, Job] = {}
        folded: dict[str, str] = {}
        rows = self.rows(table, columns, f"`jobs` WHERE {self.is_open}", states)
        for name, quantity, release_at, due_at, weight, status in rows:
            if (id := self.refusals.key(table, "job_id", name, folded)) is None:
                continue
            if status is None:
                self.refusals.add(table, (id,), "status", status, "open or not? it is never filled in")
            if quantity is not None and not (is_whole(quantity) and 1 <= quantity <= MAX_QUANTITY):
                limits = f"from 1 to {MAX_QUANTITY}"
                self.refusals.add(table, (id,), "quantity", quantity, f"must be a whole number {limits}, or NULL")
                quantity = None
            if not (is_number(weight) and 0 < weight <= MAX_WEIGHT):
                self.refusals.add(table, (id,), "weight", weight, f"must be a number > 0, at most {MAX_WEIGHT:.0f}")
                weight = 1
            release = self.moment(table, id, "release_at", release_at) or 0
            self.counts.past_releases += release < 0
            jobs[id] = Job(
                id=id,
                operations=(),
                release=max(0, release),
                due=self.moment(table, id, "due_at", due_at),
                weight=float(weight),
                quantity=None if quantity is None else int(quantity),
            )
        if not jobs and not self.unsure[table]:
            self.refusals.add(table, (), "status", ",".join(states), "there is no job with such a status")
        return jobs

    def read_operations(self, jobs: dict[str, Job]) -> tuple[Routes, Alternatives]:
        """Return the jobs' operations, and for each an empty dict of alternatives."""
        table = "operations"
        columns = ", ".join(f"`{table}`.`{name}`" for name in ("operation_id", "job_id", "seq", "setup_h"))
        columns += "".join(f", {self.plant.column(table, name)}" for name in ("interruptible", "family", "lag_h"))
        source = f"`{table}` LEFT JOIN `jobs` ON `jobs`.`job_id` = `{table}`.`job_id` WHERE {self.is_open}"
        routes: Routes = {id: {} for id in jobs}
        alternatives: Alternatives = {}
        folded: dict[str, str] = {}
        rows = self.rows(table, columns, source, self.settings.open_states)
        for name, job, seq, setup_h, interruptible, family, lag_h in rows:
            if text(job) in self.unsure["jobs"]:  # the join gives the operation once for each of those rows
                self.unsure[table].add(text(name))
                self.incomplete.add(text(job))
                continue
            if (id := self.refusals.key(table, "operation_id", name, folded)) is None:
                self.incomplete.add(text(job))
                continue
            alternatives[id] = {}
            setup = self.refusals.ticks(table, (id,), "setup_h", setup_h, least=0)
            lag = 0 if lag_h is None else self.refusals.ticks(table, (id,), "lag_h", lag_h, least=0)
            if interruptible not in (None, 0, 1):
                self.refusals.add(table, (id,), "interruptible", interruptible, "must be the number 0 or 1, or NULL")
            route = routes.get(text(job))
            if route is None:
                self.refusals.add(table, (id,), "job_id", job, "there is no such job")
            elif not is_whole(seq):
                self.incomplete.add(text(job))
                self.refusals.add(table, (id,), "seq", seq, "must be a whole number")
            elif seq in route:
                self.incomplete.add(text(job))
                twin = f"{show(route[seq].id)} of job {show(job)} has it too"
                self.refusals.add(table, (id,), "seq", seq, f"a repeat: {twin}", "a repeat")
            else:
                route[int(seq)] = Operation(id, {}, setup, interruptible != 0, _name(family), lag)
        return routes, alternatives

    def read_alternatives(self, alternatives: Alternatives, machines: dict[str, Machine | None]) -> None:
        """Fill `alternatives`."""
        table = "operation_machines"
        columns = ", ".join(f"`{table}`.`{name}`" for name in ("operation_id", "machine_id", "duration_h"))
        source = (
            f"`{table}` LEFT JOIN `operations` ON `operations`.`operation_id` = `{table}`.`operation_id` "
            f"LEFT JOIN `jobs` ON `jobs`.`job_id` = `operations`.`job_id` WHERE {self.is_open}"
        )
        ids = {id: id for id in machines}  # so that all rows share one text per machine
        for operation, machine, duration_h in self.rows(table, columns, source, self.settings.open_states):
            if text(operation) in self.unsure["operations"]:
                continue
            key = (operation, machine)
            durations, id = alternatives.get(text(operation)), ids.get(text(machine))
            if durations is None:
                self.refusals.add(table, key, "operation_id", operation, "there is no such operation")
                continue
            if text(machine) in self.unsure["machines"]:
                pass
            elif id is None:
                self.refusals.add(table, key, "machine_id", machine, "unknown machine")
            elif machines[id] is None:
                self.inactive[text(operation)].append(id)
                self.counts.left_out_alternatives += 1
                continue
            elif id in durations:
                self.refusals.add(table, key, "machine_id", machine, "a repeat: the operation has it already")
            ticks = self.refusals.ticks(table, key, "duration_h", duration_h, least=1)
            durations[text(machine) if id is None else id] = ticks

    def keep_busy(self, machines: dict[str, Machine | None], operations: dict[str, Operation]) -> None:
        """Have machines be busy with what runs on them of jobs that are not read."""
        for work in self.plant.running_elsewhere(operations):
            machine, key = machines.get(work.machine), (work.operation,)
            state = f"job {show(work.job)}, {show(work.status)}," if work.job else "no job that is known"
            told = f"{show(work.operation)} of {state} runs on {show(work.machine)}"
            if machine is None:
                continue
            if work.duration_h is None and not work.job:
                self.counts.notes.append(f"{told}, nobody knows for how long: the machine counts as free")
                continue
            place = (*key, work.machine)
            ticks = self.refusals.ticks("operation_machines", place, "duration_h", work.duration_h, least=1)
            end = work.start + ticks + self.refusals.ticks("operations", key, "setup_h", work.setup_h, least=0)
            machines[work.machine] = replace(machine, available_from=max(machine.available_from, end))
            hours = f"which is busy for {end / TICKS_PER_HOUR:.2f} h" if end > 0 else "and should have ended"
            self.counts.notes.append(f"{told}, {hours}")

    def check_route(
        self, job: str, route: dict[int, Operation], alternatives: Alternatives, finished: Mapping[str, int]
    ) -> None:
        """Refuse a job without operations or with a gap in them, and an operation that nothing can run."""
        if job not in self.incomplete:
            if not route:
                self.refusals.add("jobs", (job,), "job_id", job, "the job has no operations")
            for expected, seq in enumerate(sorted(route), 1):
                if seq != expected:
                    gap = f"a gap: job {show(job)} has no {expected}"
                    self.refusals.add("operations", (route[seq].id,), "seq", seq, gap, "a gap")
                    break
        for op in route.values():
            if alternatives[op.id] or op.id in self.unsure["operations"] or op.id in finished:
                continue
            kind, why = "no machine may run it", "it has no row in operation_machines"
            if self.inactive[op.id]:
                kind, why = "no machine is left to run it", f"inactive: {', '.join(sorted(self.inactive[op.id]))}"
            self.refusals.add("operations", (op.id,), "operation_id", op.id, f"{kind}: {why}", kind)

    def moment(self, table: str, id: str, column: str, value: object) -> int | None:
        # Read as text: as a datetime, the connector turns '0000-00-00', a lost date, into None.
        return self.refusals.moment(table, id, column, value, self.plan_start)

    def rows(self, table: str, columns: str, source: str, values: tuple[str, ...] = ()) -> Iterator[tuple[Any, ...]]:
        self.counts.rows[table] = 0
        for row in self.database.stream(table, columns, source, values):
            self.counts.rows[table] += 1
            yield row


def _name(value: object) -> str | None:
    """A name as text, if there is one; what is none is refused with the shop."""
    return None if value is None else text(value)


def _route(route: dict[int, Operation], alternatives: Alternatives) -> tuple[Operation, ...]:
    """Return a job's operations with their alternatives, in an order that the server has no say in."""
    return tuple(replace(op, alternatives=dict(sorted(alternatives[op.id].items()))) for _, op in sorted(route.items()))
