"""Several runs in one program: one update, vmapped over learners that differ in seed and learning rate."""

from __future__ import annotations

from functools import partial

import jax
from chex import Array
from jax.sharding import Mesh, PartitionSpec

from jaxshop.env import EnvParams
from jaxshop.parallel.mesh import AXIS
from jaxshop.ppo.setup import RUNS, Setup
from jaxshop.ppo.update import Learner, UpdateMetrics, update_together


def update_several(
    setups: tuple[Setup, ...], mesh: Mesh | None, learners: Learner, banks: tuple[EnvParams, ...], paces: Array
) -> tuple[Learner, tuple[UpdateMetrics, ...]]:
    """`update_together` of every run; what it gives a run is what the run alone would get, but for rounding.

    Microbatches are as wide as the widest of their place in any run.

    Args:
        setups: `together`, and none of them on a mesh.
        mesh: the runs are spread over it, and know nothing of each other; its size divides their number.
        learners: with a leading axis of runs.
        banks: the shops that all of them draw from.
        paces: float32 [runs], by which the learning rate of each is multiplied.
    """
    each = jax.vmap(partial(update_together, setups), in_axes=(0, None, 0), axis_name=RUNS)
    if mesh is None:
        return each(learners, banks, paces)
    theirs, everywhere = PartitionSpec(AXIS), PartitionSpec()
    spread = jax.shard_map(each, mesh=mesh, in_specs=(theirs, everywhere, theirs), out_specs=theirs, check_vma=False)
    return spread(learners, banks, paces)
