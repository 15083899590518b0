"""The safe scheduler: whatever the policy does, only what an independent verifier accepts is handed out.

Policy (greedy, then every rule, then samples in fixed chunks while time is left) -> verifier -> if invalid, late or
failed: the best dispatching rule, computed on the host -> verified again -> only then an answer. Plain code over the
`Engine` protocol; it imports no JAX.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from jaxshop import search
from jaxshop.bounds import Certificate
from jaxshop.schedule import Schedule, verify
from jaxshop.schedule.dispatch import best_rule
from jaxshop.search.rules import applicable
from jaxshop.serving.device import DeviceThread
from jaxshop.shop import LotPlan
from jaxshop.support.errors import LateError

log = logging.getLogger(__name__)


class Size(Protocol):
    """A padded size, hashable; the engine knows the other dimensions."""

    @property
    def lots(self) -> int: ...  # noqa: D102
    @property
    def operations(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Model:
    """Weights and where they come from; a request keeps the model that it began with."""

    name: str
    fingerprint: str
    trained_on: Any
    weights: Any = field(repr=False)


class Engine(Protocol):
    """A policy on a device. `load`, `compile`, `greedy` and `samples` run on the device's thread only."""

    sizes: tuple[Any, ...]
    """The ladder of padded sizes, smallest first."""

    def chunk(self, size: Any) -> int:
        """Return how many samples one call computes."""
        ...

    def load(self) -> Model:
        """Read the checkpoint; raises ShopError if it is missing or damaged."""
        ...

    def compile(self) -> None:
        """Compile everything that requests of any size need."""
        ...

    def limits(self, size: Any) -> dict[str, int | None]:
        """Return what a plan may have at most to fit the size, for people, by name."""
        ...

    def specimen(self, size: Any) -> LotPlan:
        """Return a plan that fills the size, to warm up with and to measure."""
        ...

    def fit(self, plan: LotPlan) -> Any:
        """Return the smallest size that holds the plan; raises ShopError, naming the limit, if none does."""
        ...

    def prepare(self, plan: LotPlan, bound: int, size: Any) -> Any:
        """Turn the plan into padded arrays; `bound` is its certified bound in ticks."""
        ...

    def greedy(self, model: Model, task: Any) -> Schedule:
        """Return the greedy policy's schedule of what `prepare` returned."""
        ...

    def rules(self, task: Any, names: Sequence[str], seed: int) -> list[tuple[str, Schedule]]:
        """Return names and schedules of the best of these rules; large sizes may try the first ones only."""
        ...

    def samples(self, model: Model, task: Any, seed: int, start: int, count: int) -> Schedule:
        """Return the best of samples `start` to `start + count`; a sample depends on seed and number only."""
        ...


class Progress(NamedTuple):
    """What is known while an order is under work; `makespan` in ticks."""

    samples_done: int
    makespan: int


class Rejection(NamedTuple):
    """An attempt of the policy that gave no verified schedule; `reason` is `invalid`, `late` or `failed`."""

    reason: str
    detail: str


@dataclass
class Order:
    """One request: the plan, what is asked of it, and how to follow and cancel it."""

    plan: LotPlan
    samples: int = 0
    seed: int = 0
    deadline: float | None = None
    """In `time.monotonic()`; None: as long as it takes."""
    report: Callable[[Progress], None] = lambda progress: None
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Answer:
    """A verified schedule and how it came about; `rejections` tells what was tried and dropped."""

    schedule: Schedule
    source: str
    certificate: Certificate
    samples_done: int
    rejections: tuple[Rejection, ...]
    seconds: dict[str, float]

    @property
    def is_fallback(self) -> bool:
        """Whether a rule answered in the policy's place."""
        return self.source.startswith("fallback:")


class AbandonedError(Exception):
    """Nobody waits for the answer any more."""


class UnverifiedError(Exception):
    """Neither the policy nor a rule gave a schedule that the verifier accepts."""


class RejectedError(Exception):
    """Carries a `Rejection` out of an attempt."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.rejection = Rejection(reason, detail)


class SafeScheduler:
    """Turns orders into verified answers; any thread may call it."""

    def __init__(self, engine: Engine, device: DeviceThread, stall_s: float = 120.0):
        """Make a scheduler; a device call that has lasted `stall_s` means that the device is stuck."""
        self.engine, self.device, self.stall_s = engine, device, stall_s
        self.shortest: dict[Any, float] = {}
        """By size, the least time limit in seconds that surely leaves room for a rollout; from `warm_up`."""
        self._reserve: dict[Any, float] = {}

    @property
    def stalled(self) -> bool:
        """Whether the device is stuck in a call."""
        return self.device.busy_seconds > self.stall_s

    def warm_up(self, model: Model) -> None:
        """Compile every size, order a full specimen of each, and note what the size takes at least.

        Raises:
            RejectedError: the policy gives no valid schedule of a specimen.
        """
        self.device.call(self.engine.compile)
        for size in self.engine.sizes:
            plan = self.engine.specimen(size)
            began = time.monotonic()
            best_rule(plan, deadline=began)
            rule_done = time.monotonic()
            self.check(model, plan)
            # Twice the time of a quiet machine, since a server is not quiet.
            self._reserve[size] = 2 * (rule_done - began)
            self.shortest[size] = round(2 * (time.monotonic() - began) + 0.02, 2)
        self.check(model, self.engine.specimen(self.engine.sizes[0]), samples=1)

    def check(self, model: Model, plan: LotPlan, samples: int = 0, deadline: float | None = None) -> None:
        """Order a schedule as a canary; raises RejectedError if the policy fails in any part of it."""
        answer = self.schedule(model, Order(plan, samples, deadline=deadline))
        if answer.rejections:
            raise RejectedError(*answer.rejections[-1])

    def schedule(self, model: Model, order: Order) -> Answer:
        """Return the best verified schedule that could be found by the deadline.

        Raises:
            ShopError: the plan is larger than the largest size.
            AbandonedError: the order was cancelled.
            UnverifiedError: nothing passed the verifier.
        """
        clock = Stopwatch()
        size = self.engine.fit(order.plan)
        with clock("bound"):
            wanted = search.Task.of(order.plan)
        rejections: list[Rejection] = []
        best, source, done = None, "", 0
        try:
            with clock("policy"):
                task = self._prepare(order.plan, wanted.certificate.value, size)
                best, source = self._greedy(model, order, task, size), "policy:greedy"
            with clock("rules"):
                for name, found in self._rules(order, task, applicable(wanted)):
                    if wanted.cost(found) < wanted.cost(best):
                        best, source = _valid(order.plan, found), f"rule:{name}"
            order.report(Progress(0, best.makespan))
            with clock("samples"):
                for done, found in self._samples(model, order, task, self.engine.chunk(size)):
                    if wanted.cost(found) < wanted.cost(best):
                        best, source = found, "policy:samples"
                    order.report(Progress(done, best.makespan))
        except RejectedError as error:  # what was verified before it stands
            rejections.append(error.rejection)
        if order.cancelled.is_set():
            raise AbandonedError
        if best is None:
            with clock("fallback"):
                name, best = best_rule(order.plan, order.deadline)
                source = f"fallback:{name}"
                if violations := verify(order.plan, best):
                    raise UnverifiedError(f"{source}: {violations[0]}; before that {rejections[0]}")
        return Answer(best, source, wanted.certificate, done, tuple(rejections), clock.seconds)

    def _prepare(self, plan: LotPlan, bound: int, size: Size) -> Any:
        try:
            return self.engine.prepare(plan, bound, size)
        except Exception as error:
            raise _failed(error) from error

    def _greedy(self, model: Model, order: Order, task: Any, size: Size) -> Schedule:
        if self.stalled:
            raise RejectedError("late", f"the device has been stuck for {self.device.busy_seconds:.0f} s")
        # What a rule needs is kept back, so that an answer comes in time even if the device gives none.
        deadline = None if order.deadline is None else order.deadline - self._reserve.get(size, 0.0)
        return self._attempt(order.plan, deadline, self.engine.greedy, model, task)

    def _rules(self, order: Order, task: Any, names: Sequence[str]) -> list[tuple[str, Schedule]]:
        """Return the best rules, or nothing where the limit cuts them off."""
        try:
            return self.device.call(self.engine.rules, task, names, order.seed, deadline=order.deadline)
        except LateError:
            return []
        except Exception as error:
            raise _failed(error) from error

    def _samples(self, model: Model, order: Order, task: Any, chunk: int) -> Iterator[tuple[int, Schedule]]:
        """Yield the number of samples done and the best of the latest chunk, while another chunk fits."""
        done, took = 0, 0.0
        while done < order.samples:
            if order.cancelled.is_set():
                raise AbandonedError
            began = time.monotonic()
            if order.deadline is not None and began + took > order.deadline:
                return
            count = min(chunk, order.samples - done)
            try:
                found = self._attempt(
                    order.plan, order.deadline, self.engine.samples, model, task, order.seed, done, count
                )
            except RejectedError as error:
                if error.rejection.reason == "late":
                    return  # the limit cut a chunk off, as limits do
                raise
            took, done = time.monotonic() - began, done + count
            yield done, found

    def _attempt(
        self, plan: LotPlan, deadline: float | None, function: Callable[..., Schedule], *args: object
    ) -> Schedule:
        """Return what the device's function gives, verified, or raise RejectedError."""
        try:
            schedule = self.device.call(function, *args, deadline=deadline)
            return _valid(plan, schedule)
        except RejectedError:
            raise
        except LateError as error:
            raise RejectedError("late", str(error)) from None
        except Exception as error:
            raise _failed(error) from error


def _valid(plan: LotPlan, schedule: Schedule) -> Schedule:
    """The schedule, or RejectedError where the verifier refuses it."""
    if violations := verify(plan, schedule):
        raise RejectedError("invalid", f"{violations[0]} ({len(violations)} violations)")
    return schedule


def _failed(error: Exception) -> RejectedError:
    """A rejection that names the kind of error; its text, which may tell of the machine, goes to the log."""
    log.warning("the policy failed", exc_info=error)
    return RejectedError("failed", type(error).__name__)


class Stopwatch:
    """Seconds by name."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began
