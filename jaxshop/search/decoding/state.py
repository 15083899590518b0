"""One search's own memory: a list that it has, one that it tries, and the schedules of both."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from jaxshop.search.decoding.model import Arrays

START, END, ALTERNATIVE, BEFORE, SETUP = range(5)
"""Columns of a schedule: ticks, the alternative that an operation runs on, the operation before it on its machine (-1:
none), and the ticks of its set-up by sequence."""
COLUMNS = 5

WORK, LOW, HIGH, CHANGED = range(4)
"""Counters: operations placed since the search began; the first and the last place of the list that a trial changes,
and how many machines."""

TOTALS = 4
MAKESPAN, LATE, BEHIND_GUIDE, GUIDE = range(-TOTALS, 0)
"""The last cells of a mark: the makespan so far, the weighted ticks late, the ticks by which jobs are done after a
guide, and that guide, a tick."""

ROOM = 4096
"""Machines that one trial may change."""


class State(NamedTuple):
    """A list of operations in which each follows those before it on its route, with machines that are prescribed (or
    -1: where an operation can end first). What a trial changes can be taken back, as `kept` lists know it."""

    order: np.ndarray  # int64 [operations]
    place: np.ndarray  # int64 [operations]: where an operation stands in `order`
    forced: np.ndarray  # int64 [operations]: alternatives
    kept: np.ndarray  # int64 [operations]: the order that was there before
    undo: np.ndarray  # int64 [ROOM, 2]: operations and what was prescribed for them before
    held: np.ndarray  # int64 [operations, COLUMNS]: the schedule of the list that was there before
    trial: np.ndarray  # int64 [operations, COLUMNS]: the schedule of the list
    marks: np.ndarray  # int64 [marks + 1, cells]: where decoding can go on, every `spacing` places; the end last
    tried: np.ndarray  # int64 [marks + 1, cells]
    now: np.ndarray  # int64 [cells]: scratch
    path: np.ndarray  # int64 [operations]: scratch
    counters: np.ndarray  # int64
    random: np.ndarray  # uint64 [1]
    spacing: int


def new_state(arrays: Arrays, seed: int) -> State:
    """Memory for a search that has no list yet."""
    n = len(arrays.operations)
    cells = len(arrays.lots) + 3 * len(arrays.machines) + len(arrays.jobs) + TOTALS
    spacing = max(8, math.isqrt(n))
    count = -(-n // spacing) + 1
    every = np.arange(n)
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64) | np.uint64(1)
    return State(
        every.copy(),
        every.copy(),
        np.full(n, -1),
        every.copy(),
        np.zeros((ROOM, 2), np.int64),
        np.zeros((n, COLUMNS), np.int64),
        np.zeros((n, COLUMNS), np.int64),
        np.zeros((count, cells), np.int64),
        np.zeros((count, cells), np.int64),
        np.zeros(cells, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(8, np.int64),
        start,
        spacing,
    )
