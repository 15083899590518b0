"""Machine weights of the assignment bound without a solver: nearly the best, in work that is limited beforehand.

With weights y, the work that all operations have to do is at least the sum of the least p * y of each; the best y makes
that the most, for the same sum of y. As prices do on a market, the weight of a machine rises while it has more work
than others, every operation running mostly where p * y is least.
"""

from __future__ import annotations

import numpy as np

SHARPNESS = (4.0, 16.0, 64.0, 256.0)
"""Powers of p * y by which an operation is divided between its machines, one after another: from wherever it can run to
where it costs least alone."""

ROUNDS = 30
"""For each of them, at most."""

LOOKS = 1 << 22
"""Alternatives looked at in all rounds together, at most: some hundredths of a second; but one round each there is."""

LONGER, SHORTER = 1.3, 0.5
"""Factors of a machine's step when its load is still on the same side of the mean, and when it is on the other."""

LEAST = -30.0
"""Of the logarithm of a weight, the largest being 0: such a machine has time to spare."""


def even_weights(begins: np.ndarray, where: np.ndarray, takes: np.ndarray, blocked: np.ndarray) -> np.ndarray:
    """Weights of machines, float64 [machines], the largest 1; the same for the same numbers, whatever the time.

    Machines that no chain of operations connects are weighed apart: only those that need the most time get weights.
    The arguments are those of `weights_by_part`.
    """
    kept, part, best = weights_by_part(begins, where, takes, blocked)
    decisive = np.where(part == best.argmax(), kept, 0.0)
    return decisive / decisive.max()


def weights_by_part(
    begins: np.ndarray, where: np.ndarray, takes: np.ndarray, blocked: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of machines; which are connected by operations, a number each; the time that those need by their weights.

    Args:
        begins: where the alternatives of each operation begin, int [operations + 1].
        where: the machine of each alternative, int [alternatives].
        takes: what it takes there, more than 0, [alternatives].
        blocked: what each machine cannot be used; not more than some lower bound of the makespan, [machines].
    """
    machines, first, counts = len(blocked), begins[:-1], np.diff(begins)
    part = connected(begins, where, machines)
    parts = int(part.max()) + 1
    of_operation = part[where[first]]
    logarithm = np.log(takes)
    y, best, kept = np.zeros(machines), np.full(parts, -1.0), np.zeros(machines)
    pace, pulled = np.ones(machines), np.zeros(machines)
    for sharpness in np.repeat(SHARPNESS, rounds_for(len(where))):
        priced = logarithm + y[where]
        least = np.minimum.reduceat(priced, first)
        weights = np.exp(y)
        total = np.bincount(part, weights, parts)
        needed = (np.bincount(of_operation, np.exp(least), parts) + np.bincount(part, weights * blocked, parts)) / total
        better = needed > best
        best, kept = np.where(better, needed, best), np.where(better[part], weights, kept)

        share = np.exp(-sharpness * (priced - np.repeat(least, counts)))
        share /= np.repeat(np.add.reduceat(share, first), counts)
        load = np.bincount(where, share * takes, machines) + blocked
        mean = np.maximum(np.bincount(part, weights * load, parts) / total, 1e-9)[part]
        pull = np.clip(np.log(np.maximum(load / mean, 1e-9)), -1.0, 1.0)
        pace = np.clip(pace * np.where(pull * pulled > 0, LONGER, SHORTER), 1.0, 1.0 + sharpness)
        pulled = pull
        y += pace / (1.0 + sharpness) * pull
        heaviest = np.full(parts, -np.inf)
        np.maximum.at(heaviest, part, y)
        y = np.maximum(y - heaviest[part], LEAST)
    return kept, part, best


def rounds_for(alternatives: int) -> int:
    """Rounds with each of SHARPNESS, where all rounds look at so many alternatives each."""
    return min(ROUNDS, max(1, LOOKS // (len(SHARPNESS) * alternatives)))


def connected(begins: np.ndarray, where: np.ndarray, machines: int) -> np.ndarray:
    """Numbers from 0 on that are the same for machines that operations connect, int [machines]."""
    part = np.arange(machines)
    while True:
        spread = part.copy()
        np.minimum.at(spread, where, np.repeat(np.minimum.reduceat(part[where], begins[:-1]), np.diff(begins)))
        spread = spread[spread]
        if (spread == part).all():
            return np.unique(part, return_inverse=True)[1]
        part = spread
