"""The bound from a set of machines that some operations cannot leave, with what must precede and follow them."""

from __future__ import annotations

import numpy as np

from jaxshop.bounds.groups import Group, eligible, smallest_makespan
from jaxshop.shop import LotPlan

_MAX_INTERVALS = 200_000
"""Head thresholds times operations that are tried for one set of machines."""


def head_tail(plan: LotPlan, groups: list[Group], available: np.ndarray) -> tuple[int, np.ndarray]:
    """The best bound from a set of machines that some operations cannot leave, and the indices of that set.

    Tried are the sets that operations name, the work centres and the whole shop; for each, the operations that
    cannot leave it and have at least head h and tail t: h + ceil(work / machines) + t, or more where a machine
    is available later than h.
    """
    named = eligible(groups, len(available))
    centre = np.array([machine.work_centre or "" for machine in plan.shop.machines])
    centres = [centre == name for name in np.unique(centre)]
    candidates = np.unique(np.vstack([named, *centres, np.ones_like(centre, dtype=bool)]), axis=0)
    # float32 so that BLAS counts the machines that each set has outside each candidate.
    inside = (~candidates).astype(np.float32) @ named.T.astype(np.float32) == 0
    best, blame = 0, np.array([], dtype=np.int64)
    for candidate, members in zip(candidates, inside, strict=True):
        chosen = [groups[g] for g in np.flatnonzero(members)]
        if not chosen:
            continue
        heads = np.concatenate([group.heads for group in chosen])
        tails = np.concatenate([group.tails for group in chosen])
        work = np.concatenate([group.fastest for group in chosen])
        machines = np.flatnonzero(candidate)
        for head, tail in _intervals(heads, tails, work, len(machines)):
            ticks = int(work[(heads >= head) & (tails >= tail)].sum())
            blocked = np.maximum(available[machines], head) + tail
            bound = smallest_makespan(ticks, np.ones_like(blocked), blocked)
            if bound > best:
                best, blame = bound, machines
    return best, blame


def _intervals(heads: np.ndarray, tails: np.ndarray, work: np.ndarray, machines: int) -> list[tuple[int, int]]:
    """The pairs of least head and least tail worth an exact look: of all operations, and the best pair found."""
    order = np.argsort(-tails, kind="stable")
    least_heads = np.unique(heads)
    keep = max(1, _MAX_INTERVALS // len(heads))
    if keep < len(least_heads):
        least_heads = least_heads[np.linspace(0, len(least_heads) - 1, keep).astype(int)]
    done = np.where(heads[order] >= least_heads[:, None], work[order], 0).cumsum(axis=1)
    bounds = np.where(done > 0, least_heads[:, None] + -(-done // machines) + tails[order], 0)
    h, t = np.unravel_index(bounds.argmax(), bounds.shape)
    return [(int(heads.min()), int(tails.min())), (int(least_heads[h]), int(tails[order[t]]))]
