"""Writes the tables of makes.md anew: what the makes of `jaxshop/sources/distribution.py` are drawn from.

uv run docs/makes_table.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxshop.sources.distribution import MAKES, Make
from jaxshop.sources.families import Family

PAGE = Path(__file__).with_name("makes.md")

THROUGH_ALL = ("permuted", "stages")
"""Routes that pass every centre once, whatever `steps` says."""


def span(value: tuple[int, int]) -> str:
    """A range, or the only number in it."""
    low, high = value
    return f"{low}" if low == high else f"{low} to {high}"


def plain(value: float | None) -> str:
    """A number; nothing where there is none."""
    return f"{value:g}" if value else ""


def times(family: Family, minutes: tuple[int, int] | None) -> str:
    """Whole minutes, or hours of a Gamma distribution."""
    return f"Gamma, mean {family.mean_hours:g} h" if minutes is None else f"{span(minutes)} min"


COLUMNS: Mapping[str, tuple[str, Callable[[Family, Any], str]]] = {
    "route": ("route", lambda family, route: route),
    "steps": ("operations a job", lambda family, steps: "one a centre" if family.route in THROUGH_ALL else span(steps)),
    "centre": ("machines a centre", lambda family, centre: "all of them" if centre is None else span(centre)),
    "alternatives": ("of these, for an operation", lambda family, chosen: "all" if chosen is None else span(chosen)),
    "minutes": ("times", times),
    "shape": ("shape of the Gamma", lambda family, shape: plain(shape)),
    "spread": ("spread", lambda family, spread: f"{spread:g}"),
    "setup_hours": ("set-up, h", lambda family, hours: plain(hours)),
    "imbalance": ("imbalance", lambda family, imbalance: plain(imbalance)),
    "longest": ("longest job", lambda family, longest: plain(longest)),
    "tight": ("tight centre: machines", lambda family, tight: "" if tight is None else span(tight)),
    "tight_load": ("its load", lambda family, load: "" if family.tight is None else plain(load)),
    "released_late": ("jobs released late", lambda family, share: f"{share:g}"),
    "machines_late": ("machines late", lambda family, share: f"{share:g}"),
}
"""Heading and wording of each parameter of a family."""


def cell(make: Make, name: str) -> str:
    """What a parameter is, or all that it is drawn from."""
    assert make.family is not None
    _, said = COLUMNS[name]
    if name == "shape" and None not in make.draws.get("minutes", (make.family.minutes,)):
        return ""  # no time is Gamma-like
    return "; ".join(said(make.family, value) for value in make.draws.get(name, (getattr(make.family, name),)))


def rows(headings: list[str], names: list[str], of: Callable[[str], list[str]]) -> Iterator[str]:
    """A Markdown table of so many makes; `of` gives what stands under the headings."""
    yield " | ".join(["| make", "machines", *headings]) + " |"
    yield "|---" * (len(headings) + 2) + "|"
    for name in names:
        yield " | ".join([f"| `{name}`", span(MAKES[name].machines), *of(name)]) + " |"


def rules(name: str) -> list[str]:
    """Whether a make has the plant's own rules, and the weight of tardiness."""
    make = MAKES[name]
    return ["yes" if make.dressed else "", plain(make.lateness)]


def tables() -> str:
    """The makes that are families with parameters drawn, those of the reference's make, and those of plants."""
    families = [name for name, make in MAKES.items() if make.family is not None]
    others = [name for name in MAKES if name not in families]
    dressed = [name for name in families if MAKES[name].dressed]
    headings = [heading for heading, _ in COLUMNS.values()]
    plant = ["shifts, set-ups by sequence", "weight of tardiness"]
    return "\n".join(
        (
            "### Families, parameters drawn\n",
            *rows(headings, families, lambda name: [cell(MAKES[name], column) for column in COLUMNS]),
            "\nOf these have a plant's own rules:\n",
            *rows(plant, dressed, rules),
            "\n### The reference's make\n",
            *rows(plant, others, rules),
            "",
        )
    )


def renewed(page: str) -> str:
    """The page with its tables as they are to be."""
    return re.sub(r"### Families, .*?\n(?=## )", lambda _: tables() + "\n", page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
