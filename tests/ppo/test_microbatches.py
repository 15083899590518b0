"""A minibatch in parts: every row once, none cut short, and the same sums as of the whole."""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.ppo import microbatches
from jaxshop.ppo.learning import minibatch_rows
from jaxshop.ppo.microbatches import accumulate, ladder, needed_width
from tests.profiling.test_budget import small_update

deal = jax.jit(minibatch_rows, static_argnums=(2, 3))
cut = jax.jit(microbatches.cut, static_argnums=(3, 4))


def test_needed_width_is_up_to_the_last_candidate():
    """Shows that gaps count: what an environment without a cut shows is no prefix."""
    mask = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]], bool)
    assert jax.jit(needed_width)(mask).tolist() == [2, 3, 4, 0]


def test_ladder_is_a_quarter_half_and_all():
    """Shows the compiled widths, rounded up, and a single one for whole minibatches."""
    assert ladder(48, 256) == (12, 24, 48)
    assert ladder(5, 1) == (2, 3, 5)
    assert ladder(1, 8) == (1,)
    assert ladder(48, None) == (48,)


@pytest.mark.parametrize("microbatch", [None, 1, 7, 50, 100])
def test_every_row_is_taken_once_in_a_width_that_holds_it(microbatch):
    """Shows that parts cover the rows that count exactly, none larger than it may be, and cut no row's candidates."""
    rng = np.random.default_rng(0)
    rows, needed, counts = rng.permutation(400)[:93], rng.integers(1, 17, 93), rng.random(93) < 0.9
    widths = ladder(16, microbatch)
    parts = cut(rows, counts, needed, widths, microbatch)
    assert parts.rows.shape[1] <= (microbatch or 93)
    assert parts.rows.size < 93 + len(parts.rows)
    real = np.asarray(parts.real)
    assert sorted(np.asarray(parts.rows)[real].tolist()) == sorted(rows[counts].tolist())
    width = np.array(widths)[np.asarray(parts.rung)]
    of = dict(zip(rows.tolist(), needed.tolist(), strict=True))
    most = [max(of[r] for r in np.asarray(part).tolist()) for part in parts.rows]
    assert all(of[r] <= w for part, w in zip(parts.rows, width, strict=True) for r in np.asarray(part).tolist())
    for found, largest in zip(width, most, strict=True):
        assert found == min(w for w in widths if w >= largest)


@pytest.mark.parametrize(("decisions", "count"), [(40, 8), (41, 8), (3, 8), (5, 1)])
def test_every_decision_is_dealt_to_one_minibatch(decisions, count):
    """Shows that all decisions of all samples are dealt out once, as many of each sample to every minibatch."""
    rows, real = deal(jax.random.key(0), np.arange(6), decisions, count)
    assert rows.shape == (count, 6 * -(-decisions // count))
    assert sorted(np.asarray(rows)[np.asarray(real)].tolist()) == list(range(6 * decisions))
    assert (np.asarray(rows).reshape(count, 6, -1) % 6 == np.arange(6)[:, None]).all()


def test_what_is_dealt_depends_on_the_samples_index_alone():
    """Shows that a device with samples 4 and 5 deals them as a device with all six does."""
    key = jax.random.key(1)
    (all_rows, all_real), (rows, real) = (deal(key, s, 10, 3) for s in (np.arange(6), np.array([4, 5])))
    np.testing.assert_array_equal(all_rows.reshape(3, 6, 4)[:, 4:] // 6, rows.reshape(3, 2, 4) // 2)
    np.testing.assert_array_equal(all_real.reshape(3, 6, 4)[:, 4:], real.reshape(3, 2, 4))


def test_parts_add_up_to_the_whole():
    """Shows that sums over parts of every width are those over the rows, with the rows that only fill up left out."""
    rng = np.random.default_rng(1)
    needed = rng.integers(1, 9, 50)
    values = np.where(np.arange(8) < needed[:, None], rng.integers(1, 100, (50, 8)), 0)
    widths = ladder(8, 6)
    parts = cut(np.arange(50), np.ones(50, bool), needed, widths, 6)

    def part(columns, rows, real):
        return {
            "sum": (jnp.asarray(values)[rows, :columns] * real[:, None].astype(jnp.int32)).sum(),
            "rows": real.sum(),
        }

    taken = jax.jit(lambda parts: accumulate(part, parts, widths))(parts)
    assert jax.tree.map(int, taken) == {"sum": values.sum(), "rows": 50}


@pytest.mark.thorough
def test_an_update_in_parts_is_the_update():
    """Shows that microbatches change the weights after an update by no more than the order of float sums does."""
    (whole, metrics), (parts, of_parts) = (
        jax.jit(step)(*arguments) for step, arguments, _ in (small_update(None), small_update(16))
    )
    chex.assert_trees_all_close(parts.weights, whole.weights, atol=1e-4)
    chex.assert_trees_all_close(of_parts, metrics, rtol=1e-3, atol=1e-5)
