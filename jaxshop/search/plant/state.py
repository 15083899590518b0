"""One search's own memory: the table of its schedule, a log of what was changed, counters, and chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.search.improve.state import ROOM
from jaxshop.search.plant.model import FREE, LEAST, SET_UP, Arrays

START, END, SET_FOR, NUMBER, TICKS, LAST_READY, LAST_THROUGH, BEFORE, AFTER, ALTERNATIVE, PAST = range(11)
"""Columns of the table: start and end; for which family the machine is set up then, and the number of its next block of
fixed work; ticks, set-ups included; when the operation must be ready at the latest, and what open time of its machine
may have passed by its end, so that no lot is done after its deadline; the nodes before and after on its machine; the
alternative that it runs on, -1 where it is on no machine; behind how many blocks of fixed work it runs at least."""
COLUMNS = 11


class State(NamedTuple):
    """One search's own memory; the kernels change it in place.

    Its log and its counters are those of `improve.state`, whose kernels write and read them.

    Nodes are the operations, then one a machine, which closes the machine's sequence to a ring and ends when the
    machine is free.
    """

    table: np.ndarray  # int64 [nodes, COLUMNS]
    deadline: np.ndarray  # int64 [lots]
    place: np.ndarray  # int64 [operations]: where an operation stands in the order
    order: np.ndarray  # int64 [operations]: nearly topological
    degree: np.ndarray  # int8 [operations]: scratch
    forward: np.ndarray  # uint64 words: places whose times are to be looked at
    backward: np.ndarray  # the same of latest times
    log: np.ndarray  # int64 [entries, 3]: nodes and columns of the table, and what stood there
    path: np.ndarray  # int64 [operations + ROOM]: scratch: a critical path; the last ROOM, what is taken out
    done: np.ndarray  # int64 [jobs]: when each is done
    counters: np.ndarray  # int64
    random: np.ndarray  # uint64 [1]


def new_state(arrays: Arrays, seed: int) -> State:
    """Memory for a search that begins with no operation on any machine."""
    n = len(arrays.operations)
    words = n // 64 + 1
    table = np.zeros((n + len(arrays.machines), COLUMNS), np.int64)
    nodes = np.arange(len(table))
    table[:, BEFORE] = table[:, AFTER] = nodes
    table[:, ALTERNATIVE] = -1
    table[:n, TICKS] = np.maximum(arrays.operations[:, LEAST], 1)
    table[n:, END], table[n:, SET_FOR] = arrays.machines[:, FREE], arrays.machines[:, SET_UP]
    every = np.arange(n)
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64) | np.uint64(1)
    return State(
        table,
        np.zeros(len(arrays.lots), np.int64),
        every.copy(),
        every.copy(),
        np.zeros(n, np.int8),
        np.zeros(words, np.uint64),
        np.zeros(words, np.uint64),
        np.zeros((64 * n + 4096, 3), np.int64),
        np.zeros(n + ROOM, np.int64),
        np.zeros(len(arrays.jobs), np.int64),
        np.zeros(8, np.int64),
        start,
    )
