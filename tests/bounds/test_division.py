"""Operations divided among machines, against every division there is."""

from __future__ import annotations

from itertools import product

import numpy as np

from jaxshop.bounds.division import FOUND, NONE, divide, division_of
from jaxshop.bounds.kernels import FAR


def fits(r: np.ndarray, d: np.ndarray, ticks: np.ndarray, free: int) -> bool:
    """Whether operations of one machine fit into their windows if they may be interrupted: no interval has too much."""
    begins = np.maximum(r, free)
    return all(ticks[(begins >= a) & (d <= b)].sum() <= b - a for a in begins for b in d)


def test_a_division_is_found_where_there_is_one():
    """Shows on 120 random problems with times by machine, windows and late machines that the search says there is none
    exactly where no division fits, whatever the weights, and that what it finds fits."""
    none = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        n, m = 6, 2 + seed % 2
        times = rng.integers(2, 12, (n, m))
        times[rng.random((n, m)) < 0.2] = FAR
        times[np.arange(n), rng.integers(0, m, n)] = rng.integers(2, 12, n)
        r, free = rng.integers(0, 6, n), rng.integers(0, 4, m)
        d = r + rng.integers(8, 20 if m == 2 else 13, n)
        division = division_of(r, d, times, free, rng.integers(1, 1025, m))
        possible = any(
            all(times[i, k] < FAR for i, k in enumerate(owner))
            and all(
                fits(r[mine], d[mine], times[mine, k], free[k])
                for k in range(m)
                if (mine := np.array(owner) == k).any()
            )
            for owner in product(range(m), repeat=n)
        )
        answer = divide(division, 0, 1 << 30)
        assert answer == (FOUND if possible else NONE), seed
        for k in range(m) if possible else ():
            mine = division.owner == k
            assert not mine.any() or fits(division.r[mine], division.d[mine], division.times[mine, k], free[k]), seed
        none += not possible
    assert 20 < none < 100
