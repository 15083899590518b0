"""The safe scheduler against engines that misbehave."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from jaxshop.schedule import Schedule, verify
from jaxshop.schedule.dispatch import best_rule
from jaxshop.serving import course
from jaxshop.serving.device import DeviceThread
from jaxshop.serving.scheduler import SafeScheduler
from jaxshop.serving.types import AbandonedError, Model, Order, Progress, RejectedError, UnverifiedError
from jaxshop.shop import LotPlan, split_lots
from jaxshop.support.errors import ShopError
from tests.shops import small_shop

from .fakes import FakeEngine


def plan_of(name: str = "small", jobs: int = 6) -> LotPlan:
    """The plan of a small shop whose name tells the engine what to do."""
    return split_lots(small_shop(jobs, name=name), None)


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    """An engine that is let go at the end."""
    engine = FakeEngine()
    yield engine
    engine.release.set()


@pytest.fixture
def scheduler(engine: FakeEngine) -> Iterator[SafeScheduler]:
    """A scheduler over it, for which 0.3 s is a stuck call."""
    device = DeviceThread()
    yield SafeScheduler(engine, device, stall_s=0.3)
    engine.release.set()
    assert device.stop(5)


def test_greedy_answers_where_nothing_else_is_asked_for(scheduler: SafeScheduler, engine: FakeEngine) -> None:
    """An order without samples gets the greedy policy's schedule."""
    answer = scheduler.schedule(engine.load(), Order(plan_of(), samples=0))
    assert (answer.source, answer.samples_done, answer.rejections) == ("policy:greedy", 0, ())
    assert not answer.is_fallback
    assert verify(plan_of(), answer.schedule) == []
    assert answer.schedule.makespan >= answer.certificate.value


@pytest.mark.parametrize(("how", "reason"), [("invalid", "invalid"), ("raise", "failed"), ("hang", "late")])
def test_a_rule_answers_where_the_policy_fails(
    scheduler: SafeScheduler, engine: FakeEngine, how: str, reason: str
) -> None:
    """Whatever the policy does, the answer is a verified schedule, and the source and the reason tell of it."""
    plan = plan_of(f"greedy:{how}")
    began = time.monotonic()
    answer = scheduler.schedule(engine.load(), Order(plan, samples=8, deadline=began + 0.5))
    assert time.monotonic() - began < 20  # the stuck call lasts 600 s
    assert answer.is_fallback
    assert answer.source in {"fallback:MWKR", f"fallback:{best_rule(plan)[0]}"}  # the first, or the best
    assert [rejection.reason for rejection in answer.rejections] == [reason]
    assert answer.samples_done == 0
    assert verify(plan, answer.schedule) == []
    assert "must not see" not in str(answer.rejections)


def test_a_stuck_device_is_let_be(scheduler: SafeScheduler, engine: FakeEngine) -> None:
    """Once a call has been stuck for longer than the limit, orders are answered by rules at once."""
    model = engine.load()
    scheduler.schedule(model, Order(plan_of("greedy:hang"), samples=0, deadline=time.monotonic() + 0.4))
    assert scheduler.stalled
    began = time.monotonic()
    answer = scheduler.schedule(model, Order(plan_of(), samples=0, deadline=began + 30))
    assert time.monotonic() - began < 20
    assert answer.is_fallback
    engine.release.set()
    assert scheduler.device.call(lambda: True, deadline=time.monotonic() + 5)  # the stuck call has ended
    free = scheduler.schedule(model, Order(plan_of(), samples=0, deadline=time.monotonic() + 30))
    assert free.source == "policy:greedy"
    assert not scheduler.stalled


@pytest.mark.parametrize(("how", "reason"), [("invalid", "invalid"), ("raise", "failed")])
def test_samples_that_fail_leave_the_greedy_schedule(
    scheduler: SafeScheduler, engine: FakeEngine, how: str, reason: str
) -> None:
    """What was verified before a chunk failed is the answer, and the caller is told of the chunk."""
    plan = plan_of(f"samples:{how}")
    answer = scheduler.schedule(engine.load(), Order(plan, samples=8))
    assert (answer.source, answer.samples_done) == ("policy:greedy", 4 if how == "invalid" else 0)
    assert [rejection.reason for rejection in answer.rejections] == [reason]


def test_a_rule_that_is_better_than_the_policy_is_the_answer(scheduler: SafeScheduler, engine: FakeEngine) -> None:
    """A rule's shorter schedule is handed out under its name, and is no fallback; progress tells of it at once."""
    seen: list[Progress] = []
    answer = scheduler.schedule(engine.load(), Order(plan_of("greedy:late start"), samples=0, report=seen.append))
    assert (answer.source, answer.is_fallback, answer.rejections) == ("rule:MWKR", False, ())
    assert [progress.best.source for progress in seen] == ["policy:greedy", "rule:MWKR"]
    assert seen[-1].best.schedule == answer.schedule
    assert answer.schedule.makespan < 500_000


@pytest.mark.parametrize(("how", "reason"), [("hang", None), ("raise", "failed")])
def test_rules_that_fail_leave_the_greedy_schedule(
    scheduler: SafeScheduler, engine: FakeEngine, how: str, reason: str | None
) -> None:
    """What was verified before stands; a limit that cuts the rules off is no rejection."""
    answer = scheduler.schedule(engine.load(), Order(plan_of(f"rules:{how}"), samples=0, deadline=time.monotonic() + 1))
    assert (answer.source, answer.samples_done) == ("policy:greedy", 0)
    assert [rejection.reason for rejection in answer.rejections] == ([reason] if reason else [])


def test_samples_beat_greedy_and_progress_never_worsens(scheduler: SafeScheduler, engine: FakeEngine) -> None:
    """The best sample is the answer; progress reports every chunk, the last one in part."""
    seen: list[Progress] = []
    order = Order(plan_of(jobs=10), samples=10, seed=3, report=seen.append)
    answer = scheduler.schedule(engine.load(), order)
    assert answer.source == "policy:samples"
    assert sorted({progress.samples_done for progress in seen}) == [0, 4, 8, 10]
    makespans = [progress.best.cost for progress in seen]
    assert makespans == sorted(makespans, reverse=True)
    assert makespans[-1] == answer.schedule.makespan < makespans[0]


def test_a_limit_gives_what_as_many_samples_give_without_it(scheduler: SafeScheduler, engine: FakeEngine) -> None:
    """A time limit is kept, and asking for the samples it allowed gives the same schedule."""
    model, plan = engine.load(), plan_of("samples:dawdle", jobs=10)
    began = time.monotonic()
    limited = scheduler.schedule(model, Order(plan, samples=10_000, seed=5, deadline=began + 0.55))
    assert time.monotonic() - began < 20  # 250 s without the limit
    assert 0 <= limited.samples_done < 10_000
    free = scheduler.schedule(model, Order(plan, samples=limited.samples_done, seed=5))
    assert (free.schedule, free.source) == (limited.schedule, limited.source)


def test_an_abandoned_order_stops_between_chunks(scheduler: SafeScheduler, engine: FakeEngine) -> None:
    """Cancelling ends the work after the chunk that is under way."""
    order = Order(plan_of("samples:dawdle"), samples=10_000)
    threading.Timer(0.15, order.cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(AbandonedError):
        scheduler.schedule(engine.load(), order)
    assert time.monotonic() - began < 20


def test_nothing_unverified_is_handed_out(
    scheduler: SafeScheduler, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the rule's schedule is invalid as well, there is no answer."""

    def lie(plan: LotPlan, *_: object) -> tuple[str, Schedule]:
        return "MWKR", engine._behave("greedy:invalid", "greedy", engine.greedy(engine.load(), plan_of()))

    monkeypatch.setattr(course, "best_rule", lie)
    with pytest.raises(UnverifiedError, match="fallback:MWKR"):
        scheduler.schedule(engine.load(), Order(plan_of("greedy:raise"), samples=0))


def test_a_plan_beyond_the_ladder_is_refused(scheduler: SafeScheduler, engine: FakeEngine) -> None:
    """The refusal of a policy names the limit; searches have none."""
    with pytest.raises(ShopError, match="256"):
        scheduler.schedule(engine.load(), Order(plan_of(jobs=65), samples=0))


def test_warm_up_measures_every_size_and_refuses_a_lying_model(engine: FakeEngine) -> None:
    """After the warm-up each size has a shortest time limit; a model that gives invalid schedules never serves."""
    device = DeviceThread()
    scheduler = SafeScheduler(engine, device)
    scheduler.warm_up(engine.load())
    assert scheduler.shortest.keys() == set(engine.sizes)
    assert min(scheduler.shortest.values()) > 0
    liar = Model("liar", "", None, weights="liar")
    with pytest.raises(RejectedError, match="invalid"):
        scheduler.warm_up(liar)


def test_what_a_certificate_may_need_is_loaded_with_the_planner() -> None:
    """The solver's import (0.4 s and more) is paid before a server is ready, in nobody's time limit."""
    script = "import sys, jaxshop.serving.planner; print('scipy.optimize' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "True\n"
