"""When an operation runs on a machine, as `jaxshop.shop.timing` says, for kernels."""

from __future__ import annotations

from jaxshop.search.plant.model import (
    BLOCK_END,
    BLOCK_FAMILY,
    BLOCK_START,
    FAMILY,
    KIND,
    PATTERN,
    TAKES,
    WHERE,
    WHOLE,
)
from jaxshop.shop.timing import latest_between, placed_between, window_after
from jaxshop.support.compiling import compiled, inlined

run_between = compiled(placed_between)
run_latest = compiled(latest_between)
windows_begun = compiled(window_after)


@compiled
def run_on(arrays, machine, earliest, ticks, whole):
    """The first run on a machine from a tick on, whatever is fixed there."""
    table = arrays.windows[arrays.machines[machine, PATTERN]]
    return run_between(table, windows_begun(table[0], earliest), earliest, ticks, whole)


@inlined
def placed_on(arrays, operation, alternative, ready, free, family, number):
    """The first run of an operation on an alternative's machine; `Timing.placed_around` for one.

    Args:
        arrays: of the plan.
        operation: which.
        alternative: of it.
        ready: from when it may run.
        free: from when the machine may.
        family: what the machine is set up for.
        number: of its next block of fixed work.

    Returns:
        The run, its ticks, what the machine is set up for right before, and the number of its next block then.
    """
    machine, own = arrays.alternatives[alternative, WHERE], arrays.operations[operation, FAMILY]
    ticks = arrays.alternatives[alternative, TAKES] + arrays.changeover[arrays.machines[machine, KIND], family, own]
    run = run_on(arrays, machine, max(ready, free), ticks, arrays.operations[operation, WHOLE])
    after = family if own == arrays.changeover.shape[1] - 1 else own
    if run.end <= arrays.before[machine, number, after]:
        return run, ticks, family, number
    return placed_behind(arrays, operation, alternative, ready, free, family, number)


@compiled
def placed_behind(arrays, operation, alternative, ready, free, family, number):
    """The same behind the next block at the soonest: apart, as it is seldom needed."""
    machine, own = arrays.alternatives[alternative, WHERE], arrays.operations[operation, FAMILY]
    kind, none = arrays.machines[machine, KIND], arrays.changeover.shape[1] - 1
    while True:
        free, family, number = behind(arrays, machine, free, family, number, number + 1)
        ticks = arrays.alternatives[alternative, TAKES] + arrays.changeover[kind, family, own]
        run = run_on(arrays, machine, max(ready, free), ticks, arrays.operations[operation, WHOLE])
        if run.end <= arrays.before[machine, number, family if own == none else own]:
            return run, ticks, family, number


@compiled
def behind(arrays, machine, free, family, number, least):
    """From when a machine is free, its family and the number of its next block, where it lets pass blocks up to one."""
    while number < least:
        free = max(free, arrays.blocks[machine, number, BLOCK_END])
        own = arrays.blocks[machine, number, BLOCK_FAMILY]
        family = family if own == arrays.changeover.shape[1] - 1 else own
        number += 1
    return free, family, number


@compiled
def latest_on(arrays, operation, alternative, until, ticks):
    """What ends by a tick on an alternative's machine: open time passed by then, and the latest tick to be ready."""
    machine, whole = arrays.alternatives[alternative, WHERE], arrays.operations[operation, WHOLE]
    table = arrays.windows[arrays.machines[machine, PATTERN]]
    through, ready = run_latest(table, windows_begun(table[0], until), until, ticks, whole)
    for number in range(arrays.blocks.shape[1] - 2, -1, -1):
        start = arrays.blocks[machine, number, BLOCK_START]
        if until > start and ready < arrays.blocks[machine, number, BLOCK_END]:
            until = start
            through, ready = run_latest(table, windows_begun(table[0], until), until, ticks, whole)
    return through, ready


@compiled
def open_by(arrays, machine, tick):
    """The open time of a machine that has passed by a tick."""
    table = arrays.windows[arrays.machines[machine, PATTERN]]
    k = windows_begun(table[0], tick)
    return max(tick, table[1, k]) - table[2, k]
