"""When a search ends, and what it shares among methods; no JAX is needed for that."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jaxshop.policies.rules import RULES as PLAYED
from jaxshop.schedule.dispatch import RULES as PRIORITIES
from jaxshop.schedule.dispatch import dispatch_by_rule
from jaxshop.search.rules import RULES, parse_rule
from jaxshop.search.types import DRAWING, WRITING, Best, Stop, Task
from jaxshop.shop import split_lots
from jaxshop.support.errors import ShopError
from tests.shops import ft06


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_time_is_asked_of_the_stop_alone():
    """Shows elapsed seconds, the deadline, and that nothing begins that would not end in time."""
    clock = Clock()
    stop = Stop(seconds=10, clock=clock)
    clock.now += 4
    assert (stop.elapsed, stop.deadline) == (4, 110)
    assert stop.allows(6)
    assert not stop.allows(6.5)
    assert Stop(seconds=5, clock=clock, begun=100.0).allows(0.9)


def test_whichever_limit_comes_first_ends_it():
    """Shows work, target and cancellation, alone and beside a time that is not up."""
    stop = Stop(seconds=1000, work=20)
    stop.built["rules"] += 14
    assert (stop.done, stop.share(16), stop.allows()) == (14, 6, True)
    stop.built["samples"] += 6
    assert (stop.done, stop.share(16), stop.allows()) == (20, 0, False)
    good = Stop(seconds=1000, target=55)
    assert good.allows(cost=56)
    assert not good.allows(cost=55)
    wanted = [True]
    asked = Stop(cancelled=lambda: not wanted[0])
    assert asked.allows()
    wanted[0] = False
    assert not asked.allows()


def test_time_for_what_comes_behind_a_search_is_kept_back():
    """Shows that a search ends earlier, and waits less long, by so many times what it takes to verify a schedule."""
    clock = Clock()
    for writing in (WRITING, WRITING + DRAWING):
        stop = Stop(seconds=10, clock=clock, writing=writing)
        stop.verifying = 2.0
        assert stop.allows(10 - writing * 2)
        assert not stop.allows(10.1 - writing * 2)
        assert (stop.deadline, stop.answer_by) == (110, 110 - writing * 2)


def test_only_what_is_better_than_what_is_known_is_let_through():
    """Shows that a schedule no better than one that is there already is neither verified nor yielded."""
    plan = split_lots(ft06(), None)
    schedule = dispatch_by_rule(plan, PRIORITIES["MWKR"], active=False)
    for known, yielded in ((None, 1), (schedule.makespan + 1, 1), (schedule.makespan, 0)):
        stop = Stop()
        stop.known = known
        assert len(list(Best(Task.of(plan), stop).offer(schedule, "rule"))) == yielded
        assert (stop.verifying > 0) == yielded


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_limit_that_is_no_time_is_refused(seconds):
    """Shows that negative, infinite and undefined limits never become a stop."""
    with pytest.raises(ValueError, match="seconds"):
        Stop(seconds=seconds)


def test_rules_are_those_that_can_be_played():
    """Shows the names, in any case, active and non-delay, and that others are refused with the known ones."""
    assert sorted(RULES) == sorted(PLAYED)
    assert (parse_rule("mwkr/active"), parse_rule("RANDOM")) == (("MWKR", True), ("random", False))
    for name in ("SPTT", "MWKR/", "MWKR/passive", ""):
        with pytest.raises(ShopError, match="MWKR/active"):
            parse_rule(name)


def test_methods_start_without_jax():
    """Shows that types, methods and the solver are imported where there is no JAX, as a time limit includes that."""
    code = "import sys, jaxshop.search.solver, jaxshop.search.registry; print('jax' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("False\n", "")
