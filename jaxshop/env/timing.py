"""When an operation starts and ends: the one place that says so, for decision, transition, observation and estimates.

In a plain shop only the tick from which its machine is free matters, and what the operation takes there:

    start = max(ready, free)        end = start + time

With closed time the same holds in open time, the clock of the machine's calendar, which stands still while it is
closed: `open_time` leads there, `opening` and `closing` back, and `fit` moves what may not be interrupted on to a
stretch that is long enough. Set-ups by sequence are part of `time`.
"""

from __future__ import annotations

import jax.numpy as jnp
from chex import Array

from jaxshop.env.backends.vectors import each
from jaxshop.env.types import NEVER, Calendars


def earliest_start(ready: Array, free: Array) -> Array:
    """Earliest start of an operation ready at `ready` on a machine free from `free`, int32."""
    return jnp.maximum(ready, free)


def completion(start: Array, time: Array) -> Array:
    """The end of an operation that takes `time` from `start` on, int32."""
    return start + time


def started(end: Array, time: Array) -> Array:
    """The start of an operation that takes `time` and ends at `end`, int32: `completion` undone."""
    return end - time


def lot_completion(ready: Array, tail: Array) -> Array:
    """Before this tick, int32, no lot is done whose rest takes `tail` at least and is ready at `ready`."""
    return ready + tail


def scalar_start(ready: int, free: int) -> int:
    """`earliest_start` of two numbers, for loops that Numba compiles; the other functions serve both."""
    return max(ready, free)


def open_time(calendars: Calendars, calendar: Array, tick: Array) -> Array:
    """Open time that has passed by a tick, int32 of the shape of both; NEVER by NEVER."""
    k = _count(calendars.starts, calendar, tick, at_it=True)
    passed = jnp.maximum(tick - _entry(calendars.closed, calendar, k), _entry(calendars.reopens, calendar, k))
    return jnp.where(tick < NEVER, passed, NEVER)


def opening(calendars: Calendars, calendar: Array, clock: Array) -> Array:
    """The tick, int32, at which work goes on that has come to an open time: after the closing, where there is one."""
    return _tick(calendars, calendar, clock, at_it=True)


def closing(calendars: Calendars, calendar: Array, clock: Array) -> Array:
    """The tick, int32, at which work ends that has come to an open time: before the closing, where there is one."""
    return _tick(calendars, calendar, clock, at_it=False)


def fit(calendars: Calendars, calendar: Array, clock: Array, time: Array) -> Array:
    """The first open time from `clock` on that `time` ticks follow without a closing, int32."""
    assert calendars.longest is not None
    k = _count(calendars.opens, calendar, clock, at_it=True)
    late = _entry(calendars.opens, calendar, k) - clock < time
    i = k + late.astype(jnp.int32)
    for level in range(calendars.longest.shape[0] - 1, -1, -1):
        short = late & (_entry(calendars.longest[level], calendar, i) < time)
        i = i + jnp.where(short, 2**level, 0)
    return jnp.where(late, _entry(calendars.reopens, calendar, i), clock)


def _tick(calendars: Calendars, calendar: Array, clock: Array, at_it: bool) -> Array:
    k = _count(calendars.opens, calendar, clock, at_it)
    return jnp.where(clock < NEVER, clock + _entry(calendars.closed, calendar, k), NEVER)


def _count(table: Array, calendar: Array, value: Array, at_it: bool) -> Array:
    """How many entries of the calendar's row, ascending, are below a value (or at it), int32; by halves."""
    found, step = jnp.zeros_like(value), table.shape[1] // 2
    while step:
        entry = _entry(table, calendar, found + (step - 1))
        found = found + jnp.where(entry <= value if at_it else entry < value, step, 0)
        step //= 2
    return found


def _entry(table: Array, calendar: Array, column: Array) -> Array:
    """`table[calendar, column]` of [A, W]; of [A, W, E] each environment's own."""
    return each(table.reshape(-1, *table.shape[2:]), calendar * table.shape[1] + column)
