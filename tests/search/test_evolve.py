"""How keys are bred: the first generation, inheritance, and what is drawn anew."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from jaxshop.policies.acting import TEMPERATURES
from jaxshop.search.breeding import FRESH, Elite, breed

POPULATION, COUNT = 16, 400


@pytest.fixture(scope="module")
def bred():
    """`breed` for a population of 16, compiled."""
    return jax.jit(breed, static_argnums=1)


def test_the_first_generation_is_drawn_and_has_the_greedy_schedule(bred):
    """Shows that without parents the first keys are 0 and all others are noise, by temperatures in turn."""
    nobody = Elite(np.zeros((4, COUNT), np.float32), np.full(4, np.inf, np.float32))
    keys = np.asarray(bred(nobody, POPULATION, jax.random.key(0)))
    assert not keys[0].any()
    assert (keys[1:] != 0).all()
    spread = keys[1 : len(TEMPERATURES)].std(axis=1) / keys[len(TEMPERATURES) - 1].std()
    assert np.allclose(spread, np.array(TEMPERATURES[1:]) / TEMPERATURES[-1], atol=0.15)


def test_children_inherit_from_two_parents(bred):
    """Shows that nearly every key is one of a parent, mostly of the better one, but for one child in eight."""
    elite = Elite(np.repeat(np.arange(1, 5, dtype=np.float32)[:, None], COUNT, 1), np.arange(4, dtype=np.float32))
    keys = np.asarray(bred(elite, POPULATION, jax.random.key(1)))
    inherited = np.isin(keys, elite.keys[:, 0])
    fresh = np.arange(POPULATION) % FRESH == FRESH - 1
    assert not inherited[fresh].any()
    assert 0.95 < inherited[~fresh].mean() < 1
    for child in keys[~fresh]:
        parents, number = np.unique(child[np.isin(child, elite.keys[:, 0])], return_counts=True)
        assert len(parents) <= 2
        assert len(parents) == 1 or number[0] > number[1]
