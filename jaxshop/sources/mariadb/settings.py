"""Settings of the database: `JAXSHOP_DB_*` in the environment, or an option file; never the command line."""

from __future__ import annotations

import os
from configparser import ConfigParser
from configparser import Error as SyntaxFault
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from jaxshop.shop.objective import MAX_OBJECTIVE_WEIGHT, Objective
from jaxshop.sources.mariadb.values import parse_moment
from jaxshop.support.environment import named_variables
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_text
from jaxshop.support.machine import is_loopback

PREFIX = "JAXSHOP_DB_"

OPTIONS = {
    "jaxshop": {
        "host": "host",
        "port": "port",
        "socket": "socket",
        "database": "name",
        "user": "user",
        "password": "password",
        "ssl-ca": "ssl_ca",
    },
    "jaxshop-writer": {"user": "writer_user", "password": "writer_password"},
    "jaxshop-releaser": {"user": "releaser_user", "password": "releaser_password"},
}
"""The groups of an option file: what each of their keys sets."""


class DbSettings(BaseSettings):
    """What an operator may set; each field is the environment variable `JAXSHOP_DB_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    name: str = Field("", description="the database")
    host: str = Field("localhost", description="reached by TCP, `localhost` too")
    port: int = Field(3306, ge=1, le=65535)
    socket: str | None = Field(None, description="a Unix socket, used instead of host and port")
    ssl_ca: str | None = Field(None, description="PEM file of the authority to trust; None: the system's")

    user: str = Field("", description="reads; SELECT is all it needs")
    password: SecretStr = SecretStr("")
    writer_user: str = Field("", description="reads and writes plans, and makes and fills tables")
    writer_password: SecretStr = SecretStr("")
    releaser_user: str = Field("", description="releases plans; none: the writer does")
    releaser_password: SecretStr = SecretStr("")

    _releases: bool = PrivateAttr(False)
    """Whether the releaser's account stands in the writer's place."""

    plan_start: datetime | None = Field(None, description="UTC; instead of the row in `plan`")
    open_states: Annotated[tuple[str, ...], NoDecode] = Field(
        ("open",), min_length=1, description="values of jobs.status that count as open, comma-separated"
    )
    tardiness: float = Field(
        0.0, ge=0, le=MAX_OBJECTIVE_WEIGHT, description="weight of an hour late beside an hour of makespan"
    )
    # The server knows microseconds, and takes 0 for no limit.
    statement_timeout_s: float = Field(120, ge=0.001, le=86_400, description="enforced by the server")
    connect_timeout_s: int = Field(10, ge=1, le=600)
    retries: int = Field(2, ge=0, le=10, description="of the whole read, when the connection is lost")

    @field_validator("open_states", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(x.strip() for x in value.split(",") if x.strip()) if isinstance(value, str) else value

    @field_validator("plan_start", mode="before")
    @classmethod
    def _moment(cls, value: object) -> object:
        """Read as in the database: pydantic alone takes 20261123 for seconds since 1970."""
        return parse_moment(value.strip()) if isinstance(value, str) else value

    @property
    def objective(self) -> Objective:
        """What plans of the database's shop are judged by: the tables say nothing of it."""
        return Objective(1.0, self.tardiness)

    @property
    def where(self) -> str:
        """Name the database, without its accounts."""
        return f"{self.name} at {self.socket or f'{self.host}:{self.port}'}"

    @property
    def is_local(self) -> bool:
        """Say whether nobody but this machine can listen in, so that TLS may be left out."""
        return bool(self.socket) or is_loopback(self.host)

    @property
    def wants_tls(self) -> bool:
        """Say whether the connection must be encrypted, to a server whose certificate is good."""
        return not self.socket and (bool(self.ssl_ca) or not self.is_local)

    @property
    def releasing(self) -> DbSettings:
        """The same, with the account that releases plans in the writer's place, where there is one."""
        if not self.releaser_user:
            return self
        account = {"writer_user": self.releaser_user, "writer_password": self.releaser_password}
        changed = self.model_copy(update=account)
        changed._releases = True
        return changed

    def account_name(self, writer: bool) -> str:
        """How the settings begin that name the account and its password."""
        return f"{PREFIX}{('RELEASER_' if self._releases else 'WRITER_') * writer}"

    def account(self, writer: bool) -> tuple[str, str]:
        """Return user and password; the reader's never write, so neither stands in for the other.

        Raises:
            ShopError: the account is not set.
        """
        user = self.writer_user if writer else self.user
        if not user:
            name = self.account_name(writer)
            account = "the account that may write" if writer else "the account that reads"
            raise ShopError(f"mariadb: set {name}USER and {name}PASSWORD to {account}, or an option file")
        return user, (self.writer_password if writer else self.password).get_secret_value()


def load_settings() -> DbSettings:
    """Read the settings from the environment and, where it is silent, from `JAXSHOP_DB_OPTION_FILE`.

    Raises:
        ShopError: a setting is out of range, or the database is not named; no message holds a value.
    """
    path = os.environ.get(f"{PREFIX}OPTION_FILE")
    options = _read_options(path) if path else {}
    for name, value in os.environ.items():
        if name.startswith(PREFIX) and value != os.fsencode(value).decode("utf-8", "replace"):
            raise ShopError(f"{name}: not UTF-8 text")
    given = {name: value for name, value in options.items() if not os.environ.get(PREFIX + name.upper())}
    with named_variables(PREFIX):
        settings = DbSettings(**given)  # type: ignore[arg-type]
    if not settings.name:
        raise ShopError(f"mariadb: set {PREFIX}NAME to the database to use (docs/mariadb.md)")
    if settings.ssl_ca and not Path(settings.ssl_ca).is_file():
        raise ShopError(f"{PREFIX}SSL_CA: no such file: {settings.ssl_ca}")
    return settings


def _read_options(path: str) -> dict[str, str]:
    """Read the groups that are ours from a file such as MariaDB's own clients read."""
    parser = ConfigParser(interpolation=None, delimiters="=", comment_prefixes="#;", allow_no_value=True)
    try:
        parser.read_string(read_text(path))
    except SyntaxFault as error:  # its text quotes the line, which may hold the password
        line = getattr(error, "lineno", None)
        raise ShopError(f"{path}: {f'line {line}: ' if line else ''}not an option file") from None
    found = {}
    for group, keys in OPTIONS.items():
        for key, value in parser.items(group) if parser.has_section(group) else ():
            name = keys.get(key.replace("_", "-"))
            if name is None or value is None:
                raise ShopError(f"{path}: [{group}] {key}: the options here are {', '.join(keys)}")
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            found[name] = value[1:-1] if quoted else value
    return found
