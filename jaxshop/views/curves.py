"""Learning curves as one self-contained page: a panel a quantity, drawn as SVG, no script and no network."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from jaxshop.support.files import write_atomic

WIDTH, HEIGHT = 420, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 26

_PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style
.curves{display:flex;flex-wrap:wrap;gap:1.5rem;padding:1rem 1.5rem}
.curves figure{margin:0}
.curves figcaption{font-weight:600;margin-bottom:.25rem}
.curves svg{overflow:visible}
.curves text{fill:currentColor;font-size:11px}
.curves .grid{stroke:currentColor;opacity:.15}
.curves polyline{fill:none;stroke-width:1.6}
.curves .raw{opacity:.3;stroke-width:1}
</style>
</head>
<body>
<header class="masthead"><h1>$title</h1><span class="quiet">$subtitle</span></header>
<main class="curves">
$panels
</main>
</body>
</html>
""")


class Curve(NamedTuple):
    """Points in the order of updates; `raw` ones are drawn faintly behind the others."""

    name: str
    points: Sequence[tuple[float, float]]
    raw: bool = False


def write_curves(path: str | Path, lines: Sequence[Mapping[str, Any]], title: str) -> None:
    """Draw the lines of a run's metrics.jsonl, each a mapping with `update`; replaced in one step."""
    write_atomic(path, curves_page(lines, title))


def curves_page(lines: Sequence[Mapping[str, Any]], title: str) -> str:
    """The HTML that `write_curves` writes."""
    panels = "\n".join(_panel(caption, curves) for caption, curves in _panels(lines) if any(c.points for c in curves))
    style = files("jaxshop.views").joinpath("static/style.css").read_text(encoding="utf-8")
    seconds = lines[-1].get("seconds", 0.0) if lines else 0.0
    subtitle = f"{len(lines)} updates, {seconds:,.0f} s of training"
    return _PAGE.substitute(title=html.escape(title), subtitle=subtitle, style=style, panels=panels)


def _panels(lines: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Curve]]]:
    """What is drawn: gaps of evaluations and of samples by what they are of, then the health of the updates."""
    yield (
        "Greedy schedules, % over the bound or the best known",
        [
            _curve("the shop itself", lines, "own_gap", 100.0),
            _curve("kept shops", lines, "selection_gap", 100.0),
        ],
    )
    makes = sorted({key for line in lines for key in line if key.startswith("kept/")})
    for make in makes:
        yield f"Kept shops, {make.removeprefix('kept/')}, % over the best known", [_curve(make, lines, make, 100.0)]
    banks = sorted({key.removeprefix("gap") for line in lines for key in line if key.startswith("gap/")}) or [""]
    for bank in banks:
        mean, best = (
            _curve("mean sample", lines, f"gap{bank}", 100.0),
            _curve("best sample", lines, f"best_gap{bank}", 100.0),
        )
        raw = [curve._replace(raw=True) for curve in (mean, best)]
        yield f"Episodes{bank.replace('/', ' of ')}, % over the bound", [*raw, smoothed(mean), smoothed(best)]
    for key, caption in (
        ("entropy", "Entropy, nats"),
        ("kl", "Kullback-Leibler divergence of an update"),
        ("clip_fraction", "Share of clipped ratios"),
        ("explained_variance", "Variance that the critic explains"),
        ("steps_per_second", "Operations per second"),
    ):
        curve = _curve(key, lines, key)
        yield caption, [curve._replace(raw=True), smoothed(curve)]


def _curve(name: str, lines: Sequence[Mapping[str, Any]], key: str, scale: float = 1.0) -> Curve:
    return Curve(name, [(line["update"], scale * line[key]) for line in lines if key in line])


def smoothed(curve: Curve, memory: float = 0.9) -> Curve:
    """The exponential moving average, its beginning weighted by what there is so far."""
    points, total, weight = [], 0.0, 0.0
    for x, y in curve.points:
        total, weight = memory * total + y, memory * weight + 1.0
        points.append((x, total / weight))
    return curve._replace(points=points)


def _panel(caption: str, curves: Sequence[Curve]) -> str:
    points = [point for curve in curves for point in curve.points]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = _span([y for _, y in points])
    shown = [curve for curve in curves if not curve.raw]

    def across(x: float) -> float:
        return _LEFT + (x - left) / max(right - left, 1e-9) * (WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return _TOP + (high - min(max(y, low), high)) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    parts = []
    for k in range(5):
        y = low + k * (high - low) / 4
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{down(y):.1f}" y2="{down(y):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{down(y) + 4:.1f}" text-anchor="end">{_number(y)}</text>')
    for x, anchor in ((left, "start"), (right, "end")):
        parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{x:g}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">update</text>')
    names = list(dict.fromkeys(curve.name for curve in curves))
    for curve in curves:
        colour = _COLOURS[names.index(curve.name) % len(_COLOURS)]
        drawn = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in curve.points)
        kind = ' class="raw"' if curve.raw else ""
        parts.append(f'<polyline{kind} stroke="{colour}" points="{drawn}"/>')
    if len(shown) > 1:
        for i, curve in enumerate(shown):
            colour, y = _COLOURS[names.index(curve.name) % len(_COLOURS)], _TOP + 12 + 14 * i
            parts.append(f'<text x="{WIDTH - _RIGHT}" y="{y}" text-anchor="end" style="fill:{colour}">')
            parts.append(
                f"{html.escape(curve.name)} {_number(curve.points[-1][1])}</text>" if curve.points else "</text>"
            )
    only = shown[0].points if len(shown) == 1 else ()
    said = html.escape(caption) + (f": {_number(only[-1][1])}" if only else "")
    svg = f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{said}">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{said}</figcaption>{svg}</figure>"


_COLOURS = ("#2f6fde", "#d9662b", "#2b9a66", "#8e4ec6")


def _span(values: Sequence[float]) -> tuple[float, float]:
    """The range to draw: from 0 where nothing is below it, and without the hundredth at either end of many values.

    What the first updates are at would press the rest to a line.
    """
    ordered, outliers = sorted(values), len(values) // 100
    low, high = min(ordered[outliers], 0.0), ordered[len(ordered) - 1 - outliers]
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
