"""The three phases of `jaxshop profile`, each beside the roofline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxshop.env import EnvParams, JobShop
from jaxshop.parallel.mesh import AXIS, data_mesh, replicate
from jaxshop.policies.registry import make_network
from jaxshop.policies.types import Network
from jaxshop.ppo.memory import experience_bytes
from jaxshop.ppo.rollout import collect
from jaxshop.ppo.setup import Setup
from jaxshop.ppo.update import Learner, begin, update
from jaxshop.profiling.cost import Cost, cost_of
from jaxshop.profiling.measure import Measured, copies, measure, on_devices, race, sharing
from jaxshop.profiling.roofline import Roofline
from jaxshop.profiling.workloads import laid_out, network_passes, policy_rollout, random_rollout, training_bank
from jaxshop.training.config import Config, Lesson
from jaxshop.training.stages import compiler_options

UPDATES = 15
"""Runs of an update and of the network's own passes, by turns: else their ratio would be that of the machine's load."""

Phase = dict[str, Any]
"""One row of the report; see `_phase`."""


def measure_phases(
    env: JobShop,
    params: EnvParams,
    config: Config,
    roofline: Roofline,
    count: int,
    steps: int,
    trace: str | None = None,
    begin_phase: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> Iterator[Phase]:
    """Environment alone and with the network on the given shop, then a PPO update on the training distribution.

    Args:
        trace: a folder for a trace of each phase, which is then run once.
        begin_phase: is told the name of each phase while that is measured.
    """
    network = make_network(config.network)
    weights = jax.jit(network.initialise)(jax.random.key(0))
    key, each = jax.random.key(1), count // sharing(count)
    alone, acting = random_rollout(env, each, steps), policy_rollout(env, network, each, steps)
    for name, run, given in (
        ("environment", alone, (key, params)),
        ("environment + network", acting, (key, params, weights)),
    ):
        with begin_phase(name):
            yield _rollout_phase(name, run, given, roofline, count, steps, trace)
    with begin_phase("PPO update"):
        yield update_phase(config, config.lessons()[0], network, weights, roofline, trace)


def _rollout_phase(
    name: str, run: Any, arguments: tuple, roofline: Roofline, count: int, steps: int, trace: str | None
) -> Phase:
    """`run` has a device's share of `count` environments."""
    devices = sharing(count)
    measured = measure(on_devices(run, devices), *copies(arguments, devices), name=name, trace=_inside(trace, name))
    assert measured is not None
    measured = _of_all(measured, devices)
    cost = cost_of(run, *arguments).times(devices)
    return _phase(name, measured, cost, roofline, count, count * steps, count * steps)


class Timed(NamedTuple):
    """A whole update, and the network's own passes on the same arrays, timed by turns."""

    measured: Measured  # of all devices
    network_seconds: float
    setup: Setup  # on one device
    learner: Learner
    bank: EnvParams


def _inside(trace: str | None, name: str) -> str | None:
    """The folder for a phase's trace: apart, as a viewer opens one at a time."""
    return None if trace is None else str(Path(trace) / re.sub(r"\W+", "-", name))


def timed_update(
    config: Config,
    lesson: Lesson,
    network: Network,
    weights: Any,
    rounds: int = UPDATES,
    trace: str | None = None,
) -> Timed:
    """Time an update of a lesson, on shops as it draws them, and the network's passes, `rounds` times each."""
    stage = lesson.settings
    env, shops = training_bank(lesson.pool or config.pool, stage, config.env.passing)
    mesh, options = data_mesh(), compiler_options()
    setup = Setup(env, network, config.ppo, stage)
    spread, first = replace(setup, mesh=mesh), begin(weights, setup.optimiser, jax.random.key(2))
    learner, bank = replicate(first, mesh), replicate(shops, mesh)
    step = partial(update, spread)
    name, passing = "PPO update", "network's own passes"
    into: dict[str, Any] = {"repeats": 1, "compiler_options": options}
    measured = measure(step, learner, bank, name=name, trace=_inside(trace, name), **into)
    weights = learner.weights
    played = jax.jit(lambda key: collect(spread, weights, bank, key))(learner.key)[0]
    everywhere, theirs, parts = PartitionSpec(), PartitionSpec(None, None, AXIS), PartitionSpec(None, AXIS)
    shared = partial(jax.shard_map, mesh=Mesh(np.array(jax.devices()), (AXIS,)), check_vma=False)
    lay_out = shared(partial(laid_out, config=config), in_specs=(theirs, PartitionSpec(AXIS)), out_specs=parts)
    epoch = jax.jit(lay_out)(played, jnp.arange(stage.samples))
    alone = shared(
        network_passes(network, config),
        in_specs=(everywhere, theirs, parts),
        out_specs=(PartitionSpec(AXIS), theirs),
    )
    seen = played.seen
    passes = measure(alone, weights, seen, epoch, name=passing, trace=_inside(trace, passing), **into)
    assert measured is not None
    assert passes is not None
    turns = race([(measured.program, (learner, bank)), (passes.program, (weights, seen, epoch))], rounds)
    (seconds, _), (network_seconds, _) = turns
    measured = _of_all(measured._replace(seconds=seconds), jax.local_device_count())
    return Timed(measured, network_seconds, setup, first, shops)


def update_phase(
    config: Config, lesson: Lesson, network: Network, weights: Any, roofline: Roofline, trace: str | None = None
) -> Phase:
    """A whole update, and `network_ratio`: its wall time over that of the network's own passes on the same arrays."""
    timed = timed_update(config, lesson, network, weights, 1 if trace else UPDATES, trace)
    count, measured = lesson.settings.shops * lesson.settings.samples, timed.measured
    # Of the work, which is the same on any number of devices.
    cost = cost_of(partial(update, timed.setup), timed.learner, timed.bank)
    operations, steps = int(measured.result[1].steps), count * timed.setup.env.shape.operations
    return _phase("PPO update", measured, cost, roofline, count, operations, steps) | {
        "network_seconds": timed.network_seconds,
        "network_ratio": measured.seconds / timed.network_seconds,
        "experience_bytes": experience_bytes(timed.setup),
    }


def _of_all(measured: Measured, devices: int) -> Measured:
    return measured._replace(peak_bytes=devices * measured.peak_bytes, passed_bytes=devices * measured.passed_bytes)


def _phase(
    name: str, measured: Measured, cost: Cost, roofline: Roofline, count: int, operations: int, steps: int
) -> Phase:
    """Rates count run time alone; `operations` leaves out steps of episodes that are over, `steps` does not.

    The bytes in `measured` are those of all devices together; XLA tells those of one.
    """
    peak = measured.peak_bytes
    return {
        "phase": name,
        "environments": count,
        "operations_per_second": operations / measured.seconds,
        "steps_per_second": steps / measured.seconds,
        "seconds": measured.seconds,
        "compile_seconds": measured.compile_seconds,
        "peak_bytes": peak,
        "flop_per_step": cost.flop / steps,
        "bytes_per_step": cost.bytes / steps,
        "roofline_share": roofline.least_seconds(cost, measured.passed_bytes, peak) / measured.seconds,
        "traffic_share": roofline.traffic_seconds(cost, peak) / measured.seconds,
        "bound_by": roofline.binding(cost, peak),
    }
