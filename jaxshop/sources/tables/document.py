"""Tables to a shop: they become the JSON of a shop file, so that the shop file's own validation judges them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from jaxshop.shop import Shop, parse_shop
from jaxshop.shop.document import FORMAT
from jaxshop.sources.tables.cells import Record, Table, Values
from jaxshop.sources.tables.columns import NAMES, TABLES, columns_of, folded, table_named
from jaxshop.sources.tables.options import Reading
from jaxshop.sources.tables.sheets import Sheet, read_sheets
from jaxshop.support.errors import ShopError

NEEDED = ("machines", "orders", "routes")

HOURS, SETUP, LAG = (("hours", 1), ("minutes", 60)), (("setup_hours", 1), ("setup_minutes", 60)), (("lag_hours", 1),)

COLUMN_OF: dict[str, tuple[str, ...]] = {
    "alternatives": ("hours", "minutes"),
    "setup": ("setup_hours", "setup_minutes"),
    "lag": ("lag_hours",),
    "unavailable": ("starts",),
    "weekly": ("opens",),
    "from": ("from_family",),
    "to": ("to_family",),
}
"""The columns of the shop file's keys, where these are called otherwise."""

IDS = {"machines": ("machine",), "orders": ("order",), "routes": ("operation", "step")}


class Imported(NamedTuple):
    """A shop from tables."""

    shop: Shop
    ignored: dict[str, list[str]]  # by file and sheet, the headers that no column is read from
    past: int  # releases and availabilities before the plan start, which count from it


def import_tables(files: Mapping[str, bytes], reading: Reading, name: str) -> Imported:
    """Build a shop from the contents of files by name.

    Raises:
        ShopError: holds every fault, each with file, sheet, row and column.
    """
    sheets, unread = [], []
    for file, data in files.items():
        try:
            sheets += read_sheets(file, data, reading)
        except ShopError as error:
            unread += error.faults
    if unread:
        raise ShopError(unread)
    tables, ignored = _recognise(sheets, reading)
    builder = _Builder(tables, reading)
    document = {
        "format": FORMAT,
        "name": name,
        "provenance": {"kind": "file", "detail": ", ".join(PurePath(file).name for file in files)},
        **builder.document(),
    }
    if reading.plan_start is not None:
        document["plan_start"] = reading.plan_start.isoformat().replace("+00:00", "Z")
    faults, shop = builder.values.faults, None
    try:
        shop = parse_shop(document, "", lambda path: builder.locate(path) or ", ".join(files))
    except ShopError as error:
        faults = [*faults, *error.faults]
    if faults or shop is None:
        raise ShopError(faults)
    return Imported(shop, ignored, builder.values.past)


def _recognise(sheets: Sequence[Sheet], reading: Reading) -> tuple[dict[str, Table], dict[str, list[str]]]:
    """Which table each sheet is: by its name, or by its file's."""
    tables: dict[str, Table] = {}
    ignored: dict[str, list[str]] = {}
    headers = {folded(cell) for sheet in sheets for cell in sheet.header}
    faults = [
        f"--column {column}={header}: no table has a column {header!r}"
        for column, header in reading.headers.items()
        if folded(header) not in headers
    ]
    for sheet in sheets:
        kind = next((table for title in sheet.titles if (table := table_named(title))), None)
        if kind is None:
            known = f"its name says none of {', '.join(TABLES)}"
            way = (
                "name the file so"
                if sheet.name is None
                else f"rename it, or leave it out by --skip-sheet {sheet.name!r}"
            )
            faults.append(f"{sheet.where}: {known}; {way}")
        elif kind in tables:
            faults.append(f"{sheet.where}: a second table of {kind}, beside {tables[kind].sheet.where}")
        else:
            try:
                columns, rest = columns_of(kind, sheet.header, reading.headers, f"{sheet.where}, row {sheet.top}")
            except ShopError as error:
                faults += error.faults
                columns, rest = {}, []
            tables[kind] = Table(kind, sheet, columns)
            ignored |= {sheet.where: rest} if rest else {}
    faults += [
        f"no table of {kind} among {', '.join(dict.fromkeys(sheet.file for sheet in sheets))}: "
        f"a file or sheet must be called {', '.join((kind, *NAMES[kind][:2]))}"
        for kind in NEEDED
        if kind not in tables and not faults
    ]
    if faults:
        raise ShopError(faults)
    return tables, ignored


class _Builder:
    """Builds the shop file's JSON from the tables, and remembers which row each part of it is from."""

    def __init__(self, tables: Mapping[str, Table], reading: Reading):
        self.tables, self.values = tables, Values(reading)
        self.places: dict[str, Record] = {}
        self.centres: dict[str, list[str]] = defaultdict(list)

    def document(self) -> dict[str, Any]:
        machines = self.machines()
        document: dict[str, Any] = {"machines": machines, "jobs": self.jobs({str(m["id"]) for m in machines})}
        for key, value in (("calendars", self.calendars()), ("setups", self.setups())):
            if value:
                document[key] = value
        self.downtime(machines)
        return document

    def locate(self, path: str) -> str:
        """File, sheet, row and column of a path in the JSON; empty where it is of no row."""
        part = path
        while part and part not in self.places:
            part = part[: max(part.rfind("."), part.rfind("["), 0)]
        if not part:
            return ""
        record = self.places[part]
        key = path[len(part) :].lstrip(".").partition(".")[0].partition("[")[0]
        key = key or next((name for name in ("alternatives", "weekly") if f".{name}." in part), "")
        named = IDS[record.table.kind] if key == "id" else COLUMN_OF.get(key, (key,))
        return record.table.place(record.row, *named)

    def machines(self) -> list[dict[str, Any]]:
        values = self.values
        found: list[dict[str, Any]] = []
        seen: dict[str, int] = {}
        for record in values.records(self.tables["machines"]):
            if (id := values.key(record, "machine", seen)) is None:
                continue
            self.places[f"machines[{len(found)}]"] = record
            entry = {
                "id": id,
                "work_centre": values.text(record, "work_centre"),
                "available_from": values.earliest(record, "available_from"),
                "calendar": values.text(record, "calendar"),
                "family": values.text(record, "family"),
            }
            found.append(_present(entry))
            if "work_centre" in found[-1]:
                self.centres[found[-1]["work_centre"]].append(id)
        return found

    def jobs(self, machines: set[str]) -> list[dict[str, Any]]:
        values = self.values
        found: list[dict[str, Any]] = []
        number: dict[str, int] = {}
        seen: dict[str, int] = {}
        for record in values.records(self.tables["orders"]):
            if (id := values.key(record, "order", seen)) is None:
                continue
            self.places[f"jobs[{len(found)}]"] = record
            number[id] = len(found)
            quantity = values.number(record, "quantity")
            entry = {
                "id": id,
                "quantity": int(quantity) if quantity is not None and quantity == quantity // 1 else quantity,
                "release": values.earliest(record, "release"),
                "due": values.moment(record, "due", ends=True),
                "weight": values.number(record, "weight"),
            }
            found.append(_present(entry) | {"operations": []})
        routes = self.routes(number)
        for j, job in enumerate(found):
            for k, step in enumerate(sorted(routes.get(j, ()))):
                path = f"jobs[{j}].operations[{k}]"
                job["operations"].append(self.operation(job["id"], step, routes[j][step], machines, path))
        return found

    def routes(self, jobs: Mapping[str, int]) -> dict[int, dict[float, list[Record]]]:
        """The rows of each step of each job by number."""
        values = self.values
        unsure = any(record.cell("order") is None for record in values.records(self.tables["orders"]))
        found: dict[int, dict[float, list[Record]]] = defaultdict(lambda: defaultdict(list))
        for record in values.records(self.tables["routes"]):
            order = values.needed(record, "order")
            if record.cell("step") is None:
                values.note(record, "step", "is empty; a missing value is never filled in")
            step = values.number(record, "step")
            if order is not None and order not in jobs and not unsure:
                values.note(record, "order", f"unknown order {order!r}; {self.tables['orders'].sheet.where} has none")
            elif order is not None and order in jobs:
                found[jobs[order]][-record.row if step is None else step].append(record)
        return found

    def operation(self, job: str, step: float, records: list[Record], machines: set[str], path: str) -> dict[str, Any]:
        values, first = self.values, records[0]
        self.places[path] = first
        alternatives: dict[str, float] = {}
        seen: dict[str, int] = {}
        properties = [self.properties(record) for record in records]
        for record, own in zip(records, properties, strict=True):
            for key in own.keys() | properties[0].keys():
                if own.get(key) != properties[0].get(key):
                    values.note(
                        record, COLUMN_OF.get(key, (key,)), f"is another than in row {first.row}, of the same step"
                    )
            hours = values.hours(record, *HOURS)
            if hours is None:
                values.note(record, ("hours", "minutes"), "no hours and no minutes")
                hours = 1.0
            for machine in self.eligible(record, machines):
                if machine in seen:
                    values.note(record, "machine", f"machine {machine!r} again for the step, as in row {seen[machine]}")
                seen[machine], alternatives[machine] = record.row, hours
                self.places[f"{path}.alternatives.{machine}"] = record
        if not alternatives:  # said already
            alternatives = dict.fromkeys(sorted(machines)[:1], 1.0)
        return {"id": f"{job}/{int(step) if step % 1 == 0 else step}", **properties[0], "alternatives": alternatives}

    def properties(self, record: Record) -> dict[str, Any]:
        """What an operation has beside its alternatives."""
        values = self.values
        entry = {
            "id": values.text(record, "operation"),
            "setup": values.hours(record, *SETUP),
            "family": values.text(record, "family"),
            "lag": values.hours(record, *LAG),
            "interruptible": values.flag(record, "interruptible"),
        }
        return _present(entry)

    def eligible(self, record: Record, machines: set[str]) -> list[str]:
        """The machine of a route's row, or all of its work centre."""
        values = self.values
        machine, centre = values.text(record, "machine"), values.text(record, "work_centre")
        if machine is None and centre is None:
            values.note(record, ("machine", "work_centre"), "no machine and no work centre")
        elif machine is None and centre not in self.centres:
            values.note(record, "work_centre", f"unknown work centre {centre!r}; no machine belongs to it")
        elif machine is None:
            return self.centres[str(centre)]
        elif machine not in machines:
            values.note(
                record, "machine", f"unknown machine {machine!r}; {self.tables['machines'].sheet.where} has none"
            )
        else:
            return [machine]
        return []

    def calendars(self) -> dict[str, Any]:
        values = self.values
        found: dict[str, Any] = {}
        shifts: dict[tuple[str, str], list[tuple[list[str | None], Record]]] = defaultdict(list)
        for record in values.records(self.tables.get("shifts")):
            name, day = values.needed(record, "calendar"), values.weekday(record, "weekday")
            times = [values.clock(record, "opens"), values.clock(record, "closes")]
            if name is not None and day is not None:
                self.zone_of(record, name, found)
                shifts[name, day].append((times, record))
        for (name, day), rows in shifts.items():
            rows.sort(key=lambda row: str(row[0][0]))
            found[name]["weekly"][day] = [times for times, _ in rows]
            self.places |= {f"calendars.{name}.weekly.{day}[{i}]": record for i, (_, record) in enumerate(rows)}
        for record in values.records(self.tables.get("days")):
            name, date = values.needed(record, "calendar"), values.day(record, "day")
            times = [values.clock(record, "opens"), values.clock(record, "closes")]
            if name is not None and name not in found:
                values.note(record, "calendar", f"unknown calendar {name!r}; the table of shifts has none")
            elif name is not None and date is not None and times == [None, None]:
                self.places[f"calendars.{name}.closed[{len(found[name].setdefault('closed', []))}]"] = record
                found[name]["closed"].append(date)
            elif name is not None and date is not None:
                self.places[f"calendars.{name}.open.{date}"] = record
                found[name].setdefault("open", {}).setdefault(date, []).append(times)
        return found

    def zone_of(self, record: Record, name: str, found: dict[str, Any]) -> None:
        """Begin a calendar with its time zone, or compare the zone of another of its rows."""
        zone = self.values.reading.zone
        said = self.values.text(record, "timezone") or (None if zone is None else zone.key)
        if said is None:
            self.values.note(record, "timezone", "no time zone; say --timezone")
        if name not in found:
            found[name] = {"timezone": said or "UTC", "weekly": {}}
            self.places[f"calendars.{name}"] = record
        elif said is not None and said != found[name]["timezone"]:
            self.values.note(record, "timezone", f"is another than {found[name]['timezone']!r}, of the same calendar")

    def setups(self) -> list[dict[str, Any]]:
        values = self.values
        found: list[dict[str, Any]] = []
        for record in values.records(self.tables.get("setups")):
            self.places[f"setups[{len(found)}]"] = record
            hours = values.hours(record, *HOURS)
            entry = {"machine": values.text(record, "machine"), "work_centre": values.text(record, "work_centre")}
            ends = {"from": values.text(record, "from_family"), "to": values.needed(record, "to_family") or "?"}
            found.append(_present(entry) | ends | {"hours": hours})
        return found

    def downtime(self, machines: list[dict[str, Any]]) -> None:
        values, by_id = self.values, {machine["id"]: m for m, machine in enumerate(machines)}
        for record in values.records(self.tables.get("downtime")):
            id = values.needed(record, "machine")
            begin, end = values.moment(record, "starts"), values.moment(record, "ends", ends=True)
            if id is not None and id not in by_id:
                values.note(
                    record, "machine", f"unknown machine {id!r}; {self.tables['machines'].sheet.where} has none"
                )
            elif id is not None:
                downs = machines[by_id[id]].setdefault("unavailable", [])
                self.places[f"machines[{by_id[id]}].unavailable[{len(downs)}]"] = record
                downs.append(_present({"from": begin, "to": end, "reason": values.text(record, "reason")}))


def _present(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}
