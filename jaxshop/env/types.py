"""Records of the environment.

Dimensions: J lots, N operations, G choices, S machine sets, M machines, P pools, C candidates, D descriptors; with the
plant's own rules also A calendars, W open stretches, F families (the last stands for none), K set-up tables, B blocks
of fixed work ahead of a machine.

A *choice* is a set of machines on which an operation takes the same time: an operation with equal times everywhere has
one choice, one with unrelated times has a choice per machine. Machines of a choice also have one calendar and one
set-up table, and no fixed work ahead of them: a machine that has some is a choice of its own. A *pool* is a group of
machines linked by shared sets (a work centre, usually). All times are int32 ticks from the plan start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import chex

NEVER = 2**31 - 1
"""A tick that no schedule reaches: the ready time of a finished lot, the free time of a padded machine.

The limit of a shop's horizon, 2^30, is of a plain list schedule; a poor one may end after it. `pack` refuses shops in
which one could end here.
"""


@dataclass(frozen=True)
class PlantShape:
    """The sizes of what a shop with the plant's own rules has besides."""

    calendars: int
    windows: int
    """Open stretches of a calendar, a power of 2; each but the last ends with a closing."""
    families: int
    """With the one that stands for none."""
    tables: int
    whole: bool
    """Whether any operation has to run in one open stretch."""
    blocks: int = 0
    """Of fixed work ahead of a machine, at most."""


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
    plant: PlantShape | None = None
    """None where operations run as in a plain shop."""
    tardiness: bool = False
    """Whether a schedule may cost anything but its makespan."""


class Decision(NamedTuple):
    """What is decided in a step, fixed at compilation."""

    flexible: bool  # False: the machine follows from the lot
    non_delay: bool
    passing: bool = False  # whether a second machine is in question where the first would be set up for something else


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
    share: chex.Array  # float32 [N] of that, what each machine of `home` has to do were it spread evenly
    traits: chex.Array  # float32 [N, T] what a policy sees of the route from here on, scale-free
    pools: chex.Array  # int32 [3, N] pools of the operation and of the two after it, P - 1 for none
    next_set: chex.Array  # int32 [G, N] sets of the operation after it, S - 1 for none
    next_time: chex.Array  # int32 [G, N] its times, 0 for none
    place: chex.Array  # int32 [N] of the operation among all, those with the longest tail first, then of the lowest lot
    lot_at: chex.Array  # int32 [N] the lot of the operation at each place
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


class Calendars(NamedTuple):
    """The closed time of machines, by calendar. Open time, the clock of a calendar, stands still in closed windows.

    `jaxshop.env.timing` leads from ticks to open time and back. Padding comes after the last stretch.
    """

    starts: chex.Array  # int32 [A, W] tick at which each open stretch ends, NEVER for the last
    opens: chex.Array  # int32 [A, W] the same in open time
    reopens: chex.Array  # int32 [A, W] open time at which each stretch begins, far below 0 for the first
    closed: chex.Array  # int32 [A, W] closed ticks before each stretch
    longest: chex.Array | None  # int32 [L, A, W] the longest of 2^l stretches from each one on; None: nothing asks
    of_set: chex.Array  # int32 [S]
    of_machine: chex.Array  # int32 [M]


class Blocks(NamedTuple):
    """The fixed work ahead of machines, as `jaxshop.shop.timing.Ahead`, in open time; padding is never reached."""

    until: chex.Array  # int32 [B, F, M] by when work must have ended that leaves the machine set up for a family
    end: chex.Array  # int32 [B, M] open time behind each block
    family: chex.Array  # int32 [B, M] what the machine is set up for there; F - 1: as before
    owner: chex.Array  # int32 [S] the machine of a set of one machine that has such work, -1 for all others


class Plant(NamedTuple):
    """The plant's own rules: closed time, set-ups by sequence, lags. Fixed work has been placed before."""

    calendars: Calendars
    setups: chex.Array  # int32 [K, F, F] from the machine's family to the operation's
    table: chex.Array  # int32 [S] of `setups`
    family: chex.Array  # int32 [M] what each machine is set up for at first
    to: chex.Array  # int32 [N] the operation's family
    lag: chex.Array  # int32 [N] least ticks between its end and the next one's start
    whole: chex.Array  # int32 [N] 1 for what has to run in one open stretch
    begun: chex.Array  # int32 [] tick at which the last fixed work ends, 0 for none
    blocks: Blocks | None = None  # None where no machine has fixed work ahead of it


class Lateness(NamedTuple):
    """What the objective asks of jobs, numbered as in the shop; padding has no weight."""

    due: chex.Array  # int32 [J] NEVER where there is none
    weight: chex.Array  # float32 [J] cost of a tick late, its part of the objective included
    makespan: chex.Array  # float32 [] cost of a tick of the makespan
    scale: chex.Array  # float32 [] a cost, in ticks, that counts as 1 in rewards


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
    plant: Plant | None = None  # None where operations run as in a plain shop
    lateness: Lateness | None = None  # None where the makespan alone counts


class PlantLots(NamedTuple):
    """What the lots' next operations ask of calendars and set-ups."""

    calendar: chex.Array  # int32 [G, J] of each set
    setup: chex.Array  # int32 [F, G, J] ticks by the machine's family
    whole: chex.Array  # int32 [J]
    event: chex.Array  # int32 [G, J] open time at which it can end (non-delay: start) first in each set
    to: chex.Array | None = None  # int32 [J] their families, where machines have fixed work ahead


class LotState(NamedTuple):
    """Where the lots stand: their next operations."""

    op: chex.Array  # int32 [J] index of the lot's next operation
    left: chex.Array  # int32 [J] operations still to dispatch
    ready: chex.Array  # int32 [J] tick at which the next operation may start, NEVER when finished
    tail: chex.Array  # int32 [J] least time that the rest of the lot takes, 0 when finished
    time: chex.Array  # int32 [G, J] times of the next operation
    set: chex.Array  # int32 [G, J] sets of the next operation
    start: chex.Array  # int32 [G, J] tick at which it may start in each of those sets, NEVER where it may not
    # With the plant's own rules `start` is in open time, and of the lot alone: sets differ by family in what they add.
    plant: PlantLots | None = None


class MachineState(NamedTuple):
    """Where the machines stand: all that timing asks of them."""

    free: chex.Array  # int32 [M]
    clock: chex.Array | None = None  # int32 [M] `free` in open time, with the plant's own rules
    family: chex.Array | None = None  # int32 [M]
    number: chex.Array | None = None  # int32 [M] the next block of each, where machines have fixed work ahead


class SetState(NamedTuple):
    """When a set has a machine free, and the sums over it that an observation reads."""

    free: chex.Array  # int32 [S] the least of the set's machines; [F * S] in open time with the plant's own rules
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
    end: chex.Array | None = (
        None  # int32 [N] -1 until dispatched, with the plant's own rules: `op_ends` has it otherwise
    )


class Second(NamedTuple):
    """What is in question besides: another machine, and whoever goes there passes the first one over."""

    machine: chex.Array  # int32 []
    mask: chex.Array  # bool [J] the lots that may go there; none of them competes for the first
    late: chex.Array  # bool [J] lots that may go to the first machine too, lest it be set up for something else


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
    jobs: chex.Array | None = None  # int32 [J] tick before which a job cannot be done, where lateness counts
    second: Second | None = None  # where machines may be passed over

    @property
    def legal(self) -> chex.Array:
        """The lots that may be chosen, bool [J]."""
        return self.mask if self.second is None else self.mask | self.second.mask | self.second.late


class Observation(NamedTuple):
    """What a policy sees of the open decision. Candidates are the conflict set, or its ends by remaining work."""

    action_mask: chex.Array  # bool [J] the lots that may be chosen: the conflict set, and who may pass a machine over
    candidates: chex.Array  # int32 [C] lots
    candidate_mask: chex.Array  # bool [C] False for padding
    features: chex.Array  # float32 [C, F]
    context: chex.Array  # float32 [X]
    plant: chex.Array | None = None  # float32 [C, P] of the plant's own rules and due dates; None where neither counts
