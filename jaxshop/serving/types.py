"""What passes between planner, safe scheduler and engine. No JAX."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from jaxshop.bounds import Certificate
from jaxshop.schedule import Schedule
from jaxshop.search import Incumbent, Method, Task
from jaxshop.shop import LotPlan


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
    """A policy on a device. `load`, `greedy`, `rules` and `samples` run on the device's thread only."""

    sizes: tuple[Any, ...]
    """The ladder of padded sizes, smallest first."""

    def chunk(self, size: Any) -> int:
        """Return how many samples one call computes."""
        ...

    def load(self) -> Model:
        """Read the checkpoint; raises ShopError if it is missing or damaged."""
        ...

    def effort(self, size: Any) -> float:
        """Return how long a size takes to be compiled, beside others."""
        ...

    def compile(self, size: Any) -> None:
        """Compile everything that requests of a size need; beside the device's thread, which plays meanwhile."""
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

    def searches(self, plan: LotPlan) -> bool:
        """Whether what a search of the plan begins with has been read, so that it can begin at once."""
        ...

    def auto(self, cores: int | None) -> Method:
        """Return the search that needs no device and runs in any thread, on so many cores (None: on all)."""
        ...


class Progress(NamedTuple):
    """What is known while an order is under work."""

    samples_done: int
    best: Incumbent
    bound: int
    """The least cost, in ticks."""
    seconds: float | None
    """That the search may take."""
    plan: LotPlan


class Rejection(NamedTuple):
    """An attempt that gave no verified schedule; `reason`: `invalid`, `late`, `failed`, or `warming`, if too early."""

    reason: str
    detail: str


@dataclass
class Order:
    """One request: the plan, what is asked of it, and how to follow, stop and cancel it."""

    plan: LotPlan
    samples: int | None = None
    """Of the policy, beside its greedy schedule and the rules; None: the search `auto`, without the policy."""
    seed: int = 0
    deadline: float | None = None
    """In `time.monotonic()`; None: as long as it takes."""
    seconds: float | None = None
    """That a search by `auto` may take from its begin."""
    work: int | None = None
    """Schedules that may be built."""
    report: Callable[[Progress], None] = lambda progress: None
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set by who wants the best so far, now."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set by who wants no answer any more."""


@dataclass(frozen=True)
class Answer:
    """A verified schedule and how it came about; `rejections` tells what was tried and dropped."""

    schedule: Schedule
    source: str
    task: Task
    certificate: Certificate
    samples_done: int
    work_done: int
    trace: tuple[Incumbent, ...]
    rejections: tuple[Rejection, ...]
    seconds: dict[str, float]

    @property
    def is_fallback(self) -> bool:
        """Whether a rule answered in the policy's place."""
        return self.source.startswith("fallback:")

    @property
    def proven_optimal(self) -> bool:
        """Whether no schedule costs less."""
        return self.task.cost(self.schedule) <= least_cost(self.task, self.certificate)


def least_cost(task: Task, certificate: Certificate) -> int:
    """The cost in ticks that no schedule of the task is below, as the certificate shows."""
    return certificate.cost(task.objective)


class NotCompiledError(Exception):
    """The size that an order needs is not compiled yet."""


class AbandonedError(Exception):
    """Nobody waits for the answer any more."""


class UnverifiedError(Exception):
    """Neither a search nor a rule gave a schedule that the verifier accepts."""


class RejectedError(Exception):
    """Carries a `Rejection` out of an attempt."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.rejection = Rejection(reason, detail)
