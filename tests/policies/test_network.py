"""The network: what it must not depend on, and that it starts without an opinion."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.env import JobShop, Observation
from jaxshop.env.features import CONTEXT, FEATURES, PLANT_FEATURES
from jaxshop.env.packing import pack
from jaxshop.env.types import Shape
from jaxshop.policies.acting import greedy, play
from jaxshop.policies.registry import NetworkConfig, make_network
from jaxshop.policies.types import Network
from jaxshop.search.dispatches import dispatch_of, to_schedule
from jaxshop.shop import split_lots
from jaxshop.support.errors import ShopError
from tests.shops import from_routes

KINDS = {kind: make_network(NetworkConfig(kind, width=16, depth=3)) for kind in ("pooled", "gated", "attention")}


@pytest.fixture(scope="module", params=["pooled", "gated", pytest.param("attention", marks=pytest.mark.thorough)])
def network(request) -> Network:
    """Each kind of network in turn."""
    return KINDS[request.param]


@pytest.fixture(scope="module")
def apply(network):
    """Its function of weights and observation, compiled."""
    return jax.jit(network.apply)


@pytest.fixture(scope="module")
def drawn(network):
    """The initial weights of 256 keys, stacked."""
    return jax.jit(jax.vmap(network.initialise))(jax.random.split(jax.random.key(0), 256))


@pytest.fixture(scope="module")
def weights(drawn):
    """Random weights, scaled up so that logits differ by more than rounding."""
    return jax.tree.map(lambda x: 3 * np.asarray(x[1]), drawn)


def observation(seed: int, candidates: int, real: int) -> Observation:
    """Random features; the first `real` candidates are real."""
    rng = np.random.default_rng(seed)
    mask = np.arange(candidates) < real
    features = rng.normal(size=(candidates, FEATURES)).astype(np.float32) * mask[:, None]
    lots = np.arange(candidates, dtype=np.int32)
    return Observation(mask, lots, mask, features, rng.normal(size=CONTEXT).astype(np.float32))


def test_equivariant_to_the_order_of_candidates(apply, weights):
    """Shows that candidates in another order get the same logits in that order, and the state the same value."""
    seen, order = observation(0, 9, 7), np.random.default_rng(0).permutation(9)
    mixed = seen._replace(candidate_mask=seen.candidate_mask[order], features=seen.features[order])
    straight, shuffled = apply(weights, seen), apply(weights, mixed)
    np.testing.assert_allclose(shuffled.logits, straight.logits[order], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(shuffled.value, straight.value, rtol=1e-5)
    assert np.ptp(straight.logits[:7]) > 0.1, "the case must tell candidates apart"


def test_independent_of_padding(apply, weights):
    """Shows that neither how much padding there is nor what stands in it changes logits or value."""
    small, large = observation(0, 9, 9), observation(1, 30, 9)
    filled = np.where(large.candidate_mask[:, None], np.pad(small.features, ((0, 21), (0, 0))), 4.0)
    large = large._replace(features=filled, context=small.context)
    few, many = apply(weights, small), apply(weights, large)
    np.testing.assert_allclose(many.logits[:9], few.logits, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(many.value, few.value, rtol=1e-5)
    assert (many.logits[9:] < many.logits[:9].min() - 1e6).all()


def test_the_plants_columns_say_nothing_before_they_are_learned(apply, weights):
    """Shows that random weights play a plant as the plain shop, and that what is learned of its columns counts."""
    seen = observation(2, 6, 5)
    plant = np.random.default_rng(3).normal(size=(6, PLANT_FEATURES)).astype(np.float32)
    plain, ruled = apply(weights, seen), apply(weights, seen._replace(plant=plant))
    np.testing.assert_array_equal(ruled.logits, plain.logits)
    taught = jax.tree_util.tree_map_with_path(lambda path, x: x + 1 if "plant" in str(path) else x, weights)
    assert np.ptp(np.asarray(apply(taught, seen._replace(plant=plant)).logits[:5] - plain.logits[:5])) > 0.1
    np.testing.assert_array_equal(apply(taught, seen).logits, plain.logits)


def test_a_decision_does_not_see_the_others_of_its_batch(apply, weights):
    """Shows that a batch gives each row what the row gets alone, whatever the masks of the other rows."""
    rows = [observation(seed, 8, real) for seed, real in enumerate((8, 1, 5))]
    batch = jax.tree.map(lambda *x: np.stack(x), *rows)
    together = apply(weights, batch)
    for i, row in enumerate(rows):
        alone = apply(weights, row)
        np.testing.assert_allclose(together.logits[i], alone.logits, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(together.value[i], alone.value, rtol=1e-5)


def test_no_weight_knows_a_number_of_lots_or_machines(network):
    """Shows that weights made for any number of candidates have the same shapes: features, width, heads and 1."""
    shapes = [jax.eval_shape(network.initialise, jax.random.key(0), observation(0, count, count)) for count in (1, 37)]
    assert shapes[0] == shapes[1]
    pooled, mean, heads = 2 * network.width + CONTEXT, network.width + CONTEXT, 4
    known = {1, network.width, FEATURES, CONTEXT, PLANT_FEATURES, pooled, mean, heads, network.width // heads}
    assert {size for array in jax.tree.leaves(shapes[0]) for size in array.shape} <= known


def test_no_rule_stands_in_the_logits(apply, drawn):
    """Shows that without weights every candidate is alike, and that random weights prefer none of them on average."""
    seen = observation(4, 12, 12)
    nothing = jax.tree.map(lambda x: np.zeros_like(x[0]), drawn)
    assert np.ptp(apply(nothing, seen).logits) == 0
    logits = np.asarray(jax.vmap(apply, (0, None))(drawn, seen).logits)
    logits = logits - logits.mean(axis=1, keepdims=True)
    # A fourth of the spread is four standard errors of a mean of 256.
    assert (np.abs(logits.mean(axis=0)) < 0.25 * logits.std(axis=0)).all()
    assert np.isfinite(logits).all()
    assert (logits.argmax(axis=1)[:, None] == np.arange(12)).mean(axis=0).max() < 0.3


def test_an_untrained_policy_is_close_to_uniform(apply, drawn):
    """Shows that training starts from exploring: no candidate of 12 has more than three times its share."""
    for seed in range(8):
        untrained = jax.tree.map(lambda x, seed=seed: x[seed], drawn)
        logits = np.asarray(apply(untrained, observation(seed, 12, 12)).logits)
        assert np.exp(logits - logits.max()).sum() > 12 / 3


@pytest.fixture(scope="module")
def play_greedily(network):
    """(weights, params) -> the final state of the greedy policy's episode, compiled."""

    def greedily(weights, params):
        return play(JobShop(SHAPE), params, greedy(network, weights), jax.random.key(0))

    return jax.jit(greedily)


@pytest.mark.parametrize("seed", range(8))
def test_relabelled_lots_and_machines_give_the_same_schedule(play_greedily, weights, seed: int):
    """Shows equivariance end to end: environment, features and network see no order of lots or machines."""
    rng = np.random.default_rng(seed)
    routes = [
        [
            {int(m): int(rng.integers(100, 10_000)) for m in rng.choice(4, rng.integers(1, 5), replace=False)}
            for _ in range(rng.integers(1, 4))
        ]
        for _ in range(6)
    ]
    free = rng.integers(0, 500, 4)
    lots, machines = rng.permutation(6), rng.permutation(4)  # new position -> old, old -> new
    relabelled = [[{int(machines[m]): t for m, t in op.items()} for op in routes[j]] for j in lots]
    straight = {(row.job, row.operation): row for row in rows_of(play_greedily, weights, routes, free)}
    moved = rows_of(play_greedily, weights, relabelled, free[np.argsort(machines)])
    assert len(moved) == len(straight)
    for row in moved:
        job, step = f"J{lots[int(row.job[1:])]}", row.operation.split("/")[1]
        twin = straight[job, f"{job}/{step}"]
        assert (row.start, row.end, row.machine) == (twin.start, twin.end, f"M{machines[int(twin.machine[1:])]}")


SHAPE = Shape(lots=6, operations=18, choices=4, sets=60, machines=4, pools=5, candidates=6)


def rows_of(play_greedily, weights, routes, free):
    """The greedy policy's schedule."""
    plan = split_lots(from_routes(routes, 4, free=[int(t) for t in free]), None)
    params = jax.tree.map(jnp.asarray, pack(plan, SHAPE))
    return to_schedule(plan, dispatch_of(JobShop(SHAPE), play_greedily(weights, params), params)).rows


@pytest.mark.parametrize("kind", ["pooled", "gated"])
def test_hidden_layers_in_bfloat16_leave_all_else_as_it_is(kind):
    """Shows that weights, stored features, logits and values keep their dtypes, and that scores are near float32's."""
    exact, short = (make_network(NetworkConfig(kind, width=16, dtype=dtype)) for dtype in ("float32", "bfloat16"))
    weights, seen = jax.jit(short.initialise)(jax.random.key(0)), observation(0, 9, 7)
    assert {x.dtype for x in jax.tree.leaves(weights)} == {jnp.dtype("float32")}
    stored = short.stored(jax.tree.map(jnp.asarray, seen))
    assert stored.features.dtype == jnp.float16

    found, expected = jax.jit(short.apply)(weights, seen), jax.jit(exact.apply)(weights, seen)
    assert found.logits.dtype == found.value.dtype == jnp.float32
    assert np.abs(found.logits - expected.logits)[:7].max() < 0.02 * np.abs(expected.logits[:7]).max()
    assert np.abs(jax.jit(short.apply)(weights, short.restored(stored)).logits - found.logits)[:7].max() < 0.02


def test_attention_needs_a_width_that_its_heads_share():
    """Shows one line that names the key, where Flax would end in a traceback."""
    with pytest.raises(ShopError, match=r"^network\.width: attention needs a multiple of 4, not 6$"):
        make_network(NetworkConfig("attention", width=6))


def test_a_kind_that_knows_no_bfloat16_says_so():
    """Shows that a dtype is refused by name where a kind of network does not compute in it."""
    with pytest.raises(ShopError, match="a network 'attention' computes in float32, not bfloat16"):
        make_network(NetworkConfig("attention", dtype="bfloat16"))
