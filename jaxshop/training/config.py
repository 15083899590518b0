"""Configuration: frozen dataclasses, read from TOML, overridden from the command line; unknown keys are refused."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from jaxshop.policies.registry import EnvConfig, NetworkConfig
from jaxshop.ppo.config import REPEATED, ImitationConfig, PPOConfig, StageConfig
from jaxshop.shop import MAX_HOURS, TICKS_PER_HOUR
from jaxshop.sources.distribution import MAKES
from jaxshop.support.files import read_text
from jaxshop.support.settings import (
    COUNT,
    COUNT_OR_ZERO,
    INT32,
    NOT_NEGATIVE,
    POSITIVE,
    ConfigError,
    Constraint,
    build,
    each,
    faults,
    merge,
    one_of,
    parse_toml,
)

SEED = Constraint(lambda x: 0 <= x <= INT32, "must be from 0 to 2147483647")
HOURS = Constraint(lambda x: 0 < x <= MAX_HOURS, f"must be > 0 and at most {MAX_HOURS}")


STAGES = ("mix", "general", "full", "own")
"""In the order of training."""

SHIPPED_POLICY = "shipped"
"""Names the policy inside the package where `run.start_from` wants a folder."""


@dataclass(frozen=True)
class RunConfig:
    """What is scheduled, and where the results go."""

    name: str | None = None
    shop: str = "reference"
    max_lot_hours: Annotated[float | None, HOURS] = 60.0
    target_hours: Annotated[float | None, HOURS] = 130.0
    require_real_data: bool = False
    seed: Annotated[int, SEED] = 0
    shops_seed: Annotated[int | None, SEED] = None
    runs_dir: str = "runs"
    export_to: str | None = None
    start_from: str | None = None

    @property
    def seed_of_shops(self) -> int:
        """What generated shops are drawn with."""
        return self.seed if self.shops_seed is None else self.shops_seed

    @property
    def target(self) -> int | None:
        """The target in ticks of what the shop's objective counts."""
        return None if self.target_hours is None else round(self.target_hours * TICKS_PER_HOUR)


@dataclass(frozen=True)
class PoolConfig:
    """Generated shops of the same make: how many, and of what size."""

    count: Annotated[int, COUNT] = 192
    machines: Annotated[int, COUNT] = 20
    jobs: Annotated[int, COUNT] = 55


@dataclass(frozen=True)
class BankConfig:
    """Shops of several makes in arrays of one size, which one compiled update draws from.

    Attributes:
        makes: what the shops are, in turn (`jaxshop.sources.distribution`); one that is named twice is met twice as
            often.
        count: how many shops.
        operations: of each, about.
        weight: of the bank's gradient beside those of the others; 0 leaves the bank out.
        shops, samples, candidates: as in a stage.
        kept: shops of each make that are kept for choosing a checkpoint.
    """

    makes: Annotated[tuple[str, ...], each(one_of(MAKES))] = ("jobshop",)
    count: Annotated[int, COUNT] = 192
    operations: Annotated[int, COUNT] = 300
    weight: Annotated[float, NOT_NEGATIVE] = 1.0
    shops: Annotated[int, COUNT] = 8
    samples: Annotated[int, REPEATED] = 16
    candidates: Annotated[int, COUNT] = 16
    kept: Annotated[int, COUNT] = 6

    @property
    def distinct(self) -> tuple[str, ...]:
        """The makes, each once."""
        return tuple(dict.fromkeys(self.makes))


_PLANTS = ("plant-reference", "plant-identical", "plant-flow", "plant-due")
_FACTORY = ("tight-factory", "identical-factory", "reference-factory")


@dataclass(frozen=True)
class MixConfig:
    """A stage over shops of many makes: every gradient step learns from all banks."""

    updates: Annotated[int, COUNT_OR_ZERO] = 0
    learning_rate: Annotated[float | None, POSITIVE] = None
    jobs: BankConfig = field(default_factory=lambda: BankConfig(("jobshop", "jobshop", "routes")))
    flexible: BankConfig = field(default_factory=lambda: BankConfig(("sparse", "flexible", "flow", "recirculating")))
    lots: BankConfig = field(default_factory=lambda: BankConfig(("identical", "tight-centre", "reference")))
    factory: BankConfig = field(default_factory=lambda: BankConfig(_FACTORY, 24, 1600, 1.0, 2, 8, 48, 4))
    plants: BankConfig = field(default_factory=lambda: BankConfig(_PLANTS, weight=0.0))

    def banks(self) -> dict[str, BankConfig]:
        """Those that have a weight, by name."""
        named = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: bank for name, bank in named.items() if isinstance(bank, BankConfig) and bank.weight}


class Lesson(NamedTuple):
    """What an update learns from: shops of one size. Those of a stage are learned from together."""

    stage: str
    name: str
    settings: StageConfig
    pool: PoolConfig | BankConfig | None  # None: the shop itself
    weight: float = 1.0


@dataclass(frozen=True)
class EvaluationConfig:
    """How the policy is judged while it trains, and at the end."""

    every: Annotated[int, COUNT] = 3
    samples: Annotated[int, COUNT] = 64
    selection_shops: Annotated[int, COUNT] = 12
    kept_work: Annotated[int, COUNT_OR_ZERO] = 0
    rule_seeds: Annotated[int, COUNT] = 32
    baseline_seconds: Annotated[float | None, POSITIVE] = 30.0
    choose_by: Literal["own", "kept"] = "kept"
    plan_work: Annotated[int, COUNT_OR_ZERO] = 1000


@dataclass(frozen=True)
class StopConfig:
    """When training ends: at the `budget` of updates, or as soon as the `target` is met in two evaluations in a row."""

    when: Literal["budget", "target"] = "budget"
    max_seconds: Annotated[float | None, POSITIVE] = None


@dataclass(frozen=True)
class LoggingConfig:
    """What is written besides metrics.jsonl."""

    tensorboard: bool = False
    tracker: Annotated[str | None, one_of(("mlflow", "wandb"))] = None
    checkpoint_every: Annotated[int, COUNT] = 10


@dataclass(frozen=True)
class Config:
    """Everything that a training run depends on."""

    run: RunConfig = field(default_factory=RunConfig)
    env: EnvConfig = field(default_factory=EnvConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)
    full_pool: PoolConfig = field(default_factory=lambda: PoolConfig(16, 149, 520))
    mix: MixConfig = field(default_factory=MixConfig)
    imitation: ImitationConfig = field(default_factory=ImitationConfig)
    general: StageConfig = field(default_factory=lambda: StageConfig(updates=60, shops=8, samples=16, candidates=16))
    full: StageConfig = field(default_factory=lambda: StageConfig(updates=0, shops=2, samples=8, candidates=48))
    own: StageConfig = field(default_factory=lambda: StageConfig(45, 1, 24, 48, 1e-3))
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    stop: StopConfig = field(default_factory=StopConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)

    def lessons(self) -> list[Lesson]:
        """What is learned from, in the order of training; of stages without updates nothing is.

        First the banks of the mix, then small shops of the reference's make, some of the factory's size, and
        the shop itself.
        """
        rate, pools = self.mix.learning_rate, {"general": self.pool, "full": self.full_pool, "own": None}
        found = [
            Lesson(
                "mix",
                f"mix.{name}",
                StageConfig(self.mix.updates, bank.shops, bank.samples, bank.candidates, rate),
                bank,
                bank.weight,
            )
            for name, bank in self.mix.banks().items()
        ]
        found += [Lesson(name, name, getattr(self, name), pool) for name, pool in pools.items()]
        return [lesson for lesson in found if lesson.settings.updates]

    @property
    def updates(self) -> int:
        """Updates of all stages."""
        return sum(getattr(self, name).updates for name in STAGES)

    def __post_init__(self) -> None:
        for fault in _faults(self):
            raise ConfigError(fault)


def _faults(config: Config) -> list[str]:
    """What no run could use, as `section.key: problem`."""
    found = faults(config)
    if config.own.shops != 1:
        found.append("own.shops: must be 1, the shop itself")
    if config.mix.updates and not config.mix.banks():
        found.append("mix.updates: no bank has a weight, so there is nothing to learn from")
    named = Counter(make for bank in config.mix.banks().values() for make in bank.distinct)
    if config.mix.updates and (twice := [make for make, banks in named.items() if banks > 1]):
        found.append(f"mix: {', '.join(twice)} in two banks with a weight, and their shops would not be told apart")
    if (steps := config.updates * config.ppo.epochs * config.ppo.minibatches) > INT32:
        made = f"{config.updates} updates make {steps} gradient steps, and there can be {INT32}"
        found.append(f"ppo.epochs: with ppo.minibatches, {made}")
    if not found and config.updates == 0:
        found.append("general.updates: there must be an update in mix, general, full or own")
    return found


def load_config(path: str | Path | None, overrides: Sequence[str] = (), base: Config | None = None) -> Config:
    """Read a TOML file, then apply overrides of the form `section.key=value`.

    What neither sets is as in `base`, or the default where that is None. A file must be valid without the overrides.

    Raises:
        ConfigError: names the file (or `overrides`) and the key, with the nearest known key where it is unknown.
    """
    config = base or Config()
    if path is not None:
        config = from_dict(parse_toml(read_text(path), str(path)), str(path), config)
    changes: dict[str, Any] = {}
    for override in overrides:
        merge(changes, override)
    return from_dict(changes, "overrides", config)


def load_run(path: str | Path | None, overrides: Sequence[str] = ()) -> Config:
    """`load_config`, without a target that was meant for another shop.

    The default target is the reference shop's; a file's is that of the file's shop, and an override's of the run's.
    """
    config = load_config(path, overrides)
    changes: dict[str, Any] = {}
    for override in overrides:
        merge(changes, override)
    written = parse_toml(read_text(path), str(path)) if path is not None else {}
    shop = meant = Config().run.shop
    for layer in (written, changes):
        said = layer.get("run", {})
        shop = said.get("shop", shop)
        meant = shop if "target_hours" in said else meant
    if meant == config.run.shop:
        return config
    return dataclasses.replace(config, run=dataclasses.replace(config.run, target_hours=None))


def from_dict(data: object, where: str, base: Config | None = None) -> Config:
    """Build a config from nested mappings; keys that are missing keep the values of `base` or the defaults."""
    try:
        return build(base or Config(), data, "")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


_MAY_CHANGE = (
    "run.export_to",
    "mix.updates",
    "general.updates",
    "full.updates",
    "own.updates",
    "run.target_hours",
    "evaluation.every",
    "evaluation.samples",
    "evaluation.rule_seeds",
    "evaluation.baseline_seconds",
    "evaluation.plan_work",
    "logging.",
    "stop.",
)
"""What a resumed run may set anew: how long it goes on, how its end is judged, and how it is logged. What checkpoints
are chosen by stays, as the best one so far is told by its score."""


def flattened(record: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The values of nested tables by `section.key`."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        found |= flattened(value, f"{path}{key}.") if isinstance(value, Mapping) else {f"{path}{key}": value}
    return found


def check_complete(record: Mapping[str, Any], where: str) -> None:
    """Refuse a run's record that lacks a key: the version that began the run did something else than its default."""
    known = flattened(record)
    missing = [name for name in flattened(to_dict(Config())) if name not in known and not name.startswith(_MAY_CHANGE)]
    if missing:
        raise ConfigError(
            f"{where}: lacks {', '.join(missing)}: another version of jaxshop began this run; begin a new one"
        )


def check_resume(before: Config, after: Config, where: str) -> None:
    """Refuse a resumed run that would not be the same run, with every difference."""
    old, new = flattened(to_dict(before)), flattened(to_dict(after))
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
    for name in STAGES:
        old, new = getattr(before, name).updates, getattr(after, name).updates
        if old != new and done > begin + min(old, new):
            raise ConfigError(f"{where}: {name}.updates was {old}, now {new}; the run is at update {done} already")
        begin += old


def to_dict(config: Config) -> dict[str, Any]:
    """The config as nested mappings, every key included."""
    return dataclasses.asdict(config)
