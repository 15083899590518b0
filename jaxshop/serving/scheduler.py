"""The safe scheduler: whatever a search does, only what an independent verifier accepts is handed out.

An order either asks for samples of the policy, which plays on the device, or takes the search `auto`, which needs none.
If what was found is invalid, late or failed, a dispatching rule answers, computed on the host, verified as well. Plain
code over the `Engine` and `Method` protocols; it imports no JAX.
"""

from __future__ import annotations

import contextvars
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from jaxshop.schedule import to_json, verify
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search import Incumbent, Stop, Task
from jaxshop.search.proof import Prover
from jaxshop.serving.course import Course
from jaxshop.serving.device import DeviceThread
from jaxshop.serving.rollouts import DeviceRollouts, policy_on
from jaxshop.serving.stopwatch import Stopwatch
from jaxshop.serving.types import (
    AbandonedError,
    Answer,
    Engine,
    Model,
    NotCompiledError,
    Order,
    RejectedError,
    Rejection,
    UnverifiedError,
    least_cost,
)
from jaxshop.shop import Job, LotPlan, Machine, Operation, Shop, split_lots
from jaxshop.shop.plant import without_rules
from jaxshop.support.errors import ShopError

log = logging.getLogger(__name__)

GRACE, PATIENCE = 0.15, 1.0
"""Seconds after its deadline, and after anything else that ends it, at which a search is left behind."""
CANARY_WORK = 64
"""Schedules that `auto` builds of the canary shop."""
WARMING = "the search is still warming up: ask again in a moment, or give it more time"


def canary() -> LotPlan:
    """What `auto` has to schedule before a server is ready: a small job shop on which no rule reaches the bound."""

    def operation(j: int, k: int) -> Operation:
        machine = (j + k * (1 + 2 * (j % 2)) + j * j) % 4
        return Operation(f"J{j}/{k}", {f"M{machine}": 60 + (37 * j + 59 * k + j * k) % 97})

    jobs = tuple(Job(f"J{j}", tuple(operation(j, k) for k in range(4))) for j in range(6))
    return split_lots(Shop("canary", tuple(Machine(f"M{i}") for i in range(4)), jobs), None)


def alone() -> float:
    """The crowd of a search that shares the cores with nobody."""
    return 1.0


class SafeScheduler:
    """Turns orders into verified answers; any thread may call it."""

    def __init__(
        self,
        engine: Engine,
        device: DeviceThread,
        stall_s: float = 120.0,
        cores: int | None = None,
        least_s: float = 0.0,
    ):
        """Make a scheduler.

        Args:
            engine: the policy, and `auto`.
            device: the thread that the policy plays in.
            stall_s: a device call that has lasted as long means that the device is stuck.
            cores: that one search by `auto` uses; None: all.
            least_s: seconds that a search gets, where its limit allows, however many wait.
        """
        self.least_s = least_s
        self.engine, self.device, self.stall_s, self.cores = engine, device, stall_s, cores
        self.shortest: dict[Any, float] = {}
        """By size that is compiled, the least time limit in seconds that surely leaves room for a rollout."""
        self.quickest: dict[Any, float] = {}
        """By size, the same without the policy, for a rule at least."""
        self._reserve: dict[Any, float] = {}
        self._closing: dict[Any, float] = {}

    @property
    def stalled(self) -> bool:
        """Whether the device is stuck in a call."""
        return self.device.busy_seconds > self.stall_s

    def warm_up(self, model: Model, tell: Callable[[int, int, Any], None] = lambda done, of, size: None) -> None:
        """Do all that `measure` and `compile` do; `tell` as there."""
        self.measure()
        self.compile(model, tell)

    def measure(self) -> None:
        """Note what rules and replies of each size take; from then on there are searches, which need no device."""
        for size in self.engine.sizes:
            plan = self.engine.specimen(size)
            began = time.thread_time()  # of the processor: what else this machine does at the start is no matter later
            _, schedule = best_rule(plan, deadline=time.monotonic())
            rule_done = time.thread_time()
            verify(plan, schedule)
            to_json(schedule)
            # Twice the time of a quiet machine, since a server is not quiet.
            self._closing[size] = 2 * (time.thread_time() - rule_done)
            self._reserve[size] = 2 * (rule_done - began)
            self.quickest[size] = round(self._reserve[size] + self._closing[size] + 0.02, 2)

    def compile(self, model: Model, tell: Callable[[int, int, Any], None]) -> None:
        """Compile size after size, the quickest to compile first, and order a full specimen of each.

        Args:
            model: that is tried.
            tell: told before each how many are compiled, of how many, and which comes now; None at the end.

        Raises:
            RejectedError: the policy or `auto` gives no valid schedule of a specimen.
        """
        sizes = sorted(self.engine.sizes, key=self.engine.effort)
        for done, size in enumerate(sizes):
            tell(done, len(sizes), size)
            self.engine.compile(size)
            plan = self.engine.specimen(size)
            began, worked = time.monotonic(), time.process_time()
            self.check(model, plan)
            took = min(time.monotonic() - began, time.process_time() - worked)
            self.shortest[size] = round(2 * took + self.quickest[size], 2)
            if done == 0:
                self.check(model, plan, samples=1)
        self.check(model, canary(), samples=None)
        tell(len(sizes), len(sizes), None)

    def least(self, plan: LotPlan, sampled: bool) -> float:
        """The least time limit in seconds for a plan.

        Raises:
            ShopError: the policy is to play, and the plan is larger than the largest size, or that is not compiled yet.
        """
        size = self.size_of(plan, sampled)
        if sampled and size not in self.shortest:
            raise NotCompiledError(f"the size for this shop, up to {size.operations} operations, is being compiled")
        if size is not None:
            return self.shortest[size] if sampled else self.quickest.get(size, 0.0)
        largest = max(self.engine.sizes, key=lambda size: size.operations)
        operations = sum(len(lot.operations) for lot in plan.lots)
        return self.quickest.get(largest, 0.0) * max(1.0, operations / largest.operations) ** 2

    def size_of(self, plan: LotPlan, sampled: bool) -> Any:
        """The size that a plan is padded to; None where it is larger than all, which only the policy has to refuse."""
        try:
            return self.engine.fit(plan if sampled else without_rules(plan))
        except ShopError:
            if sampled:
                raise
            return None

    def check(self, model: Model, plan: LotPlan, samples: int | None = 0, deadline: float | None = None) -> None:
        """Order a schedule as a canary; raises RejectedError if the search fails in any part of it."""
        answer = self.schedule(
            model, Order(plan, samples, deadline=deadline, work=CANARY_WORK if samples is None else None)
        )
        if answer.rejections:
            raise RejectedError(*answer.rejections[-1])

    def schedule(self, model: Model, order: Order) -> Answer:
        """Return the best verified schedule that could be found by the deadline.

        Raises:
            ShopError: the policy is to play, and the plan is larger than the largest size.
            AbandonedError: the order was cancelled.
            UnverifiedError: nothing passed the verifier.
        """
        course = self.begin(order)
        return self.play(model, course) if order.samples is not None else self.search(course)

    def begin(self, order: Order) -> Course:
        """What has to be known before a search; for `auto` also what one rule gives, lest there be no answer at all.

        Raises:
            ShopError: the policy is to play, and the plan is larger than the largest size.
        """
        began, clock = time.monotonic(), Stopwatch()
        size = self.size_of(order.plan, order.samples is not None)
        closing = self._closing.get(size, 0.0) if size is not None else self.least(order.plan, sampled=False) / 2
        left = None if order.deadline is None else order.deadline - began - closing
        left = math.inf if left is None else max(0.0, left)
        limit = min(left, math.inf if order.seconds is None else order.seconds)
        stop = Stop(None if limit == math.inf else limit, order.work, begun=began)
        stop.cancelled = lambda: order.cancelled.is_set() or order.stopped.is_set()
        with clock("bound"):
            task = Task.of(order.plan)
        stop.target = least_cost(task, task.certificate)
        course = Course(order, task, size, stop, left, clock)
        if order.samples is None:
            with clock("rule"):  # one is enough, as a search begins with all of them
                course.take(course.rule("rule", began))
        return course

    def play(self, model: Model, course: Course) -> Answer:
        """Let the policy play, on the device; raises as `schedule` does."""
        order, stop = course.order, course.stop
        rollouts = DeviceRollouts(
            *(self.engine, self.device, model, course.task, course.size, stop.deadline),
            *(self._reserve.get(course.size, 0.0), course.clock, course.tell),
        )
        if self.stalled:
            busy = f"the device has been stuck for {self.device.busy_seconds:.0f} s"
            course.rejections.append(Rejection("late", busy))
        else:
            policy = policy_on(rollouts, order.samples or 0)
            course.pursue(lambda: policy.search(course.task, order.seed, stop))
        if not course.found and not course.rejections:
            course.rejections.append(Rejection("late", "there was no time for the policy"))
        return self._answer(course)

    def search(self, course: Course, crowd: Callable[[], float] = alone) -> Answer:
        """Search by `auto` for the time there is; raises as `schedule` does.

        Args:
            course: of `begin`.
            crowd: by how much the searches that run or wait outnumber the places to search in, at least 1; a search
                under a time limit ends when it had its share of the time.
        """
        order, stop = course.order, course.stop
        if order.seconds is not None:
            stop.seconds = min(course.left, stop.elapsed + order.seconds)  # waiting for a place does not count
        with course.clock("search"):
            if stop.allows(cost=course.found[-1].cost):
                early = not self.engine.searches(order.plan)
                self._share(course, crowd)
                context = contextvars.copy_context()  # the log's lines name the request

                def auto() -> Iterator[Incumbent]:
                    # A proof takes what time it takes, and what is asked for by work hangs on work alone.
                    beside = order.work is None and crowd() <= 1
                    with Prover(course.task, stop, course.watch, beside) as prover:
                        method = self.engine.auto(self.cores)
                        yield from prover.seen(method.search(course.task, order.seed, stop))

                pursue = partial(context.run, course.pursue, auto)
                threading.Thread(target=pursue, name="auto", daemon=True).start()
                self._await(course)
                # A search that failed fails again: only one that ran out of time is worth another try.
                late = all(rejection.reason == "late" for rejection in course.rejections)
                if early and late and not stop.done and not order.stopped.is_set():
                    course.rejections[:] = [Rejection("warming", WARMING)]
                course.tell()
        return self._answer(course)

    def _share(self, course: Course, crowd: Callable[[], float]) -> None:
        """Have a search under a time limit end when it had its share of the time, where others wait."""
        stop, asked_to, began = course.stop, course.stop.cancelled, time.monotonic()
        if course.order.work is not None or stop.deadline is None:
            return
        left = stop.deadline - began
        least = min(left, self.least_s)
        stop.cancelled = lambda: asked_to() or time.monotonic() - began > max(least, left / crowd())

    def _await(self, course: Course) -> None:
        """Wait for the search; one that does not end when it should is left behind."""
        stop, asked = course.stop, None  # since when it has been asked to end
        while not course.ended.wait(0.02):
            now = time.monotonic()
            asked = (asked or now) if stop.cancelled() else None
            late = stop.deadline is not None and now > stop.deadline + GRACE
            if late or (asked is not None and now > asked + PATIENCE):
                course.ended.set()
                course.rejections.append(Rejection("late", "the search did not end in time"))

    def _answer(self, course: Course) -> Answer:
        """The best that was found, verified once more; a rule where there is none."""
        order, found = course.order, list(course.found)
        if order.cancelled.is_set():
            raise AbandonedError
        with course.clock("verify"):
            while found and (violations := verify(order.plan, found[-1].schedule)):
                detail = f"{violations[0]} ({len(violations)} violations)"
                course.rejections.append(Rejection("invalid", f"{found.pop().source}: {detail}"))
        if not found:
            with course.clock("fallback"):
                found = [course.rule("fallback", order.deadline)]
                if violations := verify(order.plan, found[0].schedule):
                    tried = "; before that ".join([violations[0], *map(str, course.rejections[:1])])
                    raise UnverifiedError(f"{found[0].source}: {tried}")
        best = found[-1]
        alone = len(found) == 1 and course.rejections  # the rule that was there before the search
        return Answer(
            best.schedule,
            best.source.replace("rule:", "fallback:") if alone and order.samples is None else best.source,
            course.task,
            course.certificate,
            course.stop.built["samples"],
            course.stop.done,
            tuple(found),
            tuple(course.rejections),
            course.clock.seconds,
        )
