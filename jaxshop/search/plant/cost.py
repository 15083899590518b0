"""What a schedule of a plant costs."""

from __future__ import annotations

import numpy as np

from jaxshop.search.improve.gaps import NO_COST
from jaxshop.search.plant.model import COUNT, DONE, DUE, FIRST, JOB, PARTS_LATE, UNTIL
from jaxshop.search.plant.state import END
from jaxshop.support.compiling import compiled


@compiled
def cost_of(arrays, state):
    """What the schedule costs, in the arrays' parts, NO_COST where fixed work would wait; notes when jobs are done."""
    done, table, jobs = state.done, state.table, arrays.jobs
    for j in range(jobs.shape[0]):
        done[j] = jobs[j, DONE]
    in_time = True
    for lot in range(arrays.lots.shape[0]):
        if arrays.lots[lot, COUNT] > 0:
            j = arrays.lots[lot, JOB]
            end = table[arrays.lots[lot, FIRST] + arrays.lots[lot, COUNT] - 1, END]
            done[j] = max(done[j], end)
            in_time &= end <= arrays.lots[lot, UNTIL]
    if not in_time:
        return np.int64(NO_COST)
    latest, late = np.int64(0), np.int64(0)
    for j in range(jobs.shape[0]):
        latest = max(latest, done[j])
        late += jobs[j, PARTS_LATE] * max(0, done[j] - jobs[j, DUE])
    return arrays.makespan * latest + late
