"""A schedule, or what there is of one, as a picture: SVG, text or pixels, for a notebook or a test that failed."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from jaxshop.schedule import Row, Schedule
from jaxshop.schedule.dispatch import fixed_rows
from jaxshop.shop import TICKS_PER_HOUR, LotPlan

WIDTH, LEFT, ROW, FOOT = 960, 110, 16, 28
"""Pixels: of the picture, of the machines' names, of a machine's row, of the axis."""

COLUMNS, NAME = 100, 12
"""Characters: of a line of text, of a machine's name in it."""

HEIGHT = 720
"""Pixels of all rows of `pixels`, about: few machines have rows as in the SVG, many have narrow ones."""

GOLDEN_ANGLE = 137.508
"""Degrees of hue between a job and the next: any few jobs in a row look unlike each other."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
"""What stands for jobs in text, over and over."""


class Bar(NamedTuple):
    """An operation from tick `start` to tick `end` in the row of a machine."""

    machine: int
    job: int
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Picture:
    """What is to be drawn: a row for each machine, with its bars; `bound` is a tick to draw a line at."""

    machines: Sequence[str]
    bars: Sequence[Bar]
    bound: int | None = None
    ticks: bool = False
    """Whether times are of no unit; else they are shown in hours."""

    @property
    def first(self) -> int:
        """The tick at the left edge."""
        return min([0, *(bar.start for bar in self.bars)])

    @property
    def last(self) -> int:
        """The tick at the right edge."""
        return max([bar.end for bar in self.bars] + [self.bound or 0, 1])

    @property
    def unit(self) -> tuple[int, str]:
        """Ticks of the unit that times are shown in, and its name."""
        return (1, "ticks") if self.ticks else (TICKS_PER_HOUR, "h")


def state_picture(plan: LotPlan, start: Any, end: Any, machine: Any, bound: int | None = None) -> str:
    """The picture of an environment's state, finished or not, as an SVG document; fixed work stands in it.

    `state_picture(plan, state.schedule.start, op_ends(state, params), state.schedule.machine)`; arrays of any library.

    Args:
        plan: what the environment was made of.
        start: ticks, int [N or more]; -1 where an operation is not dispatched yet.
        end: ticks, int [N or more].
        machine: numbers, int [N or more].
        bound: a tick to draw a line at.
    """
    return svg(state_of(plan, start, end, machine, bound))


def schedule_picture(plan: LotPlan, schedule: Schedule, bound: int | None = None) -> str:
    """The picture of a schedule of the plan, as an SVG document."""
    return svg(_of_plan(plan, schedule.rows, bound))


def state_of(plan: LotPlan, start: Any, end: Any, machine: Any, bound: int | None = None) -> Picture:
    """What `state_picture` draws."""
    names = [each.id for each in plan.shop.machines]
    steps = [(lot, op) for lot in plan.reserved.lots for op in lot.operations if op.fixed is None]
    rows = [
        Row(lot.job, lot.index, op.id, names[int(machine[n])], int(start[n]), int(end[n]))
        for n, (lot, op) in enumerate(steps)
        if int(start[n]) >= 0
    ]
    return _of_plan(plan, (*fixed_rows(plan), *rows), bound)


def _of_plan(plan: LotPlan, rows: Sequence[Row], bound: int | None) -> Picture:
    jobs = {job.id: j for j, job in enumerate(plan.shop.jobs)}
    names = [machine.id for machine in plan.shop.machines]
    number = {name: m for m, name in enumerate(names)}
    bars = [
        Bar(number[row.machine], jobs[row.job], f"{row.operation}, lot {row.lot + 1}", row.start, row.end)
        for row in rows
    ]
    return Picture(names, bars, bound, plan.shop.unit != "hours")


def svg(picture: Picture) -> str:
    """An SVG document, in which a bar says under the pointer what it is."""
    machines, first, last = picture.machines, picture.first, picture.last
    height = ROW * len(machines) + FOOT

    def x(tick: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 10) * (tick - first) / (last - first), 1)

    def parts() -> Iterator[str]:
        size, font = f'width="{WIDTH}" height="{height}"', 'font-family="sans-serif" font-size="10"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>'
        yield f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        for m, machine in enumerate(machines):
            if m % 2:
                yield f'<rect x="{LEFT}" y="{m * ROW}" width="{WIDTH - LEFT}" height="{ROW}" fill="#f3f4f6"/>'
            yield f'<text x="{LEFT - 6}" y="{m * ROW + 12}" text-anchor="end">{escape(machine[:18])}</text>'
        for bar in picture.bars:
            wide = max(round(x(bar.end) - x(bar.start), 1), 0.5)
            colour = f"hsl({_hue(bar.job):.0f} 55% 60%)"
            yield (
                f'<rect x="{x(bar.start)}" y="{bar.machine * ROW + 1}" width="{wide}" height="{ROW - 2}" '
                f'fill="{colour}"><title>{escape(bar.text)}</title></rect>'
            )
        if picture.bound is not None:
            at = x(picture.bound)
            yield f'<line x1="{at}" y1="0" x2="{at}" y2="{height - FOOT}" stroke="#b91c1c"/>'
        unit, name = picture.unit
        for mark in _marks(first / unit, last / unit, 8):
            yield f'<text x="{x(mark * unit)}" y="{height - 12}" text-anchor="middle">{mark:g} {name}</text>'
        yield "</svg>"

    return "\n".join(parts()) + "\n"


def text(picture: Picture) -> str:
    """Lines of at most `COLUMNS` characters, one a machine: letters stand for jobs, and each for what fills it most."""
    first, last, columns = picture.first, picture.last, COLUMNS - NAME - 1
    shares = np.zeros((len(picture.machines), columns))
    letters = np.full(shares.shape, ".")
    edges = first + (last - first) * np.arange(columns + 1) / columns
    for bar in picture.bars:
        filled = np.clip(np.minimum(edges[1:], bar.end) - np.maximum(edges[:-1], bar.start), 0, None)
        more = filled > shares[bar.machine]
        letters[bar.machine, more] = LETTERS[bar.job % len(LETTERS)]
        shares[bar.machine, more] = filled[more]
    rows = [f"{name[:NAME]:<{NAME}} {''.join(row)}" for name, row in zip(picture.machines, letters, strict=True)]
    unit, name = picture.unit
    axis = [" "] * columns
    for mark in _marks(first / unit, last / unit, 6):
        shown, at = f"{mark:g}", int(columns * (mark * unit - first) / (last - first))
        if at + len(shown) <= columns:
            axis[at : at + len(shown)] = shown
    return "\n".join([*rows, f"{name:<{NAME}} {''.join(axis)}".rstrip()]) + "\n"


def pixels(picture: Picture) -> np.ndarray:
    """Red, green and blue, uint8 [height, `WIDTH`, 3], without any writing; the bound is a red line."""
    row = max(3, min(ROW, HEIGHT // len(picture.machines)))
    image = np.full((row * len(picture.machines), WIDTH, 3), 255, np.uint8)
    for m in range(1, len(picture.machines), 2):
        image[m * row : (m + 1) * row] = (243, 244, 246)
    scale = WIDTH / (picture.last - picture.first)
    for bar in picture.bars:
        begin, end = (round((tick - picture.first) * scale) for tick in (bar.start, bar.end))
        colour = colorsys.hls_to_rgb(_hue(bar.job) / 360, 0.6, 0.55)
        top = bar.machine * row
        image[top : top + row - 1, begin : max(end, begin + 1)] = [round(255 * part) for part in colour]
    if picture.bound is not None:
        image[:, min(WIDTH - 1, round((picture.bound - picture.first) * scale))] = (185, 28, 28)
    return image


def _hue(job: int) -> float:
    """Degrees."""
    return job * GOLDEN_ANGLE % 360


def _marks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from low to high, half as many again as `about` at most."""
    rough = (high - low) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [round(k * step, 9) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
