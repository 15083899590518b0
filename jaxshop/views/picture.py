"""A schedule, or what there is of one, as a picture: plain SVG, for a notebook, a README or a test that failed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from jaxshop.schedule import Schedule
from jaxshop.shop import TICKS_PER_HOUR, LotPlan

WIDTH, LEFT, ROW, FOOT = 960, 110, 16, 28
"""Pixels: of the picture, of the machines' names, of a machine's row, of the axis."""

GOLDEN_ANGLE = 137.508
"""Degrees of hue between a job and the next: any few jobs in a row look unlike each other."""


class Bar(NamedTuple):
    """An operation from tick `start` to tick `end` in the row of a machine."""

    machine: int
    job: int
    text: str
    start: int
    end: int


def state_picture(plan: LotPlan, start: Any, end: Any, machine: Any, bound: int | None = None) -> str:
    """The picture of an environment's state, finished or not.

    `state_picture(plan, state.schedule.start, op_ends(state, params), state.schedule.machine)`; arrays of any library.

    Args:
        plan: what the environment was made of; its operations are in the order of the arrays.
        start: ticks, int [N or more]; -1 where an operation is not dispatched yet.
        end: ticks, int [N or more].
        machine: numbers, int [N or more].
        bound: a tick to draw a line at.

    Returns:
        An SVG document.
    """
    number = {job.id: j for j, job in enumerate(plan.shop.jobs)}
    named = [(number[lot.job], f"{op.id}, lot {lot.index + 1}") for lot in plan.lots for op in lot.operations]
    bars = [
        Bar(int(machine[n]), job, text, int(start[n]), int(end[n]))
        for n, (job, text) in enumerate(named)
        if int(start[n]) >= 0
    ]
    return _picture(plan, bars, bound)


def schedule_picture(plan: LotPlan, schedule: Schedule, bound: int | None = None) -> str:
    """The picture of a schedule of the plan, as an SVG document."""
    jobs = {job.id: j for j, job in enumerate(plan.shop.jobs)}
    machines = {machine.id: m for m, machine in enumerate(plan.shop.machines)}
    bars = [
        Bar(machines[row.machine], jobs[row.job], f"{row.operation}, lot {row.lot + 1}", row.start, row.end)
        for row in schedule.rows
    ]
    return _picture(plan, bars, bound)


def _picture(plan: LotPlan, bars: Sequence[Bar], bound: int | None) -> str:
    machines = plan.shop.machines
    height, last = ROW * len(machines) + FOOT, max([bar.end for bar in bars] + [bound or 0, 1])
    first = min([0, *(bar.start for bar in bars)])

    def x(tick: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 10) * (tick - first) / (last - first), 1)

    def parts() -> Iterator[str]:
        size, font = f'width="{WIDTH}" height="{height}"', 'font-family="sans-serif" font-size="10"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>'
        yield f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        for m, machine in enumerate(machines):
            if m % 2:
                yield f'<rect x="{LEFT}" y="{m * ROW}" width="{WIDTH - LEFT}" height="{ROW}" fill="#f3f4f6"/>'
            yield f'<text x="{LEFT - 6}" y="{m * ROW + 12}" text-anchor="end">{escape(machine.id[:18])}</text>'
        for bar in bars:
            wide = max(round(x(bar.end) - x(bar.start), 1), 0.5)
            colour = f"hsl({bar.job * GOLDEN_ANGLE % 360:.0f} 55% 60%)"
            yield (
                f'<rect x="{x(bar.start)}" y="{bar.machine * ROW + 1}" width="{wide}" height="{ROW - 2}" '
                f'fill="{colour}"><title>{escape(bar.text)}</title></rect>'
            )
        if bound is not None:
            yield f'<line x1="{x(bound)}" y1="0" x2="{x(bound)}" y2="{height - FOOT}" stroke="#b91c1c"/>'
        unit, name = (TICKS_PER_HOUR, "h") if plan.shop.unit == "hours" else (1, "ticks")
        for mark in _marks(first / unit, last / unit):
            yield f'<text x="{x(mark * unit)}" y="{height - 12}" text-anchor="middle">{mark:g} {name}</text>'
        yield "</svg>"

    return "\n".join(parts()) + "\n"


def _marks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, at most a dozen."""
    rough = (high - low) / 8
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [round(k * step, 9) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
