"""Configuration: frozen dataclasses, read from TOML, overridden from the command line; unknown keys are refused."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_text


class ConfigError(ShopError):
    """A config that cannot be used: one line that names the file and the key."""


@dataclass(frozen=True)
class RunConfig:
    """What is scheduled, and where the results go."""

    name: str = "reference"
    shop: str = "reference"
    max_lot_hours: float | None = 60.0
    target_hours: float | None = 130.0
    require_real_data: bool = False
    seed: int = 0
    runs_dir: str = "runs"
    export_to: str | None = None


@dataclass(frozen=True)
class NetworkConfig:
    """The size of the policy network."""

    width: int = 64
    depth: int = 2


@dataclass(frozen=True)
class PPOConfig:
    """Proximal policy optimisation."""

    learning_rate: float = 1e-2
    final_rate: float = 0.1
    epochs: int = 2
    minibatches: int = 8
    microbatch: int | None = 128
    clip: float = 0.3
    entropy: float = 0.0
    value: float = 0.5
    discount: float = 1.0
    trace: float = 1.0
    max_grad_norm: float = 0.5
    averaging: float = 0.9


@dataclass(frozen=True)
class StageConfig:
    """A stage of training: `updates` PPO updates on `shops` shops of `samples` episodes each."""

    updates: int = 0
    shops: int = 1
    samples: int = 32
    candidates: int = 96
    learning_rate: float | None = None


@dataclass(frozen=True)
class PoolConfig:
    """Generated shops of the same make: how many, and of what size."""

    count: int = 192
    machines: int = 20
    jobs: int = 55


@dataclass(frozen=True)
class EvaluationConfig:
    """How the policy is judged while it trains, and at the end."""

    every: int = 1
    samples: int = 64
    batch: int = 32
    selection_shops: int = 4
    rule_seeds: int = 32
    baseline_seconds: float | None = None
    choose_by: Literal["own", "kept"] = "own"


@dataclass(frozen=True)
class StopConfig:
    """When training ends: at the `budget` of updates, or as soon as the `target` is met in two evaluations in a row."""

    when: Literal["budget", "target"] = "budget"
    max_seconds: float | None = None


@dataclass(frozen=True)
class LoggingConfig:
    """What is written besides metrics.jsonl."""

    tensorboard: bool = False
    checkpoint_every: int = 10


@dataclass(frozen=True)
class Config:
    """Everything that a training run depends on."""

    run: RunConfig = field(default_factory=RunConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)
    full_pool: PoolConfig = field(default_factory=lambda: PoolConfig(16, 149, 520))
    general: StageConfig = field(default_factory=lambda: StageConfig(updates=60, shops=8, samples=16, candidates=16))
    full: StageConfig = field(default_factory=lambda: StageConfig(updates=0, shops=2, samples=8, candidates=48))
    own: StageConfig = field(default_factory=lambda: StageConfig(45, 1, 24, 48, 1e-3))
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    stop: StopConfig = field(default_factory=StopConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)

    def stages(self) -> list[tuple[str, StageConfig]]:
        """The stages that have updates, in order: small generated shops, some of full size, the shop itself."""
        named = (("general", self.general), ("full", self.full), ("own", self.own))
        return [(name, stage) for name, stage in named if stage.updates]

    def pools(self) -> dict[str, PoolConfig]:
        """What the stages of generated shops draw from, where they have updates."""
        pools = {"general": self.pool, "full": self.full_pool}
        return {name: pools[name] for name, _ in self.stages() if name in pools}

    @property
    def updates(self) -> int:
        """Updates of all stages."""
        return sum(stage.updates for _, stage in self.stages())

    def __post_init__(self) -> None:
        for fault in _faults(self):
            raise ConfigError(fault)


_POSITIVE = {
    "network": ("width", "depth"),
    "ppo": ("learning_rate", "epochs", "minibatches", "clip", "max_grad_norm"),
    "pool": ("count", "machines", "jobs"),
    "full_pool": ("count", "machines", "jobs"),
    "general": ("shops", "samples", "candidates"),
    "full": ("shops", "samples", "candidates"),
    "own": ("shops", "samples", "candidates"),
    "evaluation": ("every", "samples", "batch", "selection_shops", "rule_seeds"),
    "logging": ("checkpoint_every",),
}
_POSITIVE_OR_NONE = {
    "run": ("max_lot_hours", "target_hours"),
    "ppo": ("microbatch",),
    "general": ("learning_rate",),
    "full": ("learning_rate",),
    "own": ("learning_rate",),
    "evaluation": ("baseline_seconds",),
    "stop": ("max_seconds",),
}
_SHARES = {"ppo": ("final_rate", "entropy", "value", "discount", "trace", "averaging")}


def _faults(config: Config) -> list[str]:
    """What no run could use, as `section.key: problem`."""
    found = []
    for section, keys in _POSITIVE.items():
        for key in keys:
            if not getattr(getattr(config, section), key) > 0:
                found.append(f"{section}.{key}: must be > 0")
    for section, keys in _SHARES.items():
        for key in keys:
            if not 0 <= getattr(getattr(config, section), key) <= 1:
                found.append(f"{section}.{key}: must be from 0 to 1")
    for section, keys in _POSITIVE_OR_NONE.items():
        for key in keys:
            value = getattr(getattr(config, section), key)
            if value is not None and not value > 0:
                found.append(f"{section}.{key}: must be > 0")
    for stage in ("general", "full", "own"):
        if getattr(config, stage).updates < 0:
            found.append(f"{stage}.updates: must be >= 0")
        if getattr(config, stage).samples == 1:
            found.append(f"{stage}.samples: must be at least 2, as a sample is judged by the others of its shop")
    if not 0 <= config.run.seed < 2**31:
        found.append("run.seed: must be from 0 to 2147483647")
    if config.own.shops != 1:
        found.append("own.shops: must be 1, the shop itself")
    if not found and config.updates == 0:
        found.append("general.updates: there must be an update in general, full or own")
    return found


def load_config(path: str | Path | None, overrides: Sequence[str] = (), base: Config | None = None) -> Config:
    """Read a TOML file, then apply overrides of the form `section.key=value`.

    What neither sets is as in `base`, or the default where that is None. A file must be valid without the overrides.

    Raises:
        ConfigError: names the file (or `overrides`) and the key, with the nearest known key where it is unknown.
    """
    config = base or Config()
    if path is not None:
        try:
            config = from_dict(tomllib.loads(read_text(path)), str(path), config)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: not valid TOML: {error}") from None
    changes: dict[str, Any] = {}
    for override in overrides:
        _merge(changes, override)
    return from_dict(changes, "overrides", config)


def from_dict(data: object, where: str, base: Config | None = None) -> Config:
    """Build a config from nested mappings; keys that are missing keep the values of `base` or the defaults."""
    try:
        return _build(base or Config(), data, "")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


_MAY_CHANGE = (
    "run.export_to",
    "general.updates",
    "full.updates",
    "own.updates",
    "run.target_hours",
    "evaluation.",
    "logging.",
    "stop.",
)
"""What a resumed run may set anew: how long it goes on, and how it is judged and logged."""


def check_complete(record: Mapping[str, Mapping[str, Any]], where: str) -> None:
    """Refuse a run's record that lacks a key: the version that began the run did something else than its default."""
    missing = [
        f"{section}.{key}"
        for section, part in to_dict(Config()).items()
        for key in part
        if key not in record.get(section, {}) and not f"{section}.{key}".startswith(_MAY_CHANGE)
    ]
    if missing:
        raise ConfigError(
            f"{where}: lacks {', '.join(missing)}: another version of jaxshop began this run; begin a new one"
        )


def check_resume(before: Config, after: Config, where: str) -> None:
    """Refuse a resumed run that would not be the same run, with every difference."""
    old, new = (
        {f"{section}.{key}": value for section, part in to_dict(c).items() for key, value in part.items()}
        for c in (before, after)
    )
    differences = [
        f"{name} was {old[name]!r}, now {new[name]!r}"
        for name in old
        if old[name] != new[name] and not name.startswith(_MAY_CHANGE)
    ]
    if differences:
        raise ConfigError(f"{where}: cannot resume with another config: {'; '.join(differences)}")


def check_progress(before: Config, after: Config, done: int, where: str) -> None:
    """Refuse other lengths for stages that are over, or less than was done: weights would not say what made them."""
    begin = 0
    for name in ("general", "full", "own"):
        old, new = getattr(before, name).updates, getattr(after, name).updates
        if old != new and done > begin + min(old, new):
            raise ConfigError(f"{where}: {name}.updates was {old}, now {new}; the run is at update {done} already")
        begin += old


def to_dict(config: Config) -> dict[str, Any]:
    """The config as nested mappings, every key included."""
    return dataclasses.asdict(config)


def _merge(data: dict[str, Any], override: str) -> None:
    """Put one `section.key=value` into `data`; the value is TOML, or a plain word taken as a string."""
    name, equals, text = override.removeprefix("--").partition("=")
    section, dot, key = name.partition(".")
    if not (equals and dot and key):
        raise ConfigError(f"override {override!r}: write it as section.key=value")
    if text in ("none", "null"):
        value: Any = None
    else:
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
    part = data.setdefault(section, {})
    if not isinstance(part, dict):
        raise ConfigError(f"{section}: must be a table")
    part[key.replace("-", "_")] = value


def _build(default: Any, data: object, path: str) -> Any:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path.rstrip('.') or 'config'}: must be a table")
    hints = get_type_hints(type(default))
    changes = {}
    for key, value in data.items():
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1)
            hint = f", did you mean {path}{near[0]}?" if near else f", known are {', '.join(hints)}"
            raise ConfigError(f"{path}{key}: unknown key{hint}")
        current = getattr(default, key)
        if dataclasses.is_dataclass(current):
            changes[key] = _build(current, value, f"{path}{key}.")
        else:
            changes[key] = _checked(value, hints[key], path + key)
    return dataclasses.replace(default, **changes)


def _checked(value: Any, hint: Any, path: str) -> Any:
    """The value, if it is of the type that the field declares."""
    if get_origin(hint) is types.UnionType:
        if value is None or (isinstance(value, str) and value == "none"):
            return None
        hint = next(t for t in get_args(hint) if t is not type(None))
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ConfigError(f"{path}: must be one of {', '.join(get_args(hint))}, not {value!r}")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{path}: must be {_NAMES[hint]}, not {json.dumps(value, default=str)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{path}: must be a finite number")
    return value


_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}
