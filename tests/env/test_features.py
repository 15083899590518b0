"""What a policy sees of the sets of machines that bind lots."""

from __future__ import annotations

from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.env import CONTEXT_NAMES, FEATURE_NAMES, PLANT_NAMES, JobShop, explain, make, pack, shape_of
from jaxshop.shop import (
    TICKS_PER_HOUR,
    Calendar,
    Changeover,
    Job,
    Machine,
    Objective,
    Operation,
    Shift,
    Shop,
    split_lots,
)
from jaxshop.sources.generator import generate_shop, random_spec
from jaxshop.support.errors import ShopError
from tests.env.test_environment import SHAPE, in_shape, stepper
from tests.shops import from_routes, random_shop


def sums(plan, params, state):
    """Work, queue and busy time of every set in bounds, counted anew from lots and machines."""
    member = np.asarray(params.sets.member)
    index = {m.id: i for i, m in enumerate(plan.shop.machines)}
    bound = float(params.bound)
    work, queue = np.zeros(len(member)), np.zeros(len(member))
    flat = 0
    for number, lot in enumerate(plan.lots):
        for operation in lot.operations:
            machines = [index[m] for m in operation.alternatives]
            holders = np.flatnonzero(member[:, machines].all(axis=1))
            least = (operation.setup + min(operation.alternatives.values())) / bound
            if holders.size and flat >= int(state.lots.op[number]) and int(state.schedule.start[flat]) < 0:
                smallest = member[holders].sum(axis=1).min()
                home = member[holders[member[holders].sum(axis=1) == smallest][0]]
                around = (member | ~home).all(axis=1)
                work += least * around
                queue += least * around * (flat == int(state.lots.op[number]))
            flat += 1
    free = np.asarray(state.machines.free) / bound
    return work, queue, np.where(member, free, 0.0).sum(axis=1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sums_of_sets_equal_those_counted_anew(seed):
    """Shows that work, queue and busy time of every set stay what a count from scratch gives, at every step."""
    if seed == 2:
        rng = np.random.default_rng(5)
        shop = generate_shop(rng, random_spec(rng, 8, 8))
        env, params = make(shop)
    else:
        shop, env = random_shop(seed, jobs=4), JobShop(SHAPE)
        _, params = in_shape(shop)
    plan = split_lots(shop, None)
    reset, step = stepper(env)
    obs, state = reset(jax.random.key(0), params)
    for i in range(int(params.operations)):
        for name, expected in zip(("work", "queue", "busy"), sums(plan, params, state), strict=True):
            np.testing.assert_allclose(getattr(state.sets, name), expected, atol=1e-5, err_msg=f"{name} at step {i}")
        legal = np.flatnonzero(obs.action_mask)
        obs, state, *_ = step(jax.random.key(i), state, jnp.int32(legal[i % legal.size]), params)


def test_how_late_a_machine_comes_after_the_bound_does_not_matter():
    """Shows that a machine that is out for ten years looks to a policy like one that comes just after the bound."""
    routes = [[{0: 5, 1: 5}], [{0: 6}], [{0: 4, 1: 4}, {2: 3}]]
    seen = []
    for late in (20, 10**8):
        _, params = in_shape(from_routes(routes, 3, free=[0, late, 0]))
        assert int(params.bound) < 20
        reset, step = stepper(JobShop(SHAPE))
        obs, state = reset(jax.random.key(0), params)
        for _ in range(3):
            seen.append((obs.features, obs.context))
            obs, state, *_ = step(jax.random.key(0), state, state.first, params)
    chex.assert_trees_all_close(seen[:3], seen[3:], atol=1e-6)


def test_padding_does_not_change_what_a_slow_machine_looks_like():
    """Shows features where the last operation of the only lot that competes runs longer there than at its fastest."""
    plan = split_lots(from_routes([[{0: 9, 1: 3}]], 2, free=[0, 5]), None)
    tight = shape_of([plan])
    wide = replace(tight, lots=3, candidates=3)
    seen = [
        np.asarray(stepper(JobShop(s, non_delay=True))[0](jax.random.key(0), pack(plan, s))[0].features)[0]
        for s in (tight, wide)
    ]
    np.testing.assert_allclose(*seen, atol=1e-6)


def test_a_lot_with_a_tail_cannot_wait_behind_one_without():
    """Shows, in figures made by hand, that a set's work and the tail behind it say which lot cannot go last there."""
    long, tailed = [{0: 8, 1: 8}], [{0: 4, 1: 4}, {2: 6}]
    _, params = in_shape(from_routes([long, long, tailed], 3))
    obs, _ = stepper(JobShop(SHAPE))[0](jax.random.key(0), params)
    assert int(params.bound) == 10
    assert np.asarray(obs.action_mask).tolist() == [True] * 3 + [False] * 2
    seen = [explain(obs, lot) for lot in range(3)]
    # The two machines end at 20 / 2. Last there, a long lot would end at 10 - 8 / 2 + 8, the other at 10 - 4 / 2 + 10.
    np.testing.assert_allclose([x["done if last"] for x in seen], [4 * 0.4, 4 * 0.4, 4 * 0.8], atol=1e-5)
    behind = [x["done behind the latest if last"] for x in seen]
    np.testing.assert_allclose(behind, [-4 * 0.4, -4 * 0.4, 0.0], atol=1e-5)


def test_work_that_cannot_leave_a_narrow_set_threatens_those_who_can():
    """Shows that a lot that may also run elsewhere sees how tight the narrow set around the machine is."""
    narrow, broad = [{0: 5}], [{0: 5, 1: 5, 2: 5}]
    _, params = in_shape(from_routes([narrow, narrow, broad], 3))
    obs, state = stepper(JobShop(SHAPE))[0](jax.random.key(0), params)
    assert int(state.machine) == 0
    threat = [explain(obs, lot)["threat to narrower sets"] for lot in range(3)]
    # Two operations of 5 cannot leave machine 0, the bound is 10; the broad lot would add 5: 15 / 10 - 1.
    np.testing.assert_allclose(threat[2], 4 * 0.5, atol=1e-5)
    np.testing.assert_allclose(threat[:2], 4 * -0.5, atol=1e-5)


def test_what_set_ups_closed_time_and_due_dates_say():
    """Shows the plant's columns of a shop computed by hand: set-up, closed hours, family, due date, weight, slack."""
    hour = TICKS_PER_HOUR
    machine = Machine("press", family="red", calendar="day")
    day = Calendar("day", "UTC", ((Shift(0, 8 * hour),),) * 7)

    def job(name: str, hours: int, family: str, due: int | None, weight: float) -> Job:
        return Job(name, (Operation("1", {"press": hours * hour}, family=family),), due=due, weight=weight)

    jobs = (job("A", 6, "red", 10 * hour, 3.0), job("B", 4, "blue", None, 1.0), job("C", 2, "blue", 26 * hour, 1.0))
    changes = (Changeover("blue", hour, "red", machine="press"), Changeover("red", hour, "blue", machine="press"))
    shop = Shop(
        "plant",
        (machine,),
        jobs,
        plan_start="2026-11-23T00:00:00Z",
        calendars=(day,),
        changeovers=changes,
        objective=Objective(1.0, 1.0),
    )
    env, params = make(shop)
    obs, _ = stepper(env)[0](jax.random.key(0), params)
    assert obs.plant.shape == (3, len(PLANT_NAMES))
    bound = int(params.bound) / hour
    seen = [{name: explain(obs, lot)[name] for name in PLANT_NAMES} for lot in range(3)]
    np.testing.assert_allclose([x["set-up by sequence"] for x in seen], [0.0, 8 / bound, 8 / bound], rtol=1e-5)
    assert [x["share of the family"] for x in seen] == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert [x["has a due date"] for x in seen] == [1, 0, 1]
    assert [x["weight"] for x in seen] == pytest.approx([0.5 * 3 / 2, 0.0, 0.5 * 1 / 2])
    np.testing.assert_allclose([x["slack"] for x in seen], [3 * 4 / bound, 0.0, 3 * (26 - 3) / bound], rtol=1e-5)
    assert [x["closed before the end"] for x in seen] == [0.0, 0.0, 0.0]
    assert seen[0]["apparent tardiness cost"] == 1.0 > seen[2]["apparent tardiness cost"] > seen[1]["late"] == 0.0


def test_every_column_has_a_name():
    """Shows that names are unique, as many as the columns of an observation, and in their order."""
    _, params = in_shape(from_routes([[{0: 5}, {1: 2}], [{0: 3}]], 2))
    obs, _ = stepper(JobShop(SHAPE))[0](jax.random.key(0), params)
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES) == obs.features.shape[1]
    assert len(set(CONTEXT_NAMES)) == len(CONTEXT_NAMES) == obs.context.shape[0]
    assert list(explain(obs, 1).values()) == obs.features[obs.candidates.tolist().index(1)].tolist()


def test_what_is_seen_of_a_lot_can_be_told():
    """Shows values by name that follow from the shop at sight, and that a lot out of sight is refused."""
    _, params = in_shape(from_routes([[{0: 4}, {1: 4}], [{0: 3}], [{1: 9}]], 2))
    obs, state = stepper(JobShop(SHAPE))[0](jax.random.key(0), params)
    bound = int(params.bound)
    assert (int(state.machine), int(state.first)) == (0, 1)
    seen = explain(obs, 0)
    np.testing.assert_allclose(seen["time"], 8 * 4 / bound, rtol=1e-6)
    np.testing.assert_allclose(seen["work remaining"], 3 * 8 / bound, rtol=1e-6)
    assert (seen["has a next operation"], seen["completes first"], explain(obs, 1)["completes first"]) == (1, 0, 1)
    with pytest.raises(ShopError, match="lot 2: is not among the candidates"):
        explain(obs, 2)
