"""Learning curves."""

from __future__ import annotations

import pytest

from jaxshop.views.curves import Curve, curves_page, smoothed, write_curves

LINES = [
    {
        **{"update": n, "stage": "mix", "gap": 0.5 / n, "best_gap": 0.4 / n, "entropy": 1.0, "kl": 0.01},
        **{f"{key}/{bank}": 0.5 / n for key in ("gap", "best_gap") for bank in "ab"},
        **{"clip_fraction": 0.1, "explained_variance": 0.5, "steps_per_second": 1e4, "seconds": 2.0 * n},
        **({"own_gap": 0.3, "selection_gap": 0.2, "kept/flow<": 0.25} if n % 2 == 0 else {}),
    }
    for n in range(1, 7)
]


def test_a_page_has_a_panel_for_everything_that_was_measured():
    """Shows evaluations, each make of the kept shops and each bank, escaped, and the run's length."""
    page = curves_page(LINES, "a <run>")
    for caption in ("Greedy schedules", "Kept shops, flow&lt;", "Episodes of a", "Episodes of b", "Entropy"):
        assert page.count(f"<figcaption>{caption}") == 1
    assert "a &lt;run&gt;" in page
    assert "6 updates, 12 s of training" in page
    assert "<script" not in page


def test_a_run_without_evaluations_has_no_such_panels(tmp_path):
    """Shows that an empty panel is left out, and that the page is written where it belongs."""
    lines = [{key: value for key, value in line.items() if "/" not in key and "_gap" not in key} for line in LINES]
    write_curves(tmp_path / "curves.html", lines, "run")
    page = (tmp_path / "curves.html").read_text()
    assert "Greedy schedules" not in page
    assert "Entropy" in page


def test_the_average_begins_with_the_first_value():
    """Shows that the moving average is not drawn towards 0 at its beginning."""
    curve = smoothed(Curve("x", [(1, 4.0), (2, 4.0), (3, 1.0)]), memory=0.5)
    assert [y for _, y in curve.points] == pytest.approx([4.0, 4.0, (4.0 * 0.75 + 1.0) / 1.75])


def test_a_page_draws_every_value_of_a_few_and_few_outliers_of_many():
    """Shows that the highest of fifteen values is the top of its axis, an outlier among 200 is not; plain numbers."""
    lines = [{**LINES[1], "update": n, "own_gap": 0.01 * n, "steps_per_second": 1e4 * n} for n in range(1, 16)]
    assert ">15</text>" in curves_page(lines, "few")
    assert ">150,000</text>" in curves_page(lines, "few")
    own = [9.0, *[0.02] * 199]
    many = [{**LINES[1], "update": n, "own_gap": gap, "selection_gap": 0.01} for n, gap in enumerate(own, 1)]
    greedy = curves_page(many, "many").split("</figure>")[0]
    assert ">2</text>" in greedy
    assert ">900</text>" not in greedy
