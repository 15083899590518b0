"""The shop file's JSON (`jaxshop-shop/1`).

All times are integer ticks of one second, counted from the plan start. Every source ends in `validate` or
`parse_shop`, so that what is checked there holds everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxshop.shop.plant_document import (
    machine_rules_to_json,
    operation_rules_to_json,
    read_machine_rules,
    read_operation_rules,
    read_rules,
    rules_to_json,
)
from jaxshop.shop.reading import Reader, must_be
from jaxshop.shop.records import (
    MAX_HOURS,
    MAX_WEIGHT,
    TICKS_PER_HOUR,
    Job,
    Machine,
    Operation,
    Provenance,
    Shop,
)
from jaxshop.shop.validation import check
from jaxshop.support.errors import ShopError

FORMAT = "jaxshop-shop/1"
KINDS = ("generated", "file", "mariadb")
OPERATION_RULES = {"interruptible", "family", "lag", "fixed"}
OPERATION_KEYS = "id setup alternatives interruptible family lag fixed"


def parse_shop(data: object, where: str, locate: Callable[[str], str] = str) -> Shop:
    """Build a shop from the decoded JSON of a shop file.

    Args:
        data: what `jaxshop.support.files.parse_json` returned.
        where: the file or source to name in messages.
        locate: what to call a path in messages; the path itself unless said.

    Raises:
        ShopError: holds every fault, each as `where: path: message`.
    """
    reader = _ShopReader(where, locate)
    shop = reader.shop(data)
    check(shop, reader.faults)
    reader.faults.raise_if_any()
    return shop


def read_jobs(reader: Reader, entry: dict[str, Any], path: str) -> tuple[Job, ...]:
    """The jobs of the list at `path`, as a shop file has them; what is wrong goes to the reader's faults."""
    inner = _ShopReader("")
    inner.faults = reader.faults
    return tuple(inner.job(*item) for item in inner.elements(entry, path))


def shop_to_json(shop: Shop) -> dict[str, Any]:
    """Return the shop file's JSON, from which `parse_shop` reads the same ticks.

    A benchmark text's ticks become what they are inside, seconds; that they had no unit is lost.

    Raises:
        ShopError: an operation takes no time, which benchmark texts may hold and a shop file may not.
    """
    for job in shop.jobs:
        for op in job.operations:
            if 0 in op.alternatives.values():
                raise ShopError(f"{shop.name}: operation {op.id!r} takes 0 ticks, which a shop file cannot hold")
    return _present(
        format=FORMAT,
        name=shop.name,
        plan_start=shop.plan_start,
        provenance=_present(**vars(shop.provenance)),
        **rules_to_json(shop),
        machines=[
            _present(
                id=m.id,
                work_centre=m.work_centre,
                available_from=_hours(m.available_from),
                **machine_rules_to_json(m),
            )
            for m in shop.machines
        ],
        jobs=[
            _present(
                id=job.id,
                quantity=job.quantity,
                release=_hours(job.release),
                due=_hours(job.due),
                weight=job.weight,
                operations=[
                    {
                        "id": op.id,
                        "setup": _hours(op.setup),
                        "alternatives": {machine: _hours(ticks) for machine, ticks in op.alternatives.items()},
                        **operation_rules_to_json(op),
                    }
                    for op in job.operations
                ],
            )
            for job in shop.jobs
        ],
    )


def _hours(ticks: int | None) -> float | None:
    return None if ticks is None else ticks / TICKS_PER_HOUR


def _present(**values: object) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


class _ShopReader(Reader):
    """Turns decoded JSON into records."""

    def shop(self, data: object) -> Shop:
        keys = "format name plan_start provenance machines jobs calendars setups objective"
        entry = self.members(data, "", keys)
        if entry.get("format") != FORMAT:
            self.faults.add("format", f"must be {FORMAT!r}, not {entry.get('format')!r}")
        return Shop(
            name=self.required_text(entry, "name"),
            machines=tuple(self.machine(*item) for item in self.elements(entry, "machines")),
            jobs=tuple(self.job(*item) for item in self.elements(entry, "jobs")),
            plan_start=self.utc(entry, "plan_start"),
            provenance=self.provenance(entry.get("provenance")),
            **read_rules(self, entry),
        )

    def provenance(self, data: object) -> Provenance:
        if data is None:
            return Provenance("file")
        path = "provenance."
        entry = self.members(data, path, "kind detail taken_at signature")
        kind = self.required_text(entry, path + "kind")
        if kind not in KINDS:
            self.faults.add(path + "kind", f"must be one of {', '.join(KINDS)}, not {kind!r}")
        return Provenance(
            kind=kind,
            detail=self.text(entry, path + "detail") or "",
            taken_at=self.utc(entry, path + "taken_at"),
            signature=self.text(entry, path + "signature"),
        )

    def machine(self, data: object, path: str) -> Machine:
        keys = "id work_centre available_from calendar unavailable family"
        entry = self.members(data, path, keys, reserved="capacity")
        return Machine(
            id=self.required_text(entry, path + "id"),
            work_centre=self.text(entry, path + "work_centre"),
            available_from=self.ticks(entry.get("available_from"), path + "available_from"),
            **read_machine_rules(self, entry, path),
        )

    def job(self, data: object, path: str) -> Job:
        entry = self.members(data, path, "id quantity release due weight operations")
        weight = entry.get("weight")
        return Job(
            id=self.required_text(entry, path + "id"),
            operations=tuple(self.operation(*item) for item in self.elements(entry, path + "operations")),
            release=self.ticks(entry.get("release"), path + "release"),
            due=None if entry.get("due") is None else self.ticks(entry["due"], path + "due", -MAX_HOURS),
            weight=1.0 if weight is None else float(self.number(weight, path + "weight", MAX_WEIGHT)),
            quantity=entry.get("quantity"),  # `check` refuses what is not an integer
        )

    def operation(self, data: object, path: str) -> Operation:
        entry = self.members(data, path, OPERATION_KEYS, reserved="after")
        alternatives = entry.get("alternatives")
        if not isinstance(alternatives, dict):
            self.faults.add(path + "alternatives", must_be("an object", alternatives))
            alternatives = {}
        return Operation(
            id=self.required_text(entry, path + "id"),
            alternatives={m: self.duration(hours, path, m) for m, hours in alternatives.items()},
            setup=self.ticks(entry.get("setup"), path + "setup"),
            **(read_operation_rules(self, entry, path) if entry.keys() & OPERATION_RULES else {}),
        )
