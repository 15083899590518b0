"""What a policy sees of a shop does not depend on how lots and machines are numbered."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.env import JobShop
from jaxshop.env.packing import pack
from jaxshop.env.types import Shape
from jaxshop.shop import Shop, split_lots
from tests.env.test_environment import stepper
from tests.shops import random_shop

TIGHT = Shape(lots=5, operations=15, choices=4, sets=24, machines=4, pools=5, candidates=5)


def renumbered(shop: Shop, seed: int) -> tuple[Shop, np.ndarray]:
    """The same shop with jobs and machines in another order, and the new number of each job."""
    rng = np.random.default_rng(seed)
    jobs, machines = rng.permutation(len(shop.jobs)), rng.permutation(len(shop.machines))
    other = replace(shop, jobs=tuple(shop.jobs[j] for j in jobs), machines=tuple(shop.machines[m] for m in machines))
    return other, np.argsort(jobs)


@pytest.mark.parametrize(
    "shape",
    [TIGHT, replace(TIGHT, lots=8, candidates=8), replace(TIGHT, lots=8, candidates=2)],
    ids=["all lots", "more candidates than lots", "few candidates"],
)
def test_numbering_changes_nothing_that_a_policy_sees(shape: Shape):
    """Shows equal features, context and order of candidates of one shop numbered in two ways, along a whole episode."""
    reset, step = stepper(JobShop(shape))
    key, compared = jax.random.key(0), 0
    for seed in range(8):
        shop = random_shop(seed, jobs=5, machines=4, longest=10**6)
        other, number = renumbered(shop, seed)
        rng = np.random.default_rng(seed)
        params, params_other = (
            jax.tree.map(jnp.asarray, pack(split_lots(s, None), shape, 10**6)) for s in (shop, other)
        )
        (obs, state), (seen, state_other) = reset(key, params), reset(key, params_other)
        for _ in range(int(params.operations)):
            shown = np.asarray(obs.candidate_mask)
            np.testing.assert_array_equal(seen.candidate_mask, shown)
            lots = np.asarray(obs.candidates)[shown]
            np.testing.assert_array_equal(np.asarray(seen.candidates)[shown], number[lots])
            np.testing.assert_allclose(seen.features, obs.features, atol=1e-5)
            np.testing.assert_allclose(seen.context, obs.context, atol=1e-5)
            lot = rng.choice(lots)
            obs, state, *_ = step(key, state, jnp.int32(lot), params)
            seen, state_other, *_ = step(key, state_other, jnp.int32(number[lot]), params_other)
            compared += 1
    assert compared > 50
