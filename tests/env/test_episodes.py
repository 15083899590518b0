"""Whole episodes in one kernel, interpreted: the environment's own schedules, tick for tick; and made for a GPU."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.env import make
from jaxshop.env.backends.episodes import WARP, Chance, play
from jaxshop.policies.words import rank
from jaxshop.profiling.workloads import random_rollout, random_words
from tests.jaxprs import negations
from tests.shops import from_routes, job_shop, random_shop

NO_TIME = from_routes([[{0: 3}, {1: 0, 0: 0}, {1: 2}], [{1: 0}, {0: 1}], [{0: 0}]], 2)


def kernel(env, steps, **options):
    """(params, seeds) -> what the kernel leaves, read a lot at a time: more only wait for memory together."""
    chance = Chance(random_words, partial(rank, count=env.shape.lots))
    return lambda params, seeds: play(
        env.begin(None, params), params, seeds, steps, chance, **{"interpret": True, "together": 1} | options
    )


@pytest.mark.usefixtures("ranks_meet")
@pytest.mark.parametrize(
    ("shop", "together"),
    [
        pytest.param(random_shop(3, jobs=5, machines=4), 1, id="flexible, late machines, releases"),
        pytest.param(job_shop(0), 2, id="job shop", marks=pytest.mark.thorough),
        pytest.param(NO_TIME, 1, id="operations of no time", marks=pytest.mark.thorough),
    ],
)
def test_plays_as_the_environment_does(shop, together):
    """Shows the same starts, machines and makespans, in a padded shape, in two programs, and past the end."""
    env, both = make([shop, random_shop(8, jobs=6, machines=5)])
    params = jax.tree.map(lambda x: x[0], both)
    steps = int(params.operations) + 2
    theirs = jax.jit(random_rollout(env, 2 * WARP, steps))(jax.random.key(0), params)
    seeds = jax.random.bits(jax.random.key(0), (2 * WARP,), jnp.uint32)
    ours = jax.jit(kernel(env, steps, together=together))(params, seeds)
    assert np.array_equal(ours.op_start.T, theirs.start)
    assert np.array_equal(ours.op_machine.T, theirs.machine)
    assert np.array_equal(ours.estimate, theirs.estimate)
    assert len(np.unique(theirs.start, axis=0)) > 1


def test_stops_after_some_steps():
    """Shows that an episode can be left on the way, with what it has dispatched."""
    env, params = make(job_shop(0))
    played = jax.jit(kernel(env, 3))(params, jnp.arange(WARP, dtype=jnp.uint32))
    assert np.array_equal((played.op_start >= 0).sum(axis=0), np.full(WARP, 3))


def test_refuses_what_it_does_not_play():
    """Shows a sentence for environments that fill no warp."""
    env, params = make(job_shop(0))
    with pytest.raises(AssertionError, match="33 environments are no multiple of 32"):
        jax.eval_shape(kernel(env, 1), params, jnp.zeros(33, jnp.uint32))


@pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated:DeprecationWarning")
def test_is_made_for_a_gpu():
    """Shows that the kernel becomes a GPU's program, without a negation that its compilers could lose."""
    env, params = make(random_shop(3, jobs=5, machines=4))
    seeds = jnp.zeros(WARP, jnp.uint32)
    program = jax.jit(kernel(env, 5, interpret=False, together=8))
    assert not negations(program, params, seeds)
    mesh = jax.sharding.AbstractMesh(
        (1,), ("gpu",), abstract_device=jax.sharding.AbstractDevice("NVIDIA H200", 132, "gpu")
    )
    with jax.sharding.use_abstract_mesh(mesh):
        lowered = program.trace(params, seeds).lower(lowering_platforms=("cuda",))
    assert "xla.gpu.triton" in lowered.as_text()
