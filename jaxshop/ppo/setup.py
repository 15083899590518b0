"""What an update is compiled for, as one value."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import optax
from jax.sharding import Mesh

from jaxshop.env import JobShop
from jaxshop.policies.types import Network
from jaxshop.ppo.config import PPOConfig, StageConfig

RUNS = "runs"
"""The axis of runs that are updated in one program."""


@dataclass(frozen=True)
class Setup:
    """A stage's environment, network and settings; equal ones share a compilation.

    The samples of each shop are spread over the mesh, whose size divides their number.
    """

    env: JobShop
    network: Network
    config: PPOConfig
    stage: StageConfig
    mesh: Mesh | None = None
    weight: float = 1.0
    """Its share of the gradient, relative to the setups that it learns beside."""
    together: bool = False
    """Whether several runs are updated in one program; see `jaxshop.ppo.several`."""

    @property
    def optimiser(self) -> optax.GradientTransformation:
        """The stage's; see `make_optimiser`."""
        return make_optimiser(self.config, self.stage)


def make_optimiser(config: PPOConfig, stage: StageConfig) -> optax.GradientTransformation:
    """Adam with the gradient clipped by global norm and the rate annealed linearly over the stage."""
    steps = max(1, stage.updates * config.epochs * config.minibatches)
    rate = config.learning_rate if stage.learning_rate is None else stage.learning_rate
    schedule = optax.linear_schedule(rate, rate * config.final_rate, steps)
    steps_of = optax.chain(optax.clip_by_global_norm(config.max_grad_norm), optax.adam(schedule, eps=1e-5))

    def update(*given: optax.Updates) -> tuple[optax.Updates, optax.OptState]:
        with jax.numpy_dtype_promotion("standard"):  # optax raises floats to the power of its int32 count
            return steps_of.update(*given)

    return optax.GradientTransformation(steps_of.init, update)
