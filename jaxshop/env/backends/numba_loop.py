"""Random active schedules by a plain loop over lots that Numba compiles, to measure an environment's step against.

It decides as `jaxshop.env.decision` does and shares its timing, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np

from jaxshop.env import timing
from jaxshop.env.types import EnvParams
from jaxshop.support.errors import ShopError


def numba_arguments(params: EnvParams) -> tuple[np.ndarray, ...]:
    """The shop as the loop wants it; operations with one time everywhere only."""
    if params.plant is not None:
        raise ShopError("--versus numba: knows no calendars, set-ups, lags or fixed work")
    if params.ops.set.shape[0] > 1:
        raise ShopError("--versus numba: wants operations that take the same time on each of their machines")
    lots, ops = params.lots, params.ops
    arrays = (lots.first, lots.count, lots.release, ops.time[0], ops.set[0], ops.tail)
    return tuple(np.asarray(x) for x in (*arrays, params.machines.free, params.sets.member))


def numba_loop(numba: ModuleType) -> Callable[..., np.ndarray]:
    """The loop, (words [T, B], *`numba_arguments`) -> estimates int32 [B], compiled when it is first called."""
    start_of, completion, lot_completion = (
        numba.njit(f) for f in (timing.scalar_start, timing.completion, timing.lot_completion)
    )

    @numba.njit(parallel=True, cache=False)
    def rollouts(words, lot_first, lot_count, release, time, sets, tail, available, member):
        steps, count = words.shape
        lots, machines, groups = lot_first.size, available.size, member.shape[0]
        low = 1
        while low < lots:
            low *= 2
        low -= 1
        estimates = np.zeros(count, np.int32)
        for b in numba.prange(count):
            ready, free, op = release.copy(), available.copy(), lot_first.copy()
            left, group_free = lot_count.copy(), np.full(groups, 1 << 30, np.int32)
            estimate = 0
            for g in range(groups):
                for m in range(machines):
                    if member[g, m]:
                        group_free[g] = min(group_free[g], free[m])
            for j in range(lots):
                if left[j]:
                    estimate = max(estimate, lot_completion(ready[j], tail[op[j]]))
            for t in range(steps):
                soonest, first = 1 << 30, -1
                for j in range(lots):
                    if left[j]:
                        end = completion(start_of(ready[j], group_free[sets[op[j]]]), time[op[j]])
                        if end < soonest:
                            soonest, first = end, j
                machine, latest = -1, -1
                for m in range(machines):
                    reaches = completion(start_of(ready[first], free[m]), time[op[first]]) == soonest
                    if member[sets[op[first]], m] and reaches and free[m] > latest:
                        machine, latest = m, free[m]
                chosen, best = first, np.int64(-1)
                for j in range(lots):
                    if j == first or (
                        left[j] and member[sets[op[j]], machine] and start_of(ready[j], free[machine]) < soonest
                    ):
                        hashed = np.uint32(np.uint32(j) + words[t, b]) * np.uint32(0x9E3779B1)
                        hashed = np.uint32(hashed)
                        hashed = np.uint32((hashed ^ (hashed >> np.uint32(15))) * np.uint32(0x85EBCA77))
                        rank = np.int64(hashed) & ~np.int64(low) | j
                        if rank > best:
                            chosen, best = j, rank
                end = completion(start_of(ready[chosen], free[machine]), time[op[chosen]])
                free[machine], ready[chosen] = end, end
                left[chosen] -= 1
                if left[chosen]:
                    op[chosen] += 1
                    estimate = max(estimate, lot_completion(end, tail[op[chosen]]))
                else:
                    estimate = max(estimate, end)
                for g in range(groups):
                    if member[g, machine]:
                        least = 1 << 30
                        for m in range(machines):
                            if member[g, m]:
                                least = min(least, free[m])
                        group_free[g] = least
            estimates[b] = estimate
        return estimates

    return rollouts
