"""The sets of machines worth a bound of their own: named ones, work centres, and unions that hold more work."""

from __future__ import annotations

import numpy as np

from jaxshop.bounds.groups import Group, eligible
from jaxshop.shop import LotPlan

_MAX_GROWN = 60
"""Above this many sets in one component, only those with the most work per machine are grown."""


def candidate_sets(plan: LotPlan, groups: list[Group]) -> tuple[np.ndarray, np.ndarray]:
    """Sets of machines, bool [sets, machines], and which groups cannot leave each, bool [sets, groups].

    Those that operations name, the work centres, the whole shop, and unions of sets that overlap without one holding
    the other: work that names {0, 1}, {1, 2} and {0, 2} fills three machines, although no operation names the three.
    A set that no operation names whole is cut down to the machines that some operation inside may run on.
    """
    named = eligible(groups, len(plan.shop.machines))
    centre = np.array([machine.work_centre or "" for machine in plan.shop.machines])
    centres = [centre == name for name in np.unique(centre)]
    work = np.array([group.fastest.sum() for group in groups], dtype=np.float64)
    grown = [row for component in _components(named) for row in _unions(named[component], work[component])]
    candidates = np.vstack([named, *centres, np.ones_like(centre, dtype=bool), *grown])
    used = (_inside(candidates, named).astype(np.float32) @ named.astype(np.float32)) > 0
    candidates = np.unique(used[used.any(axis=1)], axis=0)
    return candidates, _inside(candidates, named)


def _inside(candidates: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Whether a named set lies within a candidate, bool [candidates, named]; in float32, so that BLAS counts."""
    return (~candidates).astype(np.float32) @ named.T.astype(np.float32) == 0


def _components(named: np.ndarray) -> list[np.ndarray]:
    """Indices of the named sets that hang together by shared machines, of components that are not nested."""
    held = named.astype(np.float32)
    shared, sizes = held @ held.T, named.sum(axis=1)
    crossing = (shared > 0) & (shared < np.minimum(sizes, sizes[:, None]))
    label = np.arange(len(named))
    while True:  # a label spreads over all that it touches in a step
        spread = np.where(shared > 0, label, len(named)).min(axis=1)
        if (spread == label).all():
            break
        label = spread
    return [np.flatnonzero(label == k) for k in np.unique(label[crossing.any(axis=1)])]


def _unions(named: np.ndarray, work: np.ndarray) -> list[np.ndarray]:
    """From each set, ever larger unions: always with the set that leaves the most work per machine."""
    most = np.argsort(-work / named.sum(axis=1), kind="stable")[:_MAX_GROWN]
    seeds = named[most]
    grown: dict[bytes, np.ndarray] = {}
    for start in seeds:
        union = start
        while True:
            larger = seeds[(seeds & union).any(axis=1) & (seeds & ~union).any(axis=1)] | union
            if not len(larger):
                break
            density = _inside(larger, named) @ work / larger.sum(axis=1)
            union = larger[int(density.argmax())]
            if union.tobytes() in grown:
                break
            grown[union.tobytes()] = union
    return list(grown.values())
