"""When an operation starts and ends: the one place that says so, for decision, transition, observation and estimates.

Of a machine only the tick from which it is free matters so far, and of an operation its time there:

    start = max(ready, free)        end = start + time

A plant's own rules change these functions and nothing else. Set-ups by sequence lengthen `time` by what the machine's
last family asks for, right before the operation: `earliest_start` stays, `completion` takes the machine's family too.
Calendars move a start to the next opening and an end past the closings on the way: both functions take the machine's
closed windows too, and `started` counts them backwards. Either argument is an array of no rows in a shop without such
rules, which a function sees when it is traced (as `runs_on` does with `machine_sets`), so that such a shop compiles to
the program of today. What asks for many machines at once, the starts of a lot by set, may be told less: a lower bound
of the start is enough there, as `transition.place` asks again for the machine itself.
"""

from __future__ import annotations

from chex import Array
from jax import numpy as jnp


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
