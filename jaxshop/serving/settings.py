"""Settings from the environment (`JAXSHOP_*`) or credential files; nothing secret comes from argv."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from jaxshop.support.environment import named_variables
from jaxshop.support.errors import ShopError
from jaxshop.support.machine import is_loopback

SHORTEST_KEY = 16
MAKE_ONE = "`openssl rand -hex 24` makes one"
KEY_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Settings(BaseSettings):
    """What an operator may set; each field is the environment variable `JAXSHOP_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="JAXSHOP_", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535, description="0 lets the system choose; the log says which")
    checkpoint: Path | None = Field(None, description="None: the weights that ship with the package")

    read_keys: SecretStr = Field(SecretStr(""), description="name:key,name:key; may look, and have schedules verified")
    api_keys: SecretStr = Field(SecretStr(""), description="name:key,name:key; may also ask for schedules")
    release_keys: SecretStr = Field(SecretStr(""), description="name:key,name:key; may also release plans")
    admin_keys: SecretStr = Field(SecretStr(""), description="name:key,name:key; may also reload the model")
    no_auth: bool = Field(False, description="serve without keys, on a loopback address only")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field((), description="origins, comma-separated")

    sizes: str = Field("", description="of shops that the policy is compiled for; none: the usual ones")
    max_operations: int = Field(50_000, ge=1, le=1_000_000, description="of one request, after it is cut into lots")
    max_body_mb: float = Field(16, gt=0, le=1024)
    max_samples: int = Field(4096, ge=0, le=1_000_000)
    request_timeout_s: float = Field(60, gt=0, le=3600, description="a synchronous request ends by then (504)")
    job_timeout_s: float = Field(900, gt=0, le=86_400, description="the same for `Prefer: respond-async`")
    threads: int = Field(2, ge=1, le=64, description="requests under work at once; the device serves one at a time")
    queue: int = Field(32, ge=0, le=10_000, description="requests that may wait beyond those under work (503)")
    search_s: float = Field(2, gt=0, le=3600, description="what a request takes that names no limit, samples or work")
    search_cores: int | None = Field(None, ge=1, le=1024, description="cores that one search uses; None: all")
    searches: int = Field(2, ge=1, le=64, description="searches at once; those that wait shorten those that run")
    max_jobs: int = Field(64, ge=1, le=10_000, description="asynchronous requests under work at once (503)")
    job_ttl_s: float = Field(86_400, gt=0, le=2_592_000, description="how long a finished one is kept")
    keep_jobs: int = Field(1000, ge=1, le=1_000_000, description="finished ones kept, the latest")
    store: str = Field("auto", pattern="^(auto|sqlite|mariadb|memory)$", description="where they are kept")
    lease_s: float = Field(12, ge=0.2, le=3600, description="after so long without a sign of a server others take over")
    webhook_key: SecretStr = Field(SecretStr(""), description="signs webhooks; without it none are sent")
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = Field((), description="hosts that may be at inner addresses")
    stall_s: float = Field(120, gt=0, le=3600, description="a device call longer than this: not ready any more")
    drain_s: float = Field(30, ge=0, le=3600, description="at a stop, how long requests under work may take")
    unready_s: float = Field(0, ge=0, le=300, description="at a stop, time to serve on with readiness already off")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @property
    def keys(self) -> dict[str, dict[str, str]]:
        """Keys by name, by role; raises ShopError where one is malformed or too short."""
        return {role: parse_keys(getattr(self, name), f"JAXSHOP_{name.upper()}") for role, name in KEY_SETTINGS.items()}

    @field_validator("cors_origins", "webhook_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(x.strip() for x in value.split(",") if x.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _explicit(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"https?://[^/*\s]+", origin):
                raise ValueError(f"{origin!r} is no origin such as https://plan.example; * is not allowed")
        return origins


KEY_SETTINGS = {"read": "read_keys", "plan": "api_keys", "release": "release_keys", "admin": "admin_keys"}
"""By role."""


def load_settings(**overrides: object) -> Settings:
    """Read the settings; `overrides` that are not None win over the environment.

    Under systemd, `LoadCredential=jaxshop_api_keys:...` is read as well.

    Raises:
        ShopError: a setting is out of range, or keys are missing where they are needed.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    with named_variables("JAXSHOP_"):
        settings = Settings(_secrets_dir=credentials, **given)  # type: ignore[arg-type, call-arg]
    if settings.no_auth and not is_loopback(settings.host):
        raise ShopError(f"--no-auth: only on a loopback address, not on {settings.host!r}")
    webhook_key = settings.webhook_key.get_secret_value()
    if webhook_key and len(webhook_key) < SHORTEST_KEY:
        raise ShopError(
            f"JAXSHOP_WEBHOOK_KEY: must have at least {SHORTEST_KEY} characters; `openssl rand -hex 24` makes one"
        )
    keys = settings.keys  # so that a malformed one is refused here, in one line
    if not settings.no_auth and not any(keys.values()):
        raise ShopError("no API key: set JAXSHOP_API_KEYS=name:key[,name:key], or pass --no-auth on a loopback address")
    return settings


def parse_keys(secret: SecretStr, where: str) -> dict[str, str]:
    """Split `name:key,name:key` into a dict; messages name the entry's position, never its text."""
    keys: dict[str, str] = {}
    for i, entry in enumerate(filter(None, secret.get_secret_value().strip().split(","))):
        name, _, key = (part.strip() for part in entry.partition(":"))
        if not KEY_NAME.fullmatch(name) or not key or not key.isprintable():
            raise ShopError(
                f"{where}: entry {i + 1} is not name:key (a name has letters, digits, dot, dash, underscore)"
            )
        if len(key) < SHORTEST_KEY:
            raise ShopError(f"{where}: the key of {name!r} must have at least {SHORTEST_KEY} characters; {MAKE_ONE}")
        if name in keys:
            raise ShopError(f"{where}: entry {i + 1} repeats the name {name!r}")
        keys[name] = key
    return keys
