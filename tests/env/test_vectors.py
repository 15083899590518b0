"""Vector helpers that one kind of device alone uses, on this one."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.env.backends.vectors import FEW, put, put_by_look


@pytest.mark.usefixtures("ranks_meet")
@pytest.mark.parametrize("count", [5, FEW + 1])
def test_a_look_at_every_element_puts_what_a_scatter_does(count):
    """Shows it of one environment and of many at the end, in and past the last place."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 99, (2, count, 7), dtype=np.int32)
    new = rng.integers(0, 99, (2, 7), dtype=np.int32)
    index = np.array([0, 1, count - 1, count, 2, 4, 3], np.int32)
    together = put_by_look(jnp.asarray(values), jnp.asarray(index), jnp.asarray(new))
    assert np.array_equal(together, put(jnp.asarray(values), jnp.asarray(index), jnp.asarray(new)))
    for e, (single, number) in enumerate(zip(np.moveaxis(values, -1, 0), index, strict=True)):
        alone = put_by_look(jnp.asarray(single), jnp.int32(number), jnp.asarray(new[:, e]))
        assert np.array_equal(alone, together[..., e])
