"""The tables, their columns, and what these are called in the wild.

A word without a unit never stands for a time: whether `duration` is in hours or in minutes, only people know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from jaxshop.support.errors import ShopError

COLUMNS: dict[str, tuple[str, ...]] = {
    "order": (
        *("order id", "order no", "order number", "work order", "job", "job id", "job number"),
        *("auftrag", "auftragsnummer", "auftrag nr", "fertigungsauftrag"),
    ),
    "machine": ("machine id", "machine no", "resource", "maschine", "maschinennummer", "arbeitsplatz"),
    "work_centre": ("work center", "workcentre", "workcenter", "centre", "center", "machine group", "maschinengruppe"),
    "calendar": ("calendar id", "shift model", "kalender", "schichtmodell"),
    "family": ("set up family", "setup family", "rüstfamilie", "familie"),
    "available_from": ("available", "free from", "verfügbar ab"),
    "quantity": ("qty", "lot quantity", "order quantity", "menge", "stückzahl", "stueckzahl"),
    "release": ("release date", "released", "material date", "earliest start", "freigabe", "frühester start"),
    "due": ("due date", "due at", "deadline", "delivery date", "promised", "termin", "liefertermin", "endtermin"),
    "weight": ("priority weight", "gewicht"),
    "step": ("seq", "sequence", "operation no", "operation number", "op no", "arbeitsgang", "vorgang", "position"),
    "operation": ("operation id", "op id", "vorgangsnummer"),
    "hours": ("hours per lot", "processing hours", "run hours", "duration hours", "duration h", "stunden"),
    "minutes": ("processing minutes", "run minutes", "duration minutes", "duration min", "minuten"),
    "setup_hours": ("set up hours", "setup h", "set up h", "rüststunden", "rüstzeit h"),
    "setup_minutes": ("set up minutes", "setup min", "set up min", "rüstminuten", "rüstzeit min"),
    "lag_hours": ("lag h", "transport hours", "liegezeit h"),
    "interruptible": ("may be interrupted", "unterbrechbar"),
    "timezone": ("time zone", "zone", "zeitzone"),
    "weekday": ("day of week", "wochentag"),
    "opens": ("from time", "shift start", "beginn"),
    "closes": ("to time", "shift end", "ende"),
    "day": ("date", "datum", "tag"),
    "from_family": ("previous family", "von familie"),
    "to_family": ("next family", "nach familie"),
    "starts": ("down from", "starts at", "von"),
    "ends": ("down to", "ends at", "bis"),
    "reason": ("cause", "grund"),
}
"""Every column with the headers that stand for it beside its own name."""

TABLES: dict[str, dict[str, bool]] = {
    "machines": {"machine": True, "work_centre": False, "available_from": False, "calendar": False, "family": False},
    "orders": {"order": True, "quantity": False, "release": False, "due": False, "weight": False},
    "routes": {
        **{"order": True, "step": True, "operation": False, "machine": False, "work_centre": False, "hours": False},
        **{"minutes": False, "setup_hours": False, "setup_minutes": False, "family": False, "lag_hours": False},
        "interruptible": False,
    },
    "shifts": {"calendar": True, "weekday": True, "opens": True, "closes": True, "timezone": False},
    "days": {"calendar": True, "day": True, "opens": False, "closes": False},
    "setups": {
        **{"machine": False, "work_centre": False, "from_family": False, "to_family": True},
        **{"hours": False, "minutes": False},
    },
    "downtime": {"machine": True, "starts": True, "ends": True, "reason": False},
}
"""The columns of each table, and whether the table is nothing without it."""

NAMES: dict[str, tuple[str, ...]] = {
    "machines": ("machine", "resources", "maschinen", "arbeitsplätze"),
    "orders": ("order", "jobs", "work orders", "aufträge", "auftraege"),
    "routes": ("route", "routing", "routings", "operations", "arbeitspläne", "arbeitsplan", "arbeitsgänge", "vorgänge"),
    "shifts": ("shift", "calendars", "calendar", "schichten", "kalender"),
    "days": ("holidays", "calendar days", "feiertage"),
    "setups": ("set ups", "changeovers", "rüstmatrix", "setup matrix"),
    "downtime": ("downtimes", "maintenance", "unavailable", "wartung", "ausfälle"),
}
"""What files and sheets of each table are called beside its own name."""


def folded(text: str) -> str:
    """A name as it is compared: without case, brackets, and what stands between words."""
    return re.sub(r"[\s_./()\[\]-]+", " ", text.casefold()).strip()


_TABLE_OF = {folded(name): table for table, names in NAMES.items() for name in (table, *names)}
_COLUMNS_OF: dict[str, str] = {folded(name): column for column, names in COLUMNS.items() for name in (column, *names)}


def table_named(name: str) -> str | None:
    """The table that a file or a sheet of this name holds, by its first or its last word where not by all of it."""
    words = folded(name).split(" ")
    return next((_TABLE_OF[x] for x in (" ".join(words), words[0], words[-1]) if x in _TABLE_OF), None)


def recognised(header: Sequence[str], own: Mapping[str, str]) -> int:
    """How many cells of a header are columns that some table has."""
    said = {folded(value) for value in own.values()}
    return sum(folded(cell) in _COLUMNS_OF or folded(cell) in said for cell in header)


def columns_of(table: str, header: Sequence[str], own: Mapping[str, str], where: str) -> tuple[dict[str, int], list]:
    """The place of each column in a header, and the headers that none stands for.

    Args:
        own: headers by `column` or `table.column`, before all else.
        where: file, sheet and row, to be named in messages.

    Raises:
        ShopError: two headers stand for a column, or one is missing that the table is nothing without.
    """
    there = set(map(folded, header))
    said = {
        folded(value): name.rpartition(".")[2]
        for name, value in own.items()
        if name.rpartition(".")[0] in ("", table) and folded(value) in there
    }
    chosen = set(said.values())
    found: dict[str, int] = {}
    ignored, faults = [], []
    for place, cell in enumerate(header):
        name = folded(cell)
        column = said.get(name, _COLUMNS_OF.get(name))
        if column is None or column not in TABLES[table] or (column in chosen and name not in said):
            ignored.append(cell or f"column {place + 1}, which has no header")
        elif column in found:
            both = f"{header[found[column]]!r} and {cell!r}"
            faults.append(f"{where}: two columns for {column}: {both}; say --column {column}=HEADER")
        else:
            found[column] = place
    for column, needed in TABLES[table].items():
        if needed and column not in found:
            near = get_close_matches(column, [folded(cell) for cell in ignored], 1, 0.75)
            hint = f"; is it {near[0]!r}?" if near else f"; there are {', '.join(map(repr, header))}"
            faults.append(f"{where}: no column {column}{hint}; say --column {column}=HEADER")
    if faults:
        raise ShopError(faults)
    return found, ignored
