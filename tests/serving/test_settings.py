"""Settings, keys and what stops a server from starting."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from jaxshop.serving.auth import Caller, KeyRing
from jaxshop.serving.settings import load_settings, parse_keys
from jaxshop.support.errors import ShopError


def test_the_environment_is_read_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """`JAXSHOP_*` sets fields; an override that is not None is stronger."""
    monkeypatch.setenv("JAXSHOP_API_KEYS", "a:a-key-of-sixteen-characters")
    monkeypatch.setenv("JAXSHOP_PORT", "9000")
    monkeypatch.setenv("JAXSHOP_CORS_ORIGINS", "https://a.example, https://b.example")
    settings = load_settings(port=None, host="::1")
    assert (settings.port, settings.host) == (9000, "::1")
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert load_settings(port=1).port == 1
    assert "sixteen" not in repr(settings.api_keys)


def test_a_search_takes_two_seconds_where_nothing_else_is_said() -> None:
    """What a caller who sets no limit waits for is the documented default."""
    assert load_settings(no_auth=True).search_s == 2


def test_systemd_credentials_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys may come from a credential file instead of the environment."""
    (tmp_path / "jaxshop_api_keys").write_text("a:from-file-and-long\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert parse_keys(load_settings().api_keys, "") == {"a": "from-file-and-long"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no API key"),
        ({"read_keys": "a:fifteen-letters"}, "JAXSHOP_READ_KEYS: the key of 'a' must have at least 16 characters"),
        ({"api_keys": "a:a-key-of-sixteen-characters", "admin_keys": "a"}, "JAXSHOP_ADMIN_KEYS"),
        ({"no_auth": True, "api_keys": "a"}, "JAXSHOP_API_KEYS"),
        ({"no_auth": True, "host": "0.0.0.0"}, "loopback"),
        ({"api_keys": "a:a-key-of-sixteen-characters", "port": 70_000}, "JAXSHOP_PORT"),
        ({"api_keys": "a:a-key-of-sixteen-characters", "cors_origins": "*"}, "JAXSHOP_CORS_ORIGINS"),
        ({"api_keys": "a:a-key-of-sixteen-characters", "queue": "many"}, "JAXSHOP_QUEUE"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(given: dict[str, object], message: str) -> None:
    """The refusal names the setting."""
    with pytest.raises(ShopError, match=message) as caught:
        load_settings(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["secret", "a:", ":secret", "a b:secret", "a:secret-of-16-letters,a:secret-of-16-letters", "a:se\ncret"]
)
def test_malformed_keys_are_refused_without_showing_them(text: str) -> None:
    """Messages say which entry is wrong and never what stands there."""
    with pytest.raises(ShopError, match="JAXSHOP_API_KEYS: entry") as caught:
        parse_keys(SecretStr(text), "JAXSHOP_API_KEYS")
    assert "secret" not in str(caught.value)


def test_no_auth_serves_a_loopback_address() -> None:
    """Without keys, and only for this machine."""
    assert load_settings(no_auth=True, host="127.0.0.1").no_auth


def test_a_key_ring_knows_names_and_holds_no_key() -> None:
    """Callers are told apart by name; any text is a valid question; the administrator's role wins."""
    ring = KeyRing({"plan": {"a": "one", "b": "two"}, "admin": {"boss": "two"}})
    assert ring.identify("one") == Caller("a")
    assert ring.identify("two") == Caller("boss", "admin")
    for wrong in ("", "on", "onee", "ONE", "\udc80", "é" * 1000):
        assert ring.identify(wrong) is None
    assert b"one" not in repr(vars(ring)).encode()


def test_sizes_come_from_a_setting() -> None:
    """`lots:operations:machines[:times[:sets[:overlap]]]` after commas; none are the usual ones; else one line."""
    from jaxshop.serving.engine import LADDER, JaxEngine, parse_sizes

    small, large = parse_sizes("8:20:5, 640:2048:160:1:160:8")
    named = ("lots", "operations", "machines", "times_per_operation", "machine_sets", "sets_per_machine")
    ruled = ("calendars", "closings", "families", "tables_of_setups")
    assert JaxEngine.limits(small) == dict(zip(named, (8, 20, 5, 1, 5, None), strict=True)) | dict.fromkeys(ruled)
    (plant,) = parse_sizes("8:20:5+2:40:6:1")
    assert [JaxEngine.limits(plant)[name] for name in ruled] == [2, 63, 6, 1]
    assert (large, parse_sizes(" ")) == (LADDER[2], LADDER)
    for text in (
        "8",
        "8:20",
        "a:b:c",
        "8:4:5",
        "0:20:5",
        "8:20:5:1:5:0:0",
        "8:20:-5",
        "8:9999999:5",
        "8:20:5+",
        "8:20:5+1:2:3",
        "8:20:5+1:2:0:4",
    ):
        with pytest.raises(ShopError, match="JAXSHOP_SIZES: "):
            parse_sizes(text)
