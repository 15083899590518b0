"""One search's own memory: the table of its schedule, a log of what was changed, counters, and chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.search.improve.model import Arrays
from jaxshop.support.compiling import compiled

LOGGED, WORK, OVERFLOWN, CYCLIC, STALE = range(5)
"""Counters: entries of the log; nodes visited and gaps looked at since the search began; whether the log was too short
for what it should take back; whether the graph has had a cycle, which is a fault of a move; changes since the order was
made."""

ROOM = 64
"""Places at the end of `path` for operations that are taken out."""

_ONE = np.uint64(1)


class State(NamedTuple):
    """One search's own memory; the kernels change it in place."""

    table: np.ndarray  # [nodes, COLUMNS], as `model` says
    place: np.ndarray  # int32 [operations]: where an operation stands in the order
    order: np.ndarray  # int32 [operations]
    degree: np.ndarray  # int8 [operations]: scratch
    forward: np.ndarray  # uint64 words: places whose heads are to be looked at
    backward: np.ndarray  # the same of tails
    log: np.ndarray  # int64 [entries, 3]: nodes and columns of the table, and what stood there
    counters: np.ndarray  # int64
    random: np.ndarray  # uint64 [1]
    path: np.ndarray  # int32 [operations]: scratch: a critical path; the last ROOM, what is taken out
    near: np.ndarray  # int32 [alternatives]: the node before the first possible gap when one was last looked for


def new_state(arrays: Arrays, seed: int) -> State:
    """Memory for a search that begins with no operation on any machine."""
    n = arrays.operations
    words = n // 64 + 1
    every = np.arange(n, dtype=np.int32)
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64) | _ONE
    return State(
        arrays.blank.copy(),
        every.copy(),
        every.copy(),
        np.zeros(n, np.int8),
        np.zeros(words, np.uint64),
        np.zeros(words, np.uint64),
        np.zeros((64 * n + 4096, 3), np.int64),
        np.zeros(8, np.int64),
        start,
        np.zeros(n + ROOM, np.int32),
        arrays.where.copy(),
    )


@compiled
def draw(random, bound):
    """A number from 0 to bound - 1 (xorshift64*, Vigna 2016)."""
    x = random[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    random[0] = x
    high = (x * np.uint64(2685821657736338717)) >> np.uint64(32)
    return np.int64((high * np.uint64(bound)) >> np.uint64(32))


@compiled
def put(state, node, column, value):
    """Write a cell and log what stood there."""
    k = state.counters[LOGGED]
    if k < state.log.shape[0]:
        state.log[k, 0], state.log[k, 1], state.log[k, 2] = node, column, state.table[node, column]
        state.counters[LOGGED] = k + 1
    else:
        state.counters[OVERFLOWN] = 1
    state.table[node, column] = value


@compiled
def forget(state):
    """Keep all changes: the log begins anew."""
    state.counters[LOGGED] = 0
    state.counters[OVERFLOWN] = 0


@compiled
def take_back(state):
    """Undo all changes since the log began; only where it has not overflown."""
    table, log = state.table, state.log
    for k in range(state.counters[LOGGED] - 1, -1, -1):
        table[log[k, 0], log[k, 1]] = log[k, 2]
    forget(state)


@compiled
def put_changed(state, node, column, value):
    """`put`, where the value is another."""
    if state.table[node, column] != value:
        put(state, node, column, value)
