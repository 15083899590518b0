"""How a plan's operations, choices, machine sets and pools are numbered."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jaxshop.shop import LotPlan

MachineSet = tuple[int, ...]
"""The machines of a set, ascending."""
Choices = tuple[tuple[int, int], ...]
"""(set, ticks) of an operation, the shortest first; see `jaxshop.env.types`."""


@dataclass(frozen=True)
class Layout:
    """The plan's operations in flat order, with sets, choices and pools numbered."""

    flexible: bool  # whether any operation may run on several machines
    sets: Mapping[MachineSet, int]
    choices: tuple[Choices, ...]  # of each operation
    pool_of_machine: np.ndarray  # int32 [machines]
    sets_of_machine: tuple[tuple[int, ...], ...]


def lay_out(plan: LotPlan, kinds: Sequence[Hashable] | None = None) -> Layout:
    """Number the plan; in a job shop sets are numbered as machines are, otherwise as they first occur.

    `kinds`: of machines that differ in more than their times; those of a choice are of one kind. A plan with kinds is
    laid out as a flexible shop.
    """
    index = {m.id: i for i, m in enumerate(plan.shop.machines)}
    operations = [operation for lot in plan.lots for operation in lot.operations]
    flexible = kinds is not None or any(len(o.alternatives) > 1 for o in operations)
    sets: dict[MachineSet, int] = {} if flexible else {(i,): i for i in index.values()}
    choices = []
    for operation in operations:
        alike: dict[tuple[int, Hashable], list[int]] = {}
        for machine, ticks in operation.alternatives.items():
            kind = kinds[index[machine]] if kinds else 0
            alike.setdefault((operation.setup + ticks, kind), []).append(index[machine])
        choices.append(
            tuple(
                (sets.setdefault(tuple(sorted(machines)), len(sets)), ticks)
                for (ticks, _), machines in sorted(alike.items())
            )
        )
        if kinds:  # no choice, but what the operation's work cannot leave
            sets.setdefault(tuple(sorted(index[machine] for machine in operation.alternatives)), len(sets))
    sets_of_machine: list[list[int]] = [[] for _ in index]
    for held, number in sets.items():
        for i in held:
            sets_of_machine[i].append(number)
    pools = pools_of(len(index), list(sets), {tuple(s for s, _ in c) for c in choices})
    return Layout(flexible, sets, tuple(choices), pools, tuple(map(tuple, sets_of_machine)))


def pools_of(machines: int, sets: list[MachineSet], linked: Iterable[tuple[int, ...]]) -> np.ndarray:
    """The pool of each machine, int32 [machines]: machines of sets that one operation links share a pool."""
    parent = list(range(machines))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for group in linked:
        first, *others = (machine for number in group for machine in sets[number])
        for machine in others:
            parent[root(machine)] = root(first)
    roots = [root(i) for i in range(machines)]
    order = {r: k for k, r in enumerate(dict.fromkeys(roots))}
    return np.array([order[r] for r in roots], np.int32)


def nesting(choices: Iterable[Choices], member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which sets lie within which, and the smallest that holds all machines of each operation.

    Args:
        choices: of the operations.
        member: bool [S, M], the last set without machines.

    Returns:
        `home`, int32 [operations], S - 1 where no set holds them all, and `within`, bool [S, S], as in `EnvParams`.
    """
    size = member.sum(axis=1)
    held = member.astype(np.float32)
    within = (held @ held.T == size[:, None]) & (size > 0)[:, None]
    none = len(member) - 1
    known: dict[tuple[int, ...], int] = {}
    home = []
    for of_operation in choices:
        sets = tuple(number for number, _ in of_operation)
        if sets not in known:
            holders = np.flatnonzero(within[list(sets)].all(axis=0))
            known[sets] = int(holders[size[holders].argmin()]) if holders.size else none
        home.append(known[sets])
    return np.array(home, np.int32), within
