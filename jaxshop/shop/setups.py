"""Set-ups by sequence: what it takes to make a machine ready for another family."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from jaxshop.shop.records import Machine, Operation, Shop


@dataclass(frozen=True, eq=False)
class Changeovers:
    """The set-ups of a shop by machine and pair of families; the number past the last family stands for none.

    Attributes:
        families: in order of their names.
        kind: int64 [machines], which table a machine has.
        ticks: int64 [kinds, families + 1, families + 1], from what a machine is set up for to what comes.
        first: int64 [machines], what each machine is set up for at first.
    """

    families: tuple[str, ...]
    kind: np.ndarray
    ticks: np.ndarray
    first: np.ndarray

    @property
    def none(self) -> int:
        """The number that stands for no family."""
        return len(self.families)

    def number(self, family: str | None) -> int:
        """The number of a family."""
        return self.none if family is None else self.families.index(family)


def changeovers(shop: Shop) -> Changeovers:
    """Resolve the shop's entries: a machine's own goes before its centre's, a named family before any."""
    named = {op.family for job in shop.jobs for op in job.operations} | {machine.family for machine in shop.machines}
    families = tuple(sorted(family for family in named if family is not None))
    entries = {(e.machine, e.work_centre, e.from_family, e.to_family): e.ticks for e in shop.changeovers}
    own, centres = ({key[column] for key in entries} - {None} for column in range(2))
    numbers: dict[bytes, int] = {}
    tables: list[np.ndarray] = []
    by_places: dict[tuple, int] = {}
    kind = []
    for machine in shop.machines:
        of_machine = ((machine.id, None),) if machine.id in own else ()
        of_centre = ((None, machine.work_centre),) if machine.work_centre in centres else ()
        places = (*of_machine, *of_centre)
        if places not in by_places:
            table = np.zeros((len(families) + 1,) * 2, np.int64)
            for t, to in enumerate(families if places else ()):
                for f, before in enumerate((*families, None)):
                    if before != to:
                        table[f, t] = _entry(entries, places, before, to)
            if table.tobytes() not in numbers:
                numbers[table.tobytes()] = len(tables)
                tables.append(table)
            by_places[places] = numbers[table.tobytes()]
        kind.append(by_places[places])
    found = Changeovers(families, np.array(kind), np.array(tables), np.zeros(len(kind), np.int64))
    return replace(found, first=np.array([found.number(machine.family) for machine in shop.machines]))


def _entry(entries: dict[tuple, int], places: tuple[tuple, ...], before: str | None, to: str) -> int:
    found = (entries.get((*place, family, to)) for place in places for family in (before, None))
    return next((ticks for ticks in found if ticks is not None), 0)


def longest_changeover(shop: Shop, machine: Machine, operation: Operation) -> int:
    """The most ticks that the machine may have to be set up for the operation's family."""
    entries = [entry for entry in shop.changeovers if entry.to_family == operation.family]
    own = [entry for entry in entries if entry.machine == machine.id]
    centre = [e for e in entries if e.work_centre is not None and e.work_centre == machine.work_centre]
    return max((entry.ticks for entry in (*own, *centre)), default=0)
