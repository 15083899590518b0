"""What is learned beside something else in one program is what is learned alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.ppo.config import PPOConfig
from jaxshop.ppo.setup import Setup
from jaxshop.ppo.several import update_several
from jaxshop.ppo.update import update_together
from tests.ppo.test_probes import NETWORK, STAGE, Probe, started

CONFIG = PPOConfig(learning_rate=1e-2, epochs=1, minibatches=2, microbatch=None)
SETUP = Setup(Probe(), NETWORK, CONFIG, STAGE)


@pytest.mark.thorough
def test_banks_without_weight_and_other_runs_change_nothing():
    """Shows that weights are shares of the gradient: beside a bank of weight 0, a bank teaches what it does alone.

    And of two runs beside each other, which differ in seed and learning rate, that each is the run alone.
    """
    learner, bank = started([[[1.0, 0.0], [0.0, 1.0]]])
    _, opposite = started([[[0.0, 1.0], [3.0, 0.0]]])
    learners, paces = (learner, learner._replace(key=jax.random.key(9))), (1.0, 0.4)
    setups = (replace(SETUP, together=True), replace(SETUP, together=True, weight=0.0))
    both = jax.jit(lambda *each: jax.tree.map(lambda *x: jnp.stack(x), *each))(*learners)
    found, metrics = jax.jit(partial(update_several, setups, None))(both, (bank, opposite), np.float32(paces))
    alone = jax.jit(partial(update_together, (SETUP,)))
    for run, (one, pace) in enumerate(zip(learners, paces, strict=True)):
        wanted, (measured,) = alone(one, (bank,), np.float32(pace))
        mine, (same, other) = jax.tree.map(lambda x, run=run: np.asarray(x)[run], (found.weights, metrics))
        chex.assert_trees_all_close(mine, wanted.weights, atol=1e-5)
        chex.assert_trees_all_close(same.explained_variance, measured.explained_variance, rtol=1e-4)
        assert float(same.explained_variance) != float(other.explained_variance)
    assert metrics[0].loss.value_loss[0] != metrics[0].loss.value_loss[1]
