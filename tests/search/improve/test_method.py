"""The method `improve`: at the optimum of small shops, and the same schedule for the same work however it is sliced."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxshop.bounds import certify
from jaxshop.schedule import Schedule, verify
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.search import types
from jaxshop.search.improve import kernels, team
from jaxshop.search.improve.dispatching import dispatch, floor_of
from jaxshop.search.improve.method import SOURCE, Improve
from jaxshop.search.improve.model import model_of
from jaxshop.search.improve.workers import IteratedGreedy, TabuSearch
from jaxshop.search.slices import seed_of
from jaxshop.search.types import Incumbent, Stop, Task
from jaxshop.shop import LotPlan, split_lots
from tests.oracles import brute_force
from tests.oracles.optimum import least_makespan
from tests.shops import KINDS, ft06, job_shop, random_shop, small_plans, with_times_of

EACH = 28
"""Plans of each kind: 308 in all."""

WORK = 14 + 250
"""Every rule, and pieces of search."""

BEHIND = 14 + 10
"""For searches that go on behind the optimum, to look for what there must not be."""

FEW, MANY = 37, 7
"""One search in so many goes on. Both are odd, so that they meet either number of threads; on a shop of one operation
it takes ten times as long, and the plain run has time for a single one."""


NO_ACCOUNT = replace(certify(split_lots(ft06(), None)), machines=())
"""Stands for a plan's certificate; it names no machines, as they would be another plan's."""


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Have the kernels before any limit begins."""
    kernels.wait(False, None)


@dataclass
class Ticking:
    """A clock that goes on by so much whenever it is looked at."""

    step: float
    now: float = 0.0

    def __call__(self) -> float:
        """The time."""
        self.now += self.step
        return self.now


def searched(plan: LotPlan, stop: Stop, threads: int = 2, seed: int = 0, start: Schedule | None = None):
    """All incumbents of a search."""
    return list(Improve(start, threads=threads).search(Task(plan, NO_ACCOUNT), seed, stop))


def assert_sound(plan: LotPlan, incumbents: list[Incumbent]) -> None:
    """Every incumbent is valid, costs what it says, and is better than the one before."""
    costs = [each.cost for each in incumbents]
    assert costs == sorted(set(costs), reverse=True)
    for each in incumbents:
        assert verify(plan, each.schedule) == []
        assert each.schedule.makespan == each.cost


@pytest.mark.parametrize("kind", ["flexible", "recirculating", "waste"])
def test_whatever_the_limit_its_work_gives_the_same_schedule(kind: str):
    """Shows on a shop whose times differ by machine, one where they do not, and one where a start that weighs waste is
    better than every rule that a search which a limit ends among the rules, while waste is weighed, while work is
    divided by loads, or behind that, ends with what its work gives without a clock."""
    plan = split_lots(random_shop(0, 12, 4, 4, 40), None) if kind == "waste" else KINDS[kind](1)
    sources = set()
    for limit in range(8, 100, 3):
        stop = Stop(limit, clock=Ticking(1))
        found = searched(plan, stop)
        sources.add((found[-1].source, stop.built["weighed"], stop.built["improve"]))
        assert found[-1].schedule == searched(plan, Stop(work=stop.done))[-1].schedule
    assert ((SOURCE, 1, 0) in sources) == (kind == "waste")  # and no team had begun


@pytest.mark.parametrize(
    "every", [FEW, pytest.param(MANY, marks=pytest.mark.thorough)], ids=["few behind", "many behind"]
)
def test_the_search_ends_at_the_optimum_of_small_shops(every: int):
    """Shows on 308 shops of eleven kinds that no schedule is below CP-SAT's optimum, and that 95 % are at it."""
    missed = []
    plans = small_plans(EACH)
    for k, (name, plan) in enumerate(plans):
        least = least_makespan(plan)
        stop = Stop(work=WORK, target=least) if k % every else Stop(work=BEHIND)
        incumbents = searched(plan, stop, threads=1 + k % 2)
        assert_sound(plan, incumbents)
        assert incumbents[-1].cost >= least, name
        if incumbents[-1].cost > least:
            missed.append(name)
    assert len(missed) <= 0.05 * len(plans), missed


def test_times_are_as_wide_as_they_have_to_be():
    """Shows int32 where the longest way there can be fits, to the tick, with operations of no time and without."""
    for name in ("idle", "flexible", "dated"):
        shop = KINDS[name](0).shop
        model = model_of(split_lots(shop, None))
        assert not model.wide
        assert (name == "idle") == (model.shift > 0)
        begins = model.arrays.begins[:-1]
        slowest = np.maximum.reduceat(model.arrays.takes.astype(np.int64) >> model.shift, begins).sum()
        begun = max(max(machine.available_from for machine in shop.machines), max(job.release for job in shop.jobs))
        most = ((2**31 - 1 >> model.shift) - 1) // int(slowest + begun)
        for times, wide in ((most, False), (most + 1, True)):
            assert model_of(split_lots(with_times_of(shop, times), None)).wide == wide


def test_cp_sat_and_brute_force_agree():
    """Shows that the oracle of the test above can be trusted, on the smallest shops, which have no lots."""
    for name, plan in small_plans(5):
        if plan.max_lot_hours is None and sum(len(lot.operations) for lot in plan.lots) <= 9:
            assert least_makespan(plan) == brute_force.optimum(plan.shop), name


PLANS = {
    "job shop": split_lots(job_shop(3, 6, 6, 30), None),
    "flexible": split_lots(random_shop(4, 10, 4, 5, 30), None),
    **{name: plan for name, plan in small_plans(3)[2::3] if name.startswith(("idle", "due", "recirculating"))},
}


OFTEN = {"job shop", "flexible", "due 2"}
"""What a plain run looks at; the others are for the thorough one."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in OFTEN else pytest.mark.thorough) for name in PLANS]
)
def test_the_same_work_gives_the_same_schedule_however_it_is_sliced(monkeypatch, name: str):
    """Shows that clocks that make slices of one piece of work, or of as many as there may be, lead to the same end with
    one and three workers, although other incumbents are shown on the way."""
    plan = PLANS[name]
    monkeypatch.setattr(team, "EPOCH", 12)
    for threads in (1, 3):
        ends = []
        for step in (1.0, 0.0):
            stop = Stop(work=14 + 20, clock=Ticking(step))
            ends.append((searched(plan, stop, threads)[-1].schedule, stop.done))
        assert all(end == ends[0] for end in ends), threads


def test_another_seed_finds_another_schedule():
    """Shows that chance is drawn from the seed, whatever kind it is of."""
    plan = PLANS["flexible"]
    ends = [searched(plan, Stop(work=14 + 4), seed=seed)[-1].schedule for seed in (0, 1, 0)]
    assert ends[0] == ends[2] != ends[1]


def test_a_search_under_a_time_limit_can_be_had_again():
    """Shows that asking for the work that a limit left time for gives the same schedule and work."""
    plan = PLANS["job shop"]
    limited = Stop(seconds=0.3, clock=time.process_time)  # whatever else runs on the machine
    first = searched(plan, limited)[-1]
    asked = Stop(work=limited.done)
    assert searched(plan, asked)[-1].schedule == first.schedule
    assert asked.done == limited.done > 14


def test_an_optimal_start_is_the_answer():
    """Shows that no work is done where the start is as good as can be, and that a start is never lost."""
    plan = PLANS["job shop"]
    start = searched(plan, Stop(work=14 + 20))[-1].schedule
    stop = Stop(work=100, target=start.makespan)
    (only,) = searched(plan, stop, start=start)
    assert (only.schedule, only.source, stop.done) == (start, "start", 0)
    assert_sound(plan, incumbents := searched(plan, Stop(work=30), start=start))
    assert incumbents[0].schedule == start


def test_the_last_verification_is_within_the_limit(monkeypatch):
    """Shows that a search whose schedules take 0.3 s to verify ends so long before its limit."""

    def slowly(task, schedule, source):
        time.sleep(0.3)

    monkeypatch.setattr(types, "require_valid", slowly)
    plan = PLANS["job shop"]
    costs = []
    for seconds in (0.5, 1.2):
        stop = Stop(seconds)
        found = searched(plan, stop, start=dispatch_by_rule(plan, RULES["SPT"], active=False))
        assert stop.elapsed < seconds + 0.1
        costs.append(found[-1].cost)
    assert costs[0] > costs[1]  # no time for a second one, and some


def test_keys_are_told_apart():
    """Shows that a key of JAX's stands for a number of its own: neighbours in either half, and halves that shift."""
    halves = [(0, 1 << 20), (1, 0), (0, 1), (1, 1 << 31), (1 << 31, 1)]
    keys = [jax.random.wrap_key_data(jnp.array(pair, jnp.uint32)) for pair in halves]
    assert len({seed_of(key) for key in keys}) == len(halves)
    assert seed_of(7) == 7


def test_a_search_alone_keeps_its_best_when_it_begins_anew(monkeypatch):
    """Shows that one seat that begins again from the start, over and over, never falls behind what it had found."""
    monkeypatch.setattr(team, "EPOCH", 1)
    model = model_of(PLANS["job shop"])
    order, choice = np.empty((2, model.arrays.operations), np.int32)
    dispatch(floor_of(model), 0, False, order, choice)
    alone, costs = team.Team(model, (order, choice), 0, 1), []
    with ThreadPoolExecutor(1) as pool:
        for _ in range(12):
            alone.advance(1, 0, pool)
            costs.append(alone.winner.cost)
    assert costs == sorted(costs, reverse=True)


def test_a_cooling_is_amid_until_its_last_pieces():
    """Shows that of the 64 pieces of its first cooling iterated greedy wants to go on for the first 48, and tabu search
    never does."""
    model = model_of(PLANS["job shop"])
    order, choice = np.empty((2, model.arrays.operations), np.int32)
    dispatch(floor_of(model), 0, False, order, choice)
    cooling, search = IteratedGreedy(model, order, choice, 0), TabuSearch(model, order, choice, 0)
    wants = []
    for done in range(0, 64, 16):
        cooling.advance(16, -1, done)
        wants.append(cooling.amid)
    assert wants == [True, True, False, False]
    assert not search.amid
