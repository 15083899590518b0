"""The environment under the plant's own rules: against the host's dispatcher, the verifier and brute force."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chex import Array
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.env import JobShop, check_env, make, op_ends, plant
from jaxshop.env import timing as device
from jaxshop.env.packing import pack, pack_stacked, shape_of
from jaxshop.env.placing import Waiting
from jaxshop.env.plant_packing import calendars_of, open_plan
from jaxshop.env.types import NEVER, MachineState, PlantShape, Shape
from jaxshop.policies.acting import play, rule
from jaxshop.policies.rules import RULES
from jaxshop.schedule import Schedule, verify
from jaxshop.schedule.dispatch import RULES as HOST_RULES
from jaxshop.schedule.dispatch import dispatch_by_rule
from jaxshop.search.dispatches import Dispatch, dispatch_of, to_schedule
from jaxshop.shop import Downtime, Job, Machine, Objective, Operation, Shop, split_lots
from jaxshop.shop.calendars import Windows
from jaxshop.views.picture import state_of
from tests.oracles.plant import optimum
from tests.plant import plant_plan, plant_shop
from tests.shops import HOUR, random_shop

SEEDS = (*range(28), 285)
"""Of the last one a set-up saved makes a lot complete sooner on a machine than before."""
AHEAD = range(12)
"""Of shops with several pieces of fixed work ahead of their two machines."""
HELD = (2, 3, 4, 5)
"""Of shops with fixed work behind work that is free."""


def key():
    """A key of its own for everyone who takes one."""
    return jax.random.key(0)


PLANS = (
    *(plant_plan(seed) for seed in SEEDS),
    *(plant_plan(seed, machines=2, frozen=4) for seed in AHEAD),
    *(plant_plan(seed, held=2) for seed in HELD),
)
NAMES = (*SEEDS, *(f"ahead {seed}" for seed in AHEAD), *(f"held {seed}" for seed in HELD))
SHAPE = shape_of(PLANS)
"""Holds every shop of these tests, so that all of them share few compilations."""


NUMBERS = {name: jnp.int32(number) for number, name in enumerate(RULES)}


@partial(jax.jit, static_argnums=0)
def begun(non_delay: bool, params):
    """The first states of stacked shops."""
    return jax.vmap(lambda p: JobShop(SHAPE, non_delay).begin(key(), p))(params)


@partial(jax.jit, static_argnums=0)
def stepped(non_delay: bool, states, lots, params):
    """The next states of stacked shops."""
    return jax.vmap(lambda s, a, p: JobShop(SHAPE, non_delay).advance(key(), s, a, p)[0])(states, lots, params)


@jax.jit
def preferred(number, states, params, keys):
    """The lots that a rule takes, which is traced, so that all share a compilation."""
    return jax.vmap(lambda s, p, key: rule(number)(key, None, s, p))(states, params, keys)


@jax.jit
def read_off(states, params) -> Dispatch:
    """The schedules of final states."""
    return jax.vmap(lambda s, p: dispatch_of(JobShop(SHAPE), s, p))(states, params)


def played(non_delay: bool, number, params) -> Dispatch:
    """The schedules of stacked shops by a rule; step by step, as all tests share the programs of a step."""
    states = begun(non_delay, params)
    for keys in jax.random.split(key(), (SHAPE.operations, len(PLANS))):
        states = stepped(non_delay, states, preferred(number, states, params, keys), params)
    return read_off(states, params)


@pytest.fixture(scope="module")
def stacked():
    """All plans, stacked."""
    return jax.device_put(pack_stacked(PLANS, SHAPE))


def schedules(non_delay: bool, name: str, params) -> list[tuple[Schedule, Dispatch]]:
    """What a rule gives of every plan."""
    fetched = jax.tree.map(np.asarray, played(non_delay, NUMBERS[name], params))
    each = [Dispatch(*(x[i] for x in fetched)) for i in range(len(PLANS))]
    return [(to_schedule(plan, dispatch), dispatch) for plan, dispatch in zip(PLANS, each, strict=True)]


@pytest.mark.thorough
@pytest.mark.parametrize("non_delay", [False, True])
def test_rules_decide_as_they_do_on_the_host(stacked, non_delay: bool):
    """Shows for three rules on 45 shops that environment and host, which share no code, give the same rows.

    Of 12 of them both machines have fixed work ahead, several pieces of it, under calendars and set-ups too; of 4 some
    work is fixed behind work that is free.
    """
    for name in ("MWKR", "SPT", "FIFO"):
        for seed, plan, (found, _) in zip(NAMES, PLANS, schedules(non_delay, name, stacked), strict=True):
            host = dispatch_by_rule(plan, HOST_RULES[name], active=not non_delay)
            assert sorted(found.rows) == sorted(host.rows), (name, seed)


def test_random_play_is_valid_and_costs_what_the_host_says(stacked):
    """Shows that the verifier accepts every schedule, and that its cost is the host's."""
    assert SHAPE.tardiness
    for seed, plan, (schedule, dispatch) in zip(NAMES, PLANS, schedules(False, "random", stacked), strict=True):
        assert verify(plan, schedule) == [], seed
        assert int(dispatch.makespan) == schedule.makespan
        cost = plan.shop.objective.cost(schedule.job_ends, plan.shop.jobs)
        np.testing.assert_allclose(dispatch.cost, cost, rtol=1e-6, atol=1)


def test_a_picture_shows_fixed_work_beside_what_was_dispatched(stacked):
    """Shows that the bars of a final state are the schedule's rows, though fixed operations are not in the arrays."""
    both = list(zip(PLANS, schedules(False, "random", stacked), strict=True))
    assert any(op.fixed for plan, _ in both for lot in plan.lots for op in lot.operations)
    for plan, (schedule, played) in both:
        bars = state_of(plan, played.start, played.end, played.machine).bars
        rows = [(row.machine, f"{row.operation}, lot {row.lot + 1}", row.start, row.end) for row in schedule.rows]
        assert [(plan.shop.machines[bar.machine].id, *bar[2:]) for bar in bars] == rows


def at_the_end(stacked):
    """What `environments_last` gives, without a program for each array's shape."""
    return jax.tree.map(lambda x: np.moveaxis(np.asarray(x), 0, -1), stacked)


@pytest.mark.thorough
@pytest.mark.usefixtures("ranks_meet")
def test_environments_last_are_the_same(stacked):
    """Shows, state by state, that one more axis at the end computes what `vmap` does."""
    env, last = JobShop(SHAPE), at_the_end(stacked)
    step_last = jax.jit(lambda s, a, p: env.advance(key(), s, a, p)[0])
    side = begun(False, stacked)
    end = at_the_end(side)  # as `begin` has it, too, which maps over either axis
    rng = np.random.default_rng(0)
    for _ in range(SHAPE.operations + 1):
        moved = jax.tree.map(lambda x: np.moveaxis(np.asarray(x), -1, 0), end)
        jax.tree.map(np.testing.assert_array_equal, jax.tree.map(np.asarray, side), moved)
        mask = np.asarray(side.mask)
        action = np.array([rng.choice(np.flatnonzero(row)) if row.any() else 0 for row in mask], np.int32)
        side, end = stepped(False, side, action, stacked), step_last(end, action, last)


def test_a_plain_shop_plays_in_the_plants_shape_as_in_its_own():
    """Shows that shops of different make stack: calendars and set-ups that a shop does not have change nothing."""
    plan = split_lots(random_shop(5, jobs=4, machines=3, dated=True), None)
    params = [pack(plan, shape) for shape in (shape_of([plan]), SHAPE)]
    own = jax.jit(lambda p: play(JobShop(shape_of([plan])), p, rule(NUMBERS["MWKR"]), key()))(params[0])
    alike = jax.tree.map(lambda x: np.stack([x] * len(PLANS)), params[1])
    found = played(False, NUMBERS["MWKR"], alike)
    count = int(params[0].operations)
    assert int(own.estimate) == int(found.makespan[0])
    for one, other in zip(
        (*own.schedule[:2], op_ends(own, params[0])), (found.start, found.machine, found.end), strict=True
    ):
        assert one[:count].tolist() == other[0, :count].tolist()


@pytest.mark.thorough
def test_lateness_alone_can_be_the_objective():
    """Shows the promises of the interface on a shop that counts no makespan: its cost is weighted tardiness."""
    plan = split_lots(replace(plant_shop(4), objective=Objective(0.0, 2.0)), None)
    env, params = make(plan)
    state = check_env(env, params)
    schedule = to_schedule(plan, dispatch_of(env, state, params))
    late = sum(
        job.weight * max(0, schedule.job_ends[job.id] - job.due) for job in plan.shop.jobs if job.due is not None
    )
    np.testing.assert_allclose(float(env.cost(state, params)), 2 * late, rtol=1e-6)
    assert late > 0


def test_the_decision_against_brute_force():
    """Shows on 30 shops that no legal play beats all semi-active schedules, and that only set-ups lose the optimum.

    How often and how much, on more shops and with wider decisions, is in docs/architecture.md.
    """
    losing = []
    for seed in range(30):
        plan = split_lots(plant_shop(seed, plain=True), None)
        params = jax.tree.map(lambda x: np.stack([x] * len(PLANS)), pack(plan, SHAPE))
        states = jax.tree.map(lambda x: np.asarray(x)[:1], begun(False, params))
        for _ in range(int(params.operations[0])):
            rows, lots = np.nonzero(states.mask)
            states = _distinct(_children(jax.tree.map(lambda x, rows=rows: x[rows], states), lots, params))
        best, least = int(states.estimate.min()), optimum(plan)
        assert best >= least, seed
        if best > least:
            losing.append(seed)
            assert plan.shop.changeovers, seed
    assert losing == [9, 27]


def _children(states, lots, params):
    """Dispatch `lots` in `states`, as many at a time as there are params, so that nothing compiles twice."""
    done, chunk = [], len(PLANS)
    for begin in range(0, len(lots), chunk):
        part = slice(begin, begin + chunk)
        real = len(lots[part])
        rows = np.minimum(np.arange(chunk), real - 1)
        batch = jax.tree.map(lambda x, part=part, rows=rows: x[part][rows], states)
        after = stepped(False, batch, lots[part][rows].astype(np.int32), params)
        done.append(jax.tree.map(lambda x, real=real: np.asarray(x)[:real], after))
    return jax.tree.map(lambda *x: np.concatenate(x), *done)


def _distinct(states):
    lots, machines = states.lots, states.machines
    keys = np.concatenate([lots.left, lots.ready, machines.free, machines.family], axis=1)
    keys = np.concatenate([keys, machines.number, states.estimate[:, None]], axis=1)
    _, kept = np.unique(keys, axis=0, return_index=True)
    return jax.tree.map(lambda x: x[kept], states)


@st.composite
def closed_windows(draw) -> Windows:
    """Up to six windows that are apart."""
    edges = sorted(draw(st.sets(st.integers(0, 200), max_size=12)))
    edges = edges[: len(edges) // 2 * 2]
    table = np.array(edges, np.int64).reshape(-1, 2)
    return Windows(table[:, 0].copy(), table[:, 1].copy())


@settings(deadline=None)
@given(closed_windows(), st.integers(0, 220), st.integers(1, 60))
def test_open_time_runs_as_the_hosts_windows_do(windows: Windows, ready: int, ticks: int):
    """Shows that clock, opening, closing and fit give the host's starts and ends, interrupted or not."""
    size = PlantShape(calendars=1, windows=8, families=1, tables=1, whole=True)
    closed = np.stack([windows.starts, windows.ends])
    calendars = calendars_of([closed], size, np.zeros(1, np.int32), np.zeros(1, np.int32))
    number, time = jnp.int32(0), jnp.int32(ticks)
    clock = device.open_time(calendars, number, jnp.int32(ready))
    start, end = windows.run(ready, ticks, True)
    assert int(device.opening(calendars, number, clock)) == start
    assert int(device.closing(calendars, number, clock + time)) == end
    whole = device.fit(calendars, number, clock, time)
    start, end = windows.run(ready, ticks, False)
    assert int(device.opening(calendars, number, whole)) == start
    assert int(device.closing(calendars, number, whole + time)) == end


@pytest.mark.parametrize("non_delay", [False, True])
def test_events_are_the_same_whether_anything_has_to_be_whole(non_delay: bool):
    """Shows the short way to first completions against the one that looks at open stretches, with what never starts."""
    families, lots, rng = 4, 40, np.random.default_rng(0)
    params = jax.device_put(pack(PLANS[0], SHAPE))
    assert params.plant is not None

    def drawn(share: float, *shape: int) -> Array:
        return jnp.asarray(np.where(rng.random(shape) < share, NEVER, rng.integers(0, 90, shape)), jnp.int32)

    zeros = jnp.zeros((1, lots), jnp.int32)
    ops = Waiting(drawn(0.2, 1, lots), drawn(0, 1, lots), zeros, zeros, drawn(0, families, 1, lots), zeros[0])
    free, found = tuple(drawn(0.6, families, 1, lots)), []
    for longest in (None, params.plant.calendars.longest):
        calendars = params.plant.calendars._replace(longest=longest)
        given_ = params._replace(plant=params.plant._replace(calendars=calendars, blocks=None))
        events = partial(plant.events, params=given_, non_delay=non_delay)
        found.append(np.asarray(jax.jit(events)(ops, free, MachineState(zeros[0]))))
    np.testing.assert_array_equal(*found)
    assert 0 < (found[0] == NEVER).sum() < lots


def test_a_shape_without_the_rules_refuses_a_plan_with_them():
    """Shows that a plan is never packed without what it has to keep."""
    shape = Shape(lots=9, operations=40, choices=9, sets=20, machines=9, pools=9, candidates=9)
    with pytest.raises(ValueError, match="calendars"):
        pack(PLANS[0], shape)


def test_closed_time_is_known_as_far_as_slow_machines_lead():
    """Shows that shifts do not end before a route on its slowest machines does, though rules take faster ones."""
    shifts = tuple(Downtime(day * 24 * HOUR + 16 * HOUR, (day + 1) * 24 * HOUR) for day in range(100))
    slow = Job("A", (Operation("A", {"F": HOUR, "S": 100 * HOUR}),))
    plan = split_lots(Shop("x", (Machine("F"), Machine("S", unavailable=shifts)), (slow,)), None)
    closed = open_plan(plan).windows
    assert max(windows[1].max(initial=0) for windows in closed) > 100 * HOUR * 24 / 16
