"""Throwaway MariaDB servers, one for the session, and one database for each test.

Where the server or the connector is missing these tests are skipped, which fails under CI=true (tests/tiers.py).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jaxshop.cli.main import main

READER, WRITER = ("shop_reader", "r34d-only"), ("shop_writer", "wr1te-too")

ACCOUNTS = f"""
CREATE USER '{READER[0]}'@'%' IDENTIFIED BY '{READER[1]}';
CREATE USER '{WRITER[0]}'@'%' IDENTIFIED BY '{WRITER[1]}';
"""

FAST = (
    *("--innodb-flush-method=nosync", "--innodb-undo-tablespaces=0"),
    *("--innodb-log-file-size=8M", "--innodb-buffer-pool-size=64M"),
)

LOOSE_TABLES = """
CREATE TABLE machines (machine_id VARCHAR(80), work_centre VARCHAR(80), available_from DATETIME, active INT);
CREATE TABLE jobs (job_id VARCHAR(80), quantity DECIMAL(12,2), release_at DATETIME, due_at DATETIME,
                   weight DECIMAL(12,4), status VARCHAR(16));
CREATE TABLE operations (operation_id VARCHAR(96), job_id VARCHAR(80), seq INT, setup_h DECIMAL(12,6));
CREATE TABLE operation_machines (operation_id VARCHAR(96), machine_id VARCHAR(80), duration_h DECIMAL(16,6));
CREATE TABLE plan (plan_start DATETIME);
INSERT INTO machines VALUES ('M1', 'saw', NULL, 1), ('M2', 'saw', NULL, 1), ('M3', NULL, NULL, 0);
INSERT INTO jobs VALUES ('A', 10, NULL, NULL, 1, 'open'), ('B', NULL, NULL, NULL, 2.5, 'open'),
                        ('C', NULL, NULL, NULL, 1, 'closed');
INSERT INTO operations VALUES ('A/1', 'A', 1, 0.25), ('A/2', 'A', 2, 0), ('B/1', 'B', 1, 0),
                              ('C/1', 'C', 1, 0);
INSERT INTO operation_machines VALUES ('A/1', 'M1', 1.5), ('A/1', 'M2', 2), ('A/2', 'M2', 0.5),
                                      ('B/1', 'M1', 3), ('C/1', 'M3', 1);
INSERT INTO plan VALUES ('2026-11-23 06:00:00');
"""
"""A site's own tables: the same columns, no constraint at all; two open jobs, and a closed one."""


def statements(script: str) -> list[str]:
    """Split a script of statements, each of which ends in a semicolon."""
    return [statement for statement in map(str.strip, script.split(";")) if statement]


@dataclass
class Server:
    """A MariaDB server in a folder of its own, for both transports."""

    folder: Path
    tls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.socket = str(self.folder / "s")
        self.log = self.folder / "log"
        options = "--auth-root-authentication-method=normal --skip-test-db --skip-name-resolve"
        assert self.run("mariadb-install-db", *options.split(), *FAST).wait() == 0, self.log.read_text()
        self.start()
        self.sql(*statements(ACCOUNTS))

    def run(self, program: str, *options: str) -> subprocess.Popen:
        """Start a program of the server on this server's data."""
        user = ["--user=root"] if os.getuid() == 0 else []
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [program, "--no-defaults", f"--datadir={self.folder / 'data'}", *user, *options],
                stdout=subprocess.DEVNULL,
                stderr=log,
                # A server that is not in UTC must make no difference; in one folder, tables of several would get in
                # each other's way while they are installed.
                env={**os.environ, "TZ": "America/Lima", "TMPDIR": str(self.folder)},
            )

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        options = "--skip-name-resolve --skip-log-bin --performance-schema=off --character-set-server=utf8mb4"
        files = (f"--socket={self.socket}", f"--pid-file={self.folder / 'pid'}")
        network = (f"--port={self.port}", "--bind-address=127.0.0.1,127.0.0.2")
        self.process = self.run("mariadbd", *options.split(), *FAST, *files, *network, *self.tls)
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.sql("SELECT 1") and None
            except Exception:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def sql(self, *statements: str, database: str | None = None) -> list[tuple]:
        """Execute statements as root on one connection, and return the last one's rows."""
        import mariadb

        connection = mariadb.connect(unix_socket=self.socket, user="root", database=database, autocommit=True)
        try:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def kill(self) -> None:
        """Kill the server as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop the server, whatever is left of it, and remove its data."""
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Site:
    """A test's own database; the environment points at it."""

    server: Server
    name: str

    def sql(self, *statements: str) -> list[tuple]:
        """Execute statements as root on one connection, and return the last one's rows."""
        return self.server.sql(*statements, database=self.name)

    def make_loose(self, engine: str = "MEMORY") -> None:
        """Make tables that lack every constraint, with a small valid shop in them."""
        # A mode as lax as a site's server may have; MEMORY makes and drops tables fastest.
        self.sql(f"SET default_storage_engine = {engine}, sql_mode = ''", *statements(LOOSE_TABLES))


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def require_mariadb() -> None:
    """Skip unless there is a server to start and a connector to reach it."""
    missing = [name for name in ("mariadbd", "mariadb-install-db") if not shutil.which(name)]
    try:
        import mariadb  # noqa: F401
    except ImportError as error:
        missing.append(f"the connector ({error})")
    if missing:
        pytest.skip(f"no {', '.join(missing)}")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority (`ca.pem`), a stranger to it (`other.pem`), and a server's certificate."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl(
            *new,
            "-x509",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
        )
    openssl(*new, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    # 0.0.0.0 reaches this machine too, but is no loopback address: so TLS is asked for.
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,IP:0.0.0.0\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", *signing)
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Server]:
    """The session's server, which offers TLS; tests that kill one use `spare`."""
    require_mariadb()
    pem = {"ssl-ca": "ca.pem", "ssl-cert": "server.pem", "ssl-key": "server.key"}
    server = Server(tmp_path_factory.mktemp("db"), tuple(f"--{key}={certificates / file}" for key, file in pem.items()))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def second_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Another server, without TLS; use it through `spare`."""
    require_mariadb()
    server = Server(tmp_path_factory.mktemp("spare"))
    yield server
    server.stop()


@pytest.fixture
def spare(second_server: Server) -> Server:
    """A server without TLS that the test may kill."""
    if second_server.process.poll() is not None:
        second_server.start()
    return second_server


def make_site(patch: pytest.MonkeyPatch, state: Path, server: Server, transport: str) -> Site:
    """Make an empty database on a server, and point the environment at it, over `socket` or `tcp`."""
    for name in os.environ:
        if name.startswith("JAXSHOP_"):
            patch.delenv(name)
    patch.setenv("JAXSHOP_STATE_DIR", str(state))
    patch.setenv("JAXSHOP_SNAPSHOT_KEY", "a key for tests only")
    name = f"shop_{time.monotonic_ns()}"
    server.sql(
        f"CREATE DATABASE {name}",
        f"GRANT SELECT ON {name}.* TO '{READER[0]}'@'%'",
        f"GRANT ALL ON {name}.* TO '{WRITER[0]}'@'%'",
    )
    address: dict[str, Any] = (
        {"SOCKET": server.socket} if transport == "socket" else {"HOST": "127.0.0.1", "PORT": server.port}
    )
    accounts = dict(zip(("USER", "PASSWORD", "WRITER_USER", "WRITER_PASSWORD"), READER + WRITER, strict=True))
    for key, value in {"NAME": name, **address, **accounts}.items():
        patch.setenv(f"JAXSHOP_DB_{key}", str(value))
    return Site(server, name)


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Server, str], Site]:
    """Make an empty database for a test, on a server and over a transport of its choice."""
    return partial(make_site, monkeypatch, tmp_path / "state")


@pytest.fixture(scope="module")
def module_site(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An empty database for several tests of a module, which leave it as they found it."""
    with pytest.MonkeyPatch.context() as patch:
        yield make_site(patch, tmp_path_factory.mktemp("state"), server, "socket")


@pytest.fixture
def transport() -> str:
    """How the server is reached; tests that must hold for both ways are parametrized with it."""
    return "socket"


@pytest.fixture
def site(transport: str, server: Server, point_at: Callable[..., Site]) -> Iterator[Site]:
    """An empty database."""
    site = point_at(server, transport)
    yield site
    server.sql(f"DROP DATABASE {site.name}")


@pytest.fixture
def loose(site: Site) -> Site:
    """A database with tables that lack every constraint, and a small valid shop in them."""
    site.make_loose()
    return site


@pytest.fixture
def jaxshop(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run `jaxshop` with arguments, as the console does."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        return Ended(main(arguments), *capsys.readouterr())

    return run
