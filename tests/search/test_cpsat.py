"""The method `cpsat`: at the optimum of small shops, prompt, and honest about what is missing."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from jaxshop.schedule import verify
from jaxshop.schedule.dispatch import RULES, best_rule, dispatch_by_rule
from jaxshop.search import cpsat
from jaxshop.search.cpsat import CpSat
from jaxshop.search.solver import polish, solve
from jaxshop.search.types import Incumbent, Options, Stop, Task
from jaxshop.shop import split_lots
from jaxshop.sources import load_shop
from jaxshop.support.errors import ShopError
from tests.oracles.brute_force import optimum
from tests.shops import from_routes, ft06, random_shop, with_idle_operations


def found(task: Task, method: CpSat, stop: Stop | None = None, seed: int = 0) -> list[Incumbent]:
    """Every incumbent of a search that runs to its end."""
    return list(method.search(task, seed, stop or Stop()))


@pytest.fixture(scope="module")
def hard() -> Task:
    """A job shop of 300 operations, which no seconds suffice for."""
    return Task.of(split_lots(load_shop("family:jobshop:4"), None))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("idle", [False, True], ids=["", "idle"])
def test_small_shops_end_at_the_optimum(seed: int, idle: bool):
    """Releases, late machines, machine-dependent times, recirculation, operations of 0 ticks: against brute force."""
    shop = random_shop(seed)
    shop = with_idle_operations(shop, seed) if idle else shop
    task, proven = Task.of(split_lots(shop, None)), []
    incumbents = found(task, CpSat(workers=1, bound=proven.append))
    least = optimum(shop)
    assert incumbents[-1].cost == incumbents[-1].schedule.makespan == least
    costs = [each.cost for each in incumbents]
    assert costs == sorted(set(costs), reverse=True)
    assert not [each for each in incumbents if verify(task.plan, each.schedule)]
    assert max([task.certificate.value, *proven]) == least
    assert proven == sorted(set(proven))


def test_a_known_job_shop_is_proven_with_two_workers():
    """Fisher and Thompson's 6 x 6: 55, where the certificate says less."""
    task, proven = Task.of(split_lots(ft06(), None)), []
    best = found(task, CpSat(workers=2, bound=proven.append))[-1]
    assert task.certificate.value < best.cost == proven[-1] == 55
    assert best.source == "search:cpsat"


def test_lots_are_scheduled_one_by_one():
    """Lots of a job are told apart; the schedule is of the plan that was cut."""
    routes = [[{0: 7200, 1: 9000}, {1: 3600}], [{0: 5400}, {0: 1800, 1: 1800}]]
    task = Task.of(split_lots(from_routes(routes, 2), 1.0))
    best = found(task, CpSat(workers=1))[-1]
    assert not verify(task.plan, best.schedule)
    assert max(row.lot for row in best.schedule.rows) > 0
    assert best.cost <= best_rule(task.plan)[1].makespan


def test_it_begins_with_the_start_that_is_given(hard: Task):
    """The start comes first, under its own name, or else the best rule's schedule."""
    start = dispatch_by_rule(hard.plan, RULES["SPT"], active=True)
    first = next(CpSat(start, "policy:greedy").search(hard, 0, Stop(1.0)))
    assert (first.schedule, first.source) == (start, "policy:greedy")
    name, rule = best_rule(hard.plan)
    first = next(CpSat().search(hard, 0, Stop(1.0)))
    assert (first.schedule, first.source) == (rule, f"rule:{name}")


def test_an_optimal_start_ends_at_once():
    """No solver is started where the start meets the certified bound."""
    task = Task.of(split_lots(from_routes([[{0: 5}], [{0: 4}]], 1), None))
    threads = threading.active_count()
    (only,) = found(task, CpSat())
    assert only.cost == task.certificate.value == 9
    assert threading.active_count() == threads


def test_a_start_of_another_shop_is_refused(hard: Task):
    """One line, before anything is searched; an invalid or incomplete start as well."""
    other = best_rule(split_lots(ft06(), None))[1]
    cut = best_rule(hard.plan)[1]
    for start in (other, replace(cut, rows=cut.rows[:-1])):
        with pytest.raises(ShopError, match=r"^start: "):
            found(hard, CpSat(start))


def test_the_same_work_gives_the_same_schedules(hard: Task):
    """One worker, one seed: six schedules, twice the same."""
    runs = [found(hard, CpSat(workers=1), Stop(work=6)) for _ in range(2)]
    assert len(runs[0]) > 3
    assert [each.schedule for each in runs[0]] == [each.schedule for each in runs[1]]
    assert runs[0][-1].work <= 6


def test_it_ends_in_time(hard: Task):
    """The limit in seconds is kept, and the solver's threads end soon after."""
    stop = Stop(1.0)
    incumbents = found(hard, CpSat(workers=2), stop)
    assert stop.elapsed < 1.0 + 0.25  # 0.02 s on an idle machine
    assert incumbents[-1].seconds <= stop.elapsed
    assert_no_search_is_left()


def test_a_cancelled_or_closed_search_ends_its_solver(hard: Task):
    """A request from outside, and a caller who wants no more, both end the solver long before its limit."""
    began = time.monotonic()
    stop = Stop(60.0, cancelled=lambda: time.monotonic() > began + 0.5)
    assert found(hard, CpSat(workers=1), stop)
    assert time.monotonic() - began < 5
    search = CpSat(workers=1).search(hard, 0, Stop(60.0))
    next(search)
    next(search)
    search.close()
    assert_no_search_is_left()


def test_a_target_ends_it(hard: Task):
    """The first schedule that is good enough is the last."""
    start = best_rule(hard.plan)[1].makespan
    incumbents = found(hard, CpSat(workers=1), Stop(20.0, target=start - 600))
    assert incumbents[-1].cost <= start - 600 < incumbents[-2].cost
    assert_no_search_is_left()


def test_polish_goes_on_from_what_was_found(monkeypatch):
    """Shows that what a search found stays in front of what CP-SAT makes of it, later and better, with the bound that
    it claims; and that from there a second time finds nothing to change."""
    monkeypatch.setattr("jaxshop.bounds.tighten", lambda *_: iter(()))  # which would prove it, if it were the quicker
    plan, one = split_lots(ft06(), None), Options(threads=1)
    found = solve(plan, work=0)
    better = polish(plan, found, 60, one)
    assert found.makespan > better.makespan == better.claimed == 55 > better.bound
    assert (better.source, better.proven_optimal, verify(plan, better.schedule)) == ("search:cpsat", False, [])
    assert better.trace[: len(found.trace)] == found.trace
    costs, seconds = zip(*((each.cost, each.seconds) for each in better.trace), strict=True)
    assert list(costs) == sorted(set(costs), reverse=True)
    assert list(seconds) == sorted(seconds)
    assert found.seconds <= seconds[-1] <= better.seconds
    again = polish(plan, better, 60, one)
    assert (again.schedule, again.source, again.trace, again.claimed) == (
        *(better.schedule, better.source, better.trace, better.claimed),
    )


def test_a_missing_extra_is_one_line(monkeypatch):
    """Said when the method is made, before a shop is read, with the option that helps."""
    monkeypatch.setattr(cpsat, "find_spec", lambda name: None)
    with pytest.raises(ShopError, match="--extra solver"):
        CpSat()


def assert_no_search_is_left() -> None:
    """The background threads of searches end within seconds."""
    until = time.monotonic() + 10
    while any(thread.name == "search" for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.01)
