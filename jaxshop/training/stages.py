"""The stages of a run: compiled updates, the shops that they draw from, and in which order they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from typing import Any

import jax
from chex import PRNGKey
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding
from jax.stages import Lowered

from jaxshop.env import EnvParams
from jaxshop.parallel.devices import memory_limit, out_of_memory
from jaxshop.parallel.mesh import instructions_capped, local, replicate
from jaxshop.policies.registry import make_network
from jaxshop.ppo.memory import environments_that_fit, experience_bytes
from jaxshop.ppo.setup import Setup, make_optimiser
from jaxshop.ppo.update import Learner, begin, update_together
from jaxshop.support.settings import ConfigError
from jaxshop.training.config import Config, Lesson


def check_devices(config: Config) -> None:
    """Every device plays as many samples of each shop as the others; ConfigError where they cannot be shared."""
    count = jax.device_count()
    for lesson in config.lessons():
        if (samples := lesson.settings.samples) % count:
            raise ConfigError(f"{lesson.name}.samples: {samples} cannot be shared evenly by {count} devices")


def check_memory(setups: Mapping[str, Setup]) -> None:
    """Refuse what no compiler could make fit: experience that is larger than a device's memory; ConfigError."""
    limit = memory_limit()
    for name, setup in setups.items():
        if limit is not None and experience_bytes(setup) > limit:
            raise _too_large(name, setup, f"their experience takes {experience_bytes(setup) / 1e9:.3g} GB", limit)


@contextmanager
def naming_memory(setups: Mapping[str, Setup]) -> Iterator[None]:
    """Turn a device's word that its memory is too small for a stage into a ConfigError on its largest lesson."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        name = max(setups, key=lambda name: experience_bytes(setups[name]))
        raise _too_large(name, setups[name], "an update does not fit", memory_limit()) from None


def _too_large(name: str, setup: Setup, why: str, limit: int | None) -> ConfigError:
    """One line that says how many environments would do; half as many where the device does not tell its memory."""
    count = setup.stage.shops * setup.stage.samples
    fit = count // 2 if limit is None else min(environments_that_fit(setup, limit), count // 2)
    room = "the memory of a device" if limit is None else f"the {limit / 1e9:.3g} GB of a device"
    advice = f"about {fit:,} would fit: lower {name}.shops or {name}.samples"
    return ConfigError(f"{name}: {count:,} environments are too many for {room}: {why}; {advice}")


@dataclass(frozen=True)
class Stage:
    """Updates `begin` to `end - 1`: a compiled step, and for each lesson its setup and the shops that it draws from."""

    name: str
    begin: int
    end: int
    setups: Mapping[str, Setup]
    step: Any
    shops: tuple[EnvParams, ...]


def stages_of(
    lessons: Sequence[Lesson],
    setups: Mapping[str, Setup],
    shops: Mapping[str, EnvParams],
    compiling: Mapping[str, Future[Any]],
) -> list[Stage]:
    """The stages in order; what is not in `compiling`, by stage, is compiled at its first call."""
    found: list[Stage] = []
    begin = 0
    for name, group in groupby(lessons, key=lambda lesson: lesson.stage):
        taught = list(group)
        own = {lesson.name: setups[lesson.name] for lesson in taught}
        step = _awaited(compiling[name]) if name in compiling else jitted_update(tuple(own.values()))
        banks = (shops[lesson.name] for lesson in taught)
        mesh, end = next(iter(own.values())).mesh, begin + taught[0].settings.updates
        spread = tuple(bank if mesh is None else replicate(bank, mesh) for bank in banks)
        found.append(Stage(name, begin, end, own, step, spread))
        begin = end
    return found


def _awaited(step: Future[Any]) -> Any:
    return lambda learner, shops: step.result()(learner, shops)


def enter(stage: Stage, learner: Learner) -> Learner:
    """A later stage starts from the averaged weights of the one before, with a fresh optimiser."""
    learner = local(learner)
    setup = next(iter(stage.setups.values()))
    fresh = setup.optimiser.init(learner.averaged)
    return replicate(learner._replace(weights=learner.averaged, optimiser=fresh), setup.mesh)


def untrained(config: Config) -> Learner:
    """Random weights and the first stage's optimiser, all from the run's seed."""
    return _jitted_untrained(config)(jax.random.key(config.run.seed))


def untrained_outline(config: Config) -> Learner:
    """Its shapes and dtypes."""
    return _jitted_untrained(config).eval_shape(jax.eval_shape(jax.random.key, 0))


@cache
def _jitted_untrained(config: Config) -> Any:
    """One program: one by one, its hundred operations would each be compiled."""
    network = make_network(config.network)
    optimiser = make_optimiser(config.ppo, config.lessons()[0].settings)

    def draw(key: PRNGKey) -> Learner:
        init_key, key = jax.random.split(key)
        return begin(network.initialise(init_key), optimiser, key)

    return jax.jit(draw, compiler_options=compiler_options())


@cache
def jitted_update(setups: tuple[Setup, ...]) -> Any:
    """(learner, banks) -> `update_together`; the learner is donated. Equal setups share what is compiled."""
    mesh = setups[0].mesh
    everywhere = None if mesh is None else NamedSharding(mesh, PartitionSpec())
    step = partial(update_together, setups)
    return jax.jit(step, donate_argnums=0, out_shardings=everywhere, compiler_options=compiler_options())


def traced_update(setups: tuple[Setup, ...], learner: Learner, banks: tuple[EnvParams, ...]) -> Lowered:
    """The update for a learner and banks of which only shapes and dtypes are known, yet to be compiled."""
    alone, mesh = SingleDeviceSharding(jax.local_devices()[0]), setups[0].mesh
    place = alone if mesh is None else NamedSharding(mesh, PartitionSpec())
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), (learner, banks))
    return jitted_update(setups).lower(*like)


def compiler_options() -> dict[str, int] | None:
    """On CPU the update is compiled at LLVM's level 1 instead of 3, sooner and as fast, where AVX-512 is not in use.

    There LLVM aborts at that level, which nobody can catch; see `cap_instructions`.
    """
    return {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" and instructions_capped() else None
