"""What a policy sees of the open decision, as tables of named columns: scale-free, of the lots and of the shop.

A new column is a line here, and a new `FEATURES_VERSION`; what it is computed from is in `jaxshop.env.view`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from chex import Array

from jaxshop.env.makes import MAKE_NAMES
from jaxshop.env.shown import candidates
from jaxshop.env.types import EnvParams, EnvState, Observation, Shape
from jaxshop.env.view import PlantView, View, look
from jaxshop.support.errors import ShopError

FEATURES_VERSION = 4
"""Changes whenever a column does."""


class Column(NamedTuple):
    """A column: its value is scaled to be of the order of 1, and clipped to -5 ... 5 where it is a lot's."""

    name: str
    scale: float
    value: Callable[[View], Array]

    def of(self, view: View) -> Array:
        """The column, float32 [C] of a lot's or [] of the shop's."""
        value = self.value(view)
        return value if self.scale == 1 else self.scale * value


def _behind(view: View, value: Array) -> Array:
    """How far below the largest of the candidates, at most 0 but where that is negative."""
    return value - jnp.where(view.mask, value, 0.0).max()


def _descriptor(number: int, view: View) -> Array:
    return view.make[number]


LOT_COLUMNS = (
    Column("time", 8, lambda v: v.time),
    Column("time over its least", 8, lambda v: v.time - v.traits[:, 0]),
    Column("work remaining", 3, lambda v: v.tail),
    Column("machine waits", 10, lambda v: v.machine_waits),
    Column("lot waits", 5, lambda v: v.lot_waits),
    Column("end after the first completion", 10, lambda v: v.after_event),
    Column("lot done over the bound", 4, lambda v: v.done - 1.0),
    Column("lot done over the estimate", 4, lambda v: v.done - v.estimate),
    Column("operations remaining", 1, lambda v: v.traits[:, 2]),
    Column("has a next operation", 1, lambda v: v.has_next),
    Column("next work", 8, lambda v: v.traits[:, 4]),
    Column("second next work", 8, lambda v: v.traits[:, 5]),
    Column("share of the pool's machines", 2, lambda v: v.traits[:, 6]),
    Column("one over the machines", 2, lambda v: v.traits[:, 7]),
    Column("next machine free after arrival", 10, lambda v: v.next_gap),
    Column("next machine idle before arrival", 10, lambda v: jnp.minimum(v.next_gap, 0.0)),
    Column("next pool's horizon", 3, lambda v: (v.next_pool.horizon - 1.0) * v.has_next),
    Column("next pool's queue", 3, lambda v: v.next_pool.queue),
    Column("next pool busy after arrival", 4, lambda v: (v.next_pool.busy - v.end) * v.has_next),
    Column("next pool's work", 3, lambda v: v.next_pool.work),
    Column("second pool's horizon", 3, lambda v: (v.second_pool.horizon - 1.0) * v.has_second),
    Column("second pool's queue", 3, lambda v: v.second_pool.queue),
    Column("second pool busy after arrival", 4, lambda v: (v.second_pool.busy - v.end) * v.has_second),
    Column("pool's horizon", 3, lambda v: v.here.horizon - 1.0),
    Column("pool's queue", 3, lambda v: v.here.queue),
    Column("pool busy after the start", 4, lambda v: v.here.busy - v.start),
    Column("pool's work", 3, lambda v: v.here.work),
    Column("completes first", 1, lambda v: v.first),
    # What remains after this operation decides who may wait: alone on a machine, the longest tail goes first (Schrage).
    Column("rest", 4, lambda v: v.rest),
    Column("pool's horizon and the rest", 4, lambda v: jnp.maximum(v.here.horizon + v.rest - 1.0, -0.5)),
    # The rest is negative on a slow machine, and the largest then 0 whatever the padding.
    Column("rest behind the longest", 4, lambda v: v.rest - jnp.where(v.mask, v.rest, 0.0).max(initial=0.0)),
    Column("lot done before the latest", 4, lambda v: _behind(v, v.done)),
    Column("set's horizon", 4, lambda v: (v.sets.horizon - 1.0) * v.sets.bound),
    Column("set's horizon over the bound", 4, lambda v: jnp.maximum(v.sets.horizon - 1.0, -0.1) * v.sets.bound),
    Column("set's horizon behind the longest", 4, lambda v: (v.sets.horizon - v.sets.longest) * v.sets.bound),
    Column("set's queue", 4, lambda v: v.sets.queue * v.sets.bound),
    Column("threat to narrower sets", 4, lambda v: jnp.maximum(v.sets.threat, -0.5)),
    Column("threat over the bound", 8, lambda v: jnp.maximum(v.sets.threat, 0.0)),
    Column("next set's horizon", 4, lambda v: (v.sets.next_horizon - 1.0) * v.sets.next_bound),
    Column("next set busy after arrival", 4, lambda v: (v.sets.next_queue - v.end) * v.sets.next_bound),
    Column("done if last", 4, lambda v: jnp.maximum(v.sets.last - 1.0, -0.5) * v.sets.bound),
    Column("done over the bound if last", 8, lambda v: jnp.maximum(v.sets.last - 1.0, 0.0) * v.sets.bound),
    Column("done behind the latest if last", 4, lambda v: _behind(v, v.sets.last) * v.sets.bound),
    Column("done if last next", 4, lambda v: jnp.maximum(v.sets.next_last - 1.0, -0.5) * v.sets.next_bound),
    Column(
        "done over the bound if last next", 8, lambda v: jnp.maximum(v.sets.next_last - 1.0, 0.0) * v.sets.next_bound
    ),
    Column("done behind the latest if last next", 4, lambda v: _behind(v, v.sets.next_last) * v.sets.next_bound),
    Column("done if last later", 4, lambda v: jnp.maximum(v.sets.later_last - 1.0, -0.5) * v.sets.later_bound),
    Column(
        "done over the bound if last later", 8, lambda v: jnp.maximum(v.sets.later_last - 1.0, 0.0) * v.sets.later_bound
    ),
)
"""Of each candidate. Times are in bounds; a horizon is less the bound, 1."""

SHOP_COLUMNS = (
    Column("progress", 2, lambda v: v.progress - 0.5),
    Column("estimate over the bound", 3, lambda v: v.estimate - 1.0),
    Column("machine free", 2, lambda v: v.machine_free),
    Column("latest machine free", 2, lambda v: v.latest_machine),
    Column("longest pool's horizon", 3, lambda v: v.longest_pool - 1.0),
    Column("machine's pool's horizon", 3, lambda v: v.machine_pool - 1.0),
    Column("competing lots", 1 / 16, lambda v: v.competing),
    Column("one over the competing lots", 1, lambda v: 1.0 / jnp.maximum(v.competing, 1.0)),
    *(Column(name, 1, partial(_descriptor, number)) for number, name in enumerate(MAKE_NAMES)),
)
"""Of the shop: the context that every candidate is seen in."""


def _plant(value: Callable[[PlantView], Array]) -> Callable[[View], Array]:
    def of(view: View) -> Array:
        assert view.plant is not None
        return value(view.plant)

    return of


def _urgency(view: View) -> Array:
    """The apparent tardiness cost (Vepsalainen and Morton 1987) over the largest of the candidates."""
    assert view.plant is not None
    ahead = 2.0 * jnp.where(view.mask, view.time, 0.0).sum() / jnp.maximum(view.competing, 1.0) + 1e-6
    cost = view.plant.weight / (view.time + 1e-4) * jnp.exp(jnp.minimum(-view.plant.slack / ahead, 0.0))
    return cost / jnp.maximum(jnp.where(view.mask, cost, 0.0).max(), 1e-9)


PLANT_COLUMNS = (
    Column("set-up by sequence", 8, _plant(lambda p: p.setup)),
    Column("closed before the end", 4, _plant(lambda p: p.closed)),
    Column("share of the family", 1, _plant(lambda p: p.family)),
    Column("has a due date", 1, _plant(lambda p: p.due)),
    Column("weight", 0.5, _plant(lambda p: p.weight)),
    Column("slack", 3, _plant(lambda p: p.slack)),
    Column("late", 3, _plant(lambda p: jnp.maximum(-p.slack, 0.0))),
    Column("late by weight", 1, _plant(lambda p: p.weight * jnp.maximum(-p.slack, 0.0))),
    Column("apparent tardiness cost", 1, _urgency),
)
"""Of each candidate besides, where the plant's own rules or due dates count."""

FEATURE_NAMES = tuple(column.name for column in LOT_COLUMNS)
CONTEXT_NAMES = tuple(column.name for column in SHOP_COLUMNS)
FEATURES = len(LOT_COLUMNS)
CONTEXT = len(SHOP_COLUMNS)
PLANT_NAMES = tuple(column.name for column in PLANT_COLUMNS)
PLANT_FEATURES = len(PLANT_COLUMNS)


def columns_of(shape: Shape) -> int:
    """Columns of a candidate in observations of shops of a shape, the plant's own included."""
    return FEATURES + (PLANT_FEATURES if shape.plant is not None or shape.tardiness else 0)


def observe(state: EnvState, params: EnvParams, count: int) -> Observation:
    """Features of C = `count` candidates; every time is divided by the certified bound.

    Returns:
        Observation with features float32 [C, FEATURES] and context float32 [CONTEXT]; and, where the plant's own rules
        or due dates count, plant float32 [C, PLANT_FEATURES].
    """
    lots, mask = candidates(state, params, count)
    view = look(state, params, lots, mask)

    def table(columns: tuple[Column, ...]) -> Array:
        found = _side_by_side([column.of(view) for column in columns])
        return jnp.where(mask[:, None], jnp.clip(found, -5.0, 5.0), 0.0)

    context = jnp.stack([column.of(view) for column in SHOP_COLUMNS])
    plant = None if view.plant is None else table(PLANT_COLUMNS)
    return Observation(state.legal, lots, mask, table(LOT_COLUMNS), context, plant)


TOGETHER = 8
"""Columns that are put side by side at once."""


def _side_by_side(columns: list[Array]) -> Array:
    """Float32 [C] each as [C, columns]: XLA computes groups where they are put; all at once it would copy singly."""
    padded = columns + [jnp.zeros_like(columns[0])] * (-len(columns) % TOGETHER)
    groups = (padded[i : i + TOGETHER] for i in range(0, len(padded), TOGETHER))
    found = jnp.stack([jnp.stack(group, axis=1) for group in groups], axis=1)
    return found.reshape(found.shape[0], -1)[:, : len(columns)]


def explain(obs: Observation, lot: int) -> dict[str, float]:
    """What a policy sees of a lot, by name; on the host, of one environment's observation.

    Raises:
        ShopError: the lot is not among the candidates.
    """
    shown = np.flatnonzero(np.asarray(obs.candidate_mask) & (np.asarray(obs.candidates) == lot))
    if not shown.size:
        raise ShopError(f"lot {lot}: is not among the candidates of this decision")
    seen = dict(zip(FEATURE_NAMES, np.asarray(obs.features)[shown[0]].tolist(), strict=True))
    if obs.plant is None:
        return seen
    return seen | dict(zip(PLANT_NAMES, np.asarray(obs.plant)[shown[0]].tolist(), strict=True))
