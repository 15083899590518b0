"""What `jaxshop evaluate` found: its results as lines of a CSV file, as JSON rows, means, and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from statistics import fmean
from typing import Any

from jaxshop.shop import gap_percent
from jaxshop.support.errors import ShopError
from jaxshop.support.files import read_rows


@dataclass(frozen=True)
class Line:
    """One result on one shop; times in hours, or in ticks where that is the shop's unit.

    Bound and gaps are of the cost, by the shop's objective: the makespan, unless that says otherwise.
    """

    shop: str  # as it was named
    fingerprint: str
    settings: str
    method: str
    name: str
    family: str
    jobs: int  # lots
    machines: int
    operations: int
    unit: str
    lower_bound: float
    best_known: float | None
    makespan: float  # the median, where there are several seeds
    makespan_min: float
    makespan_max: float
    objective: str
    cost: float  # the median
    cost_max: float
    seeds: int
    seconds: float

    @property
    def place(self) -> tuple[str, str, str]:
        """What it shares with the results that it is compared with: the shop and the settings."""
        return self.shop, self.fingerprint, self.settings

    @property
    def derived(self) -> dict[str, Any]:
        """What follows from the other values."""
        known = self.best_known
        return {
            "gap_to_bound_percent": gap_percent(self.cost, self.lower_bound),
            "gap_to_best_known_percent": None if not known else gap_percent(self.cost, known),
            "proven_optimal": self.cost_max <= self.lower_bound,  # with every seed
        }


_COLUMNS = [field.name for field in fields(Line)]
_NUMBERS = {"jobs": int, "machines": int, "operations": int, "seeds": int} | dict.fromkeys(
    ("lower_bound", "makespan", "makespan_min", "makespan_max", "cost", "cost_max", "seconds"), float
)
_DERIVED = ("gap_to_bound_percent", "gap_to_best_known_percent", "proven_optimal")


def to_csv(lines: Iterable[Line]) -> str:
    """A header, and a line for each result."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_COLUMNS, *_DERIVED])
    for line in lines:
        values = vars(line) | line.derived
        writer.writerow(["" if values[name] is None else values[name] for name in (*_COLUMNS, *_DERIVED)])
    return out.getvalue()


def read_csv(path: str) -> list[Line]:
    """The results that `to_csv` wrote; raises ShopError where the file holds something else."""
    header, rows = read_rows(path)
    if header != [*_COLUMNS, *_DERIVED]:
        raise ShopError(f"{path}: is no table of `jaxshop evaluate`: its columns are others")
    lines = []
    for at, row in rows:
        try:
            values: dict[str, Any] = {name: row[name] for name in _COLUMNS}
            known = values["best_known"]
            values |= {name: number(values[name]) for name, number in _NUMBERS.items()}
            lines.append(Line(**values | {"best_known": float(known) if known else None}))
        except (TypeError, ValueError):
            raise ShopError(f"{path}: line {at}: is no result; is the file cut short?") from None
    return lines


def with_best_bound(lines: Sequence[Line]) -> list[Line]:
    """One shop's results, all held against the best bound that any of them came with."""
    best = max((line.lower_bound for line in lines), default=0.0)
    return [replace(line, lower_bound=best) for line in lines]


def row_of(lines: Sequence[Line]) -> dict[str, Any]:
    """One shop's row: makespans and costs in the shop's unit, with their gaps to the bound and the best known."""
    first = lines[0]
    return {
        "shop": first.name,
        "family": first.family,
        "jobs": first.jobs,
        "machines": first.machines,
        "operations": first.operations,
        "unit": first.unit,
        "objective": first.objective,
        "lower_bound": first.lower_bound,
        "best_known": first.best_known,
        "results": {line.method: _result(line) for line in lines},
    }


def _result(line: Line) -> dict[str, Any]:
    spread = {name: getattr(line, name) for name in ("makespan_min", "makespan_max", "seeds")}
    return {
        "makespan": line.makespan,
        "cost": line.cost,
        **line.derived,
        "seconds": line.seconds,
        **(spread if line.seeds > 1 else {}),
    }


def means(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean gaps and seconds of each family of several shops, and of each size that comes several times in it."""

    def family(row: Mapping[str, Any]) -> str:
        return str(row["family"])

    def size(row: Mapping[str, Any]) -> tuple[int, int]:
        return row["jobs"], row["machines"]

    found = []
    for name, group in groupby(sorted(rows, key=family), family):
        of_family = list(group)
        sizes = [list(of_size) for _, of_size in groupby(sorted(of_family, key=size), size)]
        for of_size in sizes:
            if len(of_family) > len(of_size) > 1:
                jobs, machines = size(of_size[0])
                found.append(_mean(of_size, name, f"{jobs} x {machines}"))
        if len(of_family) > 1:
            found.append(_mean(of_family, name, "all"))
    return found


def _mean(rows: Sequence[Mapping[str, Any]], family: str, size: str) -> dict[str, Any]:
    results: dict[str, Any] = {}
    # Means of different shops are not compared: only what every shop has.
    for name in [name for name in rows[0]["results"] if all(name in row["results"] for row in rows)]:
        of_all = [row["results"][name] for row in rows]
        results[name] = {
            **{gap: _mean_of([result[gap] for result in of_all]) for gap in _DERIVED[:2]},
            "seconds": fmean(result["seconds"] for result in of_all),
            "proven_optimal": sum(result["proven_optimal"] for result in of_all),
        }
    return {"family": family, "size": size, "shops": len(rows), "results": results}


def _mean_of(gaps: Sequence[float | None]) -> float | None:
    """Their mean, if all of them are there."""
    given = [gap for gap in gaps if gap is not None]
    return fmean(given) if len(given) == len(gaps) else None


def to_markdown(rows: Sequence[Mapping[str, Any]], settings: str) -> str:
    """Two tables: the shops, and the means; `*` marks what is proven optimal."""
    return "\n".join(_markdown(rows, settings)) + "\n"


def _markdown(rows: Sequence[Mapping[str, Any]], settings: str) -> Iterator[str]:
    methods = list(dict.fromkeys(name for row in rows for name in row["results"]))
    yield "Makespan, or cost where a shop has another objective, and its gap to the best known, or else to the bound;"
    yield f"* proven optimal. Settings: {settings}"
    yield ""
    yield _joined(["shop", "operations", "lower bound", "best known", *methods])
    yield _joined(["---", *["---:"] * (3 + len(methods))])
    for row in rows:
        cells = [_cell(row, name) for name in methods]
        known = "" if row["best_known"] is None else _time(row["best_known"], row["unit"])
        bound = _time(row["lower_bound"], row["unit"])
        yield _joined([row["shop"], f"{row['operations']:,}", bound, known, *cells])
    if groups := means(rows):
        yield ""
        yield "Mean gap to the best known, or else to the lower bound, and how many are proven optimal."
        yield ""
        yield _joined(["family", "jobs x machines", "shops", *methods])
        yield _joined(["---", "---", *["---:"] * (1 + len(methods))])
        for group in groups:
            cells = [_mean_cell(group["results"].get(name)) for name in methods]
            yield _joined([group["family"], group["size"], str(group["shops"]), *cells])


def shown_gap(result: Mapping[str, Any]) -> str:
    """The gap to the best known, or else to the bound."""
    known, bound = result["gap_to_best_known_percent"], result["gap_to_bound_percent"]
    gap = bound if known is None else known
    return "" if gap is None else f"{gap:.2f} %"


def _cell(row: Mapping[str, Any], name: str) -> str:
    if (result := row["results"].get(name)) is None:
        return ""
    return f"{_time(result['cost'], row['unit'])} ({shown_gap(result)}){'*' * result['proven_optimal']}"


def _mean_cell(result: Mapping[str, Any] | None) -> str:
    return "" if result is None else f"{shown_gap(result)}, {result['proven_optimal']} optimal"


def _time(value: float, unit: str) -> str:
    return f"{value:,.2f} h" if unit == "hours" else f"{value:,.10g}"


def _joined(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
