"""The centre's work divided anew: which centre there is, that it is mended to the optimum, and what it proves."""

from __future__ import annotations

import numpy as np
import pytest

from jaxshop.schedule import verify
from jaxshop.search.improve import kernels
from jaxshop.search.improve.dispatching import dispatch, floor_of
from jaxshop.search.improve.dividing import Dividing, centre_of
from jaxshop.search.improve.graph import cost_of
from jaxshop.search.improve.model import MACHINE, Model, model_of, to_schedule
from jaxshop.search.improve.team import Start, Team
from jaxshop.search.improve.workers import placed
from jaxshop.search.types import Task
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, split_lots

CENTRE, BESIDE = ("M0", "M1", "M2"), ("A", "B")
TICKS = 40_000


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Have the kernels before any test."""
    kernels.wait(False, None)


def full_centre(seed: int, each: int = 8) -> LotPlan:
    """Three machines that can be full for `TICKS`, work that takes longer elsewhere, and short work beside it; some of
    that may run in the centre, too."""
    rng = np.random.default_rng(seed)
    jobs = []
    for own in range(len(CENTRE)):
        cuts = np.sort(rng.choice(np.arange(1, TICKS), each - 1, replace=False))
        for k, t in enumerate(np.diff(cuts, prepend=0, append=TICKS).tolist()):
            times = {m: t if m == CENTRE[own] else t + int(rng.integers(1, 2 + t // 4)) for m in CENTRE}
            j, short = f"{len(jobs)}", int(rng.integers(1, TICKS // 40))
            short_times = dict.fromkeys((*BESIDE, CENTRE[own]) if k % 3 == 0 else BESIDE, short)
            both = Operation(j, times), Operation(f"{j}'", short_times)
            jobs.append(Job(j, both if k % 2 == 0 else both[::-1]))
    return split_lots(Shop("centre", tuple(map(Machine, CENTRE + BESIDE)), tuple(jobs)), None)


def start_of(model: Model) -> Start:
    """A rule's schedule."""
    order, choice = np.empty((2, model.arrays.operations), np.int32)
    dispatch(floor_of(model), 0, False, order, choice)
    return order, choice


def search_of(plan: LotPlan, seed: int = 0) -> Dividing:
    """The search that begins with it."""
    model = model_of(plan)
    centre = centre_of(model.arrays, (0, 1, 2))
    assert centre is not None
    return Dividing(model, *start_of(model), seed, 0, centre)


def test_a_centre_has_what_runs_nowhere_else():
    """Shows which operations a centre has, what they take on its machines, what precedes and follows them on the route,
    and that there is none of one machine, of few operations, of too many, or where times are wide."""
    plan = full_centre(0, each=4)
    arrays = model_of(plan).arrays
    centre = centre_of(arrays, (2, 0, 1))
    assert centre is not None
    operations = [operation for lot in plan.lots for operation in lot.operations]
    own = [i for i, operation in enumerate(operations) if set(operation.alternatives) <= set(CENTRE)]
    assert centre.pool.operations.tolist() == own
    assert centre.pool.machines.tolist() == [0, 1, 2]
    assert centre.pool.times.tolist() == [[operations[i].alternatives[m] for m in CENTRE] for i in own]
    shortest = [min(operation.alternatives.values()) for operation in operations]
    assert centre.heads.tolist() == [0 if i % 2 == 0 else shortest[i - 1] for i in own]
    assert centre.tails.tolist() == [shortest[i + 1] if i % 2 == 0 else 0 for i in own]
    assert centre_of(arrays, (0,)) is None
    assert centre_of(arrays, (3, 4)) is not None
    assert centre_of(model_of(full_centre(0, each=1)).arrays, (0, 1, 2)) is None
    assert centre_of(model_of(full_centre(0, each=34)).arrays, (0, 1, 2)) is None
    wide = arrays._replace(takes=arrays.takes.astype(np.int64))
    assert centre_of(wide, (0, 1, 2)) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_full_centre_is_found(seed: int):
    """Shows that from a rule's schedule a centre that can be full but for a little is found so by division, that what
    is proven on the way never exceeds what is found, and that the schedule is valid."""
    search = search_of(plan := full_centre(seed))
    assert search.best > 1.05 * TICKS
    for piece in range(400):
        search.advance(1, -1, piece)
        assert search.goal <= search.best == cost_of(search.arrays, search.table)
    assert 0.95 * TICKS < search.goal <= search.best <= 1.01 * TICKS
    task = Task.of(plan)
    assert verify(plan, to_schedule(task.model, search.table, task.fingerprint)) == []


def test_the_centre_is_left_to_its_own_work():
    """Shows that a division is followed to the letter: each of the centre's operations is where it is to be, and what
    can run elsewhere does."""
    search = search_of(full_centre(5))
    arrays, pool = search.arrays, search.centre.pool
    owner = np.random.default_rng(0).integers(0, 3, len(pool.operations))
    search.place(owner)
    where = search.state.table[: arrays.operations, MACHINE] - arrays.operations - arrays.lots
    assert where[pool.operations].tolist() == owner.tolist()
    assert (np.delete(where, pool.operations) >= 3).all()


def test_the_same_work_gives_the_same_schedule():
    """Shows that it does not matter in how many calls the work is done."""
    tables = []
    for calls in (1, 10):
        search = search_of(full_centre(6), seed=3)
        for k in range(calls):
            search.advance(100 // calls, -1, k * 100 // calls)
        tables.append(search.table)
    assert (tables[0] == tables[1]).all()


def test_what_is_proven_gets_no_more_turns():
    """Shows that of many turns the centre gets some, none far from the goal, and none once one search of it has proven
    that no schedule is shorter."""
    model = model_of(full_centre(8))
    order, choice = start_of(model)
    cost = placed(model, order, choice).cost

    def turns(goal: int, proven: bool) -> int:
        team = Team(model, (order, choice), 0, 2, (), goal, (0, 1, 2))
        kind = [maker for maker, _ in team._kinds].index(Dividing)
        worker = team._seats[0].workers.setdefault(kind, team._new(kind, 0))
        assert isinstance(worker, Dividing)
        if proven:
            worker.goal = worker.best
        taken = 0
        for _ in range(40):
            team._assign()
            taken += sum(seat.at_work == kind for seat in team._seats)
        return taken

    assert turns(cost - 500, proven=False) > 0
    assert turns(cost - 500, proven=True) == 0
    assert turns(cost // 2, proven=False) == 0


def test_a_better_schedule_is_taken_over():
    """Shows that another's schedule is what the next division begins with, and that nothing is done once it is at the
    goal."""
    ahead, behind = (search_of(full_centre(7), seed=seed) for seed in (0, 1))
    ahead.advance(200, -1, 0)
    behind.adopt(ahead.found)
    assert behind.best == ahead.best < 1.05 * TICKS
    behind.goal = behind.best
    behind.advance(5, -1, 0)
    assert behind.found.cost == ahead.found.cost
