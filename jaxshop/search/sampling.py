"""What a policy gives by itself: its greedy schedule, and the best of many that are drawn from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxshop.search.types import Best, Incumbent, Key, PolicyRollouts, Stop, Task


@dataclass(frozen=True)
class Greedy:
    """The policy's most probable choices."""

    rollouts: PolicyRollouts
    steps = ("greedy",)

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`; nothing here is random."""
        del key
        self.rollouts.prepare("greedy")
        if stop.allows():
            schedule = self.rollouts.greedy()
            stop.built["greedy"] += 1
            yield from Best(task, stop).offer(schedule, "policy:greedy")


@dataclass(frozen=True)
class Samples:
    """Schedules drawn from the policy, batch after batch while another one fits.

    It ends after `count` of them, once `patience` of them in a row were no better than the best before, or by the stop.
    """

    rollouts: PolicyRollouts
    count: int | None = None
    patience: int | None = None
    steps = ("samples",)

    def search(self, task: Task, key: Key, stop: Stop) -> Iterator[Incumbent]:
        """See `Method`."""
        best, took, done, last = Best(task, stop), 0.0, 0, 0
        self.rollouts.prepare("samples")
        while (self.count is None or done < self.count) and stop.allows(took, best.cost):
            if self.patience is not None and done - last >= self.patience:
                return
            left = self.rollouts.batch if self.count is None else self.count - done
            share, began = stop.share(min(self.rollouts.batch, left)), stop.elapsed
            schedule = self.rollouts.samples(key, done, share)
            took, done = stop.elapsed - began, done + share
            stop.built["samples"] += share
            for incumbent in best.offer(schedule, "policy:samples"):
                last = done
                yield incumbent
