"""Tables and the picture of a profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jaxshop.profiling.roofline import Roofline
from jaxshop.profiling.versus import require


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", no_wrap=True)
    return table


WIDTH = 80
"""Columns that a table takes at most."""


def limits_line(roofline: Roofline) -> str:
    """What plain programs reach on this device."""
    small, large = roofline.copies[0], roofline.copies[-1]
    return (
        f"this device: {roofline.flop_per_second / 1e9:,.0f} GFLOP/s (matrix product);\n  copies of "
        f"{small[0] / 1e6:.1f} MB {small[1] / 1e9:,.1f} GB/s, of {large[0] / 1e6:,.0f} MB {large[1] / 1e9:,.1f} GB/s"
    )


def _short(number: float) -> str:
    """Three digits and the thousands that they are of."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


def phase_table(phases: Sequence[Mapping[str, Any]]) -> Table:
    """How fast each phase is, and what it takes."""
    table = _table("phases", "phase", "envs", "op/s", "step/s", "compile s", "peak MB")
    for p in phases:
        table.add_row(
            p["phase"],
            f"{p['environments']:,}",
            _short(p["operations_per_second"]),
            _short(p["steps_per_second"]),
            f"{p['compile_seconds']:.1f}",
            f"{p['peak_bytes'] / 1e6:,.1f}",
        )
    return table


def limit_table(phases: Sequence[Mapping[str, Any]]) -> Table:
    """How far each phase is from the device's limits; kernels may read the same bytes many times, out of caches."""
    table = _table("limits", "phase", "FLOP/step", "B/step", "of roofline", "bytes/copy", "bound by")
    for p in phases:
        table.add_row(
            p["phase"],
            _short(p["flop_per_step"]),
            _short(p["bytes_per_step"]),
            f"{100 * min(p['roofline_share'], 1.0):.1f} %",
            f"{p['traffic_share']:.2f}",
            p["bound_by"],
        )
    return table


def against_table(phases: Sequence[Mapping[str, Any]], earlier: Mapping[str, Any]) -> Table:
    """Each phase beside an earlier line of a history; above 1 is faster than then."""
    table = _table(f"against {earlier['at']}", "phase", "op/s", "then", "times", "peak MB", "then")
    before = {p["phase"]: p for p in earlier["phases"]}
    for p in (p for p in phases if p["phase"] in before):
        then = before[p["phase"]]
        table.add_row(
            p["phase"],
            _short(p["operations_per_second"]),
            _short(then["operations_per_second"]),
            f"{p['operations_per_second'] / then['operations_per_second']:.2f}",
            f"{p['peak_bytes'] / 1e6:,.1f}",
            f"{then['peak_bytes'] / 1e6:,.1f}",
        )
    return table


def sweep_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per shop and number of environments; the last column is flat where cost grows with the lots alone."""
    columns = ("shop", "lots", "envs", "op/s", "ns/op/lot", "kB/env")
    table = _table("random legal rollouts", *columns)
    for row in rows:
        rate = row["operations_per_second"]
        table.add_row(
            row["shop"],
            str(row["lots"]),
            f"{row['environments']:,}",
            _short(rate),
            f"{1e9 / rate / row['lots']:.2f}",
            f"{row['bytes_per_environment'] / 1e3:.1f}",
        )
    return table


def versus_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Ours, the other's, and how many times as fast ours is."""
    table = _table("side by side", "work", "op/s", "other", "op/s", "ratio")
    for row in rows:
        ours, theirs = (_short(row[f"{whose}operations_per_second"]) for whose in ("", "other_"))
        table.add_row(row["work"], ours, row["other"], theirs, f"{row['ratio']:.2f}")
    return table


def draw_sweep(rows: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Operations per second over environments, a line per shop, as PNG.

    Raises:
        ShopError: matplotlib is missing; the message names the extra.
    """
    require("matplotlib").use("agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for shop in dict.fromkeys(row["shop"] for row in rows):
        points = [(r["environments"], r["operations_per_second"]) for r in rows if r["shop"] == shop]
        axes.loglog(*zip(*points, strict=True), marker="o", label=shop)
    axes.set(xlabel="environments", ylabel="operations per second", title="random legal rollouts")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
