"""The connection: refusals in one line, lost servers, broken results, TLS, and a reader that cannot write."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from jaxshop.shop import fingerprint
from jaxshop.sources.mariadb import reader as mariadb
from jaxshop.sources.mariadb.connection import Database, connect
from jaxshop.sources.mariadb.reader import read_shop
from jaxshop.sources.mariadb.settings import load_settings
from jaxshop.support.errors import ShopError

MANY = ("machines", "seq, REPEAT('x', 200)", "seq_1_to_200000")
"""A result of more bytes than the buffers between server and reader can hold."""


def refused(ended, *fragments: str) -> bool:
    """Say whether a command ended with 2 and one line, which holds the fragments and no password."""
    (line,) = ended.err.splitlines()
    return (
        ended.code == 2
        and line.startswith("error: mariadb: ")
        and all(fragment in line for fragment in fragments)
        and not any(secret in ended.out + ended.err for secret in ("r34d-only", "wr1te-too", "wrong-one"))
    )


def on_row(monkeypatch: pytest.MonkeyPatch, table: str, count: int, act: Callable[[], None]) -> None:
    """Call `act` once, when the reader has `count` rows of a table, in the middle of the server's result."""
    stream, done = Database.stream, []

    def watched(self, about: str, *arguments) -> Iterator[tuple]:
        for n, row in enumerate(stream(self, about, *arguments), 1):
            if about == table and n == count and not done:
                done.append(act())
            yield row

    monkeypatch.setattr(Database, "stream", watched)


def many_machines(site) -> None:
    """Make the loose tables, with so many machines that the server is still sending while they are read."""
    site.make_loose("InnoDB")
    site.sql(
        "RENAME TABLE machines TO few",
        "CREATE VIEW machines AS SELECT * FROM few UNION ALL "
        "SELECT CONCAT('N', seq), REPEAT('x', 50), NULL, 1 FROM seq_1_to_40000",
    )


@pytest.mark.parametrize("transport", ["socket", "tcp"])
@pytest.mark.parametrize(
    ("settings", "fragments"),
    [
        (
            {"PASSWORD": "wrong-one"},
            ["Access denied for user 'shop_reader'", "check JAXSHOP_DB_USER and JAXSHOP_DB_PASSWORD"],
        ),
        (
            {"RELEASER_USER": "shop_writer", "RELEASER_PASSWORD": "wrong-one"},
            ["Access denied for user 'shop_writer'", "check JAXSHOP_DB_RELEASER_USER and JAXSHOP_DB_RELEASER_PASSWORD"],
        ),
        ({"USER": "nobody"}, ["Access denied for user 'nobody'"]),
        ({"USER": ""}, ["set JAXSHOP_DB_USER and JAXSHOP_DB_PASSWORD"]),
        ({"NAME": "nowhere"}, ["nowhere", "check JAXSHOP_DB_NAME"]),
    ],
)
def test_refused_accounts(loose, jaxshop, monkeypatch, settings: dict, fragments: list) -> None:
    """A wrong password, account or database is one line that says which setting to look at, and no secret."""
    for name, value in settings.items():
        monkeypatch.setenv(f"JAXSHOP_DB_{name}", value)
    command = ("db", "release", "0" * 8) if "RELEASER_USER" in settings else ("inspect", "mariadb:")
    assert refused(jaxshop(*command), *fragments)


@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_missing_right(loose, jaxshop, server) -> None:
    """A table that the reader may not read is named, with where to find the GRANTs."""
    server.sql(
        f"REVOKE SELECT ON {loose.name}.* FROM 'shop_reader'@'%'",
        f"GRANT SELECT ON {loose.name}.machines TO 'shop_reader'@'%'",
        f"GRANT SELECT ON {loose.name}.plan TO 'shop_reader'@'%'",
    )
    assert refused(jaxshop("inspect", "mariadb:"), "mariadb: jobs: SELECT command denied", "GRANT")


@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_server_down(spare, point_at, jaxshop, monkeypatch, transport: str) -> None:
    """A server that is not there is one line, after the retries that were asked for."""
    monkeypatch.setattr(mariadb, "FIRST_WAIT_S", 0.01)
    site = point_at(spare, transport)
    spare.kill()
    assert refused(jaxshop("inspect", "mariadb:"), site.name, "is the server up?", "(tried 3 times)")


def test_unknown_host(loose, jaxshop, monkeypatch) -> None:
    """A host without an address is one line, and not tried again."""
    monkeypatch.setenv("JAXSHOP_DB_SOCKET", "")
    monkeypatch.setenv("JAXSHOP_DB_HOST", "no-such-host.invalid")
    assert refused(jaxshop("inspect", "mariadb:"), "no-such-host.invalid", "check JAXSHOP_DB_HOST")


@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_server_killed_in_the_middle_of_a_read(spare, point_at, jaxshop, monkeypatch, transport: str) -> None:
    """Half a result is never taken for all of it: kill -9 while rows arrive ends in one line and exit 2."""
    monkeypatch.setattr(mariadb, "FIRST_WAIT_S", 0.01)
    many_machines(point_at(spare, transport))
    on_row(monkeypatch, "machines", 5000, spare.kill)
    ended = jaxshop("inspect", "mariadb:")
    assert refused(ended, "(tried 3 times)")


def test_read_starts_over_when_the_server_comes_back(spare, point_at, monkeypatch) -> None:
    """After a lost connection the whole read is done again, and gives the shop that it would have given."""
    monkeypatch.setenv("JAXSHOP_DB_RETRIES", "6")
    many_machines(point_at(spare, "tcp"))
    expected = fingerprint(read_shop())

    def restart() -> None:
        spare.kill()
        threading.Thread(target=spare.start).start()

    on_row(monkeypatch, "machines", 5000, restart)
    assert fingerprint(read_shop()) == expected


@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_statement_timeout(loose, jaxshop, monkeypatch) -> None:
    """The server ends a statement that takes too long; the line names the table and the limit."""
    monkeypatch.setenv("JAXSHOP_DB_STATEMENT_TIMEOUT_S", "0.2")
    loose.sql(
        "RENAME TABLE operations TO t",
        "CREATE VIEW operations AS SELECT * FROM t WHERE SLEEP(0.3) = 0",
    )
    ended = jaxshop("inspect", "mariadb:")
    assert refused(ended, "operations: statement timeout: not done in 0.2 s (JAXSHOP_DB_STATEMENT_TIMEOUT_S")


def test_stricter_limit_of_the_account_stays(loose, server) -> None:
    """A limit that the server gives the account is not raised by ours."""
    server.sql("ALTER USER 'shop_reader'@'%' WITH MAX_STATEMENT_TIME 0.25")
    try:
        with connect(load_settings()) as database, pytest.raises(ShopError, match=r"not done in 0\.25 s"):
            database.query("jobs", "SELECT SLEEP(5)")
    finally:
        server.sql("ALTER USER 'shop_reader'@'%' WITH MAX_STATEMENT_TIME 0")


@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_timeout_in_the_middle_of_a_result(loose, monkeypatch) -> None:
    """A result that the server's timeout cuts short is refused, though the connector calls it complete."""
    monkeypatch.setenv("JAXSHOP_DB_STATEMENT_TIMEOUT_S", "0.5")
    with connect(load_settings()) as database:
        rows = database.stream(*MANY)
        next(rows)
        time.sleep(0.8)  # the server waits as well, until its time is over
        with pytest.raises(ShopError, match="statement timeout"):
            deque(rows, 0)


@pytest.mark.parametrize("transport", ["socket", "tcp"])
@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("seq, REPEAT('x', 200)", "Query execution was interrupted"),
        ("seq, REPEAT('x', 200), CAST('x' AS INT)", "no reason given"),
    ],
)
def test_query_killed_in_the_middle_of_a_result(loose, server, columns: str, reason: str) -> None:
    """A result that KILL QUERY cuts short is refused, even where warnings fill the server's list of errors."""
    with connect(load_settings()) as database:
        id = database.query("session", "SELECT CONNECTION_ID()")[0][0]
        rows = database.stream("jobs", columns, "seq_1_to_200000 WHERE 'x' = ?", ["x"])
        next(rows)
        server.sql(f"KILL QUERY {id}")
        with pytest.raises(ShopError, match=rf"jobs: the server stopped after \d+ rows: {reason}"):
            deque(rows, 0)


def test_snapshot_is_consistent(site, monkeypatch) -> None:
    """What others commit during a read is not in it, not even in tables that are read later."""
    site.make_loose("InnoDB")
    before = fingerprint(read_shop())

    def commit() -> None:
        site.sql("UPDATE operation_machines SET duration_h = 80", "UPDATE jobs SET weight = 7")

    on_row(monkeypatch, "machines", 1, commit)
    assert fingerprint(read_shop()) == before
    assert fingerprint(read_shop()) != before


def test_no_default_of_the_server_cuts_or_changes_what_is_read(site, server) -> None:
    """Neither a limit on rows nor another character set, as servers may give every session, shows in a shop."""
    site.make_loose()
    site.sql("SET NAMES utf8mb4", "UPDATE machines SET work_centre = 'Träger 螺丝 🔩' WHERE machine_id = 'M1'")
    expected = fingerprint(read_shop())
    server.sql("SET GLOBAL sql_select_limit = 1", "SET GLOBAL init_connect = 'SET NAMES latin1'")
    try:
        assert fingerprint(read_shop()) == expected
    finally:
        server.sql("SET GLOBAL sql_select_limit = DEFAULT", "SET GLOBAL init_connect = ''")


def test_reading_writes_nothing(loose, server, tmp_path) -> None:
    """The server's own log of a read holds no statement that writes, and the account has no right to."""
    log = tmp_path / "general.log"
    server.sql(f"SET GLOBAL general_log_file = '{log}'", "SET GLOBAL general_log = ON")
    try:
        read_shop()
    finally:
        server.sql("SET GLOBAL general_log = OFF")
    reads = [line.partition("Query\t")[2] for line in log.read_text().splitlines() if "Query\t" in line]
    verbs = {statement.split()[0].upper() for statement in reads if "GLOBAL" not in statement}
    assert verbs <= {"SELECT", "SET", "SHOW", "START", "COMMIT", "ROLLBACK"}
    assert sum(statement.startswith("SELECT") for statement in reads) > 10
    grants = server.sql("SHOW GRANTS FOR 'shop_reader'@'%'")
    assert {grant.split(" ON ")[0] for (grant,) in grants} == {"GRANT USAGE", "GRANT SELECT"}
    with connect(load_settings()) as database, pytest.raises(ShopError, match=r"denied|READ ONLY"):
        database.query("jobs", "UPDATE jobs SET weight = 9")


def test_reader_cannot_write_even_with_rights_to(loose, server, monkeypatch) -> None:
    """The reader's session is read-only on the server, whoever's account it is given by mistake."""
    loose.sql("ALTER TABLE jobs ENGINE = InnoDB")
    monkeypatch.setenv("JAXSHOP_DB_USER", "shop_writer")
    monkeypatch.setenv("JAXSHOP_DB_PASSWORD", "wr1te-too")
    with connect(load_settings()) as database, pytest.raises(ShopError, match="READ ONLY transaction"):
        database.query("jobs", "UPDATE jobs SET weight = 9")


class TestTLS:
    """Beyond this machine, passwords and data travel only to a server whose certificate is good."""

    @pytest.fixture(autouse=True)
    def tcp(self, server, point_at, certificates, monkeypatch):
        """A database over TCP; 0.0.0.0 reaches this machine, and counts as beyond it."""
        self.site, self.monkeypatch, self.folder = point_at(server, "tcp"), monkeypatch, certificates

    def cipher(self, host: str, authority: str | None) -> str:
        """Connect, and return the cipher in use."""
        self.monkeypatch.setenv("JAXSHOP_DB_HOST", host)
        self.monkeypatch.setenv("JAXSHOP_DB_SSL_CA", str(self.folder / authority) if authority else "")
        with connect(load_settings()) as database:
            return database.query("session", "SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1]

    def test_encrypted_beyond_this_machine(self) -> None:
        """With the right authority the connection is encrypted."""
        assert self.cipher("0.0.0.0", "ca.pem")

    def test_loopback_may_be_plain(self) -> None:
        """On this machine TLS is used only where an authority is named."""
        assert not self.cipher("127.0.0.1", None)
        assert self.cipher("127.0.0.1", "ca.pem")

    @pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
    def test_strange_authority(self, host: str) -> None:
        """A certificate that another authority signed is refused."""
        with pytest.raises(ShopError, match=r"TLS.*check JAXSHOP_DB_SSL_CA"):
            self.cipher(host, "other.pem")

    def test_system_authorities(self) -> None:
        """Beyond this machine a self-made certificate is refused unless its authority is named."""
        with pytest.raises(ShopError, match=r"TLS.*check JAXSHOP_DB_SSL_CA"):
            self.cipher("0.0.0.0", None)

    def test_wrong_name(self) -> None:
        """A good certificate for another host is refused."""
        with pytest.raises(ShopError, match="TLS"):
            self.cipher("127.0.0.2", "ca.pem")

    def test_server_without_tls(self, spare, point_at) -> None:
        """A server that offers no TLS is refused, not talked to in the clear."""
        point_at(spare, "tcp")
        with pytest.raises(ShopError, match=r"TLS.*does not support it"):
            self.cipher("0.0.0.0", "ca.pem")


def test_missing_connector_is_one_line(monkeypatch) -> None:
    """Without the connector the line names the extra and the system packages."""
    monkeypatch.setitem(sys.modules, "mariadb", None)
    monkeypatch.setenv("JAXSHOP_DB_NAME", "x")
    monkeypatch.setenv("JAXSHOP_DB_USER", "x")
    with pytest.raises(ShopError, match=r"jaxshop\[mariadb\].*apt-get install gcc python3-dev libmariadb-dev"):
        read_shop()
