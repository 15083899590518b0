"""The sets of machines worth a bound of their own: named ones, work centres, and unions that hold more work."""

from __future__ import annotations

import numpy as np

from jaxshop.bounds.groups import Group, eligible
from jaxshop.shop import LotPlan

_MAX_NAMED, _MAX_PAIRS = 512, 1 << 22
"""Above this many sets that operations name, only those that most work names are looked at, as each has a bound of its
own; and fewer still where they, compared with all, made more pairs than this."""

_MAX_GROWN = 60
"""Above this many sets in one component, only those with the most work per machine are grown."""


def candidate_sets(plan: LotPlan, groups: list[Group]) -> tuple[np.ndarray, np.ndarray]:
    """Sets of machines, bool [sets, machines], and which groups cannot leave each, bool [sets, groups].

    Those that operations name, the work centres, the whole shop, and unions of sets that overlap without one holding
    the other: work that names {0, 1}, {1, 2} and {0, 2} fills three machines, although no operation names the three.
    A set that no operation names whole is cut down to the machines that some operation inside may run on. Where very
    many are named, some of them, and what overlaps, are left out.
    """
    named = eligible(groups, len(plan.shop.machines))
    centre = np.array([machine.work_centre or "" for machine in plan.shop.machines])
    centres = [centre == name for name in np.unique(centre)]
    work = work_of(groups).astype(np.float64)
    most = min(_MAX_NAMED, _MAX_PAIRS // max(len(named), 1))
    looked_at = np.sort(np.argsort(-work, kind="stable")[:most])
    sets, held = named[looked_at], work[looked_at]
    grown = [row for component in _components(sets) for row in _unions(sets[component], held[component])]
    candidates = np.vstack([sets, *centres, np.ones_like(centre, dtype=bool), *grown])
    inside = np.zeros((len(candidates), len(named)), dtype=bool)
    first, words = named.argmax(axis=1), _words(named)
    for row, candidate in zip(inside, candidates, strict=True):
        begun = np.flatnonzero(candidate[first])  # of very many sets the few that may lie within
        row[begun] = _inside(candidate[None], words[begun])[0]
    used = np.array([named[held].any(axis=0) for held in inside])
    candidates, alike = np.unique(used, axis=0, return_index=True)
    busy = candidates.any(axis=1)
    return candidates[busy], inside[alike[busy]]  # what lies within a set lies within the machines that it uses


def work_of(groups: list[Group]) -> np.ndarray:
    """Ticks of each group at its fastest, int64 [groups]."""
    sizes = np.array([len(group.heads) for group in groups])
    return np.add.reduceat(np.concatenate([group.fastest for group in groups]), np.append(0, sizes.cumsum()[:-1]))


def inside_work(inside: np.ndarray, groups: list[Group]) -> np.ndarray:
    """Ticks of all groups within each candidate, int64 [candidates]."""
    work = work_of(groups)
    return np.array([work[held].sum() for held in inside])


def _inside(candidates: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Whether a named set, given by its words, lies within a candidate, bool [candidates, named].

    By words of bits: a product of matrices takes BLAS's threads, which wait long for each other on a busy machine.
    """
    outside = np.zeros((len(candidates), len(words)), dtype=bool)
    for without, word in zip(_words(~candidates).T, words.T, strict=True):
        outside |= (without[:, None] & word) != 0
    return ~outside


def _words(rows: np.ndarray) -> np.ndarray:
    """Rows of bool as bits, uint64 [rows, words]."""
    bits = np.zeros((len(rows), -(-rows.shape[1] // 64) * 8), np.uint8)
    packed = np.packbits(rows, axis=1)
    bits[:, : packed.shape[1]] = packed
    return bits.view(np.uint64)


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
    seeds, words = named[most], _words(named)
    grown: dict[bytes, np.ndarray] = {}
    for start in seeds:
        union = start
        while True:
            larger = seeds[(seeds & union).any(axis=1) & (seeds & ~union).any(axis=1)] | union
            if not len(larger):
                break
            density = _inside(larger, words) @ work / larger.sum(axis=1)
            union = larger[int(density.argmax())]
            if union.tobytes() in grown:
                break
            grown[union.tobytes()] = union
    return list(grown.values())
