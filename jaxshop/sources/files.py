"""Shops from files: the shop file's JSON, standard job-shop text (.txt) and flexible job-shop text (.fjs).

Both texts begin with a line `jobs machines`, to which .fjs may add the average flexibility; then each job has
a line. What follows a `#` is a comment. Numbers are ticks, no unit is implied, and a duration may be 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from jaxshop.shop import Job, Machine, Operation, Provenance, Shop, parse_shop, validate
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_json, read_text

MAX_MACHINES = 100_000
"""A header that promises more is refused before a record is made for each."""

SPECS = "a .json, .txt or .fjs file, `reference`, `reference:K`, `family:NAME:SEED` or `mariadb:`"

Route = list[list[tuple[int, int]]]
"""For each operation, its alternatives as pairs of machine number and duration."""


def read_shop(path: str | Path) -> Shop:
    """Read a shop from a file, in the format that its ending names.

    Raises:
        ShopError: holds every fault, with the file and the path or line inside; also where the file is
            missing or unreadable, or its ending is none of .json, .txt and .fjs.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".json":
        return parse_shop(read_json(path), str(path))
    if ending == ".txt":
        return _read_benchmark(path, _jobshop_route, first_machine=0, header=(2,))
    if ending == ".fjs":
        return _read_benchmark(path, _flexible_route, first_machine=1, header=(2, 3))
    if ending in (".csv", ".xlsx"):
        raise ShopError(f"{path}: is a table; `jaxshop import` makes a shop file of orders, routes and machines")
    raise ShopError(f"{path}: unknown ending {path.suffix!r}; a shop is {SPECS}")


def _read_benchmark(
    path: Path, route_of: Callable[[list[int]], Route], first_machine: int, header: tuple[int, ...]
) -> Shop:
    lines = [
        (number, words)
        for number, line in enumerate(read_text(path).splitlines(), start=1)
        if (words := line.partition("#")[0].split())
    ]
    if not lines:
        raise ShopError(f"{path}: holds no shop: there is not one line of numbers")
    (top, words), *job_lines = lines
    try:
        if len(words) not in header:
            raise ValueError("the first line must be the number of jobs and the number of machines")
        jobs, machines = _integers(words[:2])
        if not 1 <= machines <= MAX_MACHINES:
            raise ValueError(f"{machines} machines; there must be 1 to {MAX_MACHINES}")
    except ValueError as error:
        raise ShopError(f"{path}: line {top}: {error}") from None

    names = {first_machine + i: f"M{first_machine + i}" for i in range(machines)}
    faults: list[str] = []
    routes: list[tuple[Operation, ...]] = []
    for number, words in job_lines:
        try:
            routes.append(_operations(f"J{len(routes)}", route_of(_integers(words)), names))
        except ValueError as error:
            faults.append(f"{path}: line {number}: {error}")
            routes.append(())
    if len(routes) != jobs:
        cut = " (is the file cut short?)" if len(routes) < jobs else ""
        faults.append(f"{path}: line {top} promises {jobs} jobs, {len(routes)} follow{cut}")
    if faults:
        raise ShopError(faults)
    shop = Shop(
        name=path.stem,
        machines=tuple(Machine(name) for name in names.values()),
        jobs=tuple(Job(f"J{i}", route) for i, route in enumerate(routes)),
        provenance=Provenance("file", path.name),
        unit="ticks",
    )
    validate(shop, str(path))
    return shop


def _integers(words: list[str]) -> list[int]:
    for word in words:
        if not re.fullmatch(r"-?[0-9]{1,18}", word):
            raise ValueError(f"{word[:40]!r} is not an integer")
    return [int(word) for word in words]


def _jobshop_route(numbers: list[int]) -> Route:
    """Read pairs of machine and duration; re-entrant sets fill short lines up with `-1 -1`."""
    while numbers[-2:] == [-1, -1]:
        del numbers[-2:]
    if len(numbers) % 2:
        raise ValueError(f"{len(numbers)} numbers; there must be pairs of machine and duration")
    return [[pair] for pair in _pairs(numbers)]


def _flexible_route(numbers: list[int]) -> Route:
    """Read the number of operations; then, for each, the number of alternatives and that many pairs."""
    route: Route = []
    operations, at = numbers[0], 1
    for _ in range(operations):
        if at >= len(numbers):
            raise ValueError(f"{operations} operations are promised, the line ends after {len(route)}")
        pairs = numbers[at + 1 : at + 1 + 2 * max(0, numbers[at])]
        if len(pairs) < 2 * numbers[at]:
            raise ValueError(f"the line ends within operation {len(route)}")
        route.append(_pairs(pairs))
        at += 1 + len(pairs)
    if at < len(numbers):
        raise ValueError(f"{len(numbers) - at} numbers are left after the {operations} operations promised")
    return route


def _pairs(numbers: list[int]) -> list[tuple[int, int]]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _operations(job: str, route: Route, names: dict[int, str]) -> tuple[Operation, ...]:
    if not route:
        raise ValueError("the job has no operations")
    known = f"{min(names)} to {max(names)}"
    operations = []
    for k, pairs in enumerate(route):
        if not pairs:
            raise ValueError(f"operation {k} has no eligible machine")
        for machine, duration in pairs:
            if machine not in names:
                raise ValueError(f"operation {k}: unknown machine {machine}; they are {known}")
            if duration < 0:
                raise ValueError(f"operation {k}: duration {duration} must be >= 0")
        alternatives = {names[machine]: duration for machine, duration in pairs}
        if len(alternatives) < len(pairs):
            raise ValueError(f"operation {k} names a machine twice")
        operations.append(Operation(f"{job}/{k}", alternatives))
    return tuple(operations)
