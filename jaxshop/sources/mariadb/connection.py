"""A connection to MariaDB: TLS, the session's rules, and one clear line for whatever the server answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import ceil
from types import ModuleType
from typing import Any

from jaxshop.sources.mariadb.settings import PREFIX, DbSettings
from jaxshop.support.errors import ShopError

FETCH_ROWS = 4096
INSERT_ROWS = 10_000

LOST = {1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055}
"""The server or its locks went away, which another attempt may cure."""

RIGHTS = "the account lacks a right (docs/mariadb.md lists the GRANTs)"
COLLATIONS = "CONVERT the texts of the views USING utf8mb4, with COLLATE utf8mb4_bin"
ADDRESS = f"is the server up? check {PREFIX}HOST and _PORT, or _SOCKET"
HINTS = {
    1044: f"check {PREFIX}NAME; or {RIGHTS}",
    1045: "the view's DEFINER is gone or lacks a right",
    1049: f"check {PREFIX}NAME",
    1054: "a table or view must have every column that `jaxshop db init` makes",
    1142: RIGHTS,
    1143: RIGHTS,
    1146: "make the tables with `jaxshop db init`, or views of these names",
    1356: "the view names something that is gone or forbidden",
    1267: COLLATIONS,
    1271: COLLATIONS,
    2002: ADDRESS,
    2003: ADDRESS,
    2005: ADDRESS,
    2026: f"TLS is required unless the server is on this machine; check {PREFIX}SSL_CA",
}
CONNECTING = (1045, 1698)
"""What is about the account before there is a connection."""

LOCK_S = 2
"""How long one waits for another who does the same task."""

TIMEOUT = 1969
DUPLICATE_KEY = 1062


class ConnectionLostError(ShopError):
    """The connection broke; what was done on it is undone, and may be tried again."""


class DuplicateKeyError(ShopError):
    """A row with this key is there already."""


class Database:
    """One open connection; every statement names the table that it is about, for the message if it fails."""

    def __init__(self, connection: Any, driver: ModuleType):
        self.connection = connection
        self._driver = driver
        self._statement_timeout_s = 0.0

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
        with suppress(self._driver.Error):
            self.connection.close()

    def limit_statements(self, seconds: float) -> None:
        """Let the server end a statement after so long; a stricter limit of account or server stays."""
        limit = float(self.query("session", "SELECT @@max_statement_time")[0][0])
        self._statement_timeout_s = min(limit or seconds, seconds)
        self.query("session", "SET SESSION max_statement_time = ?", (self._statement_timeout_s,))

    def is_encrypted(self) -> bool:
        """Say whether the connection has a cipher."""
        return any(cipher for _, cipher in self.query("session", "SHOW SESSION STATUS LIKE 'Ssl_cipher'"))

    def query(self, table: str, sql: str, values: Sequence[object] = ()) -> list[tuple]:
        """Execute a statement and return its rows, few enough to hold; empty if it has none."""
        with self._clear(table), self.connection.cursor() as cursor:
            cursor.execute(sql, tuple(values))
            return cursor.fetchall() if cursor.description else []

    def stream(self, table: str, columns: str, source: str, values: Sequence[object] = ()) -> Iterator[tuple]:
        """Yield every row of `SELECT columns FROM source`, holding a few thousand at a time.

        When the server breaks a result off (a timeout, a killed query, a killed server), the connector ends
        the stream as if it were complete. So the server is asked how the statement ended.

        Raises:
            ShopError: the rows are not all there are.
        """
        count = 0
        with self._clear(table), self.connection.cursor(buffered=False) as cursor:
            cursor.execute(f"SELECT {columns} FROM {source}", tuple(values))
            while rows := cursor.fetchmany(FETCH_ROWS):
                count += len(rows)
                yield from rows
        # The count of errors is right even where the list of them is full of a view's warnings.
        errors, found = self.query(table, "SELECT @@error_count, FOUND_ROWS()")[0]
        if errors or found != count:
            raise self._broken_off(table, count)

    def _broken_off(self, table: str, count: int) -> ShopError:
        reasons = [message for _, _, message in self.query(table, "SHOW ERRORS")] or ["no reason given"]
        if int(self.query(table, "SHOW SESSION STATUS LIKE 'Max_statement_time_exceeded'")[0][1]):
            return self._timeout(table)
        return ShopError(f"mariadb: {table}: the server stopped after {count} rows: {'; '.join(reasons)}")

    def insert(self, table: str, columns: str, rows: Sequence[tuple]) -> None:
        """Insert rows into one of our own tables, in bulk."""
        marks = ", ".join("?" * len(columns.split(",")))
        with self._clear(table), self.connection.cursor() as cursor:
            for start in range(0, len(rows), INSERT_ROWS):
                chunk = list(rows[start : start + INSERT_ROWS])
                cursor.executemany(f"INSERT INTO `{table}` ({columns}) VALUES ({marks})", chunk)

    @contextmanager
    def transaction(self, start: str = "START TRANSACTION") -> Iterator[None]:
        """Commit what is done inside, or, if anything is raised, nothing of it."""
        self.query("transaction", start)
        try:
            yield
        except BaseException:
            with suppress(self._driver.Error):  # the connection may be what is broken
                self.connection.rollback()
            raise
        with self._clear("commit"):
            self.connection.commit()

    @contextmanager
    def alone(self, task: str) -> Iterator[None]:
        """Let nobody else do this task on the same database meanwhile; those who ask wait for each other.

        Raises:
            ConnectionLostError: someone else was still at it after LOCK_S seconds.
        """
        # The server's locks have one name space for all its databases, and names of at most 64 characters.
        name = "CONCAT('jaxshop/', LEFT(?, 16), '/', LEFT(SHA2(DATABASE(), 256), 32))"
        if self.query("lock", f"SELECT GET_LOCK({name}, ?)", (task, LOCK_S)) != [(1,)]:
            raise ConnectionLostError(f"mariadb: {task}: someone else has been at it for {LOCK_S} s: try again")
        try:
            yield
        finally:
            with suppress(ShopError):  # a broken connection has lost the lock already
                self.query("lock", f"SELECT RELEASE_LOCK({name})", (task,))

    @contextmanager
    def _clear(self, table: str) -> Iterator[None]:
        try:
            yield
        except self._driver.Error as error:
            raise self._timeout(table) if error.errno == TIMEOUT else _refusal(error, table) from None

    def _timeout(self, table: str) -> ShopError:
        limits = f"{PREFIX}STATEMENT_TIMEOUT_S, or a limit of the account or the server"
        return ShopError(f"mariadb: {table}: statement timeout: not done in {self._statement_timeout_s:g} s ({limits})")


def existing(database: Database, names: Sequence[str]) -> list[str]:
    """Return those of the names that a table or view has which the account may use."""
    marks = ", ".join("?" * len(names))
    sql = (
        "SELECT `table_name` FROM `information_schema`.`tables` "
        f"WHERE `table_schema` = DATABASE() AND `table_name` IN ({marks}) ORDER BY `table_name`"
    )
    return [name for (name,) in database.query("schema", sql, names)]


@contextmanager
def connect(settings: DbSettings, writer: bool = False) -> Iterator[Database]:
    """Open a connection for the time of a `with` block.

    Args:
        settings: where to, and as whom.
        writer: with the writer's account; the reader's session is read-only, whatever its rights.

    Raises:
        ConnectionLostError: the server is not there.
        ShopError: it refuses, or a connection beyond this machine would not be encrypted and verified.
    """
    database = open_database(settings, writer)
    try:
        yield database
    finally:
        database.close()


def open_database(settings: DbSettings, writer: bool = False) -> Database:
    """Open a connection as `connect` does, for the caller to close."""
    driver = _load_driver()
    user, password = settings.account(writer)
    try:
        connection = driver.connect(user=user, password=password, **_address(settings))
    except driver.Error as error:
        name = settings.account_name(writer)
        account = f"check {name}USER and {name}PASSWORD; {PREFIX}SSL_CA if it REQUIREs SSL"
        raise _refusal(error, settings.where, HINTS | dict.fromkeys(CONNECTING, account)) from None
    try:
        database = Database(connection, driver)
        if settings.wants_tls and not database.is_encrypted():
            raise ShopError(f"mariadb: {settings.where}: the connection is not encrypted")
        # What a server's defaults or `init_connect` may have set. UTC also where the server converts; strict, so that
        # no value is stored as another; every row, since `sql_select_limit` cuts results off without a word.
        database.query("session", "SET NAMES utf8mb4")
        database.query("session", "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'")
        database.query("session", f"SET SESSION sql_select_limit = {2**64 - 1}")
        database.limit_statements(settings.statement_timeout_s)
        database.query("session", "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if not writer:
            database.query("session", "SET SESSION TRANSACTION READ ONLY")
    except BaseException:
        with suppress(driver.Error):
            connection.close()
        raise
    return database


def _address(settings: DbSettings) -> dict[str, object]:
    # The server ends a statement by itself; the client's limit is for a server that no longer answers at all.
    patience = ceil(settings.statement_timeout_s) + settings.connect_timeout_s
    options: dict[str, object] = {
        "database": settings.name,
        "connect_timeout": settings.connect_timeout_s,
        "read_timeout": patience,
        "write_timeout": patience,
        "local_infile": False,
        "autocommit": True,  # transactions are opened by name
    }
    if settings.socket:
        return {**options, "unix_socket": settings.socket}
    # The C library takes `localhost` to mean its default socket, and forgets the port.
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    options |= {"host": host, "port": settings.port}
    if settings.wants_tls:
        options |= {"ssl": True, "ssl_verify_cert": True}
    if settings.ssl_ca:
        options["ssl_ca"] = settings.ssl_ca
    return options


def _load_driver() -> ModuleType:
    try:
        import mariadb
    except ImportError as error:
        raise ShopError(
            "mariadb: needs the extra `mariadb` (pip install 'jaxshop[mariadb]'), which is built against "
            f"MariaDB Connector/C (apt-get install gcc python3-dev libmariadb-dev): {error}"
        ) from None
    return mariadb


def _refusal(error: Any, about: str, hints: Mapping[int, str] = HINTS) -> ShopError:
    """Say in one line what the server refused, and what to look at."""
    message = " ".join(str(error).splitlines())  # blanks within a name stay
    hint = f": {hints[error.errno]}" if error.errno in hints else ""
    duplicate, lost = error.errno == DUPLICATE_KEY, error.errno in LOST
    kind = DuplicateKeyError if duplicate else ConnectionLostError if lost else ShopError
    return kind(f"mariadb: {about}: {message}{hint}")
