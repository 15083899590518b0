"""A certified lower bound of total weighted tardiness, and the jobs that are late in every plan.

A job is done no sooner than it would be with the shop for itself. Beyond that, take a set of machines, and of some jobs
the work that cannot leave it. In any plan the i-th of those jobs to be done there is done no sooner than the i-th when
the set is one machine that may interrupt work and always goes on with the least that is left (Schrage 1968); and
whichever job is the i-th, the least total tardiness pairs sorted ends with sorted due dates (Chu 1992). Weights are cut
into layers: each counts for the jobs that weigh as much at least, and is a bound without weights. All is integer
arithmetic.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from jaxshop.bounds.open_time import OpenPlan
from jaxshop.shop import LotPlan

_LAYERS = 8
"""Layers of weights; more are joined, each at the least weight of those that it joins."""

_SETS = 40
"""Sets of machines that are looked at, those with the most work per machine."""


@dataclass(frozen=True)
class Tardiness:
    """What no plan avoids.

    Attributes:
        late: over jobs, ticks late times what one costs, in the parts of `Objective.parts`.
        jobs: ids of those that are late in every plan, the latest first.
        ticks: by how much each of them is late at least.
    """

    late: int
    jobs: tuple[str, ...]
    ticks: tuple[int, ...]


def late_in_every_plan(plan: LotPlan, of: OpenPlan | None = None) -> dict[str, int]:
    """Jobs that are late even if they have the shop for themselves: by how many ticks at least, the latest first."""
    of, ends = of or OpenPlan.of(plan), dict[str, int]()
    for lot, end in zip(of.plan.lots, of.ends.tolist(), strict=True):
        ends[lot.job] = max(end, ends.get(lot.job, end))
    late = {job.id: ends[job.id] - job.due for job in plan.shop.jobs if job.due is not None}
    return {job: ticks for job, ticks in sorted(late.items(), key=lambda entry: -entry[1]) if ticks > 0}


def tardiness_bound(plan: LotPlan, of: OpenPlan | None = None) -> Tardiness:
    """The bound for the shop's objective; 0 where tardiness is no part of it."""
    of, objective = of or OpenPlan.of(plan), plan.shop.objective
    alone = late_in_every_plan(plan, of)
    parts = np.array([objective.parts(job) if job.due is not None else 0 for job in plan.shop.jobs], object)
    own = np.array([alone.get(job.id, 0) for job in plan.shop.jobs], object) * parts
    late = int(own.sum())
    if objective.tardiness and of.groups:
        late += sum(_gains(of, parts, own))
    return Tardiness(late, tuple(alone), tuple(alone.values()))


@dataclass(frozen=True)
class _Share:
    """The work that some jobs have on a set of machines, and when it may begin and must be done; int64 [jobs] each."""

    jobs: np.ndarray
    work: np.ndarray
    heads: np.ndarray
    due: np.ndarray

    def of(self, chosen: np.ndarray) -> _Share:
        """Of some of them."""
        return _Share(self.jobs[chosen], self.work[chosen], self.heads[chosen], self.due[chosen])


def _gains(of: OpenPlan, parts: np.ndarray, own: np.ndarray) -> list[int]:
    """What sets of machines add to the jobs' own tardiness, each job counted for one set."""
    candidates, inside = of.sets
    load = inside @ np.array([group.fastest.sum() for group in of.groups]) / candidates.sum(axis=1)
    shares = [(np.flatnonzero(candidates[s]), _share(of, np.flatnonzero(inside[s]))) for s in np.argsort(-load)[:_SETS]]
    found = []
    for machines, share in shares:
        share = share.of(parts[share.jobs] > 0)
        if len(share.jobs):
            gain = _layers(of, machines, share, parts) - int(own[share.jobs].sum())
            found.append((gain, machines, share))
    free, gains = np.ones(len(parts), bool), []
    for _, machines, share in sorted(found, key=lambda entry: -entry[0]):
        left = share.of(free[share.jobs])
        gain = _layers(of, machines, left, parts) - int(own[left.jobs].sum()) if len(left.jobs) else 0
        if gain > 0:
            gains.append(gain)
            free[left.jobs] = False
    return gains


def _share(of: OpenPlan, groups: np.ndarray) -> _Share:
    """The work of every job with a due date that cannot leave the set of machines of these groups."""
    job = np.concatenate([of.jobs[g] for g in groups] or [np.zeros(0, np.int64)])
    columns = [np.concatenate([group[i] for group in (of.groups[g] for g in groups)]) for i in (2, 3)]
    work = np.concatenate([of.groups[g].fastest for g in groups])
    found = np.unique(job)
    due = np.array([of.plan.shop.jobs[j].due for j in found], object)
    dated = np.array([day is not None for day in due], bool)
    found, due = found[dated], due[dated].astype(np.int64)
    heads, tails = (np.array([column[job == j].min() for j in found], np.int64) for column in columns)
    return _Share(found, np.array([work[job == j].sum() for j in found], np.int64), heads, due - tails)


def _layers(of: OpenPlan, machines: np.ndarray, share: _Share, parts: np.ndarray) -> int:
    """The bound of the jobs' weighted tardiness by their work on the machines."""
    weights = parts[share.jobs]
    levels = sorted(set(weights.tolist()))
    if len(levels) > _LAYERS:
        levels = levels[:: -(-len(levels) // _LAYERS)]
    room = _Room(of, machines, share)
    total, below = 0, 0
    for level in levels:
        total += (level - below) * room.tardiness(share.of(weights >= level))
        below = level
    return total


class _Room:
    """Open time of a set of machines, added up, as a time of its own, and back to ticks."""

    def __init__(self, of: OpenPlan, machines: np.ndarray, share: _Share):
        last = max(int(share.heads.max()), int(of.available[machines].max()), *(p.span.end for p in of.fixed.fixed), 0)
        work = int(share.work.sum())
        _, end = of.enough(work, lambda ticks: int(of.room(last, ticks)[machines].sum()), last + 1)
        of.timing.reach(end)
        marks = [np.array([0, end]), of.available[machines]]
        for m in np.unique(of.timing.pattern[machines], return_index=True)[1]:
            windows = of.timing.windows(int(machines[m]))
            marks += [windows.starts, windows.ends]
        marks += [np.array(placed.span) for placed in of.fixed.fixed]
        self.ticks = np.unique(np.clip(np.concatenate(marks), 0, end))
        self.room = of.room(0, self.ticks)[:, machines].sum(axis=1)

    def tardiness(self, share: _Share) -> int:
        """The least total tardiness, in ticks, without weights."""
        heads = np.interp(share.heads, self.ticks, self.room)  # piecewise linear, in integers at most 2^53
        ends = np.sort(self._back(_least_left_first(np.floor(heads).astype(np.int64), share.work)))
        return int(np.maximum(ends - np.sort(share.due), 0).sum())

    def _back(self, room: np.ndarray) -> np.ndarray:
        """The first ticks by which there was so much room."""
        i = np.clip(np.searchsorted(self.room, room, side="left"), 1, len(self.room) - 1)
        rate = np.maximum((self.room[i] - self.room[i - 1]) // (self.ticks[i] - self.ticks[i - 1]), 1)
        return self.ticks[i - 1] + -(-(room - self.room[i - 1]) // rate)


def _least_left_first(heads: np.ndarray, work: np.ndarray) -> np.ndarray:
    """Ends on one machine that always goes on with the job of which the least is left, int64 [jobs], as they come."""
    order = np.argsort(heads, kind="stable")
    waiting: list[int] = []
    now, k, ends = 0, 0, []
    begins, takes = heads[order].tolist(), work[order].tolist()
    while k < len(begins) or waiting:
        if not waiting:
            now = max(now, begins[k])
        while k < len(begins) and begins[k] <= now:
            heapq.heappush(waiting, takes[k])
            k += 1
        left = heapq.heappop(waiting)
        until = begins[k] if k < len(begins) else now + left
        if now + left <= until:
            now += left
            ends.append(now)
        else:
            heapq.heappush(waiting, left - (until - now))
            now = until
    return np.array(ends, np.int64)
