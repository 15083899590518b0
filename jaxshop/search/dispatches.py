"""What an episode leaves, read off its last state: arrays on the device, and named rows on the host."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from chex import Array

from jaxshop.env import EnvParams, EnvState, JobShop, op_ends
from jaxshop.schedule import Row, Schedule
from jaxshop.schedule.dispatch import fixed_rows
from jaxshop.search.types import Task
from jaxshop.shop import LotPlan
from jaxshop.support.errors import InvalidScheduleError


class Dispatch(NamedTuple):
    """Where and when each operation runs, in flat route order: int32 [N] each. Makespan, int32 []; cost, int32 [] or,
    where lateness counts, float32 []."""

    makespan: Array
    start: Array
    end: Array
    machine: Array
    cost: Array


def dispatch_of(env: JobShop, state: EnvState, params: EnvParams) -> Dispatch:
    """Read the schedule off a final state."""
    schedule, ends = state.schedule, op_ends(state, params)
    return Dispatch(state.estimate, schedule.start, ends, schedule.machine, env.cost(state, params))


def beyond_all(costs: Array) -> Array:
    """More than any cost of that dtype: those of weighted tardiness are float32, and may be more than int32 holds."""
    return jnp.array(jnp.inf if jnp.issubdtype(costs.dtype, jnp.floating) else jnp.iinfo(costs.dtype).max, costs.dtype)


def to_schedule(plan: LotPlan, dispatch: Dispatch, of_shop: str | None = None) -> Schedule:
    """Name what the arrays number; `of_shop` is the shop's fingerprint, where it is known.

    Raises:
        InvalidScheduleError: it is not as long as the environment said.
    """
    start, end, machine = (np.asarray(x).tolist() for x in (dispatch.start, dispatch.end, dispatch.machine))
    names = [m.id for m in plan.shop.machines]
    steps = [(lot, operation) for lot in plan.reserved.lots for operation in lot.operations if operation.fixed is None]
    rows = tuple(
        Row(lot.job, lot.index, operation.id, names[machine[i]], start[i], end[i])
        for i, (lot, operation) in enumerate(steps)
    )
    schedule = Schedule(of_shop or plan.shop.fingerprint, plan.max_lot_hours, (*fixed_rows(plan), *rows))
    if schedule.makespan != int(dispatch.makespan):
        raise InvalidScheduleError(f"ends after {schedule.makespan} ticks, not after {dispatch.makespan} as played")
    return schedule


def to_schedules(task: Task, dispatches: Dispatch, count: int) -> list[Schedule]:
    """The first `count` of several schedules [R, ...]."""
    fetched = jax.tree.map(np.asarray, dispatches)
    return [to_schedule(task.plan, Dispatch(*(x[i] for x in fetched)), task.fingerprint) for i in range(count)]
