"""Loads levelled to the tick and orders mended: what a walk over loads keeps to, and where the search ends."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from jaxshop.bounds.exact import NO, YES
from jaxshop.schedule import verify
from jaxshop.search.improve import exchange, kernels, levelling, team
from jaxshop.search.improve.dispatching import dispatch, floor_of
from jaxshop.search.improve.levelling import (
    LEVEL,
    STUCK,
    beyond,
    change_sides,
    kept_apart,
    level,
    too_long,
    ways_of,
    weigh,
)
from jaxshop.search.improve.model import AFTER, HEAD, MACHINE, TAIL, TIME, Model, model_of, to_schedule
from jaxshop.search.improve.team import Start, Team
from jaxshop.search.improve.workers import Levelling
from jaxshop.search.types import Task
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, split_lots
from tests.search.improve.walking import longest_ways


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Have the kernels before any test."""
    kernels.wait(False, None)


def routed_centre(seed: int, machines: int, each: int, ticks: int) -> LotPlan:
    """A centre that can be full for `ticks` on each machine, and short work behind or before it elsewhere."""
    rng = np.random.default_rng(seed)
    centre, beside = tuple(f"M{k}" for k in range(machines)), ("A", "B")
    cuts = [np.sort(rng.choice(np.arange(1, ticks), each - 1, replace=False)) for _ in centre]
    jobs = []
    for cut in cuts:
        for k, t in enumerate(np.diff(cut, prepend=0, append=ticks).tolist()):
            j, short = f"{len(jobs)}", int(rng.integers(1, ticks // 40))
            own, other = Operation(j, dict.fromkeys(centre, t)), Operation(f"{j}'", dict.fromkeys(beside, short))
            jobs.append(Job(j, (own, other) if k % 2 == 0 else (other, own)))
    return split_lots(Shop("routed", tuple(map(Machine, centre + beside)), tuple(jobs)), None)


def start_of(model: Model) -> Start:
    """A rule's schedule."""
    order, choice = np.empty((2, model.arrays.operations), np.int32)
    dispatch(floor_of(model), 0, False, order, choice)
    return order, choice


def walk_of(search: Levelling) -> tuple:
    """The arguments of `level` but the last two."""
    return search.arrays, search.state, search.loads, search.verdicts, search.sides, search.ways, *search.sums


def test_loads_are_level_where_a_walk_says_so():
    """Shows that after a walk, begun and continued, each machine has what it is said to have, none more than the bar,
    each operation is on one of its machines, and that a bar under the mean leaves it stuck."""
    search = Levelling(model := model_of(routed_centre(1, 3, 8, 50_000)), *start_of(model), 0, 50_000)
    arrays, table, first = search.arrays, search.state.table, search.arrays.operations + search.arrays.lots
    weigh(arrays, search.state, search.loads)
    search.memory[levelling.BAR], search.memory[levelling.LEAST] = 50_050, 1
    search.memory[levelling.STEPS], work = 100_000, 0
    assert search.loads.max() > 50_050
    while (outcome := level(*walk_of(search), search.memory, work)) == levelling.OVER:
        work += 100
    assert outcome == LEVEL
    assert search.loads.max() <= 50_050
    held = {m: [i for i in range(arrays.operations) if table[i, MACHINE] == first + m] for m in range(arrays.machines)}
    for m, operations in held.items():
        ring, node = [], int(table[first + m, AFTER])
        while node != first + m:
            ring.append(node)
            node = int(table[node, AFTER])
        assert sorted(ring) == operations
        assert sum(int(table[i, TIME]) for i in operations) <= search.loads[m]
        assert all(first + m in arrays.where[arrays.begins[i] : arrays.begins[i + 1]] for i in operations)
    search.memory[levelling.BAR], search.memory[levelling.STEPS] = 30_000, 50
    assert level(*walk_of(search), search.memory, 1 << 60) == STUCK


def two_groups(seed: int) -> LotPlan:
    """Three machines and four, each group with operations of its own, and some that any of the seven may run."""
    rng = np.random.default_rng(seed)
    machines = tuple(f"M{k}" for k in range(7))
    own = [machines[:3]] * 24 + [machines[3:]] * 32 + [machines] * 16
    jobs = [
        Job(f"{j}", (Operation(f"{j}", dict.fromkeys(may, int(rng.integers(900, 9_000)))),))
        for j, may in enumerate(own)
    ]
    return split_lots(Shop("groups", tuple(map(Machine, machines)), tuple(jobs)), None)


def test_sides_with_too_much_in_sum_change_what_they_share():
    """Shows that where one of two groups has too much in sum, operations that both share change sides until neither
    has, loads are followed, and that a walk then lets none cross."""
    plan = two_groups(1)
    search = Levelling(model := model_of(plan), *start_of(model), 0)
    arrays, state, loads, n = search.arrays, search.state, search.loads, search.arrays.operations
    first, groups = n + arrays.lots, np.array([0, 0, 0, 1, 1, 1, 1])
    shared = np.diff(arrays.begins) == 7

    def held() -> np.ndarray:
        return state.table[:n, MACHINE] - first

    weigh(arrays, state, loads)
    bar = -(-int(loads.sum()) // 7) + 20
    began = groups[held()]
    assert max((loads - bar)[groups == g].sum() for g in (0, 1)) > 0
    change_sides(arrays, state, loads, search.sides, *search.sums, bar)
    assert sorted({frozenset(np.flatnonzero(search.sides == side).tolist()) for side in (-1, 1)}, key=len) == [
        {0, 1, 2},
        {3, 4, 5, 6},
    ]
    assert all((loads - bar)[groups == g].sum() <= 0 for g in (0, 1))
    assert loads.tolist() == np.bincount(held(), state.table[:n, TIME], 7).tolist()
    divided = groups[held()]
    assert 0 < (divided != began).sum() <= 2 * exchange.LARGEST
    assert shared[divided != began].all()
    search.memory[levelling.BAR], search.memory[levelling.LEAST], search.memory[levelling.STEPS] = bar, 1, 100_000
    assert level(*walk_of(search), search.memory, 1 << 60) == LEVEL
    assert loads.max() <= bar
    assert groups[held()].tolist() == divided.tolist()


def test_no_sides_where_all_is_shared_or_all_is_too_much():
    """Shows that no sides are told apart, and nothing changes, in a centre that all operations share, and where both
    groups have too much."""
    for plan, below in ((routed_centre(3, 3, 6, 10_000), 0), (two_groups(2), 9_000)):
        search = Levelling(model := model_of(plan), *start_of(model), 0)
        weigh(search.arrays, search.state, search.loads)
        table, bar = search.state.table.copy(), int(search.loads.mean()) - below
        assert search.loads.max() > bar
        change_sides(search.arrays, search.state, search.loads, search.sides, *search.sums, bar)
        assert not search.sides.any()
        assert (search.state.table == table).all()


def test_what_no_order_fits_is_what_no_interruption_helps():
    """Shows that operations of one machine are too long exactly where some of them are: the least that goes before,
    their times, the least behind."""
    rng = np.random.default_rng(2)
    verdicts = set()
    for seed in range(60):
        jobs = []
        for j in range(6):
            before, own, behind = (int(t) for t in rng.integers(1, 30, 3))
            steps = (
                Operation(f"{j}a", {"X": before}),
                Operation(f"{j}b", {"M": own}),
                Operation(f"{j}c", {"Y": behind}),
            )
            jobs.append(Job(f"{j}", steps, release=int(rng.integers(0, 20))))
        model = model_of(split_lots(Shop("one", tuple(map(Machine, "XMY")), tuple(jobs)), None))
        search = Levelling(model, *start_of(model), seed)
        ways, own = ways_of(model.arrays), range(1, 18, 3)
        least = max(
            min(ways[0, i] for i in some)
            + sum(int(model.arrays.least[i]) for i in some)
            + min(ways[1, i] for i in some)
            for size in range(1, 7)
            for some in combinations(own, size)
        )
        machine = model.arrays.operations + model.arrays.lots + 1
        scratch = np.zeros((3, exchange.SUBSETS), np.int64)
        for bar in (least - 1, least):
            verdicts.add(verdict := bool(too_long(model.arrays, search.state, machine, ways, scratch, bar)))
            assert verdict == (bar < least)
        assert not too_long(model.arrays, search.state, machine, ways, scratch[:, :5], 0)
    assert verdicts == {False, True}


def test_a_machine_without_an_order_is_beyond_the_bar():
    """Shows that where no load is beyond the bar, a full machine of which no order fits is."""
    search = Levelling(model := model_of(routed_centre(3, 2, 5, 10_000)), *start_of(model), 0)
    weigh(search.arrays, search.state, search.loads)
    bar, scratch = int(search.loads.max()), search.sums[2]
    ways = search.ways.copy()
    full = int(search.loads.max()) - 1
    assert beyond(search.arrays, search.state, search.loads, search.verdicts, ways, scratch, bar, full) == -1
    search.verdicts[:], ways[1] = levelling.UNKNOWN, bar
    m = beyond(search.arrays, search.state, search.loads, search.verdicts, ways, scratch, bar, full)
    assert search.loads[m] > full


@pytest.mark.parametrize("waits", [True, False])
def test_a_division_that_no_order_fits_is_not_mended(waits: bool):
    """Shows that a full machine whose operations would fit if they were interrupted, but have no order, is told apart,
    that levelling goes on to the division in which each machine has one, and that a machine whose work cannot leave it
    does not keep it from there."""
    either = {j: Operation(f"{j}", dict.fromkeys("MN", t)) for j, t in enumerate((1, 2, 4, 3, 2, 2))}
    behind = {1: (Operation("behind", {"Y": 3}),)}
    ahead = {} if waits else {1: (Operation("ahead", {"X": 2}),)}
    jobs = tuple(
        Job(f"{j}", (*ahead.get(j, ()), step, *behind.get(j, ())), release=2 * (waits and j == 1))
        for j, step in either.items()
    )
    model = model_of(split_lots(Shop("full", tuple(map(Machine, "MNXY")), jobs), None))
    order = np.arange(model.arrays.operations, dtype=np.int32)
    choice = model.arrays.begins[:-1] + np.where(order < len(order) - 3, 0, 1).astype(np.int32)
    search = Levelling(model, order, choice, 0, 7)
    weigh(search.arrays, search.state, search.loads)
    assert search.loads[:2].tolist() == [7, 7]
    search.aim(7)
    assert [search.answer(k) for k in range(2)] == [NO, YES]
    first = search.arrays.operations + search.arrays.lots
    assert not too_long(search.arrays, search.state, np.int64(first), search.ways, search.sums[2], 7)
    assert search.found.cost == 8
    search.advance(2, 7, 0)
    assert search.found.cost == 7


def test_full_machines_are_kept_apart():
    """Shows that operations on a full machine have it alone, others all of theirs but full ones, times included."""
    arrays = model_of(routed_centre(4, 3, 4, 9_000)).arrays
    rng = np.random.default_rng(0)
    choice = np.array([rng.integers(a, b) for a, b in zip(arrays.begins[:-1], arrays.begins[1:], strict=True)])
    full = np.array([True, False, True, False, False])
    kept = kept_apart(arrays, choice, full)
    first = arrays.operations + arrays.lots
    for i in range(arrays.operations):
        every = range(arrays.begins[i], arrays.begins[i + 1])
        own = full[arrays.where[choice[i]] - first]
        expected = [k for k in every if (k == choice[i] if own else not full[arrays.where[k] - first])]
        assert kept.where[kept.begins[i] : kept.begins[i + 1]].tolist() == arrays.where[expected].tolist()
        assert kept.takes[kept.begins[i] : kept.begins[i + 1]].tolist() == arrays.takes[expected].tolist()


@pytest.mark.parametrize(("machines", "each"), [(2, 10), (4, 8)])
def test_a_centre_is_filled_to_the_tick(machines: int, each: int):
    """Shows that where the bound is the even division of a centre, whose work has to wait for other work or is waited
    for, levelling ends there, in a valid schedule that costs what it says."""
    plan = routed_centre(5, machines, each, 100_000)
    model, task = model_of(plan), Task.of(plan)
    search = Levelling(model, *start_of(model), 0, 100_000)
    assert search.found.cost > 100_000
    search.advance(400, 100_000, 0)
    assert search.found.cost == 100_000
    schedule = to_schedule(model, search.found.table, task.fingerprint)
    assert verify(plan, schedule) == []
    assert schedule.makespan == 100_000
    heads, tails = longest_ways(model.arrays, search.table)
    n = model.arrays.operations
    assert search.table[:n, HEAD].tolist() == [heads[i] for i in range(n)]
    assert search.table[:n, TAIL].tolist() == [tails[i] for i in range(n)]


def test_a_division_begins_with_what_another_found():
    """Shows that a search which takes over another's best goes on from it, and never gets worse."""
    plan = routed_centre(6, 3, 7, 80_000)
    model = model_of(plan)
    first, second = (Levelling(model, *start_of(model), seed, 80_000) for seed in range(2))
    first.advance(60, 80_000, 0)
    second_began = second.found.cost
    second.adopt(first.found)
    second.advance(3, 80_000, 60)
    assert second.found.cost <= first.found.cost < second_began


def test_loads_are_levelled_only_near_to_the_goal():
    """Shows that a team has turns for levelling where less than a thousandth is left to the goal, or one tick, that
    it then begins with the best, and that it has none without a goal."""
    shop = routed_centre(7, 2, 6, 90_000).shop
    idle = Job("idle", (Operation("idle", {shop.machines[0].id: 0}),))

    def at_work(goal: int, jobs: tuple[Job, ...] = shop.jobs, cost: int = 90_050) -> set[type]:
        model = model_of(split_lots(replace(shop, jobs=jobs), None))
        two = Team(model, start_of(model), 0, 2, (), goal)
        two._cost = cost
        two._assign()
        return {type(seat.workers[seat.at_work]) for seat in two._seats}

    assert Levelling in at_work(90_000)
    assert Levelling not in at_work(80_000)
    assert Levelling not in at_work(0)
    with_idle = (*shop.jobs, idle)  # times stand in the arrays shifted
    assert Levelling in at_work(90_000, with_idle)
    assert Levelling not in at_work(80_000, with_idle)
    assert 90_050 >> team.CLOSE > 50
    assert Levelling in at_work(500, cost=501)
    assert Levelling not in at_work(500, cost=502)


def test_a_machine_that_stays_empty_is_not_beyond_the_bar():
    """Shows that a machine which is free only long after all is done is left alone, and search ends at the bound."""
    rng = np.random.default_rng(0)
    names = ("A", "B", "C", "late")
    machines = tuple(Machine(name, available_from=900_000 if name == "late" else 0) for name in names)
    jobs = [Job(f"{j}", (Operation(f"{j}", dict.fromkeys(names, int(rng.integers(900, 9000)))),)) for j in range(40)]
    model = model_of(plan := split_lots(Shop("late", machines, tuple(jobs)), None))
    task = Task.of(plan)
    goal = model.scaled(task.certificate.value)
    search = Levelling(model, *start_of(model), 0, goal)
    search.advance(32, goal, 0)
    assert search.found.cost == goal
    assert verify(plan, to_schedule(model, search.found.table, task.fingerprint)) == []


def test_operations_that_take_no_time_take_no_time_on_a_machine():
    """Shows that whether a machine's operations fit is told with some of no time among them, too."""
    times = (40, 0, 30, 0)
    jobs = tuple(Job(f"{j}", (Operation(f"{j}", {"M": t}),)) for j, t in enumerate(times))
    model = model_of(split_lots(Shop("none", (Machine("M"),), jobs), None))
    search = Levelling(model, *start_of(model), 0)
    machine, scratch = len(times) + model.arrays.lots, np.zeros((3, exchange.SUBSETS), np.int64)
    told = [too_long(model.arrays, search.state, machine, search.ways, scratch, model.scaled(bar)) for bar in (69, 70)]
    assert told == [True, False]
