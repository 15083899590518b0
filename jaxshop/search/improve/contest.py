"""Who competes for what while a rule is played: lots by machine, and the first event without a look at all.

A machine's first event may be told too early and is made sure of when it wins: whoever withdraws, and a machine that is
busy for longer, only make it later. So of a step's machines hardly more than the one that is given away is looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxshop.schedule.dispatch import NEVER
from jaxshop.support.compiling import allocating, compiled


class Contest(NamedTuple):
    """Changed in place; int32 where nothing else is said. Lots of a machine stand in its places in no order."""

    where: np.ndarray  # [alternatives]: the machine
    begins: np.ndarray  # [machines]: the first place there
    crowd: np.ndarray  # [machines]: how many lots compete there
    lot: np.ndarray  # [alternatives]: by place
    alternative: np.ndarray  # [alternatives]: by place, that of the lot's next operation
    place: np.ndarray  # [alternatives]: of those that stand in one
    event: np.ndarray  # int64 [a power of two, no less than machines]: the first there, or a tick before it
    first: np.ndarray  # [as many]: the lot that reaches it, the lowest of several, or a lower one
    sure: np.ndarray  # bool [as many]: whether that is so, and not only no later
    winner: np.ndarray  # [twice as many]: 1 is the match of all machines, 2k and 2k + 1 lead to k, then each for itself


@allocating
def contest_of(where, machines):
    """A contest that nobody has entered, for alternatives on these machines."""
    crowd = np.zeros(machines, np.int32)
    for machine in where:
        crowd[machine] += 1
    begins, behind = np.empty(machines, np.int32), 0
    for machine in range(machines):
        begins[machine] = behind
        behind += crowd[machine]
        crowd[machine] = 0
    size = 1
    while size < machines:
        size *= 2
    winner = np.empty(2 * size, np.int32)
    for machine in range(size):
        winner[size + machine] = machine
    for match in range(size - 1, 0, -1):
        winner[match] = winner[2 * match]
    places = np.empty((3, where.shape[0]), np.int32)
    event, first, sure = np.full(size, NEVER, np.int64), np.zeros(size, np.int32), np.ones(size, np.bool_)
    return Contest(where, begins, crowd, places[0], places[1], places[2], event, first, sure, winner)


@compiled
def enter(contest, lot, alternative, event):
    """Let a lot compete for the machine of an alternative, where it has an event then."""
    machine = contest.where[alternative]
    place = contest.begins[machine] + contest.crowd[machine]
    contest.lot[place], contest.alternative[place], contest.place[alternative] = lot, alternative, place
    contest.crowd[machine] += 1
    before = contest.event[machine]
    if event < before or (event == before and lot < contest.first[machine]):
        expect(contest, machine, event, lot, True)


@compiled
def withdraw(contest, lot, alternative):
    """Take a lot out again; the last one of the machine takes its place."""
    machine = contest.where[alternative]
    contest.crowd[machine] -= 1
    place, last = contest.place[alternative], contest.begins[machine] + contest.crowd[machine]
    moved = contest.alternative[last]
    contest.lot[place], contest.alternative[place], contest.place[moved] = contest.lot[last], moved, place
    if contest.first[machine] == lot:
        contest.sure[machine] = False


@compiled
def expect(contest, machine, event, lot, sure):
    """Say what a machine's first event is, of which lot, and whether that is sure; the lowest lot wins a tie."""
    events, first, winner = contest.event, contest.first, contest.winner
    events[machine], first[machine], contest.sure[machine] = event, lot, sure
    match = (events.shape[0] + machine) >> 1
    while match:
        left, right = winner[2 * match], winner[2 * match + 1]
        sooner = events[right] < events[left] or (events[right] == events[left] and first[right] < first[left])
        winner[match] = right if sooner else left
        match >>= 1
