"""An environment's state as a picture, on the host."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxshop.env.transition import op_ends
from jaxshop.env.types import EnvParams, EnvState
from jaxshop.shop import LotPlan
from jaxshop.views.picture import Bar, Picture, pixels, state_of, svg, text

MODES = {"ansi": text, "svg": svg, "rgb_array": pixels}
"""What a picture can be, by gymnasium's words for it where it has some."""


def render(state: EnvState, params: EnvParams, mode: str, plan: LotPlan | None = None) -> Any:
    """See `JobShop.render`; `plan` names what the arrays number."""
    if mode not in MODES:
        raise ValueError(f"render mode {mode!r} is not one of {', '.join(MODES)}")
    if np.ndim(params.operations) or np.ndim(state.step):
        raise ValueError("a picture shows one environment: index its state (and params) first")
    ends = np.asarray(op_ends(state, params))
    schedule, bound = jax.device_get(state.schedule), int(params.bound)
    if plan is None:
        return MODES[mode](_anonymous(schedule.start, ends, schedule.machine, jax.device_get(params), bound))
    return MODES[mode](state_of(plan, schedule.start, ends, schedule.machine, bound))


def _anonymous(start: np.ndarray, end: np.ndarray, machine: np.ndarray, params: EnvParams, bound: int) -> Picture:
    """The picture with numbers for names; work that was fixed before the first decision is not in the arrays."""
    lots = params.lots
    bars = [
        Bar(int(machine[n]), int(lots.job[j]), f"operation {k + 1} of lot {j + 1}", int(start[n]), int(end[n]))
        for j, (first, count) in enumerate(zip(lots.first.tolist(), lots.count.tolist(), strict=True))
        for k, n in enumerate(range(first, first + count))
        if start[n] >= 0
    ]
    real = int(params.sets.member.any(axis=0).sum())
    return Picture([f"machine {m + 1}" for m in range(real)], bars, bound)
