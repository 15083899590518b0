"""Records of the environment.

Dimensions: J lots, N operations, G choices, S machine sets, M machines, P pools, C candidates, D descriptors.

A *choice* is a set of machines on which an operation takes the same time: an operation with equal times everywhere has
one choice, one with unrelated times has a choice per machine. A *pool* is a group of machines linked by shared sets
(a work centre, usually). All times are int32 ticks from the plan start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import chex

NEVER = 2**31 - 1
"""A tick that no schedule reaches: the ready time of a finished lot, the free time of a padded machine.

The limit of a shop's horizon, 2^30, is of a plain list schedule; a poor one may end after it.
"""


@dataclass(frozen=True)
class Shape:
    """The array sizes: everything that a compilation depends on, hashable by value."""

    lots: int
    operations: int
    choices: int
    sets: int
    machines: int
    pools: int
    candidates: int
    overlap: int = 0
    """Sets that a machine is in, at most; 0 for any number, which makes every step look at every set."""
    flexible: bool = True
    """False for job shops: every operation has one machine, and sets are numbered as machines are."""


class Decision(NamedTuple):
    """What is decided in a step, fixed at compilation."""

    flexible: bool  # False: the machine follows from the lot
    non_delay: bool


class LotParams(NamedTuple):
    """What is known of the lots. Padding has no operations."""

    first: chex.Array  # int32 [J] index of the lot's first operation
    count: chex.Array  # int32 [J] its operations, 0 for padding
    release: chex.Array  # int32 [J]
    due: chex.Array  # int32 [J] NEVER where there is none
    weight: chex.Array  # float32 [J] of its job's tardiness
    job: chex.Array  # int32 [J] its job's number in the shop; a number of its own for padding


class OperationParams(NamedTuple):
    """What is known of the operations, and of what follows them in their lots."""

    time: chex.Array  # int32 [G, N] set-up + processing, 0 for padding
    set: chex.Array  # int32 [G, N] index into `sets`, S - 1 for padding
    tail: chex.Array  # int32 [N] least time from the start of the operation to the end of its lot
    work: chex.Array  # float32 [N] least time of the operation, in bounds
    traits: chex.Array  # float32 [N, T] what a policy sees of the route from here on, scale-free
    pools: chex.Array  # int32 [3, N] pools of the operation and of the two after it, P - 1 for none
    next_set: chex.Array  # int32 [G, N] sets of the operation after it, S - 1 for none
    next_time: chex.Array  # int32 [G, N] its times, 0 for none
    home: chex.Array  # int32 [N] the smallest set that holds all machines of the operation, S - 1 for none


class MachineParams(NamedTuple):
    """What is known of the machines. Padding is never free."""

    free: chex.Array  # int32 [M] tick from which the machine may work
    sets: chex.Array  # int32 [K, M] the sets that hold the machine, -1 for none
    pool: chex.Array  # int32 [M]


class SetParams(NamedTuple):
    """What is known of the machine sets. The last holds no machine."""

    member: chex.Array  # bool [S, M] which machines a set holds
    within: chex.Array  # bool [S, S] [b, a]: no machine of b is outside a; False for padding
    size: chex.Array  # float32 [S] machines of the set, at least 1
    work: chex.Array  # float32 [S] least work of the operations that cannot leave the set, in bounds


class PoolParams(NamedTuple):
    """What is known of the pools. The last is that of padding."""

    size: chex.Array  # float32 [P] machines of the pool, at least 1
    work: chex.Array  # float32 [P] least work of the pool's operations, in bounds


class EnvParams(NamedTuple):
    """A shop as padded arrays."""

    operations: chex.Array  # int32 [] number of real operations, the length of an episode
    bound: chex.Array  # int32 [] certified lower bound of the makespan
    lots: LotParams
    ops: OperationParams
    machines: MachineParams
    sets: SetParams
    pools: PoolParams
    make: chex.Array  # float32 [D] what the shop is like; see `jaxshop.env.makes`


class LotState(NamedTuple):
    """Where the lots stand: their next operations."""

    op: chex.Array  # int32 [J] index of the lot's next operation
    left: chex.Array  # int32 [J] operations still to dispatch
    ready: chex.Array  # int32 [J] tick at which the next operation may start, NEVER when finished
    tail: chex.Array  # int32 [J] least time that the rest of the lot takes, 0 when finished
    time: chex.Array  # int32 [G, J] times of the next operation
    set: chex.Array  # int32 [G, J] sets of the next operation
    start: chex.Array  # int32 [G, J] tick at which it may start in each of those sets, NEVER where it may not


class MachineState(NamedTuple):
    """Where the machines stand: all that timing asks of them."""

    free: chex.Array  # int32 [M]


class SetState(NamedTuple):
    """When a set has a machine free, and the sums over it that an observation reads."""

    free: chex.Array  # int32 [S] the least of the set's machines
    work: chex.Array  # float32 [S] work not yet dispatched that cannot leave the set, in bounds
    queue: chex.Array  # float32 [S] that of the lots' next operations, in bounds
    busy: chex.Array  # float32 [S] sum of the machines' free times, in bounds


class PoolState(NamedTuple):
    """The sums over a pool that an observation reads."""

    work: chex.Array  # float32 [P] work not yet dispatched, in bounds
    queue: chex.Array  # float32 [P] work of the lots' next operations, in bounds
    busy: chex.Array  # float32 [P] sum of the machines' free times, in bounds


class ScheduleState(NamedTuple):
    """The schedule so far; `op_ends` adds the ends."""

    start: chex.Array  # int32 [N] -1 until dispatched
    machine: chex.Array  # int32 [N] -1 until dispatched; in a job shop, which leaves no choice, known from the start


class EnvState(NamedTuple):
    """The schedule so far, and the decision that is open: which lot goes next to `machine`."""

    step: chex.Array  # int32 [] operations dispatched
    estimate: chex.Array  # int32 [] lower estimate of the makespan; the makespan itself at the end
    lots: LotState
    machines: MachineState
    sets: SetState
    pools: PoolState
    schedule: ScheduleState
    machine: chex.Array  # int32 [] the machine that the next operation goes to
    event: chex.Array  # int32 [] the first completion (non-delay: the first start), which chose that machine
    first: chex.Array  # int32 [] the lot of that first completion or start
    mask: chex.Array  # bool [J] the conflict set


class Observation(NamedTuple):
    """What a policy sees of the open decision. Candidates are the conflict set, longest remaining lot first."""

    action_mask: chex.Array  # bool [J] the conflict set
    candidates: chex.Array  # int32 [C] lots
    candidate_mask: chex.Array  # bool [C] False for padding
    features: chex.Array  # float32 [C, F]
    context: chex.Array  # float32 [X]
