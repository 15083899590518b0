"""Writes docs/benchmarks.md: what `jaxshop evaluate` found on public instances beside published figures.

In the folder of the instances (`jobshop/`, `flexible/`, `best_known.csv`):

jaxshop evaluate "jobshop/ta*.txt" --best-known best_known.csv --samples 128 --csv results.csv --resume
jaxshop evaluate "flexible/mk0*.fjs" flexible/mk10.fjs "flexible/la*_[erv]data.fjs" --best-known best_known.csv \
    --samples 100 --csv results.csv --resume

Then `uv run benchmarks/published.py results.csv`; without the file, from benchmarks/results.csv, which it becomes.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from jaxshop.support.errors import ShopError
from jaxshop.views.evaluation import Line, read_csv, to_csv

HERE = Path(__file__).parent
PUBLISHED, RESULTS, PAGE = HERE / "published.csv", HERE / "results.csv", HERE.parent / "docs" / "benchmarks.md"

OURS = "jaxshop"
GROUPS = {
    "taillard": ("15 x 15", "20 x 15", "20 x 20", "30 x 15", "30 x 20", "50 x 15", "50 x 20", "100 x 20", "mean"),
    "flexible": ("mk01-10", "la01-40 edata", "la01-40 rdata", "la01-40 vdata"),
}
SIZES = dict.fromkeys(GROUPS["taillard"][:-1], 10) | {"mk01-10": 10} | dict.fromkeys(GROUPS["flexible"][1:], 40)
"""Instances of each group: a mean of fewer is not shown."""

INTRODUCTION = """\
Learned schedulers on public instances, by their mean gap in percent to the best known makespans. Ours is one set of
weights for all of them, and has seen none of these instances. Our own search stands in the [Results](index.md#results).

- *Greedy* is one schedule, without a rule or a search beside it. *Best of N samples* stands beside the best of as many
  samples of the others.
- *Against* says what a gap is to. *As printed* means what the source took for the best known, which differs by up to
  half a point; *OR-Tools* means the makespans of half a day of it.
- A group has a figure of ours only where every one of its instances has a result.
- Instances and best known makespans are those of the ScheduleOpt collection (CC BY-SA 4.0, read 2026-08-19).
"""
AGAIN = """\
`benchmarks/published.py` writes this page, from what `jaxshop evaluate` found (`benchmarks/results.csv`) and from what
others have published (`benchmarks/published.csv`). In the folder of the instances:

```sh
uv run jaxshop evaluate "jobshop/ta*.txt" --best-known best_known.csv --samples 128 --csv results.csv --resume
uv run jaxshop evaluate "flexible/mk0*.fjs" flexible/mk10.fjs "flexible/la*_[erv]data.fjs" \\
    --best-known best_known.csv --samples 100 --csv results.csv --resume
```

Then, in the clone, `uv run benchmarks/published.py results.csv`, with the path of that file.
"""
TITLES = {"taillard": "Job shops: Taillard's ta01 to ta80", "flexible": "Flexible job shops: Brandimarte and Hurink"}


@dataclass(frozen=True)
class Row:
    """A method in one mode: mean gaps by group."""

    set: str
    method: str
    mode: str
    samples: int
    gaps: Mapping[str, float]
    reference: str = "best known"
    source: str = ""


def read_published(path: Path = PUBLISHED) -> list[Row]:
    """The figures of others; the first line of a method with a source speaks for all of that mode."""
    found: dict[tuple[str, str, str, int], Row] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            place = (line["set"], line["method"], line["mode"], int(line["samples"]))
            row = found.get(place) or Row(*place, {}, line["reference"])
            gaps = {**row.gaps, line["group"]: float(line["gap_percent"])}
            found[place] = replace(row, gaps=gaps, source=row.source or line["source"])
    return list(found.values())


def group_of(line: Line) -> tuple[str, str] | None:
    """Set and group of an instance, by its name."""
    stem = Path(line.shop).stem
    if re.fullmatch(r"ta\d\d", stem):
        return "taillard", f"{line.jobs} x {line.machines}"
    if re.fullmatch(r"mk(0\d|10)", stem):
        return "flexible", "mk01-10"
    lawrence = re.fullmatch(r"la\d\d_([erv]data)", stem)
    return ("flexible", f"la01-40 {lawrence[1]}") if lawrence else None


def mode_of(method: str) -> tuple[str, int] | None:
    """Mode and samples of a result of `jaxshop evaluate`; None for what stands beside nothing here."""
    if method == "policy:greedy":
        return "greedy", 1
    drawn = re.fullmatch(r"policy:best-of-(\d+)", method)
    return ("samples", int(drawn[1])) if drawn else None


def own_rows(lines: Iterable[Line]) -> list[Row]:
    """Ours: the mean gap to the best known of every group that is complete; of Taillard also the mean of the groups."""
    gaps: dict[tuple[str, str, int], dict[str, dict[str, float]]] = {}
    for line in lines:
        place, drawn = group_of(line), mode_of(line.method)
        if place and drawn and line.best_known:
            of_group = gaps.setdefault((place[0], *drawn), {}).setdefault(place[1], {})
            of_group[Path(line.shop).stem] = 100 * (line.makespan / line.best_known - 1)
    rows = []
    for (name, mode, samples), groups in gaps.items():
        means = {group: fmean(of.values()) for group, of in groups.items() if len(of) == SIZES[group]}
        if name == "taillard" and len(means) == 8:
            means["mean"] = fmean(means.values())
        if means:
            rows.append(Row(name, OURS, mode, samples, means))
    return rows


def verdicts(ours: Row, others: Sequence[Row]) -> Iterator[str]:
    """Where we are behind, and ahead of whom, group by group; with as many samples."""
    for group in GROUPS[ours.set]:
        rivals = [row for row in others if group in row.gaps]
        if group not in ours.gaps or not rivals:
            continue
        best = min(rivals, key=lambda row: row.gaps[group])
        margin = ours.gaps[group] - best.gaps[group]
        word = "**behind**" if margin > 0 else "ahead of"
        yield f"{group}: {word} {best.method} by {abs(margin):.1f} points"


def table(name: str, rows: Sequence[Row]) -> Iterator[str]:
    """The rows of one comparison, best first by the last group that they have."""
    groups = GROUPS[name]
    yield f"| method | {' | '.join(groups)} | against |"
    yield f"|---|{'---:|' * len(groups)}---|"
    key = groups[-1] if name == "taillard" else groups[0]
    for row in sorted(rows, key=lambda row: row.gaps.get(key, float("inf"))):
        cells = [f"{row.gaps[group]:.1f}" if group in row.gaps else "" for group in groups]
        shown = [f"**{cell}**" if cell and row.method == OURS else cell for cell in cells]
        method = f"**{OURS}**" if row.method == OURS else row.method
        yield f"| {method} | {' | '.join(shown)} | {row.reference} |"


def page(lines: Sequence[Line], published: Sequence[Row]) -> str:
    """The whole of docs/benchmarks.md."""
    return "\n".join(_page(lines, published)) + "\n"


def _page(lines: Sequence[Line], published: Sequence[Row]) -> Iterator[str]:
    ours = own_rows(lines)
    yield "# Benchmarks"
    yield ""
    yield from INTRODUCTION.splitlines()
    policies = sorted({found[1] for line in lines if (found := re.search(r"policy=(\w+)", line.settings))})
    if not ours:
        yield ""
        yield "There are no results of ours yet."
    elif policies:
        yield ""
        yield f"Ours are of the policy with the id {', '.join(f'`{policy}`' for policy in policies)}."
    for name, title in TITLES.items():
        yield ""
        yield f"## {title}"
        modes = dict.fromkeys((row.mode, row.samples) for row in (*published, *ours) if row.set == name)
        for mode, samples in sorted(modes, key=lambda mode: (mode[0] == "search", mode[1])):
            here = [row for row in published if (row.set, row.mode, row.samples) == (name, mode, samples)]
            own = [row for row in ours if (row.set, row.mode, row.samples) == (name, mode, samples)]
            yield ""
            yield {"greedy": "### Greedy", "samples": f"### Best of {samples} samples"}.get(mode, "### Search")
            yield ""
            yield from table(name, [*own, *here])
            for row in own:
                yield ""
                yield from (f"- {said}" for said in verdicts(row, here))
    yield ""
    yield "## Sources"
    yield ""
    seen = dict.fromkeys(f"{row.method}, {row.mode}: {row.source}" for row in published)
    yield from (f"- {source}" for source in seen)
    yield ""
    yield "## Make this page again"
    yield ""
    yield from AGAIN.splitlines()


def main(paths: Sequence[str]) -> int:
    """Keep what was found, if files of it are named, and write the page."""
    try:
        lines = [line for path in paths or [str(RESULTS)] for line in read_csv(path)]
    except ShopError as error:
        print(error, file=sys.stderr)
        return 2
    kept = [line for line in lines if group_of(line) and mode_of(line.method)]
    if paths:
        RESULTS.write_text(to_csv(replace(line, seconds=round(line.seconds, 3)) for line in kept), encoding="utf-8")
    PAGE.write_text(page(kept, read_published()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
