"""The stages of a run: compiled updates, the shops that they draw from, and in which order they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from chex import PRNGKey
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding
from jax.stages import Lowered

from jaxshop.env import EnvParams
from jaxshop.parallel.devices import memory_limit, out_of_memory
from jaxshop.parallel.mesh import AXIS, data_mesh, instructions_capped, local, replicate
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.ppo.config import PPOConfig, StageConfig
from jaxshop.ppo.memory import environments_that_fit, experience_bytes
from jaxshop.ppo.setup import Setup, make_optimiser
from jaxshop.ppo.several import update_several
from jaxshop.ppo.update import Learner, begin, update_together
from jaxshop.support.machine import free_memory
from jaxshop.support.settings import ConfigError
from jaxshop.training.config import Config
from jaxshop.training.sweep import paces


def check_devices(config: Config) -> None:
    """Every device plays as many samples of each shop as the others; ConfigError where they cannot be shared."""
    count = jax.device_count()
    for lesson in config.lessons():
        if (samples := lesson.settings.samples) % count:
            raise ConfigError(f"{lesson.name}.samples: {samples} cannot be shared evenly by {count} devices")


def check_memory(setups: Mapping[str, Setup], runs: int = 1) -> None:
    """Refuse what no compiler could make fit: experience that is larger than a device's memory; ConfigError.

    That of several runs has to fit beside each other, on a CPU into the memory that is free.
    """
    limit = memory_limit()
    if runs > 1:
        _check_together(setups, runs, limit)
    for name, setup in setups.items():
        if limit is not None and experience_bytes(setup) > limit:
            raise _too_large(name, setup, f"their experience takes {experience_bytes(setup) / 1e9:.3g} GB", limit)


def _check_together(setups: Mapping[str, Setup], runs: int, limit: int | None) -> None:
    """`check_memory` of several runs."""
    mesh = runs_mesh(runs)
    room = free_memory() if limit is None else limit * (1 if mesh is None else mesh.size)
    each = max(sum(experience_bytes(setup) for setup in stage) for stage in _by_stage(setups))
    if room is None or runs * each <= room:
        return
    taken, fit = f"{runs * each / 1e9:.3g} GB of experience for {room / 1e9:.3g} GB of memory", room // 2 // each
    raise ConfigError(f"--seeds: {runs} runs at once make {taken}; about {fit:,} would fit")


def _by_stage(setups: Mapping[str, Setup]) -> Iterator[list[Setup]]:
    """The setups that are learned from together."""
    for _, names in groupby(setups, key=lambda name: name.partition(".")[0]):
        yield [setups[name] for name in names]


@contextmanager
def naming_memory(setups: Mapping[str, Setup], runs: int = 1) -> Iterator[None]:
    """Turn a device's word that its memory is too small for a stage into a ConfigError on its largest lesson."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        if runs > 1:
            raise ConfigError(f"--seeds: {runs} runs at once are too many for the memory of a device") from None
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
    configs: Sequence[Config],
    setups: Mapping[str, Setup],
    shops: Mapping[str, EnvParams],
    compiling: Mapping[str, Future[Any]],
) -> list[Stage]:
    """The stages in order; what is not in `compiling`, by stage, is compiled at its first call.

    `configs` are those of the runs that learn together, or of one.
    """
    lessons, count = configs[0].lessons(), len(configs)
    found: list[Stage] = []
    begin = 0
    for name, group in groupby(lessons, key=lambda lesson: lesson.stage):
        taught = list(group)
        own = {lesson.name: setups[lesson.name] for lesson in taught}
        update = jitted_update if count == 1 else partial(jitted_several, runs=count)
        step = _awaited(compiling[name]) if name in compiling else update(tuple(own.values()))
        banks = (shops[lesson.name] for lesson in taught)
        mesh, end = _mesh(tuple(own.values()), count), begin + taught[0].settings.updates
        if count > 1:
            step = _paced(step, paces(configs, name), mesh)
        # Put where the program that was compiled ahead expects them, so that a resumed run finds it in the cache.
        here = _over(None, PartitionSpec())
        spread = tuple(jax.device_put(bank, here) if mesh is None else replicate(bank, mesh) for bank in banks)
        found.append(Stage(name, begin, end, own, step, spread))
        begin = end
    return found


def _awaited(step: Future[Any]) -> Any:
    return lambda *given: step.result()(*given)


def _paced(step: Any, found: Sequence[float], mesh: Mesh | None) -> Any:
    by_run = jax.device_put(np.asarray(found, np.float32), _over(mesh, PartitionSpec(AXIS)))
    return lambda learner, shops: step(learner, shops, by_run)


def runs_mesh(count: int) -> Mesh | None:
    """As many devices as divide the number of runs, which are spread over them."""
    return data_mesh(max(n for n in range(1, jax.local_device_count() + 1) if count % n == 0))


def _mesh(setups: tuple[Setup, ...], runs: int) -> Mesh | None:
    return setups[0].mesh if runs == 1 else runs_mesh(runs)


def _over(mesh: Mesh | None, spec: PartitionSpec) -> Sharding:
    return SingleDeviceSharding(jax.local_devices()[0]) if mesh is None else NamedSharding(mesh, spec)


def place(learners: Sequence[Learner]) -> Learner:
    """The learners as updates take them: of a single run on all devices, of several with a leading axis of runs."""
    if len(learners) == 1:
        return replicate(learners[0], data_mesh())
    stacked = jax.jit(lambda *each: jax.tree.map(lambda *x: jnp.stack(x), *each))(*learners)
    return jax.device_put(stacked, _over(runs_mesh(len(learners)), PartitionSpec(AXIS)))


def apart(placed: Learner) -> list[Learner]:
    """What was `place`d, by run."""
    if placed.update.ndim == 0:
        return [placed]
    here = jax.device_put(placed, SingleDeviceSharding(jax.local_devices()[0]))
    return list(_split(here))


@jax.jit
def _split(placed: Learner) -> list[Learner]:
    return [jax.tree.map(itemgetter(i), placed) for i in range(placed.update.shape[0])]


def enter(stage: Stage, placed: Learner) -> Learner:
    """A later stage starts from the averaged weights of the one before, with a fresh optimiser."""
    optimiser = next(iter(stage.setups.values())).optimiser

    def entering(learner: Learner) -> Learner:
        return learner._replace(weights=learner.averaged, optimiser=optimiser.init(learner.averaged))

    return place([entering(local(learner)) for learner in apart(placed)])


def untrained(config: Config) -> Learner:
    """Random weights and the first stage's optimiser, all from the run's seed."""
    return _jitted_untrained(config.network)(jax.random.key(config.run.seed))


def untrained_outline(config: Config, runs: int = 1) -> Learner:
    """Its shapes and dtypes; of several runs with a leading axis."""
    one: Learner = _jitted_untrained(config.network).eval_shape(jax.eval_shape(jax.random.key, 0))
    return one if runs == 1 else jax.eval_shape(lambda x: jax.tree.map(lambda *each: jnp.stack(each), *[x] * runs), one)


@cache
def _jitted_untrained(config: NetworkConfig) -> Any:
    """One program for every seed: one by one, its hundred operations would each be compiled."""
    network = make_network(config)
    optimiser = make_optimiser(PPOConfig(), StageConfig())  # whose rates an empty state does not know

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


@cache
def jitted_several(setups: tuple[Setup, ...], runs: int) -> Any:
    """(learners, banks, paces) -> `update_several`; the learners are donated."""
    step, theirs = partial(update_several, setups, runs_mesh(runs)), _over(runs_mesh(runs), PartitionSpec(AXIS))
    return jax.jit(step, donate_argnums=0, out_shardings=theirs, compiler_options=compiler_options())


def traced_update(setups: tuple[Setup, ...], learner: Learner, banks: tuple[EnvParams, ...], runs: int = 1) -> Lowered:
    """The update for a learner and banks of which only shapes and dtypes are known, yet to be compiled."""
    mesh = _mesh(setups, runs)

    def outline(tree: Any, spec: PartitionSpec) -> Any:
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=_over(mesh, spec)), tree)

    if runs == 1:
        return jitted_update(setups).lower(outline(learner, PartitionSpec()), outline(banks, PartitionSpec()))
    theirs = outline((learner, jax.ShapeDtypeStruct((runs,), jnp.float32)), PartitionSpec(AXIS))
    return jitted_several(setups, runs).lower(theirs[0], outline(banks, PartitionSpec()), theirs[1])


def compiler_options() -> dict[str, int] | None:
    """On CPU the update is compiled at LLVM's level 1 instead of 3, sooner and as fast, where AVX-512 is not in use.

    There LLVM aborts at that level, which nobody can catch; see `cap_instructions`. Whoever asks JAX for hardly any
    optimisations, as tests do, gets none: level 1 takes three times as long.
    """
    if jax.default_backend() != "cpu" or not instructions_capped() or _hardly_optimised():
        return None
    return {"xla_backend_optimization_level": 1}


def _hardly_optimised() -> bool:
    return jax.config.read("jax_disable_most_optimizations")
