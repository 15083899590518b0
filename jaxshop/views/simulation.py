"""What `jaxshop simulate` found: medians and spread of the weeks by policy, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

COLUMNS = {
    "makespan_hours": "makespan h",
    "tardiness_hours": "late h",
    "late_jobs": "late jobs",
    "moved": "moves",
    "machine_changed": "other machine",
    "moved_hours": "moved h",
    "mean_seconds": "secs",
}
"""Figures of a week that are compared: weighted tardiness, moves of operations, those to another machine, the hours by
which operations were moved, and the mean seconds that a plan took."""


def summary(weeks: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """By policy and figure the median, the least and the most of its weeks."""
    policies: dict[str, list[Mapping[str, Any]]] = {}
    for week in weeks:
        policies.setdefault(week["policy"], []).append(week)
    return {name: {key: _spread([week[key] for week in of]) for key in COLUMNS} for name, of in policies.items()}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "least": min(values), "most": max(values)}


def simulation_table(title: str, figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table:
    """A row a policy, and where weeks differ the least and the most of them below."""
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False)  # narrow enough for a terminal of 80 columns
    table.add_column("policy", no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", min_width=max(map(len, heading.split())))
    for name, of in figures.items():
        median_of, *others = ([_shown(key, of[key][which]) for key in COLUMNS] for which in ("median", "least", "most"))
        table.add_row(name, *median_of)
        if others != [median_of, median_of]:
            for label, values in zip(("  least", "  most"), others, strict=True):
                table.add_row(label, *values, style="dim")
    return table


def _shown(key: str, value: float) -> str:
    return f"{value:,.{2 if key in ('makespan_hours', 'mean_seconds') else 0}f}"
