"""The three phases of `jaxshop profile`, each beside the roofline."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxshop.config import Config, StageConfig
from jaxshop.env import EnvParams, JobShop
from jaxshop.env.observe import CONTEXT, FEATURES
from jaxshop.policies.network import Network, initial_weights
from jaxshop.ppo.rollout import collect
from jaxshop.ppo.train import compiler_options
from jaxshop.ppo.update import Learner, make_optimiser, update
from jaxshop.profiling.measure import Measured, measure, race
from jaxshop.profiling.roofline import Roofline
from jaxshop.profiling.workloads import laid_out, network_passes, policy_rollout, random_rollout, training_bank

UPDATES = 15
"""Runs of an update and of the network's own passes, by turns: one after the other, 15 of each gave 1.4 and 2.8."""

Phase = dict[str, Any]
"""One row of the report; see `_phase`."""


def measure_phases(
    env: JobShop, params: EnvParams, config: Config, roofline: Roofline, count: int, steps: int
) -> list[Phase]:
    """Environment alone and with the network on the given shop, then a PPO update on the training distribution."""
    network = Network(config.network.width, config.network.depth)
    weights = initial_weights(network, jax.random.key(0), FEATURES, CONTEXT)
    key = jax.random.key(1)
    alone, acting = random_rollout(env, count, steps), policy_rollout(env, network, count, steps)
    phases = [
        _rollout_phase("environment", alone, (key, params), roofline, count, steps),
        _rollout_phase("environment + network", acting, (key, params, weights), roofline, count, steps),
    ]
    return [*phases, update_phase(config, config.stages()[0][1], network, weights, roofline)]


def _rollout_phase(name: str, run: Any, arguments: tuple, roofline: Roofline, count: int, steps: int) -> Phase:
    measured = measure(run, *arguments, name=name, costed=True)
    assert measured is not None
    return _phase(name, measured, roofline, count, count * steps, count * steps)


def update_phase(config: Config, stage: StageConfig, network: Network, weights: Any, roofline: Roofline) -> Phase:
    """A whole update, and `network_ratio`: its wall time over that of the network's own passes on the same arrays."""
    env, bank = training_bank(config, stage)
    optimiser = make_optimiser(config.ppo, stage)
    learner = Learner(weights, weights, optimiser.init(weights), jax.random.key(2), jnp.int32(0))
    count, steps = stage.shops * stage.samples, env.shape.operations

    def step(learner: Learner, bank: EnvParams):
        return update(learner, bank, env, network, optimiser, config.ppo, stage.shops, stage.samples)

    options = compiler_options()
    measured = measure(step, learner, bank, repeats=1, name="PPO update", costed=True, compiler_options=options)
    transitions, _ = jax.jit(lambda key: collect(env, network, weights, bank, stage.samples, key))(learner.key)
    epoch = jax.jit(partial(laid_out, config=config))(transitions)
    alone = network_passes(network, config)
    seen = transitions.seen
    passes = measure(alone, weights, seen, epoch, repeats=1, name="network's own passes", compiler_options=options)
    assert measured is not None
    assert passes is not None
    turns = race([(measured.program, (learner, bank)), (passes.program, (weights, seen, epoch))], UPDATES)
    (seconds, _), (network_seconds, _) = turns
    measured = measured._replace(seconds=seconds)
    operations = int(measured.result[1].steps)
    phase = _phase("PPO update", measured, roofline, count, operations, count * steps)
    return phase | {
        "network_seconds": network_seconds,
        "network_ratio": seconds / network_seconds,
    }


def _phase(name: str, measured: Measured, roofline: Roofline, count: int, operations: int, steps: int) -> Phase:
    """Rates count run time alone; `operations` leaves out steps of episodes that are over, `steps` does not."""
    cost = measured.cost
    assert cost is not None
    return {
        "phase": name,
        "environments": count,
        "operations_per_second": operations / measured.seconds,
        "steps_per_second": steps / measured.seconds,
        "seconds": measured.seconds,
        "compile_seconds": measured.compile_seconds,
        "peak_bytes": measured.peak_bytes,
        "flop_per_step": cost.flop / steps,
        "bytes_per_step": cost.bytes / steps,
        "roofline_share": roofline.least_seconds(cost, measured.peak_bytes) / measured.seconds,
        "bound_by": roofline.binding(cost, measured.peak_bytes),
    }
