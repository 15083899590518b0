"""The policy's search on the device: greedy, then every rule, then samples in fixed chunks while time is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from jaxshop.schedule import Schedule
from jaxshop.search import Incumbent, Method, Stop, Task
from jaxshop.search.auto import InTurn
from jaxshop.search.mirror import backward, mirrored, turned
from jaxshop.search.rules import applicable
from jaxshop.search.sampling import Greedy, Samples
from jaxshop.search.types import Best, Key
from jaxshop.serving.device import DeviceThread
from jaxshop.serving.stopwatch import Stopwatch
from jaxshop.serving.types import Engine, Model, Size

T = TypeVar("T")


@dataclass
class DeviceRollouts:
    """`PolicyRollouts` of a task on the device's thread, padded to one of its sizes; LateError by the deadline."""

    engine: Engine
    device: DeviceThread
    model: Model
    task: Task
    size: Size
    deadline: float | None
    """In `time.monotonic()`."""
    reserve: float
    """Seconds that the first answer leaves before it, so that a rule can answer in time where the device gives none."""
    clock: Stopwatch
    on_chunk: Callable[[int], None]
    """Told after each chunk how many samples there are."""

    @cached_property
    def _padded(self) -> Any:
        return self.engine.prepare(self.task.plan, self.task.certificate.value, self.size)

    @cached_property
    def _mirror(self) -> Any:
        plan = mirrored(self.task.plan)
        return None if plan is None else self.engine.prepare(plan, self.task.certificate.value, self.size)

    def _call(self, name: str, function: Callable[..., T], *args: object, reserve: float = 0.0) -> T:
        with self.clock(name):
            deadline = None if self.deadline is None else self.deadline - reserve
            return self.device.call(function, *args, deadline=deadline)

    @property
    def batch(self) -> int:
        """See `PolicyRollouts`."""
        return self.engine.chunk(self.size)

    def prepare(self, step: str) -> None:
        """See `PolicyRollouts`; what is left to do after the warm-up is to pad the task."""
        with self.clock("policy"):
            _ = self._padded

    def greedy(self) -> Schedule:
        """See `PolicyRollouts`."""
        return self._call("policy", self.engine.greedy, self.model, self._padded, reserve=self.reserve)

    def best_rules(self, names: Sequence[str], seed: int) -> list[tuple[str, Schedule]]:
        """The best of these rules, non-delay and active, with their names; few schedules are read off the device."""
        return self._call("rules", self.engine.rules, self._padded, names, seed)

    def samples(self, key: Key, begin: int, count: int) -> Schedule:
        """See `PolicyRollouts`."""
        mirror = self._mirror if backward(begin) else None
        task = self._padded if mirror is None else mirror
        found = self._call("samples", self.engine.samples, self.model, task, key, begin, count)
        self.on_chunk(begin + count)
        return found if mirror is None else turned(found)


@dataclass(frozen=True)
class BestRules:
    """The best of the rules that the device plays at once; a limit that cuts them off is none of their faults."""

    rollouts: DeviceRollouts
    steps = ("rules", "rules/active")

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`."""
        if not stop.allows():
            return
        best = Best(task, stop)
        for name, schedule in self.rollouts.best_rules(applicable(task), key):
            stop.built["rules"] += 1
            yield from best.offer(schedule, f"rule:{name}")


def policy_on(rollouts: DeviceRollouts, samples: int) -> Method:
    """The greedy schedule, unless a rule or one of so many samples is better."""
    drawn = (Samples(rollouts, samples),) if samples else ()
    return InTurn((Greedy(rollouts), BestRules(rollouts), *drawn))
