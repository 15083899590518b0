"""When an operation runs on a machine, as `jaxshop.shop.timing` says, for kernels."""

from __future__ import annotations

from jaxshop.search.plant.model import PATTERN, WHERE, WHOLE
from jaxshop.shop.timing import latest_between, placed_between, window_after
from jaxshop.support.compiling import compiled

run_between = compiled(placed_between)
run_latest = compiled(latest_between)
windows_begun = compiled(window_after)


@compiled
def run_on(arrays, machine, earliest, ticks, whole):
    """The first run on a machine from a tick on."""
    table = arrays.windows[arrays.machines[machine, PATTERN]]
    return run_between(table, windows_begun(table[0], earliest), earliest, ticks, whole)


@compiled
def latest_on(arrays, operation, alternative, until, ticks):
    """What ends by a tick on an alternative's machine: open time passed by then, and the latest tick to be ready."""
    table = arrays.windows[arrays.machines[arrays.alternatives[alternative, WHERE], PATTERN]]
    return run_latest(table, windows_begun(table[0], until), until, ticks, arrays.operations[operation, WHOLE])


@compiled
def open_by(arrays, machine, tick):
    """The open time of a machine that has passed by a tick."""
    table = arrays.windows[arrays.machines[machine, PATTERN]]
    k = windows_begun(table[0], tick)
    return max(tick, table[1, k]) - table[2, k]
