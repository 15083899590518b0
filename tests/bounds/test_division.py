"""Operations divided among machines, against every division there is."""

from __future__ import annotations

from itertools import product

import numpy as np

from jaxshop.bounds.division import FOUND, NONE, Division, divide, division_of
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


def test_a_division_that_is_there_is_not_ruled_out():
    """Shows on 150 shops made from schedules without a gap, with alike machines, lattices of times, sums counted in
    grains and narrow windows among them, that arguments about weights, idle time and sums never say that there is none.
    """
    answers, grains = [], 0
    for seed in range(150):
        division = planted(seed)
        answers.append(divide(division, 0, 20_000))
        assert answers[-1] != NONE, seed
        grains += division.room.grain > 0
    assert answers.count(FOUND) > 100
    assert grains > 5


def test_windows_that_end_before_they_begin():
    """Shows that there is no division where no operation has time, whatever else."""
    r, d, times = np.array([500, 700, 900]), np.array([3, 4, 4]), np.full((3, 2), 2)
    division = division_of(r, d, times, np.zeros(2, np.int64), np.ones(2, np.int64))
    assert divide(division, 0, 100) == NONE


def planted(seed: int) -> Division:
    """A division problem made from a schedule that has no gap."""
    rng = np.random.default_rng(seed)
    m, each, lattice = 2 + seed % 4, int(rng.integers(2, 6)), (1, 40, 9000)[seed % 3]
    ticks = rng.integers(1, 40, (m, each)) * lattice + rng.integers(0, 2, (m, each))
    ends = ticks.cumsum(axis=1) + rng.integers(0, 3, (m, 1)) * lattice
    owner, ticks, ends = np.repeat(np.arange(m), each), ticks.ravel(), ends.ravel()
    early, late = rng.integers(0, 1 + ends.max() // (1 + seed % 3), (2, m * each))
    r, d = np.maximum(0, ends - ticks - early), np.minimum(ends + late, ends.max())
    times = np.repeat(ticks[:, None], m, axis=1)
    if seed % 2:
        times = (times * rng.uniform(0.9, 1.3, times.shape)).astype(np.int64) + 1
        times[rng.random(times.shape) < 0.1] = FAR
        times[np.arange(m * each), owner] = ticks
    free = np.zeros(m, np.int64)
    return division_of(r, d, times, free, rng.integers(1000, 1025, m))
