"""Exchanges between two machines: the sums that they are chosen by, and what a search by them reaches."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from jaxshop.schedule import verify
from jaxshop.search.improve import kernels
from jaxshop.search.improve.dispatching import dispatch, floor_of
from jaxshop.search.improve.exchange import HERE, LARGEST, MEMBERS, MOST, OPERATION, SUBSETS, THERE, add_up, fitting
from jaxshop.search.improve.model import HEAD, TAIL, Model, model_of, to_schedule
from jaxshop.search.improve.state import new_state
from jaxshop.search.improve.workers import Exchange
from jaxshop.search.types import Task
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, split_lots
from tests.search.improve.walking import longest_ways
from tests.shops import random_shop


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Have the kernels before any test."""
    kernels.wait(False, None)


def full_centre(seed: int, machines: int, each: int, ticks: int) -> LotPlan:
    """Jobs of one operation that fill `machines` machines for `ticks` each, in one way at least."""
    rng = np.random.default_rng(seed)
    names = tuple(f"M{k}" for k in range(machines))
    cuts = [np.sort(rng.choice(np.arange(1, ticks), each - 1, replace=False)) for _ in names]
    times = np.concatenate([np.diff(cut, prepend=0, append=ticks) for cut in cuts]).tolist()
    jobs = tuple(Job(f"{j}", (Operation(f"{j}", dict.fromkeys(names, t)),)) for j, t in enumerate(times))
    return split_lots(Shop("full", tuple(map(Machine, names)), jobs), None)


def begun(model: Model, seed: int = 0) -> Exchange:
    """A search from a rule's schedule."""
    order, choice = np.empty((2, model.arrays.operations), np.int32)
    dispatch(floor_of(model), 0, False, order, choice)
    return Exchange(model, order, choice, seed)


def test_subsets_and_rooms_are_those_of_plain_python():
    """Shows that sums are those of all small subsets, that an exchange which is drawn fits, and that
    none is missed where times are equal."""
    rng = np.random.default_rng(0)
    missed = found = 0
    for seed in range(60):
        uneven = seed % 2 == 1
        times = {
            f"{j}": {"A": int(t := rng.integers(1, 60)), "B": int(rng.integers(1, 60)) if uneven else int(t)}
            for j in range(8)
        }
        jobs = tuple(Job(j, (Operation(j, row),)) for j, row in times.items())
        arrays = model_of(split_lots(Shop("two", (Machine("A"), Machine("B")), jobs), None)).arrays
        state, most = new_state(arrays, seed), int(rng.integers(1, 4))
        rooms = [room := int(rng.integers(-20, 4)), int(rng.integers(-2, 8)) - room]
        sides, sums = [], []
        for side in range(2):
            given, subsets = np.zeros((3, MOST), np.int64), np.zeros((3, SUBSETS), np.int64)
            for k in range(4):
                given[[OPERATION, HERE, THERE], k] = (
                    4 * side + k,
                    2 * (4 * side + k) + side,
                    2 * (4 * side + k) + 1 - side,
                )
            count = add_up(arrays, given, 4, most, subsets)
            rows = list(times.values())[4 * side : 4 * side + 4]
            own, other = ("A", "B") if side == 0 else ("B", "A")
            expected = {
                (sum(rows[k][own] for k in kept), sum(rows[k][other] for k in kept), sum(1 << k for k in kept))
                for size in range(most + 1)
                for kept in combinations(range(4), size)
            }
            assert {tuple(column) for column in subsets[:, :count].T.tolist()} == expected
            sides.append((subsets, count))
            sums.append(expected)
        fits = {
            (mine[2], yours[2])
            for mine in sums[0]
            for yours in sums[1]
            if mine[2] | yours[2] and yours[1] - mine[0] <= rooms[0] and mine[1] - yours[0] <= rooms[1]
        }
        a, b = fitting(state, *sides[0], *sides[1], *rooms)
        if a < 0:
            missed += bool(fits)
            assert uneven or not fits
        else:
            found += 1
            assert (int(sides[0][0][MEMBERS, a]), int(sides[1][0][MEMBERS, b])) in fits
    assert found > 10
    assert missed < found
    assert sum(len(list(combinations(range(MOST), size))) for size in range(LARGEST + 1)) == SUBSETS


@pytest.mark.parametrize(("machines", "each"), [(2, 9), (3, 7)])
def test_a_centre_is_filled_to_the_tick(machines: int, each: int):
    """Shows that exchanges alone end at the even division of a hundred thousand ticks a machine that there is."""
    plan = full_centre(5, machines, each, 100_000)
    search = begun(model_of(plan))
    assert search.found.cost > 100_000
    search.advance(200, 100_000, 0)
    assert search.found.cost == 100_000


def test_what_exchanges_find_is_a_schedule():
    """Shows that heads and tails follow, that the best is valid and costs what it says, and that what another found is
    where the next cycle begins."""
    plan = split_lots(random_shop(4, 12, 4, 4, 40), None)
    model = model_of(plan)
    search = begun(model)
    began = search.found.cost
    search.advance(6, 0, 0)
    assert search.found.cost < began
    for table in (search.table, search.state.table):
        heads, tails = longest_ways(model.arrays, table)
        n = model.arrays.operations
        assert table[:n, HEAD].tolist() == [heads[i] for i in range(n)]
        assert table[:n, TAIL].tolist() == [tails[i] for i in range(n)]
    schedule = to_schedule(model, search.found.table, Task.of(plan).fingerprint)
    assert verify(plan, schedule) == []
    assert schedule.makespan == search.found.cost
    other = begun(model, 1)
    other.adopt(search.found)
    other.advance(1, 0, 6)
    assert other.found.cost <= search.found.cost
