"""What a schedule is judged by: one number, its cost, which every comparison of schedules is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxshop.support.errors import ShopError


@dataclass(frozen=True)
class Objective:
    """Weights of what a schedule costs.

    Attributes:
        makespan: weight of the tick at which the last job is done.
        tardiness: weight of the total weighted tardiness.

    Raises:
        ShopError: the weights are others than those of the makespan alone, which is not supported yet.
    """

    makespan: float = 1.0
    tardiness: float = 0.0

    def __post_init__(self) -> None:
        if (self.makespan, self.tardiness) != (1.0, 0.0):
            raise ShopError("objective: other weights than makespan 1 and tardiness 0 are not supported yet")

    def cost(self, ends: Mapping[str, int]) -> int:
        """The cost in ticks of a schedule that is done with job j at tick `ends[j]`; the least is the best."""
        return max(ends.values(), default=0)

    def lower_bound(self, makespan: int) -> int:
        """The least cost of a schedule, where none has a makespan under `makespan` ticks."""
        return makespan


MAKESPAN = Objective()
