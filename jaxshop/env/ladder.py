"""Sizes that shops are padded to, so that shops of like size share a compiled program.

A compilation takes seconds, a schedule milliseconds. Measured on job shops, flexible shops and the reference, rows of
candidates cost what real ones do, everything else next to nothing, and padded operations are not played at all. So lots
have close rungs as long as all of them are candidates, and all else has few.
"""

from __future__ import annotations

from dataclasses import replace

from jaxshop.env.types import Shape

LOTS = (16, 24, 32, 48, 64)
MACHINES = (32,)
SETS = (64,)
OPERATIONS = (1024,)
CHOICES = (1, 8)
OVERLAP = (4, 16)


def rung(shape: Shape) -> Shape:
    """The least shape of the ladder that holds `shape`; it shows a policy the same candidates."""
    lots, machines = _up(shape.lots, LOTS), _up(shape.machines, MACHINES)
    return replace(
        shape,
        lots=lots,
        operations=_up(shape.operations, OPERATIONS),
        choices=_up(shape.choices, CHOICES),
        # A job shop has a set for each machine; the last set, and the last pool, is that of padding.
        sets=1 + (_up(shape.sets - 1, SETS) if shape.flexible else machines),
        machines=machines,
        pools=1 + machines,
        candidates=lots if shape.candidates == shape.lots else shape.candidates,
        overlap=_up(shape.overlap, OVERLAP) if shape.overlap else 0,
    )


def _up(size: int, rungs: tuple[int, ...]) -> int:
    """The first rung from `size` on; past the last they double."""
    for step in rungs:
        if size <= step:
            return step
    step = rungs[-1]
    while step < size:
        step *= 2
    return step
