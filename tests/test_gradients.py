"""A minibatch in parts: every row once, none cut short, and the same sums as of the whole."""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.ppo.gradients import accumulate, cut, ladder, needed_width
from tests.test_budget import small_update


def test_needed_width_is_up_to_the_last_candidate():
    """Shows that gaps count: what an environment without a cut shows is no prefix."""
    mask = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]], bool)
    assert needed_width(jnp.asarray(mask)).tolist() == [2, 3, 4, 0]


def test_ladder_is_a_quarter_half_and_all():
    """Shows the compiled widths, rounded up, and a single one for whole minibatches."""
    assert ladder(48, 256) == (12, 24, 48)
    assert ladder(5, 1) == (2, 3, 5)
    assert ladder(1, 8) == (1,)
    assert ladder(48, None) == (48,)


@pytest.mark.parametrize(("microbatch", "devices"), [(None, 1), (None, 4), (1, 1), (7, 1), (7, 2), (50, 2), (100, 1)])
def test_every_row_is_taken_once_in_a_width_that_holds_it(microbatch, devices):
    """Shows that parts cover the minibatch exactly, are shared evenly by devices, and cut no row's candidates."""
    rng = np.random.default_rng(0)
    rows, needed = rng.permutation(400)[:93], rng.integers(1, 17, 93)
    widths = ladder(16, microbatch)
    parts = cut(jnp.asarray(rows), jnp.asarray(needed), widths, microbatch, devices)
    assert parts.rows.shape[1] % devices == 0
    assert parts.rows.shape[1] <= devices * min(microbatch or 93, -(-93 // devices))
    real = np.asarray(parts.real)
    assert sorted(np.asarray(parts.rows)[real].tolist()) == sorted(rows.tolist())
    width = np.array(widths)[np.asarray(parts.rung)]
    of = dict(zip(rows.tolist(), needed.tolist(), strict=True))
    most = [max(of[r] for r in np.asarray(part)[kept].tolist()) for part, kept in zip(parts.rows, real, strict=True)]
    assert all(of[r] <= w for part, w in zip(parts.rows, width, strict=True) for r in np.asarray(part).tolist())
    for found, largest in zip(width, most, strict=True):
        assert found == min(w for w in widths if w >= largest)


def test_parts_add_up_to_the_whole():
    """Shows that sums over parts of every width are those over the rows, with the rows that only fill up left out."""
    rng = np.random.default_rng(1)
    needed = jnp.asarray(rng.integers(1, 9, 50))
    values = jnp.asarray(np.where(np.arange(8) < np.asarray(needed)[:, None], rng.integers(1, 100, (50, 8)), 0))
    widths = ladder(8, 6)
    parts = cut(jnp.arange(50), needed, widths, 6)
    taken = accumulate(
        lambda columns, rows, real: {"sum": (values[rows, :columns] * real[:, None]).sum(), "rows": real.sum()},
        parts,
        widths,
    )
    assert jax.tree.map(int, taken) == {"sum": int(values.sum()), "rows": 50}


def test_an_update_in_parts_is_the_update():
    """Shows that microbatches change the weights after an update by no more than the order of float sums does."""
    (whole, metrics), (parts, of_parts) = (
        jax.jit(step)(*arguments) for step, arguments, _ in (small_update(None), small_update(16))
    )
    chex.assert_trees_all_close(parts.weights, whole.weights, atol=1e-4)
    chex.assert_trees_all_close(of_parts, metrics, rtol=1e-3, atol=1e-5)
