"""What a schedule is judged by: one number, its cost, which every comparison of schedules is about.

A cost is an integer number of ticks, as times are: weights count in parts of 2^-20, the weighted sum is exact in
integers, and what is left of a tick is rounded to the nearest one. With the makespan alone that is the makespan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxshop.shop.records import Job

PARTS = 2**20
"""A weight of 1; smaller parts of a weight are rounded."""

MAX_OBJECTIVE_WEIGHT = 1e6
LEAST_OBJECTIVE_WEIGHT = 0.01
"""Of the larger weight: costs are counted in whole ticks, and with less unlike schedules would cost the same."""


@dataclass(frozen=True)
class Objective:
    """Weights of what a schedule costs.

    Attributes:
        makespan: weight of the tick at which the last job is done.
        tardiness: weight of the total weighted tardiness: over jobs with a due date, weight times ticks late.
    """

    makespan: float = 1.0
    tardiness: float = 0.0

    def __str__(self) -> str:
        """As in `makespan + 0.02 x weighted tardiness`."""
        parts = ((self.makespan, "makespan"), (self.tardiness, "weighted tardiness"))
        return " + ".join(name if weight == 1 else f"{weight:g} x {name}" for weight, name in parts if weight)

    def cost(self, ends: Mapping[str, int], jobs: Iterable[Job] = ()) -> int:
        """The cost in ticks of a schedule that is done with job j at tick `ends[j]`; the least is the best."""
        makespan = max(ends.values(), default=0)
        if not self.tardiness:
            return self.combined(makespan, 0)
        late = ((job, ends[job.id] - job.due) for job in jobs if job.due is not None and job.id in ends)
        return self.combined(makespan, sum(self.parts(job) * ticks for job, ticks in late if ticks > 0))

    def parts(self, job: Job) -> int:
        """What a tick costs by which the job is late, in `PARTS`."""
        return round(self.tardiness * job.weight * PARTS)

    def combined(self, makespan: int, late: int) -> int:
        """The cost in ticks of a makespan, and of ticks late times `parts`.

        It never falls where one of them rises: where no schedule has less of either, none costs less.
        """
        return (round(self.makespan * PARTS) * max(makespan, 0) + late + PARTS // 2) // PARTS


MAKESPAN = Objective()
