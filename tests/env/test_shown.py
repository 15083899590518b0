"""Which lots a policy is shown: both ways to find them give what sorting by hand gives."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxshop.env.packing import pack, shape_of
from jaxshop.env.shown import ends_by_place, ends_by_selection
from jaxshop.shop import split_lots
from tests.plant import plant_plan
from tests.shops import random_shop

DRAWS = 64


@pytest.mark.parametrize("count", [1, 3, 12])
def test_both_ways_show_the_longest_lots_then_the_shortest(count):
    """Shows that bits at known places and a selection find the same, however many compete, with padding and lags."""
    plans = [split_lots(random_shop(1, jobs=12), None), plant_plan(3, jobs=12)]
    fits = shape_of(plans)
    shape = replace(fits, lots=fits.lots + 3, operations=97)

    def shown(way, params, op, tail, mask):
        return way(SimpleNamespace(lots=SimpleNamespace(op=op, tail=tail), legal=mask), params, count)

    for plan in plans:
        params, rng = pack(plan, shape), np.random.default_rng(0)
        steps = rng.integers(0, np.maximum(params.lots.count, 1), (DRAWS, shape.lots))
        op = (params.lots.first + steps).astype(np.int32)
        tail = params.ops.tail[op]
        mask = (rng.random((DRAWS, shape.lots)) < rng.random((DRAWS, 1))) & (params.lots.count > 0)
        for way in (ends_by_place, ends_by_selection):
            each = jax.jit(jax.vmap(partial(shown, way), (None, 0, 0, 0)))
            lots, real = each(params, op, tail, mask)
            for row in range(DRAWS):
                longest_first = sorted(np.flatnonzero(mask[row]), key=lambda lot, row=row: (-tail[row, lot], lot))
                half = -(-count // 2)
                expected = longest_first[:half] + longest_first[half:][::-1][: count - half]
                assert lots[row].tolist() == expected + [0] * (count - len(expected))
                assert real[row].sum() == len(expected)
