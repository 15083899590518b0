"""How much memory an update's experience takes: counted from shapes, before anything is compiled."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxshop.env import JobShop, Observation
from jaxshop.policies.types import Network
from jaxshop.ppo.setup import Setup


def episode_bytes(env: JobShop, network: Network) -> int:
    """Bytes that one environment keeps of an episode until it has been learned from.

    What the network stores of each observation; action, log-probability, value, reward and whether the episode went on;
    advantage, target and weight; and the noise that actions are drawn with. The passes over a minibatch come on top.
    """
    spaces = env.observation_space().spaces
    obs = Observation(**{name: jax.ShapeDtypeStruct(box.shape, box.dtype) for name, box in spaces.items()})
    stored = jax.eval_shape(network.stored, obs)
    seen = sum(int(np.prod(x.shape)) * jnp.dtype(x.dtype).itemsize for x in jax.tree.leaves(stored))
    return env.shape.operations * (seen + 7 * 4 + 1 + 4 * env.shape.candidates)


def experience_bytes(setup: Setup) -> int:
    """Bytes of a stage's experience on each of its devices."""
    devices = 1 if setup.mesh is None else setup.mesh.size
    return setup.stage.shops * setup.stage.samples * episode_bytes(setup.env, setup.network) // devices


def environments_that_fit(setup: Setup, limit: int) -> int:
    """Environments whose experience takes half of `limit` bytes a device; a minibatch's passes need room, too."""
    devices = 1 if setup.mesh is None else setup.mesh.size
    return devices * (limit // 2 // episode_bytes(setup.env, setup.network))
