"""Where asynchronous requests and their results are kept: SQLite, or MariaDB, by the same code of SQLAlchemy Core.

A request that has not ended belongs to the server that works on it, for as long as that renews its lease; when a server
was killed, another one takes the request up anew. A result is stored once: only by its owner, and only while there is
none. Every method may block; times are seconds since 1970.
"""

from __future__ import annotations

import os
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import StaticPool

from jaxshop.sources.mariadb.settings import DbSettings, load_settings
from jaxshop.support.errors import ShopError
from jaxshop.support.files import state_folder

LARGE = 2**32 - 1
"""Bytes; MariaDB makes a LONGBLOB of that."""
MOST_ATTEMPTS = 5
"""A request that was under work when as many servers died is given up."""

requests = sql.Table(
    "requests",
    sql.MetaData(),
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("owner", sql.String(64), nullable=False),
    sql.Column("idempotency_key", sql.String(255)),
    sql.Column("digest", sql.String(64), nullable=False),
    sql.Column("query", sql.LargeBinary(LARGE), nullable=False),
    sql.Column("body", sql.LargeBinary(LARGE), nullable=False),
    sql.Column("status", sql.String(16), nullable=False),
    sql.Column("stopped", sql.Integer, nullable=False),
    sql.Column("submitted_at", sql.Double, nullable=False),
    sql.Column("ended_at", sql.Double),
    sql.Column("server", sql.String(32)),
    sql.Column("lease_until", sql.Double, nullable=False),
    sql.Column("attempts", sql.Integer, nullable=False),
    sql.Column("progress", sql.LargeBinary(LARGE), nullable=False),
    sql.Column("problem", sql.LargeBinary(LARGE)),
    sql.Column("result", sql.LargeBinary(LARGE)),
    sql.UniqueConstraint("owner", "idempotency_key", name="one_request_a_key"),
    sql.Index("requests_by_owner", "owner", "submitted_at"),
    sql.Index("requests_under_work", "ended_at", "lease_until"),
)
PACKED = ("query", "body", "progress", "problem", "result")
"""Bytes, compressed: a shop file to about a tenth."""
HEAD = ("id", "owner", "query", "status", "stopped", "submitted_at", "ended_at", "progress")
"""What lists show."""


@dataclass(frozen=True)
class Record:
    """A request as it is kept; `body` is empty once it has ended."""

    id: str
    owner: str
    query: bytes
    body: bytes
    digest: str
    submitted_at: float
    idempotency_key: str | None = None
    status: str = "queued"
    stopped: bool = False
    ended_at: float | None = None
    attempts: int = 1
    progress: bytes = b"[]"
    """JSON: a list of what was known after each better schedule."""
    problem: bytes | None = None
    """JSON: a problem document."""
    result: bytes | None = None


class StoreError(Exception):
    """The store cannot be reached, or cannot take anything."""


class Store:
    """The requests of every server that shares the store."""

    def __init__(self, engine: sql.Engine, lease_s: float = 12.0):
        """Use an engine whose database has the table; `lease_s`: for how long a server need not be heard of."""
        self.server, self.lease_s = uuid.uuid4().hex, lease_s
        self._engine = engine
        self.lasts = not isinstance(engine.pool, StaticPool)
        """Whether it outlives the process."""

    def add(self, record: Record) -> Record:
        """Keep a new request of this server, and return it; or the owner's one with the same idempotency key."""
        values = {name: getattr(record, name) for name in _fields()} | {
            "server": self.server,
            "lease_until": time.time() + self.lease_s,
        }
        try:
            with self._transaction() as connection:
                connection.execute(requests.insert().values(**_packed(values)))
        except IntegrityError:
            key = (requests.c.owner == record.owner) & (requests.c.idempotency_key == record.idempotency_key)
            if (there := self._one(key)) is None:
                raise
            return there
        return record

    def get(self, id: str) -> Record | None:
        """Return the request."""
        return self._one(requests.c.id == id)

    def listed(self, owner: str, most: int, before: str | None = None) -> list[Record]:
        """Return an owner's requests, the latest first, without bodies and results; those before a certain one."""
        columns = requests.c
        query = sql.select(*(columns[name] for name in HEAD)).where(columns.owner == owner)
        with self._transaction() as connection:
            if before is not None:
                at = connection.execute(sql.select(columns.submitted_at).where(columns.id == before)).scalar()
                at = 0.0 if at is None else at
                query = query.where(
                    (columns.submitted_at < at) | ((columns.submitted_at == at) & (columns.id < before))
                )
            query = query.order_by(columns.submitted_at.desc(), columns.id.desc()).limit(most)
            return [_record({"body": b"", "digest": ""} | row) for row in _rows(connection, query)]

    def finish(self, record: Record) -> bool:
        """Store how a request of this server ended; False if it is this server's no more, or was forgotten."""
        ended = {name: getattr(record, name) for name in ("status", "progress", "problem", "result", "ended_at")}
        change = (
            requests.update()
            .where(requests.c.id == record.id, requests.c.server == self.server, requests.c.ended_at.is_(None))
            .values(**_packed(ended | {"body": b""}), idempotency_key=record.idempotency_key)
        )
        with self._transaction() as connection:
            return connection.execute(change).rowcount == 1

    def amend(self, id: str, result: bytes) -> None:
        """Replace the result of a request that has ended."""
        change = requests.update().where(requests.c.id == id, requests.c.ended_at.is_not(None))
        with self._transaction() as connection:
            connection.execute(change.values(**_packed({"result": result})))

    def stop(self, id: str) -> None:
        """Have whoever works on the request end its search with what it has."""
        with self._transaction() as connection:
            connection.execute(requests.update().where(requests.c.id == id).values(stopped=1))

    def remove(self, id: str) -> None:
        """Forget a request."""
        with self._transaction() as connection:
            connection.execute(requests.delete().where(requests.c.id == id))

    def beat(self, progress: Mapping[str, tuple[str, bytes]]) -> dict[str, bool]:
        """Renew this server's leases; returns its requests, and whether each shall stop.

        Args:
            progress: status and progress of those of which there is something new.
        """
        mine = (requests.c.server == self.server) & requests.c.ended_at.is_(None)
        with self._transaction() as connection:
            connection.execute(requests.update().where(mine).values(lease_until=time.time() + self.lease_s))
            for id, (status, found) in progress.items():
                change = requests.update().where(mine & (requests.c.id == id))
                connection.execute(change.values(**_packed({"status": status, "progress": found})))
            rows = connection.execute(sql.select(requests.c.id, requests.c.stopped).where(mine))
            return {id: bool(stopped) for id, stopped in rows}

    def claim(self, most: int) -> list[Record]:
        """Take over requests whose server has not renewed its lease, the oldest first."""
        free = requests.c.ended_at.is_(None) & (requests.c.lease_until < time.time())
        taken = []
        with self._transaction() as connection:
            waiting = sql.select(requests.c.id).where(free).order_by(requests.c.submitted_at).limit(most)
            for (id,) in connection.execute(waiting).all():
                change = requests.update().where(free & (requests.c.id == id))
                lease = {"server": self.server, "lease_until": time.time() + self.lease_s}
                if connection.execute(change.values(attempts=requests.c.attempts + 1, **lease)).rowcount == 1:
                    taken.append(id)
        return [record for id in taken if (record := self.get(id)) is not None]

    def give_up(self) -> None:
        """Leave the requests of this server to the next one; those are begun anew, and this does not count."""
        mine = (requests.c.server == self.server) & requests.c.ended_at.is_(None)
        anew = {"server": None, "lease_until": 0.0, "status": "queued", "attempts": requests.c.attempts - 1}
        with self._transaction() as connection:
            connection.execute(requests.update().where(mine).values(**anew))

    def expire(self, ended_before: float, keep: int) -> None:
        """Forget what has ended before a moment, and the oldest of what has ended where that is more than `keep`."""
        ended = requests.c.ended_at
        latest = sql.select(ended).where(ended.is_not(None)).order_by(ended.desc()).offset(keep).limit(1)
        with self._transaction() as connection:
            too_many = connection.execute(latest).scalar()
            moment = max(ended_before, -1.0 if too_many is None else too_many)
            connection.execute(requests.delete().where(ended.is_not(None) & (ended <= moment)))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _one(self, where: sql.ColumnElement[bool]) -> Record | None:
        with self._transaction() as connection:
            columns = (column for column in requests.c if column.name in _fields())
            rows = _rows(connection, sql.select(*columns).where(where))
        return _record(rows[0]) if rows else None

    @contextmanager
    def _transaction(self) -> Iterator[sql.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise StoreError(" ".join(str(error.orig).split())) from error
        except ShopError as error:  # of a new connection to MariaDB
            raise StoreError(str(error)) from error


def open_store(kind: str, lease_s: float) -> Store:
    """Open the store: `sqlite`, `mariadb`, `memory`, or `auto`: MariaDB where a database and its writer are set.

    Raises:
        ShopError: it cannot be used, or its table is not there.
    """
    if kind == "auto":
        kind = "mariadb" if _writer() is not None else "sqlite"
    try:
        if kind == "mariadb":
            return Store(_mariadb(_writer() or load_settings()), lease_s)
        return Store(_sqlite(None if kind == "memory" else state_folder() / "requests.sqlite"), lease_s)
    except DBAPIError as error:
        raise ShopError(f"JAXSHOP_STORE={kind}: {' '.join(str(error.orig).split())}") from None


def _sqlite(path: Path | None) -> sql.Engine:
    """A file that is written ahead, and to the disk before a caller hears of it; or one in memory."""
    if path is None:
        engine = sql.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # plans are nobody else's business
        except OSError as error:
            hint = "set JAXSHOP_STATE_DIR to a folder that can be written, or JAXSHOP_STORE=memory"
            raise ShopError(f"{path}: {(error.strerror or str(error)).lower()}: {hint}") from None
        engine = sql.create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})

    @sql.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}").close()

    requests.metadata.create_all(engine)
    return engine


def _mariadb(settings: DbSettings) -> sql.Engine:
    from jaxshop.sources.mariadb.connection import connect, existing, open_database

    def connection() -> Any:
        opened = open_database(settings, writer=True).connection
        opened.autocommit = False
        return opened

    with connect(settings, writer=True) as database:
        if not existing(database, [requests.name]):
            hint = "make it with `jaxshop db upgrade`, GRANT the writer its rights, or set JAXSHOP_STORE=sqlite"
            raise ShopError(f"mariadb: {requests.name}: the writer sees no such table: {hint}")
    options = {"isolation_level": "READ COMMITTED", "pool_pre_ping": True, "pool_recycle": 300}
    return sql.create_engine("mariadb+mariadbconnector://", creator=connection, **options)


def _writer() -> DbSettings | None:
    """The settings of the database, where one is named with an account that writes."""
    if not any(os.environ.get(f"JAXSHOP_DB_{name}") for name in ("NAME", "OPTION_FILE")):
        return None
    settings = load_settings()
    return settings if settings.writer_user else None


def _fields() -> list[str]:
    return list(Record.__dataclass_fields__)


def _packed(values: dict[str, Any]) -> dict[str, Any]:
    return {k: zlib.compress(v, 1) if k in PACKED and v is not None else v for k, v in values.items()}


def _rows(connection: sql.Connection, query: sql.Select) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _record(row: dict[str, Any]) -> Record:
    unpacked: dict[str, Any] = {k: zlib.decompress(v) if k in PACKED and v else v for k, v in row.items()}
    return Record(**unpacked | {"stopped": bool(row["stopped"])})
