"""Certified bounds by hand, against optima, against schedules, and against a solver that lies; the verdict."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxshop.bounds import assignment, certify, verdict
from jaxshop.bounds.groups import group_operations
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, Shop, split_lots
from jaxshop.sources.generator import generate_shop, random_spec
from jaxshop.sources.reference import reference_shop
from tests.oracles.dispatch import dispatch, random_rule
from tests.oracles.optimum import least_makespan
from tests.shops import from_routes, ft06, random_shop


def plan_of(*routes: list[dict[int, int]], machines: int, **times: list[int]) -> LotPlan:
    """Whole jobs with these routes; an operation is a mapping of machine index to ticks."""
    return split_lots(from_routes(list(routes), machines, **times), None)


def test_load_is_rounded_up():
    """Shows ceil(work at its fastest / machines): 3 + 2 + 2 ticks on two machines need 4."""
    certificate = certify(plan_of([{0: 3, 1: 5}], [{1: 2}], [{0: 2, 1: 2}], machines=2))
    assert certificate.load == 4


@pytest.mark.parametrize(("work", "expected"), [(6, 6), (10, 10), (11, 11), (20, 15), (21, 16)])
def test_a_machine_that_comes_late_only_counts_from_then_on(work: int, expected: int):
    """Shows that a machine available from tick 10 neither helps before nor hinders what is over by then."""
    plan = plan_of(*[[{0: 1, 1: 1}]] * work, machines=2, free=[0, 10])
    certificate = certify(plan)
    assert certificate.load == certificate.assignment == certificate.head_tail == expected


def test_chain_takes_release_and_the_better_of_late_and_slow_machines():
    """Shows 5 (release), then max(5, 9) + 2 = 11 on the late machine against 5 + 8 = 13, then 4 more."""
    certificate = certify(plan_of([{0: 8, 1: 2}, {0: 4}], [{0: 1}], machines=2, release=[5, 0], free=[0, 9]))
    assert (certificate.chain, certificate.name, certificate.job) == (15, "chain", "J0")
    assert certificate.witness == "job J0 runs 15 ticks, one operation after another"


def test_assignment_divides_work_between_fast_and_slow_machines():
    """Shows 3 operations of 2 or 4 ticks: two on the fast machine, one on the slow one, 4 ticks, not 6 / 2 = 3."""
    certificate = certify(plan_of(*[[{0: 2, 1: 4}]] * 3, machines=2))
    assert (certificate.load, certificate.assignment) == (3, 4)


def test_assignment_finds_the_machines_that_too_much_work_needs():
    """Shows operations on {0, 1}, {1, 2} and {0, 2}, 20 ticks each, and an idle machine 3: 60 / 3 = 20, not 15."""
    routes = [[{a: 10, b: 10}] for a, b in ((0, 1), (1, 2), (0, 2)) for _ in range(2)]
    certificate = certify(plan_of(*routes, machines=4))
    assert (certificate.load, certificate.assignment, certificate.head_tail) == (15, 20, 20)
    assert certificate.machines == ("M0", "M1", "M2")


def test_head_and_tail_count_what_must_precede_and_follow():
    """Shows a shared machine with 10 ticks of work that 3 ticks precede and 2 follow, reached by a schedule."""
    plan = plan_of([{0: 3}, {2: 5}, {0: 2}], [{1: 3}, {2: 5}, {1: 2}], machines=3)
    certificate = certify(plan)
    assert (certificate.head_tail, certificate.machines) == (15, ("M2",))
    assert least_makespan(plan) == 15


def test_head_and_tail_leave_out_operations_that_would_weaken_them():
    """Shows that one tick of work without head and tail on the shared machine does not lower the 15 to 11."""
    plan = plan_of([{0: 3}, {2: 5}, {0: 2}], [{1: 3}, {2: 5}, {1: 2}], [{2: 1}], machines=3)
    assert certify(plan).head_tail == 15


def test_head_and_tail_keep_visits_of_one_lot_apart():
    """Shows a machine visited twice: each visit has its own head and tail (6 ticks before, 7 after the first)."""
    plan = plan_of([{0: 6}, {1: 2}, {0: 3}, {1: 4}], [{1: 50}], machines=2)
    group = next(group for group in group_operations(plan)[0] if group.machines.tolist() == [1])
    assert group.heads.tolist() == [6, 11, 0]
    assert group.tails.tolist() == [7, 0, 0]


def test_work_centres_are_tried_as_sets():
    """Shows 12 ticks on each pair of a centre's three machines, 4 ticks before each: 4 + 36 / 3, not 4 + 12 / 2."""
    pairs = [{0: 6, 1: 6}, {1: 6, 2: 6}, {0: 6, 2: 6}] * 2
    shop = from_routes([[{3 + j: 4}, pair] for j, pair in enumerate(pairs)], 9)
    centres = ["press"] * 3 + ["saw"] * 6
    machines = tuple(replace(m, work_centre=c) for m, c in zip(shop.machines, centres, strict=True))
    certificate = certify(split_lots(replace(shop, machines=machines), None))
    assert (certificate.head_tail, certificate.machines) == (16, ("M0", "M1", "M2"))


def test_each_machine_starts_with_another_operation():
    """Shows heads 0, 4, ... and tails 2, 2, ... on two machines: (0 + 4 + 36 + 2 + 2) / 2 = 22, not 0 + 36 / 2 + 2."""
    routes = [[{0: 6, 1: 6}, {2: 2}], [{3: 4}, {0: 6, 1: 6}, {4: 2}], [{5: 4}, {0: 6, 1: 6}, {6: 6}]]
    plan = plan_of(*routes, *[[{7 + i: 4}, {0: 6, 1: 6}, {7 + i: 2}] for i in range(3)], machines=10)
    assert certify(plan).head_tail == 22
    assert certify(plan).value <= least_makespan(plan)


def test_a_machine_may_stay_idle_where_heads_are_long():
    """Shows that the bound of one machine in use holds: the second operation's head makes a second machine useless."""
    plan = plan_of([{0: 3, 1: 3}, {3: 1}], [{2: 20}, {0: 1, 1: 1}, {3: 1}], [{0: 3, 1: 3}, {3: 1}], machines=4)
    assert certify(plan).value <= least_makespan(plan) == 22


def test_weighted_machines_take_the_smallest_heads_and_tails():
    """Shows the weights of a fast and a slow machine with heads 5 and 9: more than either argument alone."""
    routes = [[{2 + i: head}, {0: 4, 1: 8}, {2 + i: 3}] for i, head in enumerate([5, 9, 9, 9, 9, 9])]
    plan = plan_of(*routes, machines=8)
    certificate = certify(plan)
    assert certificate.assignment == 16
    assert 26 <= certificate.head_tail <= least_makespan(plan)


def test_work_that_takes_no_time_bounds_nothing():
    """Shows that operations of 0 ticks (benchmark texts have them) give 0, or the release that they wait for."""
    assert certify(plan_of([{0: 0, 1: 0}, {1: 0}], machines=2)).value == 0
    certificate = certify(plan_of([{0: 0}], [{0: 0, 1: 7}], machines=2, release=[4, 0]))
    assert (certificate.load, certificate.assignment, certificate.head_tail, certificate.chain) == (0, 0, 0, 4)


def test_classic_benchmark():
    """Shows the certificate of FT06: 52 from one machine with heads and tails, where jobs and load say 47."""
    plan = split_lots(ft06(), None)
    certificate = certify(plan)
    assert (certificate.chain, certificate.load, certificate.assignment) == (47, 33, 43)
    assert certificate.value == certificate.head_tail == 52
    assert least_makespan(plan) == 55


@pytest.mark.parametrize("seed", range(40))
def test_no_bound_exceeds_the_optimum(seed: int):
    """Shows every bound on small shops with machine-dependent times, releases and availabilities against CP-SAT."""
    plan = split_lots(random_shop(seed, 4, 3), None)
    certificate = certify(plan)
    assert certificate.value == max(certificate.load, certificate.chain, certificate.assignment, certificate.head_tail)
    assert certificate.value <= least_makespan(plan)


@pytest.mark.parametrize("seed", range(5))
def test_bound_meets_the_optimum_of_shops_built_from_a_full_schedule(seed: int):
    """Shows equality where machines are full from their availability to one common end, so that no slack is left."""
    rng = np.random.default_rng(seed)
    free, end = rng.integers(0, 4, 3).tolist(), 12
    routes = []
    for machine in range(3):
        cuts = np.sort(rng.choice(np.arange(free[machine] + 1, end), 2, replace=False)).tolist()
        for a, b in zip([free[machine], *cuts], [*cuts, end], strict=True):
            routes.append([{machine: b - a, (machine + 1) % 3: b - a + 5}])
    plan = plan_of(*routes, machines=3, free=free)
    assert certify(plan).value == least_makespan(plan) == end


def test_operations_of_no_time_leave_the_assignment_as_it_is():
    """Shows 34 + 6 + 8 = 48 on machine 0, whether or not there is an operation that takes no time on another."""
    routes = [[{0: 6}], [{0: 8}]]
    idle = certify(plan_of(*routes, [{1: 0, 0: 1, 2: 6}], machines=3, free=[34, 51, 60]))
    assert idle.assignment == certify(plan_of(*routes, machines=3, free=[34, 51, 60])).assignment == 48


@pytest.mark.parametrize("seed", range(12))
def test_nested_sets_of_machines_need_no_solver(seed: int, monkeypatch: pytest.MonkeyPatch):
    """Shows the solver's own bound, found without it, for generated shops whose machines come late."""
    rng = np.random.default_rng(seed)
    shop = generate_shop(rng, random_spec(rng, 9, 20))
    late = tuple(replace(machine, available_from=int(rng.integers(0, 300_000))) for machine in shop.machines)
    plan = split_lots(replace(shop, machines=late), None)
    with monkeypatch.context() as patch:
        patch.setattr("scipy.optimize.linprog", None)
        found = certify(plan)
    monkeypatch.setattr(assignment, "tightest_set", lambda *_: None)
    assert certify(plan).assignment in (found.assignment, found.assignment - 1)  # the solver's weights are rounded


@pytest.mark.parametrize("seed", range(12))
def test_no_answer_of_the_solver_can_break_the_certificate(seed: int, monkeypatch: pytest.MonkeyPatch):
    """Shows that random, negative, huge, missing and absent dual values never lift the bound over the optimum."""
    rng = np.random.default_rng(seed)
    plan = split_lots(random_shop(100 + seed, 4, 3), None)
    optimum = least_makespan(plan)
    asked: list[int] = []
    for duals in (
        rng.normal(size=3),
        -rng.random(3),
        np.array([1e300, 1e-300, 0]),
        np.zeros(3),
        np.full(3, np.nan),
        None,
    ):
        x = None if duals is None else np.zeros(1)
        answer = SimpleNamespace(x=x, ineqlin=SimpleNamespace(marginals=duals))
        monkeypatch.setattr("scipy.optimize.linprog", lambda *_, answer=answer, **__: asked.append(1) or answer)
        assert 0 <= certify(plan).assignment <= certify(plan).value <= optimum
    assert len(asked) >= 12


def test_weights_stay_exact_where_int64_would_overflow():
    """Shows a hundred years of work on one machine: the sum of work times weights is still exact."""
    ticks = 2**30 - 1
    plan = plan_of(*[[{0: ticks, 1: ticks}]] * 40, *[[{2: 1}]] * 3, machines=3)
    assert certify(plan).assignment == 20 * ticks


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), jobs=st.integers(1, 7), machines=st.integers(1, 5), active=st.booleans())
def test_no_schedule_beats_the_bound(seed: int, jobs: int, machines: int, active: bool):
    """Shows the certified bound against random dispatching on random flexible shops."""
    plan = split_lots(random_shop(seed, jobs, machines, 5, 40), None)
    assert certify(plan).value <= dispatch(plan, random_rule(seed), active).makespan


def test_order_of_jobs_and_machines_does_not_matter():
    """Shows the same bounds (but for a tick of rounded weights) when jobs and machines are listed backwards."""
    rng = np.random.default_rng(3)
    shop = generate_shop(rng, random_spec(rng))
    backwards = replace(shop, jobs=shop.jobs[::-1], machines=shop.machines[::-1])
    a, b = certify(split_lots(shop, 40.0)), certify(split_lots(backwards, 40.0))
    assert (a.load, a.chain, a.head_tail) == (b.load, b.chain, b.head_tail)
    assert abs(a.assignment - b.assignment) <= 1


def test_a_hundred_factories_are_certified_in_seconds():
    """Shows 41,100 jobs on the reference's machines: the programme's size does not grow with the jobs."""
    shop = reference_shop()
    plan = split_lots(shop, None)
    single = certify(plan)
    started = time.perf_counter()
    many = certify(replace(plan, lots=plan.lots * 100))
    assert time.perf_counter() - started < 20
    assert 100 * single.load - 100 <= many.load <= 100 * single.load
    assert many.assignment == pytest.approx(100 * single.assignment, rel=1e-4)


def hours(value: float) -> int:
    """Ticks of `value` hours."""
    return round(value * TICKS_PER_HOUR)


def test_verdict_names_the_job_that_makes_whole_jobs_impossible():
    """Shows the question that nobody asked: 130 h is out of reach for whole jobs, and which lots bring it back."""
    shop = reference_shop()
    answer = verdict(split_lots(shop, None), hours(130))
    longest = max(shop.jobs, key=lambda job: sum(o.setup + max(o.alternatives.values()) for o in job.operations))
    assert answer.feasible is False
    assert answer.reason == (
        f"a target of 130.00 h is impossible with whole jobs: job {longest.id} runs 332.36 h, one operation after "
        "another; lots of at most 130 h would do"
    )
    assert answer.max_lot_hours_that_would_do == 130
    assert certify(split_lots(shop, 130)).value <= hours(130)


def test_verdict_does_not_exclude_a_target_with_lots():
    """Shows that with 60 h lots 130 h is not excluded, and that nothing more is claimed."""
    answer = verdict(split_lots(reference_shop(), 60), hours(130))
    assert (answer.feasible, answer.max_lot_hours_that_would_do) == (None, None)
    assert answer.reason.startswith("a target of 130.00 h is not excluded: with lots of at most 60 h")


def test_verdict_names_the_machines_where_no_lot_size_helps():
    """Shows a target under the load: machines are to blame, and no lot size is proposed."""
    answer = verdict(split_lots(reference_shop(), 60), hours(100))
    assert (answer.feasible, answer.max_lot_hours_that_would_do) == (False, None)
    assert answer.certificate.machines
    assert answer.certificate.machines[0] in answer.reason
    assert answer.reason.endswith("no lot size was found that would do")


def test_verdict_proposes_lots_that_are_longer_than_the_target_on_slow_machines_alone():
    """Shows work of 4 h on two fast machines, of 40 on a slow one: whole it takes 5 h; in lots of less than 41, 3.1."""
    shop = from_routes([[{0: hours(4), 1: hours(4), 2: hours(40)}]], 3)
    operation = replace(shop.jobs[0].operations[0], setup=hours(1))
    shop = replace(shop, unit="hours", jobs=(replace(shop.jobs[0], operations=(operation,)),))
    answer = verdict(split_lots(shop, None), hours(3.1))
    assert answer.max_lot_hours_that_would_do == 40.99
    assert certify(split_lots(shop, 40.99)).value <= hours(3.1)


def cuttable(release: float = 0.0) -> Shop:
    """One job of 0.5 h set-up and 40 h processing on any of four machines."""
    shop = from_routes([[{m: hours(40) for m in range(4)}]], 4)
    job = shop.jobs[0]
    operation = replace(job.operations[0], setup=hours(0.5))
    return replace(shop, unit="hours", jobs=(replace(job, operations=(operation,), release=hours(release)),))


@pytest.mark.parametrize(
    ("target", "release", "expected"),
    [
        (25, 0, 25.0),  # two lots of 20.5 h; the size itself is what may not pass the target
        (15, 0, 15.0),
        (10.5, 0, 10.5),  # four lots of 10.5 h, one on each machine
        (10.4, 0, None),  # not even the load fits
        (30, 10, 20.4),  # two lots of 20.5 h end at 30.5 h
        (30, 30, None),  # nothing can start in time
    ],
)
def test_verdict_proposes_the_largest_lot_size_that_would_do(target: float, release: float, expected: float | None):
    """Shows the proposal on a job whose lots can be counted by hand: as large as may be, to three digits."""
    shop = cuttable(release)
    answer = verdict(split_lots(shop, None), hours(target))
    assert answer.feasible is False
    assert answer.max_lot_hours_that_would_do == expected
    if expected is not None:
        assert certify(split_lots(shop, expected)).value <= hours(target)


def test_verdict_sees_that_smaller_lots_reach_a_bottleneck_sooner():
    """Shows 10 h before a machine and 10 h on it: two lots need 5 + 10 h there, three 13.3 h, four 12.5 h."""
    shop = replace(from_routes([[{0: hours(10), 1: hours(10)}, {2: hours(10)}]], 3), unit="hours")
    answer = verdict(split_lots(shop, None), hours(13))
    assert answer.max_lot_hours_that_would_do == 6.6  # 20 h in lots of 6.7 h are three


def test_verdict_goes_up_where_set_ups_exceed_small_lots():
    """Shows that a lot size under the set-ups does not end the search for a larger one that would do."""
    shop = from_routes([[{m: hours(10) for m in range(4)}]], 4)
    operation = replace(shop.jobs[0].operations[0], setup=hours(8))
    shop = replace(shop, jobs=(replace(shop.jobs[0], operations=(operation,)),))
    assert verdict(split_lots(shop, None), hours(13)).max_lot_hours_that_would_do == 13.0


def test_verdict_of_a_benchmark_speaks_of_ticks():
    """Shows that no unit is implied where the text had none."""
    answer = verdict(split_lots(ft06(), None), 50)
    assert answer.feasible is False
    assert answer.reason.startswith("a target of 50 ticks is impossible with whole jobs: machine M")
