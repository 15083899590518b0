"""Settings from the environment and from an option file; no message ever shows a password."""

from __future__ import annotations

import os

import pytest

from jaxshop.sources.mariadb.settings import load_settings
from jaxshop.support.errors import ShopError


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No settings at all but the database's name."""
    for name in os.environ:
        if name.startswith("JAXSHOP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("JAXSHOP_DB_NAME", "factory")


@pytest.fixture
def option_file(tmp_path, monkeypatch):
    """Write an option file, and name it in the environment."""

    def write(text: str) -> None:
        path = tmp_path / "jaxshop.cnf"
        path.write_text(text)
        monkeypatch.setenv("JAXSHOP_DB_OPTION_FILE", str(path))

    return write


def test_option_file(option_file, monkeypatch) -> None:
    """Both accounts and the address may stand in an option file; the environment wins over it."""
    option_file(
        "# for the planners\n[mysqld]\nskip-networking\n"
        "[jaxshop]\nhost = db.example\nport=3307\nssl_ca=/dev/null\nuser=reader\npassword='a b#%(c)s\"'\n"
        "[jaxshop-writer]\nuser=writer\npassword=w=%x;y\n"
    )
    monkeypatch.setenv("JAXSHOP_DB_HOST", "10.0.0.7")
    monkeypatch.setenv("JAXSHOP_DB_SSL_CA", __file__)
    settings = load_settings()
    assert (settings.host, settings.port, settings.name) == ("10.0.0.7", 3307, "factory")
    assert settings.account(writer=False) == ("reader", 'a b#%(c)s"')
    assert settings.account(writer=True) == ("writer", "w=%x;y")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[jaxshop]\npasword=hush\n", r"\[jaxshop\] pasword: the options here are host, port"),
        ("[jaxshop]\npassword\n", r"\[jaxshop\] password: the options here"),
        ("password=hush\n", "line 1: not an option file"),
        ("[jaxshop]\npassword=hush\npassword=hush\n", "line 3: not an option file"),
        ("[jaxshop]\nport=hush\n", "JAXSHOP_DB_PORT"),
    ],
)
def test_bad_option_file(option_file, text: str, message: str) -> None:
    """What is wrong with an option file is named without its values."""
    option_file(text)
    with pytest.raises(ShopError, match=message) as caught:
        load_settings()
    assert "hush" not in str(caught.value)


def test_missing_option_file(monkeypatch) -> None:
    """An option file that is not there is named."""
    monkeypatch.setenv("JAXSHOP_DB_OPTION_FILE", "/nowhere/my.cnf")
    with pytest.raises(ShopError, match=r"/nowhere/my\.cnf: no such file"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("NAME", "", "set JAXSHOP_DB_NAME"),
        ("PORT", "70000", "JAXSHOP_DB_PORT: Input should be less than"),
        ("RETRIES", "-1", "JAXSHOP_DB_RETRIES"),
        ("STATEMENT_TIMEOUT_S", "0", "JAXSHOP_DB_STATEMENT_TIMEOUT_S"),
        ("OPEN_STATES", " , ", "JAXSHOP_DB_OPEN_STATES"),
        ("TARDINESS", "-1", "JAXSHOP_DB_TARDINESS"),
        ("TARDINESS", "nan", "JAXSHOP_DB_TARDINESS"),
        ("STATEMENT_TIMEOUT_S", "1e-9", "JAXSHOP_DB_STATEMENT_TIMEOUT_S"),
        ("PASSWORD", "\udcff", "JAXSHOP_DB_PASSWORD: not UTF-8 text"),
        ("PLAN_START", "tomorrow", "JAXSHOP_DB_PLAN_START"),
        ("PLAN_START", "20261123", "JAXSHOP_DB_PLAN_START: must be a DATETIME"),
        ("PLAN_START", "2026-11-23", "JAXSHOP_DB_PLAN_START: must be a DATETIME"),
        ("PLAN_START", "0001-01-01T00:00:00+05:00", "JAXSHOP_DB_PLAN_START: outside the calendar"),
        ("SSL_CA", "/nowhere/ca.pem", "JAXSHOP_DB_SSL_CA: no such file"),
    ],
)
def test_bad_settings(monkeypatch, name: str, value: str, message: str) -> None:
    """A setting out of range is one line that names its variable."""
    monkeypatch.setenv(f"JAXSHOP_DB_{name}", value)
    with pytest.raises(ShopError, match=message):
        load_settings()


def test_passwords_are_not_shown(monkeypatch) -> None:
    """Neither printing nor logging the settings shows a password."""
    monkeypatch.setenv("JAXSHOP_DB_PASSWORD", "hush")
    monkeypatch.setenv("JAXSHOP_DB_WRITER_PASSWORD", "hush")
    settings = load_settings()
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_accounts_do_not_stand_in_for_each_other(monkeypatch) -> None:
    """Without the writer's account nothing is written with the reader's, nor the other way round."""
    monkeypatch.setenv("JAXSHOP_DB_USER", "reader")
    with pytest.raises(ShopError, match="set JAXSHOP_DB_WRITER_USER and JAXSHOP_DB_WRITER_PASSWORD"):
        load_settings().account(writer=True)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *(("localhost", True), ("127.0.0.1", True), ("127.8.0.1", True), ("::1", True)),
        *(("10.0.0.1", False), ("0.0.0.0", False), ("localhost.example", False), ("127.0.0.1.example", False)),
    ],
)
def test_only_this_machine_is_local(monkeypatch, host: str, local: bool) -> None:
    """TLS may be left out for loopback addresses only, not for names that look like one."""
    monkeypatch.setenv("JAXSHOP_DB_HOST", host)
    assert load_settings().is_local is local
