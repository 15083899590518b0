"""The plant's own rules from the host to padded arrays: calendars expanded, fixed work placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jaxshop.env.layout import Layout, lay_out
from jaxshop.env.types import NEVER, Blocks, Calendars, Plant, PlantShape, Shape
from jaxshop.schedule.dispatch import RULES, dispatch_by_rule
from jaxshop.shop import LotPlan
from jaxshop.shop.calendars import Windows
from jaxshop.shop.plant import needs_timing
from jaxshop.shop.progress import opening, timing_of
from jaxshop.shop.timing import Ahead, Timing

REACH = 4
"""Closed time is known for so many makespans of a plain rule's schedule, and so many times the longest route on its
slowest machines; who goes on after that finds all open."""

SLOW = 2
"""The same for a makespan as many times as long as all work takes on the slowest machines in place of the fastest."""

FOR_EVER = 2**30
"""The tick at which a machine opens again that is closed for ever."""


@dataclass(frozen=True)
class Opened:
    """A plan whose fixed work is placed: what is left of it, and what its machines and lots stand at by then."""

    plan: LotPlan  # without the fixed operations
    layout: Layout
    ready: np.ndarray  # int64 [lots]; of a lot that is all fixed, its end
    free: np.ndarray  # int64 [machines]
    family: np.ndarray  # int64 [machines]
    begun: int  # tick at which the last fixed work ends
    timing: Timing | None  # None: operations run as in a plain shop
    windows: tuple[np.ndarray, ...] = ()
    """Start and end of the closed windows of each calendar, int64 [2, w], from tick 0 on."""
    ahead: Ahead | None = None


def open_plan(plan: LotPlan) -> Opened:
    """Place the fixed work, and expand calendars as far as schedules reach."""
    if not needs_timing(plan):
        ready = np.array([lot.release for lot in plan.lots], np.int64)
        free = np.array([machine.available_from for machine in plan.shop.machines], np.int64)
        return Opened(plan, lay_out(plan), ready, free, np.zeros_like(free), 0, None)
    plan = plan.reserved
    timing = timing_of(plan)
    begin = opening(plan, timing)
    ends = {placed.lot: placed.span.end for placed in begin.fixed}
    lots = tuple(
        replace(lot, operations=lot.operations[done:]) for lot, done in zip(plan.lots, begin.done, strict=True)
    )
    ready = np.array([begin.ready[i] if lot.operations else ends[i] for i, lot in enumerate(lots)], np.int64)
    until = _reach(plan)
    timing.reach(until)
    alone = [m if count else -1 for m, count in enumerate(begin.ahead.blocks.tolist())]
    kinds = list(zip(timing.pattern.tolist(), timing.changeovers.kind.tolist(), alone, strict=True))
    rest = replace(plan, lots=lots)
    numbers = range(int(timing.pattern.max()) + 1)
    windows = tuple(_seen(timing.windows(int(np.argmax(timing.pattern == n))), until) for n in numbers)
    last = max(ends.values(), default=0)
    layout, begun = lay_out(rest, kinds), max(last, 0)
    return Opened(rest, layout, ready, begin.free, begin.family, begun, timing, windows, begin.ahead)


def _reach(plan: LotPlan) -> int:
    """A tick that no schedule of a rule or a policy is expected to pass."""
    makespan = dispatch_by_rule(plan, RULES["FIFO"], active=False).makespan
    fastest = [sum(op.setup + min(op.alternatives.values()) for op in lot.operations) for lot in plan.lots]
    slowest = [sum(op.setup + max(op.alternatives.values()) for op in lot.operations) for lot in plan.lots]
    longest = max(lot.release + ticks for lot, ticks in zip(plan.lots, slowest, strict=True))
    return max(REACH * makespan, REACH * longest, SLOW * makespan * sum(slowest) // max(sum(fastest), 1))


def plant_shape(plans: Sequence[Opened]) -> PlantShape | None:
    """The least sizes that hold the rules of every plan."""
    timed = [plan for plan in plans if plan.timing is not None]
    if not timed:
        return None
    most = max(windows.shape[1] for plan in timed for windows in plan.windows)
    return PlantShape(
        calendars=max(len(plan.windows) for plan in timed),
        windows=1 << most.bit_length(),
        families=max(len(plan.timing.changeovers.families) for plan in timed if plan.timing) + 1,
        tables=max(len(plan.timing.changeovers.ticks) for plan in timed if plan.timing),
        whole=any(not op.interruptible for plan in timed for lot in plan.plan.lots for op in lot.operations),
        blocks=max(int(plan.ahead.blocks.max()) for plan in timed if plan.ahead),
    )


def pack_plant(plan: Opened, sizes: Shape) -> Plant:
    """The rules as NumPy arrays; a plain plan has none of them, in arrays of the same sizes."""
    assert sizes.plant is not None
    shape, timing, none = sizes.plant, plan.timing, sizes.plant.families - 1
    lots = plan.plan.lots
    ops = [op for lot in lots for op in lot.operations]
    of_machine = np.zeros((2, sizes.machines), np.int32)  # calendar, table
    setups = np.zeros((shape.tables, shape.families, shape.families), np.int32)
    to, family = np.full(sizes.operations, none, np.int32), np.full(sizes.machines, none, np.int32)
    lag, whole = np.zeros((2, sizes.operations), np.int32)
    if timing is not None:
        table = timing.changeovers
        number = np.array([*range(table.none), none])  # the last one stands for none
        setups[: len(table.ticks), number[:, None], number] = table.ticks
        of_machine[:, : len(plan.free)] = timing.pattern, table.kind
        family[: len(plan.free)] = number[plan.family]
        to[: len(ops)] = number[[table.number(op.family) for op in ops]]
        lag[: len(ops)] = [op.lag if op is not lot.operations[-1] else 0 for lot in lots for op in lot.operations]
        whole[: len(ops)] = [not op.interruptible for op in ops]
    of_set = np.zeros((2, sizes.sets), np.int32)
    for held, index in plan.layout.sets.items():
        of_set[:, index] = of_machine[:, held[0]]
    calendars = calendars_of(plan.windows, shape, of_set[0], of_machine[0])
    blocks = _blocks(plan, sizes) if shape.blocks else None
    return Plant(calendars, setups, of_set[1], family, to, lag, whole, np.int32(plan.begun), blocks)


def _blocks(plan: Opened, sizes: Shape) -> Blocks:
    assert sizes.plant is not None
    shape, none = sizes.plant, sizes.plant.families - 1
    until = np.full((shape.blocks, shape.families, sizes.machines), NEVER, np.int32)
    end = np.full((shape.blocks, sizes.machines), NEVER, np.int32)
    family = np.full((shape.blocks, sizes.machines), none, np.int32)
    owner = np.full(sizes.sets, -1, np.int32)
    if plan.ahead is not None and plan.timing is not None:
        own = plan.timing.changeovers.none
        number = np.array([*range(own), none])  # the last one stands for none
        for m, count in enumerate(plan.ahead.blocks.tolist()):
            windows = plan.timing.windows(m)
            begin = windows.open_before(0)
            clock = windows.open_before(np.maximum(plan.ahead.until[m, :count], 0)) - begin
            until[:count, number, m] = np.where(plan.ahead.until[m, :count] < 0, -1, clock)
            end[:count, m] = windows.open_before(plan.ahead.end[m, :count]) - begin
            family[:count, m] = number[plan.ahead.family[m, :count]]
        for held, index in plan.layout.sets.items():
            if len(held) == 1 and plan.ahead.blocks[held[0]]:
                owner[index] = held[0]
    return Blocks(until, end, family, owner)


def open_share(plan: Opened, ticks: int) -> np.ndarray:
    """The share of the time up to a tick that each machine is open and not in fixed use, float64 [machines].

    At least a hundredth. Until what runs already has ended, a machine is not free anyway.
    """
    if plan.timing is None or plan.ahead is None:
        return np.ones(len(plan.free))
    shares = []
    for starts, ends in plan.windows:
        closed = (np.minimum(ends, ticks) - np.minimum(starts, ticks)).sum()
        shares.append(1 - closed / ticks)
    taken = np.minimum(plan.ahead.end, ticks) - np.minimum(plan.ahead.start, ticks)
    return np.maximum(np.array(shares)[plan.timing.pattern] - taken.sum(axis=1) / ticks, 0.01)


def _seen(windows: Windows, until: int) -> np.ndarray:
    seen = (windows.ends > 0) & (windows.starts < until)
    return np.stack([np.maximum(windows.starts[seen], 0), np.minimum(windows.ends[seen], FOR_EVER)])


def calendars_of(
    windows: Sequence[np.ndarray], shape: PlantShape, of_set: np.ndarray, of_machine: np.ndarray
) -> Calendars:
    """Calendars with these closed windows, int64 [2, w] each, as NumPy arrays."""
    starts, opens = np.full((2, shape.calendars, shape.windows), NEVER, np.int64)
    reopens, closed = np.full_like(starts, NEVER), np.zeros_like(starts)
    reopens[:, 0] = -NEVER
    for row, (begin, end) in enumerate(windows):
        count, passed = begin.size, np.append(0, np.cumsum(end - begin))
        starts[row, :count] = begin
        opens[row, :count] = reopens[row, 1 : count + 1] = begin - passed[:-1]
        closed[row, :count], closed[row, count:] = passed[:-1], passed[-1]
    longest = None
    if shape.whole:
        levels = [np.minimum(opens - reopens, NEVER)]
        while 2 ** len(levels) <= shape.windows:
            half = 2 ** (len(levels) - 1)
            after = np.concatenate([levels[-1][:, half:], np.full((shape.calendars, half), NEVER)], axis=1)
            levels.append(np.maximum(levels[-1], after))
        longest = np.stack(levels).astype(np.int32)
    rows = np.stack([starts, opens, reopens, closed]).astype(np.int32)
    return Calendars(rows[0], rows[1], rows[2], rows[3], longest, of_set, of_machine)
